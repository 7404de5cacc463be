"""What a YAML file is to the tests of rules, told from its name and its first bytes without reading YAML."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

Kind = Literal["rule", "cases", "regression"]

CASE_ENDINGS = (".cases.yml", ".cases.yaml")
INFO = ("info.yml", "info.yaml")
"""Names of the files of SigmaHQ's regression data."""

RULE_ENDINGS = (".yml", ".yaml", ".YML", ".YAML")
"""How the name of a rule ends, beside a file of cases."""
_LOOKED_AT = 1 << 20
"""Bytes of a file that are looked at: no rule is longer before its `detection`."""


def kind_of(path: str | os.PathLike[str]) -> Kind | None:
    """What a file is, `None` for YAML that has nothing to do with rules, and for what cannot be read.

    A rule has `logsource` at its top level, or `detection` or `correlation` and a `title`. A file of cases has `cases`
    or lies beside a rule, regression data has `rule_metadata` or lies below `regression_data`. What is wrong with the
    rest of a file does not count: a damaged one must be told of, not passed over.
    """
    file = Path(path)
    name = file.name.lower()
    if not name.endswith(RULE_ENDINGS):
        return None
    keys = _top_level_keys(file)
    if name.endswith(CASE_ENDINGS):
        stem = file.name[: name.rindex(".cases.")]
        beside = (file.with_name(stem + ending) for ending in RULE_ENDINGS)
        return "cases" if "cases" in keys or any(kind_of(rule) == "rule" for rule in beside) else None
    if name in INFO and (keys & {"rule_metadata", "regression_tests_info"} or "regression_data" in file.parts):
        return "regression"
    return "rule" if "logsource" in keys or ("title" in keys and keys & {"detection", "correlation"}) else None


_WORDS = (b"logsource", b"detection", b"correlation", b"title", b"cases", b"rule_metadata", b"regression_tests_info")
_BLOCK_KEY = re.compile(rb"""^["']?(%s)["']?[ \t]*:""" % b"|".join(_WORDS), re.MULTILINE)
_FLOW_KEY = re.compile(rb"""[{,]\s*["']?(%s)["']?[ \t]*:""" % b"|".join(_WORDS))


def _top_level_keys(path: Path) -> set[str]:
    """Those of `_WORDS` that stand at the beginning of a line; in a file that is one `{…}`, anywhere as a key."""
    if not path.is_file():  # a pipe would wait for somebody to write
        return set()
    try:
        with path.open("rb") as file:
            data = file.read(_LOOKED_AT)
    except OSError:
        return set()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", "replace").encode()
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"\n")
    pattern = _FLOW_KEY if data.lstrip().startswith(b"{") else _BLOCK_KEY
    return {found.decode() for found in pattern.findall(data)}

"""The kind of a YAML file (rule, cases, regression data), from its name and first bytes, without parsing YAML."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

FileKind = Literal["rule", "cases", "regression"]

CASE_ENDINGS = (".cases.yml", ".cases.yaml")
INFO = ("info.yml", "info.yaml")
"""File names of SigmaHQ's regression data."""

RULE_ENDINGS = (".yml", ".yaml", ".YML", ".YAML")
"""Endings to try for the rule file beside a case file."""
_MAX_BYTES = 1 << 20
"""Bytes of a file that are searched for keys."""


def kind_of(path: str | os.PathLike[str]) -> FileKind | None:
    """The kind of a file; `None` for YAML that is unrelated to rules.

    A rule has `logsource` at its top level, or a `title` and `detection` or `correlation`. A case file has `cases` or
    lies beside a rule. Regression data has `rule_metadata` or lies below `regression_data`. Only these keys are
    searched for, so that a damaged file is still reported. A file that cannot be read has the kind that its name says.
    """
    file = Path(path)
    name = file.name.lower()
    if not name.endswith(RULE_ENDINGS) or not file.is_file():
        return None
    try:
        keys = _top_level_keys(file)
    except OSError:
        return kind_by_name(file)
    if name.endswith(CASE_ENDINGS):
        stem = file.name[: name.rindex(".cases.")]
        beside = (file.with_name(stem + ending) for ending in RULE_ENDINGS)
        return "cases" if "cases" in keys or any(kind_of(rule) == "rule" for rule in beside) else None
    if name in INFO and (keys & {"rule_metadata", "regression_tests_info"} or "regression_data" in file.parts):
        return "regression"
    return "rule" if "logsource" in keys or ("title" in keys and keys & {"detection", "correlation"}) else None


def kind_by_name(path: str | os.PathLike[str]) -> FileKind:
    """The kind of a file by its name alone."""
    name = Path(path).name.lower()
    return "cases" if name.endswith(CASE_ENDINGS) else "regression" if name in INFO else "rule"


_WORDS = (b"logsource", b"detection", b"correlation", b"title", b"cases", b"rule_metadata", b"regression_tests_info")
_BLOCK_KEY = re.compile(rb"""^["']?(%s)["']?[ \t]*:""" % b"|".join(_WORDS), re.MULTILINE)
_FLOW_KEY = re.compile(rb"""[{,]\s*["']?(%s)["']?[ \t]*:""" % b"|".join(_WORDS))


def _top_level_keys(path: Path) -> set[str]:
    """Which of `_WORDS` begin a line; in a file that is one `{…}`, which are keys anywhere. Raises `OSError`."""
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", "replace").encode()
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"\n")
    pattern = _FLOW_KEY if data.lstrip().startswith(b"{") else _BLOCK_KEY
    return {found.decode() for found in pattern.findall(data)}

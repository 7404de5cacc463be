"""Which files under a path are rules, and their bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cloudsigma.errors import RuleError

_ENDINGS = (".yml", ".yaml")
_NO_RULES = (".cases.yml", ".cases.yaml")
_REGRESSION_INFO = ("info.yml", "info.yaml")


def rule_files(path: str | os.PathLike[str]) -> Iterator[Path | RuleError]:
    """The rule files at a path in sorted order: the file itself, or those of a folder at any depth."""
    top = Path(path)
    if top.is_dir():
        found = False
        for file in _walk(top):
            found = True
            yield file
        if not found:
            yield RuleError(
                "file",
                "the folder holds no rule files",
                path=str(top),
                remedy="Rules are files that end in .yml or .yaml.",
            )
    elif top.exists():
        yield top
    else:
        yield RuleError("file", "there is no such file or folder", path=str(top), remedy="Check the path.")


def _walk(top: Path) -> Iterator[Path | RuleError]:
    denied: list[RuleError] = []

    def note(error: OSError) -> None:
        denied.append(_os_error(error, error.filename or top))

    for folder, folders, names in os.walk(top, onerror=note):
        yield from denied
        denied.clear()
        folders.sort()
        for name in sorted(names):
            if is_rule_file(name):
                yield Path(folder, name)
    yield from denied


def is_rule_file(name: str) -> bool:
    """Whether a file of this name in a folder is a rule."""
    lowered = name.lower()
    return lowered.endswith(_ENDINGS) and not lowered.endswith(_NO_RULES) and lowered not in _REGRESSION_INFO


def read_file(path: Path) -> bytes | RuleError:
    """The bytes of a rule file, or why they cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        return _os_error(error, path)


def _os_error(error: OSError, path: str | os.PathLike[str]) -> RuleError:
    return RuleError(
        "file",
        f"it cannot be read ({error.strerror or error})",
        path=os.fspath(path),
        remedy="Check that it is a file and that you may read it.",
    )

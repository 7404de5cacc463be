"""Find rule files, case files and regression data below paths.

Folders are walked as `cloudsigma rules` walks them, without hidden folders, `node_modules` and virtual environments.
Whatever cannot be listed or read is in `Files.unread`, so that it becomes a failing test.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudsigma.compiler.files import yaml_files
from cloudsigma.errors import RuleError, UsageError
from cloudsigma.testing.cases.case import CaseFile
from cloudsigma.testing.cases.file_kinds import CASE_ENDINGS, kind_by_name, kind_of

_SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Files:
    """The files below some paths, sorted by kind, each once."""

    rules: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    regressions: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    """Other YAML in folders."""
    unread: tuple[RuleError, ...] = ()
    """Folders that cannot be listed or hold nothing to test, and YAML that is not a regular file."""


def find_files(*paths: str | os.PathLike[str]) -> Files:
    """Find rules, case files and regression data; raises `UsageError` for a path that does not exist.

    The name of a file that is given itself says its kind; in folders the content does.
    """
    found: dict[str | None, list[str]] = {"rule": [], "cases": [], "regression": [], None: []}
    unread: list[RuleError] = []
    seen: set[str] = set()

    def add(file: str, kind: str | None) -> None:
        real = os.path.realpath(file)
        if real not in seen:
            seen.add(real)
            found[kind].append(file)

    for path in [os.fspath(path) for path in paths]:
        if os.path.isdir(path):  # noqa: PTH112  # the path is reported as the caller wrote it
            before = len(unread)
            kinds = set()
            for file in yaml_files(path, _is_skipped):
                if isinstance(file, RuleError):
                    unread.append(file)
                elif not os.path.isfile(file):  # noqa: PTH113
                    unread.append(_unread(file, "it is not a regular file", "Remove it, or name it otherwise."))
                else:
                    kind = kind_of(file)
                    kinds.add(kind)
                    add(str(Path(file)), kind)  # "./x.yml" is compiled as "x.yml"
            if not kinds - {None} and len(unread) == before:
                unread.append(_unread(path, "the folder holds neither rules nor cases", "Check the path."))
        elif os.path.exists(path):  # noqa: PTH110
            for each in (path, *(other for other in other_half(path) if os.path.exists(other))):  # noqa: PTH110
                add(each, kind_by_name(each))
        else:
            raise UsageError(f"there is no file or folder {path!r}")
    rules, cases, regressions, ignored = (tuple(files) for files in found.values())
    return Files(rules, cases, regressions, ignored, tuple(unread))


def _is_skipped(folder: str, name: str) -> bool:
    return (
        name.startswith(".") or name in _SKIPPED_FOLDERS or os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))  # noqa: PTH110, PTH118
    )


def _unread(path: str, reason: str, remedy: str) -> RuleError:
    return RuleError("file", reason, path=path, remedy=remedy)


def other_half(path: str) -> Sequence[str]:
    """Where the rules of a case file may be, or the cases of a rule file."""
    if path.lower().endswith(CASE_ENDINGS):
        return CaseFile(path).rule_files
    stem = path.rpartition(".")[0]
    return (f"{stem}.cases.yml", f"{stem}.cases.yaml")

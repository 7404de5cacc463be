"""Findings about files that are open in an editor, whose text may differ from that on the disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cloudsigma.compiler.files import RuleFile, read_files
from cloudsigma.errors import RuleError
from cloudsigma.linting import Finding, LintOptions, lint_files
from cloudsigma.testing.cases.case_file import read_case_file
from cloudsigma.testing.cases.file_kinds import CASE_ENDINGS
from cloudsigma.testing.cases.suite import find_tests

MOST_FILES = 2_000
"""Rule files of a folder that are compiled to find what a rule refers to."""
_OF_OTHERS = frozenset({"reference-error", "filter-reaches-nothing"})
"""Findings that other files can take away."""
_SIGMA = re.compile(r"^(?:detection|correlation|filter|logsource|title)\s*:", re.MULTILINE)


class OpenFiles:
    """Lints open files; rules that a rule refers to are looked up in its folder when it is opened or saved."""

    def __init__(self, options: LintOptions | None = None) -> None:
        self._options = options or LintOptions()
        self._resolved: dict[str, bool] = {}

    def findings(self, path: str, text: str, *, saved: bool = True) -> list[Finding]:
        """The findings of a file, those that `cloudsigma lint` has; none for YAML that is no rule."""
        if not _SIGMA.search(text):
            return []
        given = RuleFile(path, text.encode("utf-8", "surrogatepass"))
        found = list(lint_files([given], self._options).findings)
        if not any(each.slug in _OF_OTHERS for each in found):
            return found
        if saved or path not in self._resolved:
            beside = list(_beside(path))
            with_others = lint_files([given, *beside], self._options).findings if beside else tuple(found)
            still = [each for each in with_others if each.path == given.shown and each.slug in _OF_OTHERS]
            self._resolved[path] = not still
        return [each for each in found if each.slug not in _OF_OTHERS] if self._resolved[path] else found

    def close(self, path: str) -> None:
        """Forget a file."""
        self._resolved.pop(path, None)


def case_errors(path: str) -> list[tuple[int, int, str]]:
    """The errors of a case file on the disk: line and column from 1, and the text."""
    if not path.lower().endswith(CASE_ENDINGS) or not Path(path).is_file():
        return []
    return [
        (error.line or 1, error.column or 1, f"{error.reason}. {error.remedy or ''}".rstrip())
        for error in read_case_file(path).errors
    ]


def cases_beside(path: str) -> str | None:
    """The case file beside a rule file."""
    file = Path(path)
    beside = (file.with_name(file.stem + ending) for ending in CASE_ENDINGS)
    return next((str(each) for each in beside if each.is_file()), None)


def run_cases(path: str) -> tuple[int, tuple[str, ...]]:
    """Run the cases of a rule file on the disk: how many there are, and the report of each that failed."""
    results = list(find_tests(path).run())
    return len(results), tuple(str(result) for result in results if not result.passed)


def _beside(path: str) -> Iterator[RuleFile | RuleError]:
    """The other rule files of the folder."""
    folder = Path(path).parent
    for at, file in enumerate(read_files([folder])):
        if at >= MOST_FILES:
            return
        if isinstance(file, RuleFile) and Path(file.path) != Path(path):
            yield file

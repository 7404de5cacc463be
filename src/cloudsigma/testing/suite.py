"""The tests of rule files and folders: which cases belong to which rules, all compiled once, and running them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cloudsigma.compiler import compile_rules
from cloudsigma.compiler.files import is_rule_file
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import CaseError, CloudSigmaError, RuleError, UsageError
from cloudsigma.ruleset import RuleSet
from cloudsigma.testing.case_file import read_case_file
from cloudsigma.testing.cases import Case, CaseFile
from cloudsigma.testing.regression import INFO, TYPES, read_regression
from cloudsigma.testing.runner import Result, choose_rule, run_case

_CASES = (".cases.yml", ".cases.yaml")


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test: a case of a rule, or what stands in the way of one, which always fails."""

    path: str
    """The file of the case; of a rule that does not compile the rule's."""
    name: str
    """The case's name; no two tests of a path share it."""
    line: int | None
    """Where the case, or what is wrong, stands in the file."""
    rules: RuleSet
    """The rules to run it with."""
    rule: Rule | None = None
    """The rule; `None` if there is none."""
    case: Case | None = None
    """The case; `None` if it cannot be used."""
    error: CaseError | RuleError | None = None
    """What is wrong, where there is no case to run."""

    def run(self) -> Result:
        """Run the case; never raises for what is wrong with rule or case."""
        if self.case is None or self.rule is None:
            return Result(False, self.case, self.rule, self.error)  # noqa: FBT003  # the verdict
        try:
            return run_case(self.rules, self.case, self.rule)
        except CaseError as error:
            return Result(False, self.case, self.rule, error)  # noqa: FBT003


@dataclass(frozen=True)
class Suite:
    """The tests found under some paths."""

    tests: tuple[RuleTest, ...]
    """In the order of the files, and of the cases in each."""
    rules: RuleSet
    """The rules under the paths, compiled together; those that could not be are in its `errors`."""

    @cached_property
    def untested(self) -> tuple[Rule, ...]:
        """The rules without a case, less those that are there only for correlations to refer to."""
        tested = {test.rule.id for test in self.tests if test.rule is not None}
        return tuple(rule for rule in self.rules if rule.id not in tested | self.rules.hidden)

    def run(self) -> Iterator[Result]:
        """Run all tests in order, lazily."""
        return (test.run() for test in self.tests)


def find_tests(
    *paths: str | os.PathLike[str],
    pipelines: Sequence[str | os.PathLike[str]] = (),
    logsource: Mapping[str, str] | None = None,
    placeholders: Mapping[str, Sequence[str | int | float]] | None = None,
) -> Suite:
    """Find the tests of rules: `NAME.cases.yml` beside `NAME.yml`, and SigmaHQ's regression data.

    All rules under the paths are compiled together, once, so that correlations and filters find what they are for.
    Nothing that is wrong with a rule or a case is raised: it is a test that fails.

    Args:
        paths: Files of rules or of cases, and folders, which are searched to any depth. Beside a file of either kind
            the other is looked for.
        pipelines: As for `compile_rules`. Regression tests of Windows events use `evtx_json` if none is given.
        logsource: As for `compile_rules`. Events of regression data are taken to be of the log source of their rule.
        placeholders: As for `compile_rules`.

    Raises:
        UsageError: No path is given, or one is not there, or a pipeline cannot be used.
    """
    if not paths:
        raise UsageError("find_tests needs at least one file or folder")
    found = _Files(paths)
    options: dict[str, Any] = {"placeholders": placeholders, "on_error": "skip"}
    rules = _compiled(found.rules, **options, pipelines=pipelines, logsource=logsource)
    tests = [RuleTest(error.path or "", _name_of(error), error.line, rules, error=error) for error in rules.errors]
    failed = {os.path.realpath(error.path) for error in rules.errors if error.path}
    for path in found.cases:
        file = read_case_file(path)
        tests += _tests(file, rules, failed=failed, beside=_beside(file))
    sets: dict[Sequence[Any], RuleSet] = {tuple(pipelines): rules}
    for path in found.regressions:
        for kind, file in read_regression(path).items():
            wanted = tuple(pipelines or TYPES[kind])
            if wanted not in sets:
                sets[wanted] = _compiled(found.rules, **options, pipelines=wanted)
            tests += _tests(file, sets[wanted], failed=failed, beside=None)
    return Suite(tuple(sorted(_unique(tests), key=lambda test: (test.path, test.line or 0))), rules)


# --- files --------------------------------------------------------------------------------------------------


class _Files:
    """The files under paths, each once, by what they are."""

    def __init__(self, paths: Iterable[str | os.PathLike[str]]) -> None:
        self.rules: list[str] = []
        self.cases: list[str] = []
        self.regressions: list[str] = []
        self._seen: set[str] = set()
        for path in paths:
            top = Path(path)
            if top.is_dir():
                for folder, folders, names in os.walk(top):
                    folders[:] = sorted(name for name in folders if not name.startswith("."))
                    for name in sorted(names):
                        self._add(Path(folder, name))
            elif top.exists():
                self._add(top)
                for other in map(Path, _other_half(os.fspath(path))):
                    if other.exists():
                        self._add(other)
            else:
                raise UsageError(f"there is no file or folder {os.fspath(path)!r}")

    def _add(self, file: Path) -> None:
        name = file.name.lower()
        path, real = str(file), os.path.realpath(file)
        if real in self._seen:
            return
        self._seen.add(real)
        if name.endswith(_CASES):
            self.cases.append(path)
        elif name in INFO:
            self.regressions.append(path)
        elif is_rule_file(name):
            self.rules.append(path)


def _other_half(path: str) -> Iterable[str]:
    if path.lower().endswith(_CASES):
        return CaseFile(path).rule_files
    stem = path.rpartition(".")[0]
    return (f"{stem}.cases.yml", f"{stem}.cases.yaml")


def _beside(file: CaseFile) -> str | None:
    return next((path for path in file.rule_files if Path(path).exists()), None)


def _compiled(paths: Sequence[str], **options: Any) -> RuleSet:
    return compile_rules(*paths, **options) if paths else RuleSet(())


# --- tests --------------------------------------------------------------------------------------------------


def _tests(file: CaseFile, rules: RuleSet, *, failed: Collection[str], beside: str | None) -> Iterator[RuleTest]:
    """The tests of one file; `beside` is the rule file that it belongs to, `None` for regression data."""
    for wrong in file.errors:
        yield RuleTest(file.path, _name_of(wrong), wrong.line, rules, error=wrong)
    is_case_file = file.path.lower().endswith(_CASES)
    if is_case_file and beside is None:
        reason = f"there is no rule file {Path(file.rule_files[0]).name} beside it"
        lost = CaseError(reason, path=file.path, line=1, remedy="Add it, or rename this file.")
        yield RuleTest(file.path, "the rule is not there", 1, rules, error=lost)
        return
    own = _of_file(rules, beside) if beside is not None else rules.rules
    for case in file.cases:
        try:
            rule = choose_rule(own, rules.hidden, case)
        except CaseError as wrong:
            lost = wrong
            if beside is not None and os.path.realpath(beside) in failed:
                lost = case.error("its rule could not be compiled", "Correct the rule first.")
            yield RuleTest(file.path, case.name, case.line, rules, error=lost)
        else:
            alone = RuleSet((rule,), declared=rule.logsource) if not is_case_file and rule.logsource else rules
            yield RuleTest(file.path, case.name, case.line, alone, rule, case)


def _of_file(rules: RuleSet, path: str) -> list[Rule]:
    real = os.path.realpath(path)
    return [rule for rule in rules if rule.path is not None and os.path.realpath(rule.path) == real]


def _name_of(error: CloudSigmaError) -> str:
    if isinstance(error, CaseError):
        return error.case or "the file of cases"
    return f"compiles: {error.rule}" if isinstance(error, RuleError) and error.rule else "compiles"


def _unique(tests: Iterable[RuleTest]) -> Iterator[RuleTest]:
    """The tests with names that no two of one file share."""
    taken: set[tuple[str, str]] = set()
    for test in tests:
        name, number = test.name, 1
        while (test.path, name) in taken:
            number += 1
            name = f"{test.name} ({number})"
        taken.add((test.path, name))
        yield test if name == test.name else replace(test, name=name)

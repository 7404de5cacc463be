"""Collect the tests of rule files and folders: compile the rules once, and join each case to its rule."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from cloudsigma.compiler import compile_rules
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import CaseError, RuleError, UsageError
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.testing.cases.case import Case, CaseFile
from cloudsigma.testing.cases.case_file import read_case_file
from cloudsigma.testing.cases.discovery import Files, find_files
from cloudsigma.testing.cases.file_kinds import CASE_ENDINGS
from cloudsigma.testing.cases.regression import TYPES, read_regression
from cloudsigma.testing.cases.runner import Result, choose_rule, run_case

_READABLE = "can be read"
"""Name of the test that fails for each file or folder that cannot be read."""


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test: a case of a rule, or an error that prevents one and so always fails."""

    path: str
    """The case file; for a rule that does not compile, the rule file."""
    name: str
    """The case's name, unique among the tests of the path."""
    line: int | None
    """Line of the case or of the error, from 1."""
    rules: RuleSet
    """The rules to run it with."""
    rule: Rule | None = None
    """The rule under test, if it was found."""
    case: Case | None = None
    """The case; `None` if it could not be read."""
    error: CaseError | RuleError | None = None
    """Why there is no case, or no rule to run it with."""

    def run(self) -> Result:
        """Run the case. A bad rule or case gives a failed result and is never raised."""
        if self.case is None or self.rule is None:
            return Result(False, self.case, self.rule, self.error)  # noqa: FBT003  # the verdict
        try:
            return run_case(self.rules, self.case, self.rule)
        except CaseError as error:
            return Result(False, self.case, self.rule, error)  # noqa: FBT003


@dataclass(frozen=True)
class Suite:
    """The tests found below some paths."""

    tests: tuple[RuleTest, ...]
    """Sorted by file, and by line in each file."""
    rules: RuleSet
    """The rules below the paths, compiled together; `rules.errors` has those that do not compile."""
    ignored: tuple[str, ...] = ()
    """YAML files in the folders that are neither rules nor cases."""
    rule_files: tuple[str, ...] = ()
    """Files that the rules were read from, files of Sigma filters included."""
    options: Options | None = None
    """How the rules were compiled; `None`: with no options."""

    @cached_property
    def untested(self) -> tuple[Rule, ...]:
        """The rules without a case, except rules that exist only for a correlation."""
        tested = {test.rule.id for test in self.tests if test.rule is not None}
        return tuple(rule for rule in self.rules if rule.id not in tested | self.rules.hidden)

    @property
    def is_empty(self) -> bool:
        """Whether the paths hold neither rules nor cases."""
        return not self.rule_files and all(test.name == _READABLE and test.case is None for test in self.tests)

    def run(self) -> Iterator[Result]:
        """Run all tests in order, lazily."""
        return (test.run() for test in self.tests)


@dataclass(frozen=True, slots=True)
class Options:
    """How a suite is read: the first three are arguments of `compile_rules`."""

    pipelines: tuple[str | os.PathLike[str], ...] = ()
    logsource: Mapping[str, str] | None = None
    placeholders: Mapping[str, Sequence[str | int | float]] | None = None
    record_folders: tuple[str | os.PathLike[str], ...] = ()
    """Folders from which case files may read records, besides their own folder."""


def find_tests(
    *paths: str | os.PathLike[str],
    pipelines: Sequence[str | os.PathLike[str]] = (),
    logsource: Mapping[str, str] | None = None,
    placeholders: Mapping[str, Sequence[str | int | float]] | None = None,
    record_folders: Sequence[str | os.PathLike[str]] = (),
) -> Suite:
    """Find the tests of rules: `NAME.cases.yml` beside `NAME.yml`, and SigmaHQ's regression data.

    All rules below the paths are compiled together, once, so that correlations and filters find their rules. A bad
    rule, a bad case, a file or folder that cannot be read is not raised: each is a test that fails.

    Args:
        paths: Rule files, case files, and folders, which are searched to any depth. For a rule file the case file
            beside it is found too, and the other way round. Unrelated YAML in a folder is listed in `ignored`.
        pipelines: As for `compile_rules`. Regression tests of Windows events use `evtx_json` if none is given.
        logsource: As for `compile_rules`. Events of regression data have the log source of their rule.
        placeholders: As for `compile_rules`.
        record_folders: Folders that case files and regression data may read records from. By default a case file
            reads below its own folder only, and regression data below `regression_data`.

    Raises:
        UsageError: No path is given, a path does not exist, or a pipeline cannot be used.
    """
    if not paths:
        raise UsageError("find_tests needs at least one file or folder")
    found = find_files(*paths)
    folders = tuple(record_folders)
    planned = [plan for path in (*found.cases, *found.regressions) for plan in read_tests(path, folders)]
    return assemble(found, planned, Options(tuple(pipelines), logsource, placeholders, folders))


# --- cases, before the rules are compiled -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlannedTest:
    """A test as its file describes it; `assemble` joins it to its rule."""

    path: str
    """The file."""
    name: str
    """As in `RuleTest`."""
    line: int | None
    case: Case | None = None
    error: CaseError | None = None
    beside: str | None = None
    """The rule file beside the case file; `None` for regression data, which names rules by ID."""
    test_type: str | None = None
    """For regression data, the type of the test (`evtx`, `json`)."""


def read_tests(path: str, record_folders: Sequence[str | os.PathLike[str]] = ()) -> tuple[PlannedTest, ...]:
    """Read the tests of a case file or of regression data; errors in the file become tests that fail."""
    if not path.lower().endswith(CASE_ENDINGS):
        types = read_regression(path, record_folders).items()
        return tuple(_unique_names(plan for name, file in types for plan in _planned(file, None, name)))
    file = read_case_file(path, record_folders)
    beside = next((rule for rule in file.rule_files if Path(rule).exists()), None)
    if beside is None:
        reason = f"there is no rule file {Path(file.rule_files[0]).name} beside it"
        missing = CaseError(reason, path=file.path, line=1, remedy="Add it, or rename this file.")
        plans = [
            *_planned(replace(file, cases=()), None, None),
            PlannedTest(path, "the rule file exists", 1, None, missing),
        ]
        return tuple(_unique_names(plans))
    return tuple(_unique_names(_planned(file, beside, None)))


def _planned(file: CaseFile, beside: str | None, test_type: str | None) -> Iterator[PlannedTest]:
    for error in file.errors:
        yield PlannedTest(file.path, error.case or "the file of cases", error.line, None, error, beside, test_type)
    for case in file.cases:
        yield PlannedTest(file.path, case.name, case.line, case, None, beside, test_type)


def _unique_names(plans: Iterable[PlannedTest]) -> Iterator[PlannedTest]:
    """The tests of one file, sorted by line; a repeated name gets a number."""
    taken: set[str] = set()
    for plan in sorted(plans, key=lambda plan: plan.line or 0):
        name = _free_name(plan.name, taken)
        yield plan if name == plan.name else replace(plan, name=name)


def _free_name(name: str, taken: set[str]) -> str:
    """The name, numbered if it is in `taken` already; it is added to `taken`."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    taken.add(free)
    return free


# --- cases and rules together -------------------------------------------------------------------------------


def assemble(files: Files, planned: Iterable[PlannedTest], options: Options) -> Suite:
    """Compile the rules, once for each list of pipelines that the tests need, and join the tests to them.

    Raises:
        UsageError: A pipeline or a placeholder cannot be used.
    """
    sets = {options.pipelines: compiled(files.rules, options)}
    rules = sets[options.pipelines]
    taken: dict[str, set[str]] = {}
    tests = []
    for error in rules.errors:
        path = error.path or ""
        name = _free_name(_name_of(error), taken.setdefault(path, set()))
        tests.append(RuleTest(path, name, error.line, rules, error=error))
    tests += [RuleTest(error.path or "", _READABLE, error.line, rules, error=error) for error in files.unread]
    failed = {os.path.realpath(error.path) for error in rules.errors if error.path}
    by_file: dict[int, dict[str, list[Rule]]] = {}
    for plan in planned:
        pipelines = options.pipelines or TYPES.get(plan.test_type or "", ())
        if pipelines not in sets:
            sets[pipelines] = compiled(files.rules, replace(options, pipelines=pipelines))
        own = sets[pipelines]
        if id(own) not in by_file:
            by_file[id(own)] = _by_file(own)
        tests.append(_joined(plan, own, by_file[id(own)], failed))
    ordered = tuple(sorted(tests, key=lambda test: (test.path, test.line or 0)))
    return Suite(ordered, rules, files.ignored, files.rules, options)


def compiled(paths: Sequence[str], options: Options) -> RuleSet:
    """Compile rule files; `errors` of the set has those that do not compile. No files give an empty set."""
    if not paths:
        return RuleSet(())
    return compile_rules(
        *paths,
        on_error="skip",
        pipelines=options.pipelines,
        logsource=options.logsource,
        placeholders=options.placeholders,
    )


def _joined(plan: PlannedTest, rules: RuleSet, by_file: Mapping[str, list[Rule]], failed: Collection[str]) -> RuleTest:
    case = plan.case
    if case is None:
        return RuleTest(plan.path, plan.name, plan.line, rules, error=plan.error)
    real = os.path.realpath(plan.beside) if plan.beside is not None else None
    own: Sequence[Rule] = rules.rules if real is None else by_file.get(real, ())
    try:
        rule = choose_rule(own, rules.hidden, case)
    except CaseError as wrong:
        error = case.error("its rule does not compile", "Correct the rule first.") if real in failed else wrong
        return RuleTest(plan.path, plan.name, plan.line, rules, None, case, error)
    if plan.test_type is not None and rule.logsource:
        rules = RuleSet((rule,), declared=rule.logsource)
    return RuleTest(plan.path, plan.name, plan.line, rules, rule, case)


def _by_file(rules: RuleSet) -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.path is not None:
            found.setdefault(os.path.realpath(rule.path), []).append(rule)
    return found


def _name_of(error: RuleError) -> str:
    return f"compiles: {error.rule}" if error.rule else "compiles"

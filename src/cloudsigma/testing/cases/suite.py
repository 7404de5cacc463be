"""The tests of rule files and folders: which cases belong to which rules, all compiled once, and running them."""

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
from cloudsigma.testing.cases.file_kinds import CASE_ENDINGS, INFO, kind_of
from cloudsigma.testing.cases.regression import TYPES, read_regression
from cloudsigma.testing.cases.runner import Result, choose_rule, run_case

_NO_RULES_BELOW = frozenset({"node_modules", "__pycache__"})
_ENDINGS = (".yml", ".yaml")


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
    """The case; `None` if it could not be read."""
    error: CaseError | RuleError | None = None
    """What is wrong, where there is no case or no rule to run it with."""

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
    ignored: tuple[str, ...] = ()
    """YAML files in the folders that are neither rules nor cases."""
    rule_files: tuple[str, ...] = ()
    """The files that the rules were read from, those of Sigma filters among them."""
    options: Options | None = None
    """How the rules were compiled; `None` is without any options."""

    @cached_property
    def untested(self) -> tuple[Rule, ...]:
        """The rules without a case, less those that are there only for correlations to refer to."""
        tested = {test.rule.id for test in self.tests if test.rule is not None}
        return tuple(rule for rule in self.rules if rule.id not in tested | self.rules.hidden)

    def run(self) -> Iterator[Result]:
        """Run all tests in order, lazily."""
        return (test.run() for test in self.tests)


@dataclass(frozen=True, slots=True)
class Options:
    """How the rules of a suite are compiled; each is an argument of `compile_rules`."""

    pipelines: tuple[str | os.PathLike[str], ...] = ()
    logsource: Mapping[str, str] | None = None
    placeholders: Mapping[str, Sequence[str | int | float]] | None = None


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
            the other is looked for. YAML in a folder that is neither is left alone, and listed as `ignored`.
        pipelines: As for `compile_rules`. Regression tests of Windows events use `evtx_json` if none is given.
        logsource: As for `compile_rules`. Events of regression data are taken to be of the log source of their rule.
        placeholders: As for `compile_rules`.

    Raises:
        UsageError: No path is given, or one is not there, or a pipeline cannot be used.
    """
    if not paths:
        raise UsageError("find_tests needs at least one file or folder")
    found = find_files(*paths)
    planned = [plan for path in (*found.cases, *found.regressions) for plan in read_tests(path)]
    return assemble(found, planned, Options(tuple(pipelines), logsource, placeholders))


# --- files --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Files:
    """The files under paths by what they are, each once."""

    rules: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    regressions: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    """YAML in folders that is none of these."""


def find_files(*paths: str | os.PathLike[str]) -> Files:
    """Find rules, files of cases and regression data; raises `UsageError` for a path that is not there.

    A file that is named itself is what its name says; in folders the content decides. Hidden folders, `node_modules`
    and virtual environments are passed over.
    """
    found: dict[str | None, list[str]] = {"rule": [], "cases": [], "regression": [], None: []}
    seen: set[str] = set()

    def add(file: str, kind: str | None) -> None:
        real = os.path.realpath(file)
        if real not in seen:
            seen.add(real)
            found[kind].append(file)

    for path in [os.fspath(path) for path in paths]:
        if os.path.isdir(path):  # noqa: PTH112  # the path stays as it was written
            for file in _yaml_files(path):
                add(file, kind_of(file))
        elif os.path.exists(path):  # noqa: PTH110
            for each in (path, *(other for other in other_half(path) if os.path.exists(other))):  # noqa: PTH110
                add(each, _kind_by_name(each))
        else:
            raise UsageError(f"there is no file or folder {path!r}")
    return Files(*(tuple(files) for files in found.values()))


def _yaml_files(top: str) -> Iterator[str]:
    for folder, folders, names in os.walk(Path(top)):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _NO_RULES_BELOW
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))  # noqa: PTH110, PTH118
        )
        yield from (str(Path(folder, name)) for name in sorted(names) if name.lower().endswith(_ENDINGS))


def _kind_by_name(path: str) -> str:
    name = Path(path).name.lower()
    return "cases" if name.endswith(CASE_ENDINGS) else "regression" if name in INFO else "rule"


def other_half(path: str) -> Sequence[str]:
    """Where the rules of a file of cases may be, or the cases of a rule file."""
    if path.lower().endswith(CASE_ENDINGS):
        return CaseFile(path).rule_files
    stem = path.rpartition(".")[0]
    return (f"{stem}.cases.yml", f"{stem}.cases.yaml")


# --- cases, before any rule is compiled ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlannedTest:
    """What a file of cases or of regression data asks for; `assemble` joins it to its rule."""

    path: str
    """The file."""
    name: str
    """As in `RuleTest`."""
    line: int | None
    case: Case | None = None
    error: CaseError | None = None
    beside: str | None = None
    """The rule file that the case belongs to; `None` for regression data, which names rules by ID."""
    kind: str | None = None
    """For regression data the type of the test."""


def read_tests(path: str) -> tuple[PlannedTest, ...]:
    """Read what a file asks for, what is wrong with it first; never raises for what is in the file."""
    if not path.lower().endswith(CASE_ENDINGS):
        kinds = read_regression(path).items()
        return tuple(_named_apart(plan for kind, file in kinds for plan in _planned(file, None, kind)))
    file = read_case_file(path)
    beside = next((rule for rule in file.rule_files if Path(rule).exists()), None)
    if beside is None:
        reason = f"there is no rule file {Path(file.rule_files[0]).name} beside it"
        lost = CaseError(reason, path=file.path, line=1, remedy="Add it, or rename this file.")
        plans = [
            *_planned(replace(file, cases=()), None, None),
            PlannedTest(path, "the rule is not there", 1, None, lost),
        ]
        return tuple(_named_apart(plans))
    return tuple(_named_apart(_planned(file, beside, None)))


def _planned(file: CaseFile, beside: str | None, kind: str | None) -> Iterator[PlannedTest]:
    for wrong in file.errors:
        yield PlannedTest(file.path, wrong.case or "the file of cases", wrong.line, None, wrong, beside, kind)
    for case in file.cases:
        yield PlannedTest(file.path, case.name, case.line, case, None, beside, kind)


def _named_apart(plans: Iterable[PlannedTest]) -> Iterator[PlannedTest]:
    """The tests of one file in the order of their lines, with names that no two share."""
    taken: set[str] = set()
    for plan in sorted(plans, key=lambda plan: plan.line or 0):
        name = _free_name(plan.name, taken)
        yield plan if name == plan.name else replace(plan, name=name)


def _free_name(name: str, taken: set[str]) -> str:
    """The name, with a number behind it if it is taken; it is taken then."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    taken.add(free)
    return free


# --- both together ------------------------------------------------------------------------------------------


def assemble(files: Files, planned: Iterable[PlannedTest], options: Options) -> Suite:
    """Compile the rules, once for each way that the tests ask for, and join the tests to them.

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
    failed = {os.path.realpath(error.path) for error in rules.errors if error.path}
    by_file: dict[int, dict[str, list[Rule]]] = {}
    for plan in planned:
        pipelines = options.pipelines or TYPES.get(plan.kind or "", ())
        if pipelines not in sets:
            sets[pipelines] = compiled(files.rules, replace(options, pipelines=pipelines))
        own = sets[pipelines]
        if id(own) not in by_file:
            by_file[id(own)] = _by_file(own)
        tests.append(_joined(plan, own, by_file[id(own)], failed))
    ordered = tuple(sorted(tests, key=lambda test: (test.path, test.line or 0)))
    return Suite(ordered, rules, files.ignored, files.rules, options)


def compiled(paths: Sequence[str], options: Options) -> RuleSet:
    """Compile rule files; those that cannot be used are in `errors`. No files give an empty set."""
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
        lost = case.error("its rule could not be compiled", "Correct the rule first.") if real in failed else wrong
        return RuleTest(plan.path, plan.name, plan.line, rules, None, case, lost)
    if plan.kind is not None and rule.logsource:
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

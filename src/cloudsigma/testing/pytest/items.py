"""Rules, their cases and regression data as tests of pytest.

Files are collected one by one, and only read. Once all are, their rules are compiled together, and each test gets its
rule, whose metadata become markers.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cloudsigma.engine.rule import Rule
from cloudsigma.errors import CloudSigmaError, RuleError, UsageError
from cloudsigma.escaping import printable
from cloudsigma.rulesets.rule_set import LEVELS, RuleSet
from cloudsigma.testing.cases.file_kinds import Kind
from cloudsigma.testing.cases.runner import Result
from cloudsigma.testing.cases.suite import (
    Files,
    Options,
    PlannedTest,
    RuleTest,
    Suite,
    assemble,
    compiled,
    find_files,
    other_half,
    read_tests,
)
from cloudsigma.testing.pytest.assertions import AssertionHelp, observed
from cloudsigma.testing.pytest.failure import Failure

_Placed = TypeVar("_Placed", Rule, RuleError)


class RuleFailedError(Exception):
    """A test of a rule has failed; carries the text to show."""


# --- the session --------------------------------------------------------------------------------------------


class RuleSession:
    """What one run of pytest knows of rules. It is registered as a plugin when the first of their files is met."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.suite: Suite | None = None
        """All tests with their rules; `None` until collection is done."""
        self._rules: dict[str, str] = {}
        self._read: dict[str, tuple[PlannedTest, ...]] = {}
        self._collected: set[str] = set()

    def note_rule(self, path: str) -> None:
        """Have a rule file compiled with the others."""
        self._rules.setdefault(os.path.realpath(path), self.shown(path))

    def read(self, path: str) -> tuple[PlannedTest, ...]:
        """What a file of cases asks for; read once."""
        if path not in self._read:
            self._read[path] = read_tests(self.shown(path))
        return self._read[path]

    def first_time(self, path: str) -> bool:
        """Whether the tests of a file are not collected yet; they are from now on."""
        new = path not in self._collected
        self._collected.add(path)
        return new

    def shown(self, path: str) -> str:
        """The path from where pytest was started, if it is below and that is still where we are."""
        here = str(self.config.invocation_params.dir)
        below = os.path.relpath(path, here) if os.path.splitdrive(path)[0] == os.path.splitdrive(here)[0] else path
        return path if below.startswith(os.pardir) or os.getcwd() != here else below  # noqa: PTH109  # a comparison

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Compile the rules, and give each test its rule and its markers."""
        cases = [item for item in items if isinstance(item, RuleCase)]
        files = [item for item in items if isinstance(item, RuleCompiles)]
        if not cases and not files:
            return
        for item in cases:
            if item.plan.beside is not None:
                self.note_rule(os.path.abspath(item.plan.beside))  # noqa: PTH100  # keeps links
        try:
            self.suite = self._assembled([item.plan for item in cases])
        except CloudSigmaError as error:  # of a setting; what is wrong with rules and cases is in the suite
            raise pytest.UsageError(printable(str(error))) from error
        tests = {(test.path, test.name): test for test in self.suite.tests}
        for item in cases:
            item.test = tests[item.plan.path, item.plan.name]
        errors, rules = _by_file(self.suite.rules.errors), _by_file(self.suite.rules)
        for file in files:
            real = os.path.realpath(file.path)
            file.errors, file.rules = tuple(errors.get(real, ())), tuple(rules.get(real, ()))
        self._mark([item for item in items if isinstance(item, (RuleCase, RuleCompiles))])

    def _assembled(self, plans: list[PlannedTest]) -> Suite:
        paths = dict(self._rules)
        configured = self.config.getini("cloudsigma_rules")
        if configured:
            paths = self._with_project(paths)
        options = options_of(self.config)
        suite = assemble(Files(tuple(paths.values())), plans, options)
        if not configured and any(error.category == "reference" for error in suite.rules.errors):
            # What a correlation refers to may lie outside of what was asked for.
            wider = self._with_project(paths)
            if len(wider) > len(paths):
                suite = assemble(Files(tuple(wider.values())), plans, options)
        return suite

    def _with_project(self, paths: dict[str, str]) -> dict[str, str]:
        more = {os.path.realpath(path): self.shown(path) for path in project_files(self.config)}
        return {**paths, **{real: path for real, path in more.items() if real not in paths}}

    def _mark(self, items: list[RuleCase | RuleCompiles]) -> None:
        names = {id(item): sorted({name for rule in item.about for name in marker_names(rule)}) for item in items}
        known = {line.partition(":")[0].partition("(")[0].strip() for line in self.config.getini("markers")}
        for name in sorted({name for own in names.values() for name in own}.union(_ALWAYS_KNOWN) - known):
            self.config.addinivalue_line("markers", f"{name}: of Sigma rules")
        for item in items:
            for name in ("sigma", *names[id(item)]):
                item.add_marker(name)
            for rule in item.about:
                item.extra_keyword_matches |= {rule.title, rule.id, rule.name or "", *rule.tags}


_SESSION = pytest.StashKey[RuleSession]()
_HELP = pytest.StashKey[AssertionHelp]()


def session_of(config: pytest.Config) -> RuleSession:
    """What the run knows of rules; made, and registered with pytest, when it is first asked for."""
    if _SESSION not in config.stash:
        config.stash[_SESSION] = RuleSession(config)
        config.pluginmanager.register(config.stash[_SESSION], "cloudsigma_session")
    return config.stash[_SESSION]


def options_of(config: pytest.Config) -> Options:
    """How rules are compiled, from the ini file; names of files count from its folder, else from the root.

    Raises:
        CloudSigmaError: A setting makes no sense.
    """
    top = config.inipath.parent if config.inipath is not None else config.rootpath
    pipelines = (str(top / name) if (top / name).exists() else name for name in config.getini("cloudsigma_pipelines"))
    placeholders = None
    if config.getini("cloudsigma_placeholders"):
        from cloudsigma.compiler import read_placeholders

        placeholders = read_placeholders(top / config.getini("cloudsigma_placeholders"))
    logsource = {}
    for pair in config.getini("cloudsigma_logsource"):
        key, separator, value = pair.partition("=")
        if not separator:
            raise UsageError(f"cloudsigma_logsource has {pair!r}; write product=aws service=cloudtrail")
        logsource[key] = value
    return Options(tuple(pipelines), logsource or None, placeholders)


def project_files(config: pytest.Config) -> tuple[str, ...]:
    """The rule files of the project: below `cloudsigma_rules` of the ini file, else below the root."""
    configured = [str(path) for path in config.getini("cloudsigma_rules")]
    return find_files(*(configured or [str(config.rootpath)])).rules


def project_rules(config: pytest.Config) -> RuleSet:
    """The project's rules with predicates that explain themselves; what is wrong with some of them is a warning."""
    session = session_of(config)
    paths = [session.shown(path) for path in project_files(config)]
    if not paths:
        raise UsageError(f"there are no rules below {config.rootpath}; name them with cloudsigma_rules in the ini file")
    rules = compiled(paths, options_of(config))
    for error in rules.errors:
        warnings.warn(pytest.PytestWarning(printable(str(error))), stacklevel=2)
    return observed(rules, assertion_help(config))


def assertion_help(config: pytest.Config) -> AssertionHelp:
    """What explains failed assertions in this run; registered with pytest when it is first asked for."""
    if _HELP not in config.stash:
        config.stash[_HELP] = AssertionHelp()
        config.pluginmanager.register(config.stash[_HELP], "cloudsigma_assertions")
    return config.stash[_HELP]


# --- markers ------------------------------------------------------------------------------------------------


_ALWAYS_KNOWN = (
    *(f"level_{level}" for level in LEVELS),
    *(f"status_{status}" for status in ("stable", "test", "experimental", "deprecated", "unsupported")),
)
"""With strict markers `-m` may name these also where no rule has them."""


def marker_names(rule: Rule) -> Iterator[str]:
    """The names of the markers that a rule brings, in letters, digits and underscores."""
    said: Iterable[tuple[str, str | None]] = [("level", rule.level), ("status", rule.status), ("rule", rule.id)]
    source = rule.logsource
    parts = [("rule", rule.name)]
    if source is not None:
        parts += [("product", source.product), ("category", source.category), ("service", source.service)]
    for prefix, value in (*said, *parts):
        if value:
            yield _as_name(f"{prefix}_{value}")
    for tag in rule.tags:
        namespace, *names = tag.split(".")
        for end in range(1, len(names) + 1):  # a sub-technique is of its technique too
            yield _as_name("_".join([namespace, *names[:end]]))


def _as_name(text: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", text.lower()).lstrip("_") or "sigma"


# --- files --------------------------------------------------------------------------------------------------


def collect_file(path: Path, kind: Kind, parent: pytest.Collector) -> pytest.Collector:
    """The collector of a file."""
    session = session_of(parent.config)
    if kind == "rule":
        session.note_rule(str(path))
        return RuleFile.from_parent(parent, path=path)
    return CasesFile.from_parent(parent, path=path)


class RuleFile(pytest.File):
    """A file of rules: that they compile is a test, and where only this file is asked for, its cases are too."""

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """Give the test, and the cases beside a file that was named itself."""
        yield RuleCompiles.from_parent(self, name="compiles")
        if self.session.isinitpath(self.path):
            for other in map(Path, other_half(str(self.path))):
                if other.exists() and not self.session.isinitpath(other):
                    yield CasesFile.from_parent(self.parent, path=other)


class CasesFile(pytest.File):
    """A file of cases, or regression data."""

    def collect(self) -> Iterator[pytest.Item]:
        """Give the cases; what is wrong with one is a test that fails."""
        session = session_of(self.config)
        if session.first_time(str(self.path)):
            for plan in session.read(str(self.path)):
                yield RuleCase.from_parent(self, name=_node_name(plan.name), plan=plan)


def _node_name(name: str) -> str:
    """The name as part of a node ID, in which `::` and `[` mean something."""
    return printable(name).replace("::", ":").replace("[", "(").replace("]", ")")


# --- tests --------------------------------------------------------------------------------------------------


class RuleCase(pytest.Item):
    """A case of a rule."""

    def __init__(self, *, plan: PlannedTest, **rest: Any) -> None:
        super().__init__(**rest)
        self.plan = plan
        self.test: RuleTest | None = None

    @property
    def about(self) -> tuple[Rule, ...]:
        """The rule, if there is one."""
        return (self.test.rule,) if self.test is not None and self.test.rule is not None else ()

    def runtest(self) -> None:
        """Run the case."""
        if self.test is None:
            raise UsageError("the rules were not compiled: another plugin has hidden the end of collection")
        result: Result = self.test.run()
        if not result.passed:
            raise RuleFailedError(str(result))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the result in the place of a traceback."""
        return _shown_failure(self, excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the case is, and the headline of its failure."""
        file = self.path.name if self.plan.kind is None else f"{self.path.parent.name}/{self.path.name}"
        return self.path, (self.plan.line or 1) - 1, f"{file}: {self.name}"


class RuleCompiles(pytest.Item):
    """Whether the rules of a file compile: for a rule without cases all that is known of it."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        self.errors: tuple[RuleError, ...] = ()
        self.rules: tuple[Rule, ...] = ()

    @property
    def about(self) -> tuple[Rule, ...]:
        """The rules of the file that compile."""
        return self.rules

    def runtest(self) -> None:
        """Fail with what is wrong."""
        if self.errors:
            raise RuleFailedError("\n".join(str(Result(False, error=error)) for error in self.errors))  # noqa: FBT003

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the errors in the place of a traceback."""
        return _shown_failure(self, excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the rule is, and the headline of its failure."""
        line = next((error.line for error in self.errors if error.line), 1)
        return self.path, line - 1, f"{self.path.name}: {self.name}"


def _shown_failure(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException], style: Any) -> Any:
    if isinstance(excinfo.value, RuleFailedError):
        return Failure.from_text("\n".join(map(printable, str(excinfo.value).splitlines())))
    return pytest.Item.repr_failure(item, excinfo, style)


def _by_file(found: Iterable[_Placed]) -> dict[str, list[_Placed]]:
    by_file: dict[str, list[_Placed]] = {}
    for each in found:
        by_file.setdefault(os.path.realpath(each.path or ""), []).append(each)
    return by_file

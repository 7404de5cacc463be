"""pytest items for rules, cases and regression data.

During collection files are only read. After it, the rules are compiled together, and each item gets its rule and the
markers made from the rule's metadata.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cloudsigma.engine.rule import Rule
from cloudsigma.errors import CloudSigmaError, RuleError, UsageError
from cloudsigma.escaping import printable
from cloudsigma.rulesets.levels import LEVELS
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.testing.cases.discovery import Files, find_files, other_half
from cloudsigma.testing.cases.file_kinds import FileKind
from cloudsigma.testing.cases.runner import Result
from cloudsigma.testing.cases.suite import Options, PlannedTest, RuleTest, Suite, assemble, compiled, read_tests
from cloudsigma.testing.pytest.assertions import AssertionHelp, observed
from cloudsigma.testing.pytest.failure import Failure

_Placed = TypeVar("_Placed", Rule, RuleError)


class RuleFailedError(Exception):
    """A test of a rule failed; the message is the text to show."""


# --- the session --------------------------------------------------------------------------------------------


class RuleSession:
    """The rules and tests of one pytest run; registered as a plugin when the first rule or case file is collected."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.suite: Suite | None = None
        """All tests with their rules; `None` until collection ends."""
        self._rules: dict[str, str] = {}
        self._read: dict[str, tuple[PlannedTest, ...]] = {}
        self._collected: set[str] = set()

    def note_rule(self, path: str) -> None:
        """Add a rule file to those that are compiled together."""
        self._rules.setdefault(os.path.realpath(path), self.shown(path))

    def read(self, path: str) -> tuple[PlannedTest, ...]:
        """The tests of a case file; each file is read once."""
        if path not in self._read:
            self._read[path] = read_tests(self.shown(path), record_folders(self.config))
        return self._read[path]

    def first_time(self, path: str) -> bool:
        """Whether a file is seen for the first time; marks it as seen."""
        new = path not in self._collected
        self._collected.add(path)
        return new

    def shown(self, path: str) -> str:
        """The path relative to the folder that pytest was started in, if it is below that folder."""
        here = str(self.config.invocation_params.dir)
        below = os.path.relpath(path, here) if os.path.splitdrive(path)[0] == os.path.splitdrive(here)[0] else path
        return path if below.startswith(os.pardir) or os.getcwd() != here else below  # noqa: PTH109  # a comparison

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Compile the rules, and give each item its rule and its markers."""
        cases = [item for item in items if isinstance(item, RuleCase)]
        files = [item for item in items if isinstance(item, RuleCompiles)]
        if not cases and not files:
            return
        for item in cases:
            if item.plan.beside is not None:
                self.note_rule(os.path.abspath(item.plan.beside))  # noqa: PTH100  # keeps links
        try:
            self.suite = self._assembled([item.plan for item in cases])
        except CloudSigmaError as error:  # a bad setting; errors of rules and cases are in the suite
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
            # A correlation may refer to rules outside the paths that pytest was given.
            wider = self._with_project(paths)
            if len(wider) > len(paths):
                suite = assemble(Files(tuple(wider.values())), plans, options)
        return suite

    def _with_project(self, paths: dict[str, str]) -> dict[str, str]:
        files = project_files(self.config)
        _warn(files.unread)
        more = {os.path.realpath(path): self.shown(path) for path in files.rules}
        return {**paths, **{real: path for real, path in more.items() if real not in paths}}

    def _mark(self, items: list[RuleCase | RuleCompiles]) -> None:
        names = {id(item): sorted({name for rule in item.about for name in marker_names(rule)}) for item in items}
        known = {line.partition(":")[0].partition("(")[0].strip() for line in self.config.getini("markers")}
        for name in sorted({name for own in names.values() for name in own}.union(_ALWAYS_KNOWN) - known):
            self.config.addinivalue_line("markers", f"{name}: tests of Sigma rules")
        for item in items:
            for name in ("sigma", *names[id(item)]):
                item.add_marker(name)
            for rule in item.about:
                item.extra_keyword_matches |= {rule.title, rule.id, rule.name or "", *rule.tags}


_SESSION = pytest.StashKey[RuleSession]()
_HELP = pytest.StashKey[AssertionHelp]()


def session_of(config: pytest.Config) -> RuleSession:
    """The run's `RuleSession`, created and registered on first use."""
    if _SESSION not in config.stash:
        config.stash[_SESSION] = RuleSession(config)
        config.pluginmanager.register(config.stash[_SESSION], "cloudsigma_session")
    return config.stash[_SESSION]


def options_of(config: pytest.Config) -> Options:
    """The compile options of the ini file; file names are relative to its folder, or to the root without one.

    Raises:
        CloudSigmaError: A setting is invalid.
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
    return Options(tuple(pipelines), logsource or None, placeholders, record_folders(config))


def record_folders(config: pytest.Config) -> tuple[Path, ...]:
    """Folders that case files may read records from, besides their own."""
    return tuple(config.getini("cloudsigma_record_folders"))


def project_files(config: pytest.Config) -> Files:
    """The project's files: below `cloudsigma_rules` of the ini file, or below the root without that setting."""
    configured = [str(path) for path in config.getini("cloudsigma_rules")]
    return find_files(*(configured or [str(config.rootpath)]))


def project_rules(config: pytest.Config) -> RuleSet:
    """The project's rules; their predicates explain a failed `assert`. A rule that does not compile is a warning."""
    session = session_of(config)
    files = project_files(config)
    if not files.rules:
        raise UsageError(f"there are no rules below {config.rootpath}; name them with cloudsigma_rules in the ini file")
    rules = compiled([session.shown(path) for path in files.rules], options_of(config))
    _warn((*files.unread, *rules.errors))
    return observed(rules, assertion_help(config))


def _warn(errors: Iterable[RuleError]) -> None:
    for error in errors:
        warnings.warn(pytest.PytestWarning(printable(str(error))), stacklevel=3)


def assertion_help(config: pytest.Config) -> AssertionHelp:
    """The run's `AssertionHelp`, created and registered on first use."""
    if _HELP not in config.stash:
        config.stash[_HELP] = AssertionHelp()
        config.pluginmanager.register(config.stash[_HELP], "cloudsigma_assertions")
    return config.stash[_HELP]


# --- markers ------------------------------------------------------------------------------------------------


_ALWAYS_KNOWN = (
    *(f"level_{level}" for level in LEVELS),
    *(f"status_{status}" for status in ("stable", "test", "experimental", "deprecated", "unsupported")),
)
"""Registered even if no rule has them, so that `-m` may name them with strict markers."""


def marker_names(rule: Rule) -> Iterator[str]:
    """The names of a rule's markers: letters, digits and underscores."""
    values = [("level", rule.level), ("status", rule.status), ("rule", rule.id), ("rule", rule.name)]
    source = rule.logsource
    if source is not None:
        values += [("product", source.product), ("category", source.category), ("service", source.service)]
    for prefix, value in values:
        if value:
            yield _as_name(f"{prefix}_{value}")
    for tag in rule.tags:
        namespace, *names = tag.split(".")
        for end in range(1, len(names) + 1):  # a sub-technique also marks its technique
            yield _as_name("_".join([namespace, *names[:end]]))


def _as_name(text: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", text.lower()).lstrip("_") or "sigma"


# --- files --------------------------------------------------------------------------------------------------


def collect_file(path: Path, kind: FileKind, parent: pytest.Collector) -> pytest.Collector:
    """The collector for a file."""
    session = session_of(parent.config)
    if kind == "rule":
        session.note_rule(str(path))
        return RuleFile.from_parent(parent, path=path)
    return CasesFile.from_parent(parent, path=path)


class RuleFile(pytest.File):
    """A rule file. It has one test, `compiles`; if pytest was given this file itself, also the cases beside it."""

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """Yield the test, and the case file beside it."""
        yield RuleCompiles.from_parent(self, name="compiles")
        if self.session.isinitpath(self.path):
            for other in map(Path, other_half(str(self.path))):
                if other.exists() and not self.session.isinitpath(other):
                    yield CasesFile.from_parent(self.parent, path=other)


class CasesFile(pytest.File):
    """A case file, or regression data."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield an item for each case; a bad case is an item that fails."""
        session = session_of(self.config)
        if session.first_time(str(self.path)):
            plans = session.read(str(self.path))
            for plan, name in zip(plans, _node_names([plan.name for plan in plans]), strict=True):
                yield RuleCase.from_parent(self, name=name, plan=plan)


def _node_names(names: Sequence[str]) -> Iterator[str]:
    """The names as parts of node IDs, in which `::` and `[` have a meaning; equal ones get a number."""
    taken = {written for name in names if (written := _node_name(name)) == name}
    for name in names:
        written = _node_name(name)
        if written != name:
            numbered = (f"{written} ({number})" for number in count(2))
            written = next(each for each in chain([written], numbered) if each not in taken)
            taken.add(written)
        yield written


def _node_name(name: str) -> str:
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
        """The rule, if it was found."""
        return (self.test.rule,) if self.test is not None and self.test.rule is not None else ()

    def runtest(self) -> None:
        """Run the case."""
        if self.test is None:
            raise UsageError("the rules were not compiled: another plugin replaced pytest_collection_modifyitems")
        for warning in self.test.case.warnings if self.test.case is not None else ():
            warnings.warn(pytest.PytestWarning(printable(str(warning))), stacklevel=2)
        result: Result = self.test.run()
        if not result.passed:
            raise RuleFailedError(str(result))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the result instead of a traceback."""
        return _shown_failure(self, excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Path and line of the case, and the headline of its failure."""
        file = self.path.name if self.plan.test_type is None else f"{self.path.parent.name}/{self.path.name}"
        return self.path, (self.plan.line or 1) - 1, f"{file}: {self.name}"


class RuleCompiles(pytest.Item):
    """Whether the rules of a file compile."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        self.errors: tuple[RuleError, ...] = ()
        self.rules: tuple[Rule, ...] = ()

    @property
    def about(self) -> tuple[Rule, ...]:
        """The rules in the file that compile."""
        return self.rules

    def runtest(self) -> None:
        """Fail with the errors of the file."""
        if self.errors:
            raise RuleFailedError("\n".join(str(Result(False, error=error)) for error in self.errors))  # noqa: FBT003

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the errors instead of a traceback."""
        return _shown_failure(self, excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Path and line of the rule, and the headline of its failure."""
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

"""Explain a failed `assert` about a rule, for tests in Python.

The predicate of a rule returns a plain boolean, so that `is True` and `==` work. The fixtures record their calls; when
an assertion fails, an explanation of these calls is added to the exception as a note, which pytest prints.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

import pytest

from cloudsigma import ir
from cloudsigma.engine.evaluate.explain import Explanation, Step, explain, spellings_in
from cloudsigma.engine.match import Match
from cloudsigma.engine.rule import Rule
from cloudsigma.escaping import printable
from cloudsigma.rulesets.rule_set import RuleSet

_SHOWN_CALLS = 3
"""Explain at most this many calls of an assertion, the last ones."""
_SHOWN_MATCHES = 5
_KEPT_CALLS = 1000
"""Record at most this many calls of one test."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A recorded call."""

    code: CodeType
    line: int
    explain: Callable[[], Iterable[str]]
    """Makes the lines of the explanation, when they are needed."""


class AssertionHelp:
    """Plugin that records the calls of the running test."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def note(self, frame: FrameType, explain: Callable[[], Iterable[str]]) -> None:
        """Record a call made by `frame`."""
        if len(self._calls) < _KEPT_CALLS:
            self._calls.append(_Call(frame.f_code, frame.f_lineno, explain))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Discard the calls of the previous test."""
        self._calls.clear()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """Add notes to a failed assertion before it is shown."""
        if call.when != "call" or call.excinfo is None or not isinstance(call.excinfo.value, AssertionError):
            return
        for each in self._about(call.excinfo):
            call.excinfo.value.add_note("\n".join(printable(line) for line in each.explain()))

    def _about(self, failed: pytest.ExceptionInfo[BaseException]) -> list[_Call]:
        """The calls of the failed statement; if it made none, the only call of the test."""
        for entry in reversed(failed.traceback):
            code = entry.frame.code.raw
            first = entry.lineno + 1
            last = first + max(len(entry.statement.lines), 1) - 1
            made = [call for call in self._calls if call.code is code and first <= call.line <= last]
            # Before Python 3.12, a comprehension is a function.
            inner = [
                call for call in self._calls
                if call.code in code.co_consts and first <= call.line <= last
            ]  # fmt: skip
            if made or inner:
                return [call for call in self._calls if call in made or call in inner][-_SHOWN_CALLS:]
        return self._calls if len(self._calls) == 1 else []


# --- recorded calls -----------------------------------------------------------------------------------------


def observed(rules: RuleSet, help_of_run: AssertionHelp) -> RuleSet:
    """The same rules, with predicates that record their calls."""
    own = tuple(_observed(rule, help_of_run) for rule in rules)
    return RuleSet(own, rules.errors, rules.warnings, rules.declared, rules.supporting)


def _observed(rule: Rule, help_of_run: AssertionHelp) -> Rule:
    definition = rule.definition
    if not isinstance(definition, ir.DetectionRule):
        return rule

    def predicate(record: Mapping[str, Any]) -> bool:
        judge = rule.predicate
        verdict = judge is not None and judge(record)
        help_of_run.note(sys._getframe(1), lambda: _explained(definition, record))  # noqa: SLF001  # the caller
        return verdict

    predicate.__qualname__ = f"predicate of {rule.title!r}"
    again = copy.copy(rule)
    again.__dict__["predicate"] = predicate
    return again


def _explained(rule: ir.DetectionRule, record: Mapping[str, Any]) -> list[str]:
    """The explanation of a predicate's verdict, which does not depend on the log source."""
    tree = explain(rule, record)
    metadata, applies = rule.metadata, True
    spellings = spellings_in(tree, record)
    return _with_place(Explanation(metadata.id, metadata.title, tree.matched, applies, tree, spellings), rule)


def _with_place(explanation: Explanation, rule: ir.DetectionRule) -> list[str]:
    first, *rest = str(explanation).splitlines()
    place = f", {rule.metadata.path}:{rule.metadata.line}" if rule.metadata.path is not None else ""
    return [f"{first}{place}", *rest]


class Evaluate:
    """The fixture `evaluate`: called with records, it returns their matches."""

    def __init__(self, rules: RuleSet, help_of_run: AssertionHelp) -> None:
        self._rules = rules
        self._help = help_of_run
        self._chosen: dict[str, RuleSet] = {}

    def __repr__(self) -> str:
        return "evaluate"

    def __call__(
        self, records: Mapping[str, Any] | Iterable[Mapping[str, Any]], *, rule: str | None = None
    ) -> list[Match]:
        """The matches of one record, or of several in order.

        Args:
            records: One record, or several.
            rule: ID or name of a single rule or correlation; default: all rules.

        Raises:
            UnknownRuleError: There is no such rule.
        """
        listed = [records] if isinstance(records, Mapping) else list(records)
        rules = self._rules
        if rule is not None:
            rules = self._chosen.setdefault(rule, rules.where(id=rule))
        matches = list(rules.evaluate(listed))
        self._help.note(sys._getframe(1), lambda: _told(rules, listed, matches, rule))  # noqa: SLF001  # the caller
        return matches


def _told(
    rules: RuleSet, records: Sequence[Mapping[str, Any]], matches: Sequence[Match], rule: str | None
) -> Iterator[str]:
    yield f"evaluate: {_counted(len(records), 'record')}, {_counted(len(matches), 'match', 'matches')}"
    for match in matches[:_SHOWN_MATCHES]:
        yield f"  {match.rule.title} | {match.context.event_name} | {match.context.principal}"
    if len(matches) > _SHOWN_MATCHES:
        yield f"  … and {len(matches) - _SHOWN_MATCHES} more"
    if len(records) == 1:
        [record] = records
        detections = [each.definition for each in rules if isinstance(each.definition, ir.DetectionRule)]
        if rule is None and detections:
            if matches:
                return
            detections = [max(detections, key=lambda each: _nearness(each, record))]
            yield "the nearest rule:"
        for each in detections:
            yield from _with_place(rules.explain(record, each.metadata.id), each)


def _nearness(rule: ir.DetectionRule, record: Mapping[str, Any]) -> float:
    """The share of the rule's tests that have the outcome that a match needs."""
    wanted = list(_wanted(explain(rule, record), wanted=True))
    return sum(wanted) / len(wanted)


def _wanted(step: Step, *, wanted: bool) -> Iterator[bool]:
    if step.kind == "test":
        yield step.matched is wanted
    for child in step.steps:
        yield from _wanted(child, wanted=wanted is not (step.kind == "not"))


def _counted(number: int, one: str, more: str | None = None) -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"

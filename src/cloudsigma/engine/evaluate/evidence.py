"""What made a rule match, quickly: the same as `explain` says, without walking what needs no walk.

Most tests look at a field with one text. What such a text says of a test is remembered, so that a match costs one
look-up a test; `explain` judges whatever is not of this kind, and tests hold one against the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.evaluate import operators, runtime
from cloudsigma.engine.evaluate.explain import SHOWN_VALUES, Evidence, evidence_of_test, judge_test
from cloudsigma.ir.walk import all_tests

Verdict = tuple[bool, tuple[Evidence, ...]]
"""Whether a part of a rule came out true, and the evidence that it came out so."""
Judge = Callable[[Mapping[str, Any]], Verdict]

_ABSENT, _EMPTY = object(), object()
"""Stand for no values: of a field that is not there, and of one that holds none."""
_FIELDS = 6
"""A rule with more fields is judged test by test: what all of them hold hardly comes twice."""
_FORGOTTEN = 3
_REMEMBERED = 2_000
"""Texts that are remembered of one test; when there are more, all are forgotten."""


def plan_evidence(rule: ir.DetectionRule) -> Callable[[Mapping[str, Any]], tuple[Evidence, ...]]:
    """Make what gives the evidence of a match of this rule, in the order of the rule."""
    judge = _Plan(rule).rule()

    def collect(record: Mapping[str, Any]) -> tuple[Evidence, ...]:
        found = judge(record)[1]
        # A selection may stand twice in a condition.
        return found if len(found) < 2 else tuple(_without_repetitions(found))

    tests = list(all_tests(rule))
    if any(test.field is None or _asks(test, ir.FieldRef) for test in tests):
        return collect
    names = {test.field or "": False for test in tests}
    names |= {test.field or "": True for test in tests if _asks(test, ir.Exists)}
    return _Remembered(collect, names).collect if len(names) <= _FIELDS else collect


def _asks(test: ir.Test, kind: type[ir.Matcher]) -> bool:
    return any(isinstance(matcher, kind) for matcher in test.matchers)


class _Remembered:
    """The evidence of a rule by what its few fields hold, where each holds one text, null, or is not there."""

    def __init__(self, collect: Callable[[Mapping[str, Any]], tuple[Evidence, ...]], names: Mapping[str, bool]) -> None:
        """`names`: the fields, and of each whether the rule asks if it is there."""
        self._collect = collect
        self._top = [name for name in names if "." not in name]
        self._paths = [(runtime.field(name), asked) for name, asked in names.items() if "." in name]
        self._found: dict[tuple[Any, ...], tuple[Evidence, ...]] = {}
        self._forgotten = 0

    def collect(self, record: Mapping[str, Any]) -> tuple[Evidence, ...]:
        key = [record.get(name, _ABSENT) for name in self._top]
        for read, asked in self._paths:
            values = read(record)
            if len(values) > 1 or (asked and not values):  # an empty object is there and has no values
                return self._collect(record)
            key.append(values[0] if values else _ABSENT)
        for value in key:
            if type(value) is not str and value is not None and value is not _ABSENT:
                return self._collect(record)
        found = self._found.get(tuple(key))
        if found is None:
            found = self._collect(record)
            if self._forgotten < _FORGOTTEN:  # else some field says something else each time
                self._found[tuple(key)] = found
                if len(self._found) > _REMEMBERED:
                    self._found.clear()
                    self._forgotten += 1
        return found


def _without_repetitions(found: Iterable[Evidence]) -> list[Evidence]:
    kept: list[Evidence] = []
    for item in found:
        if not any(item is other for other in kept) and item not in kept:
            kept.append(item)
    return kept


class _Plan:
    def __init__(self, rule: ir.DetectionRule) -> None:
        self._rule = rule
        self._judges = {each.name: _body(each.body, each.name) for each in rule.selections}

    def rule(self) -> Judge:
        return _joined([self._expression(each.expression) for each in self._rule.conditions], all_of=False)

    def _expression(self, expression: ir.Expression) -> Judge:
        match expression:
            case ir.Identifier(name):
                return self._judges[name]
            case ir.Quantified(all_of, _, names):
                return _joined([self._judges[name] for name in names], all_of=all_of)
            case ir.And(operands):
                return _joined([self._expression(operand) for operand in operands], all_of=True)
            case ir.Or(operands):
                return _joined([self._expression(operand) for operand in operands], all_of=False)
            case ir.Not(operand):
                return _negated(self._expression(operand))


def _body(body: ir.Group | ir.Test, selection: str) -> Judge:
    if isinstance(body, ir.Test):
        return _Test(body, selection)
    return _joined([_body(member, selection) for member in body.members], all_of=body.all_of)


def _joined(judges: list[Judge], *, all_of: bool) -> Judge:
    """All or any of several: what agrees with the verdict of the whole is its evidence."""
    if len(judges) == 1:
        return judges[0]

    def judge(record: Mapping[str, Any]) -> Verdict:
        verdicts = [each(record) for each in judges]
        whole = all_of
        for verdict, _ in verdicts:
            if verdict is not all_of:
                whole = verdict
                break
        evidence: tuple[Evidence, ...] = ()
        for verdict, more in verdicts:
            if verdict is whole:
                evidence += more
        return whole, evidence

    return judge


def _negated(judge: Judge) -> Judge:
    def negated(record: Mapping[str, Any]) -> Verdict:
        verdict, evidence = judge(record)
        return not verdict, evidence

    return negated


class _Test:
    """One test of a rule; callable as a `Judge`."""

    __slots__ = ("_judged_before", "_present", "_read", "_remembers", "_selection", "_test")

    def __init__(self, test: ir.Test, selection: str) -> None:
        self._test = test
        self._selection = selection
        self._read = runtime.field(test.field) if test.field is not None else runtime.everything
        self._remembers = not any(isinstance(matcher, ir.FieldRef) for matcher in test.matchers)
        asks_for_presence = any(isinstance(matcher, ir.Exists) for matcher in test.matchers)
        self._present = runtime.present(test.field or "") if asks_for_presence else None
        self._judged_before: dict[Any, Verdict] = {}

    def __call__(self, record: Mapping[str, Any]) -> Verdict:
        if not self._remembers:
            step = judge_test(self._test, record)
            return step.matched, tuple(evidence_of_test(step, self._selection, wanted=step.matched))
        values = self._read(record)
        if len(values) == 1 and type(values[0]) is str:
            key: Any = values[0]
        elif not values:
            # An empty object is present and has no values.
            key = _EMPTY if self._present is not None and self._present(record) else _ABSENT
        else:
            return self._of_values(values, present=True)
        verdict = self._judged_before.get(key)
        if verdict is None:
            verdict = self._of_values(values, present=key is not _ABSENT)
            if len(self._judged_before) >= _REMEMBERED:
                self._judged_before.clear()
            self._judged_before[key] = verdict
        return verdict

    def _of_values(self, values: Any, *, present: bool) -> Verdict:
        test = self._test
        outcomes = [_outcome(matcher, values, present=present) for matcher in test.matchers]
        passed = (all if test.all_of else any)([met for met, _ in outcomes])
        seen = tuple(values[:SHOWN_VALUES]) if test.field is not None else ()
        evidence = tuple(
            Evidence(
                self._selection, test.field, test.modifiers, written, given if passed else seen, negated=not passed
            )
            for (met, given), written in zip(outcomes, test.written, strict=True)
            if met is passed
        )
        return passed is not test.negated, evidence


def _outcome(matcher: ir.Matcher, values: Any, *, present: bool) -> tuple[bool, tuple[Any, ...]]:
    """Whether a value of the rule is met, and the values of the record that meet it; as in `explain`."""
    match matcher:
        case ir.Null():
            nothing = tuple([value for value in values if value is None])
            return len(nothing) == len(values), nothing
        case ir.Exists(wanted):
            return present is wanted, tuple(values) if wanted else ()
        case _:
            given = tuple([value for value in values if operators.matches(matcher, value)])
            return bool(given), given

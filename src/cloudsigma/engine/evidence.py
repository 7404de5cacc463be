"""What made a rule match, quickly: the same as `explain` says, without walking what needs no walk.

Most tests look at a field with one text. What such a text says of a test is remembered, so that a match costs one
look-up a test; `explain` judges whatever is not of this kind, and tests hold one against the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cloudsigma import ir
from cloudsigma.engine import operators, runtime
from cloudsigma.engine.explain import SHOWN_VALUES, Evidence, evidence_of_test, judge_test

Verdict = tuple[bool, tuple[Evidence, ...]]
"""Whether a part of a rule came out true, and the evidence that it came out so."""
Judge = Callable[[Mapping[str, Any]], Verdict]

_REMEMBERED = 2_000
"""Texts that are remembered of one test; when there are more, all are forgotten."""


def plan_evidence(rule: ir.DetectionRule) -> Callable[[Mapping[str, Any]], tuple[Evidence, ...]]:
    """Make what gives the evidence of a match of this rule, in the order of the rule."""
    judge = _Plan(rule).rule()

    def collect(record: Mapping[str, Any]) -> tuple[Evidence, ...]:
        found = judge(record)[1]
        # A selection may stand twice in a condition.
        return found if len(found) < 2 else tuple(_without_repetitions(found))

    return collect


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

    __slots__ = ("_of_text", "_read", "_remembers", "_selection", "_test")

    def __init__(self, test: ir.Test, selection: str) -> None:
        self._test = test
        self._selection = selection
        self._read = runtime.field(test.field) if test.field is not None else runtime.everything
        self._remembers = all(map(_asks_for_one_value, test.matchers))
        self._of_text: dict[str | None, Verdict] = {}

    def __call__(self, record: Mapping[str, Any]) -> Verdict:
        if not self._remembers:
            return self._judged(record)
        values = self._read(record)
        if len(values) == 1 and type(values[0]) is str:
            key: str | None = values[0]
        elif not values:
            key = None
        else:
            return self._of_values(values)
        verdict = self._of_text.get(key)
        if verdict is None:
            verdict = self._of_values(values)
            if len(self._of_text) >= _REMEMBERED:
                self._of_text.clear()
            self._of_text[key] = verdict
        return verdict

    def _judged(self, record: Mapping[str, Any]) -> Verdict:
        step = judge_test(self._test, record)
        return step.matched, tuple(evidence_of_test(step, self._selection, wanted=step.matched))

    def _of_values(self, values: Any) -> Verdict:
        test = self._test
        met = [tuple([value for value in values if operators.matches(each, value)]) for each in test.matchers]
        passed = all(met) if test.all_of else any(met)
        evidence = tuple(
            Evidence(
                self._selection,
                test.field,
                test.modifiers,
                written,
                given if passed else (tuple(values[:SHOWN_VALUES]) if test.field is not None else ()),
                negated=not passed,
            )
            for given, written in zip(met, test.written, strict=True)
            if bool(given) is passed
        )
        return passed is not test.negated, evidence


def _asks_for_one_value(matcher: ir.Matcher) -> bool:
    """Whether a matcher looks at values one by one, and at nothing else."""
    return not isinstance(matcher, ir.Null | ir.Exists | ir.FieldRef)

"""The evidence of matches, taken from `explain` and cached by the values of the tested fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.evaluate import fields
from cloudsigma.engine.evaluate.calls import fields_of
from cloudsigma.engine.evaluate.explain import Evidence, Step, evaluate_test, evidence, explain
from cloudsigma.engine.memo import Budget, Memo, is_short
from cloudsigma.ir.walk import all_tests

_ENTRIES = 2_000
"""Most combinations of values cached for one rule, and values cached for one test."""
_MOST_CLEARED = 3
"""A memo that has filled up this often is no longer used: some field has a new value each time."""
_ITEM = 250
"""Bytes of an `Evidence` or of a part of a step, without the record's values, which are in the key."""

ReadEvidence = Callable[[ir.DetectionRule, Mapping[str, Any]], tuple[Evidence, ...]]
"""Gives the evidence of a match, from the rule and the record."""
Collect = Callable[[Mapping[str, Any]], tuple[Evidence, ...]]


def evidence_of(rule: ir.DetectionRule, record: Mapping[str, Any]) -> tuple[Evidence, ...]:
    """The evidence that a rule matches a record, in the order of the rule."""
    return evidence(explain(rule, record))


class EvidenceReader:
    """Returns the evidence of matches of any rules, and caches it within one budget."""

    def __init__(self, budget: Budget | None = None) -> None:
        self._budget = budget or Budget()
        self._of_rules: dict[int, tuple[ir.DetectionRule, Collect]] = {}

    def read(self, rule: ir.DetectionRule, record: Mapping[str, Any]) -> tuple[Evidence, ...]:
        """`evidence_of`, cached."""
        known = self._of_rules.get(id(rule))
        if known is None:  # keep the rule, so that its `id` is not reused
            known = self._of_rules[id(rule)] = (rule, _OfRule(rule, self._budget).collect)
        return known[1](record)


class _OfRule:
    """Evidence cached by the values of a rule's fields, if each has one text, is null, or is absent."""

    def __init__(self, rule: ir.DetectionRule, budget: Budget) -> None:
        self._rule = rule
        tests = list(all_tests(rule))
        names = frozenset[str | None]().union(*map(fields_of, tests))
        self._top = sorted(name for name in names if name is not None and "." not in name)
        self._paths = _readers(frozenset(name for name in names if name and "." in name), _asked_for(tests))
        self._found = budget.memo(entries=_ENTRIES, size=_size) if None not in names else None
        self._tests = {id(test): _OfTest(test, budget) for test in tests if test.field and len(fields_of(test)) == 1}

    def collect(self, record: Mapping[str, Any]) -> tuple[Evidence, ...]:
        memo = self._found
        if memo is None or memo.cleared > _MOST_CLEARED:
            return self._explained(record)
        key = tuple(map(record.get, self._top))
        if type(None) in map(type, key):  # a value of another library may not compare with None
            key = tuple([record.get(name, fields.ABSENT) for name in self._top])
        if self._paths:
            key += tuple([read(record) for read in self._paths])
        for value in key:
            if type(value) is not str and value is not None and value is not fields.ABSENT:
                return self._explained(record)
        found: tuple[Evidence, ...] | None = memo.get(key)
        if found is None:
            found = self._explained(record)
            memo.keep(key, found)
        return found

    def _explained(self, record: Mapping[str, Any]) -> tuple[Evidence, ...]:
        return evidence(explain(self._rule, record, self._evaluate))

    def _evaluate(self, test: ir.Test, record: Mapping[str, Any]) -> Step:
        known = self._tests.get(id(test))
        return known.evaluate(record) if known is not None else evaluate_test(test, record)


class _OfTest:
    """The explanation of a test, cached by its field's value."""

    def __init__(self, test: ir.Test, budget: Budget) -> None:
        self._test = test
        (self._read,) = _readers(frozenset({test.field}), _asked_for([test]))
        self._steps: Memo = budget.memo(entries=_ENTRIES, size=_size_of_step)

    def evaluate(self, record: Mapping[str, Any]) -> Step:
        value = self._read(record)
        if not is_short(value):
            return evaluate_test(self._test, record)
        step: Step | None = self._steps.get(value)
        if step is None:
            step = evaluate_test(self._test, record)
            self._steps.keep(value, step)
        return step


def _asked_for(tests: list[ir.Test]) -> frozenset[str | None]:
    """The fields whose presence or absence tests ask for."""
    return frozenset(test.field for test in tests if any(isinstance(each, ir.Exists) for each in test.matchers))


def _readers(names: frozenset[str | None], asked: frozenset[str | None]) -> list[Callable[[Mapping[str, Any]], Any]]:
    """Readers of the single value of each field; they return another type if there may be several."""
    return [_one_value(name, asked=name in asked) for name in sorted(name for name in names if name is not None)]


def _one_value(name: str, *, asked: bool) -> Callable[[Mapping[str, Any]], Any]:
    read_node, read_values = fields.reader(name), fields.values_reader(name)

    def read(record: Mapping[str, Any]) -> Any:
        node = read_node(record)
        if type(node) is str or node is None or node is fields.ABSENT:
            return node
        values = read_values(record)
        if len(values) == 1:
            return values[0]
        # An empty object is present and has no values.
        return fields.ABSENT if not values and not asked else fields.UNSURE

    return read


def _size(found: tuple[Evidence, ...]) -> int:
    return _ITEM * len(found)


def _size_of_step(step: Step) -> int:
    return _ITEM * (1 + len(step.outcomes))

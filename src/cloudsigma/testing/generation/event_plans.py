"""Which events a correlation needs: of which rules, how many, and what is measured in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cloudsigma import ir
from cloudsigma.correlation.condition import terms

FieldRequirement = tuple[str, ir.Matcher, bool]
"""A name of the correlation, a matcher, and whether it must be met."""

_EPSILON = 1
"""How far a number is put from a limit that it must not touch."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Events in their order."""

    rules: tuple[str, ...]
    """For each event the rule that it matches."""
    field: str | None = None
    """What is measured."""
    numbers: tuple[int | float, ...] = ()
    """For each event the number that is measured."""
    distinct: bool = False
    """Whether each event needs a value of its own."""
    bounded: int = 0
    """How many events are too many, where more of them can spoil it."""
    fields: tuple[str, ...] = ()
    """All fields that must be there to be measured."""
    unwanted: tuple[str, ...] = ()
    """Rules of which there must be no event."""

    @property
    def size(self) -> int:
        """How many events there are, not counting those of correlations below."""
        return len(self.rules)

    def asked(self, position: int, before: Sequence[str]) -> list[FieldRequirement]:
        """What is asked of the measured fields of one event; `before` are the values of those before it."""
        asked: list[FieldRequirement] = [(name, ir.Null(), False) for name in self.fields]
        if self.field is not None and self.numbers:
            asked.append((self.field, ir.Number(self.numbers[position]), True))
        if self.field is not None and self.distinct:
            asked += [(self.field, ir.Pattern((text,)), False) for text in before]
        return asked


def plans(correlation: ir.CorrelationRule) -> Iterator[Plan]:
    """Plans for a correlation, the simplest first."""
    rules = correlation.rules
    if correlation.expression is not None:
        for wanted, unwanted in terms(correlation.expression):
            if wanted:
                yield Plan(tuple(rule for rule in rules if rule in wanted), unwanted=tuple(sorted(unwanted)))
        return
    threshold = correlation.threshold
    if threshold is None:
        return
    value = threshold.value
    match correlation.type:
        case "event_count" | "value_count":
            distinct = correlation.type == "value_count"
            for count in _counts(threshold):
                for rule in rules:
                    measured = (threshold.fields or (None,)) if distinct else (None,)
                    for name in measured:
                        yield Plan((rule,) * count, name, (), distinct, _too_many(threshold), threshold.fields)
        case "temporal" | "temporal_ordered":
            for count in _counts(threshold):
                if count <= len(rules):
                    yield Plan(rules[:count], None, (), bounded=0)
        case _:
            for rule in rules:
                for number in _numbers(threshold.operator, value):
                    yield Plan((rule,), threshold.fields[0], (number,), fields=threshold.fields)
                    if correlation.type == "value_sum" and number > 1:
                        half = number // 2
                        yield Plan((rule, rule), threshold.fields[0], (half, number - half), fields=threshold.fields)


def _counts(threshold: ir.Threshold) -> list[int]:
    """How many there may be, the least first."""
    return [count for count in _numbers(threshold.operator, threshold.value) if isinstance(count, int) and count > 0]


def _numbers(operator: str, value: int | float) -> list[int | float]:
    whole = int(value)
    match operator:
        case "gte" | "eq" | "lte":
            found = [value]
        case "gt" | "neq":
            found = [whole + _EPSILON]
        case _:
            found = [whole - _EPSILON if whole == value else whole]
    if operator in ("lt", "lte"):
        found.insert(0, 1)
    return [number for number in dict.fromkeys(found) if _holds(operator, number, value)]


def _holds(operator: str, number: int | float, value: int | float) -> bool:
    return {
        "lt": number < value,
        "lte": number <= value,
        "gt": number > value,
        "gte": number >= value,
        "eq": number == value,
        "neq": number != value,
    }[operator]


def _too_many(threshold: ir.Threshold) -> int:
    """How many events more may break the condition; 0 where more can only help."""
    return int(threshold.value) + 1 if threshold.operator in ("lt", "lte", "eq", "neq") else 0

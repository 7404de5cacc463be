"""Plan the events that a correlation needs: of which rules, how many, and with which measured values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cloudsigma import ir
from cloudsigma.correlation.condition import terms

FieldRequirement = tuple[str, ir.Matcher, bool]
"""A field name of the correlation, a matcher, and whether the field must pass it."""

_EPSILON = 1
"""Distance of a number from a limit that it must not equal."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Events in order."""

    rules: tuple[str, ...]
    """For each event, the ID of the rule that it matches."""
    field: str | None = None
    """The measured field."""
    numbers: tuple[int | float, ...] = ()
    """For each event, the measured number."""
    distinct: bool = False
    """Whether each event needs a different value."""
    bounded: int = 0
    """Number of events that break the condition; 0 if more events cannot break it."""
    fields: tuple[str, ...] = ()
    """Fields that must have a value."""
    unwanted: tuple[str, ...] = ()
    """IDs of rules that must not match any event."""

    @property
    def size(self) -> int:
        """The number of events, without those of nested correlations."""
        return len(self.rules)

    def asked(self, position: int, before: Sequence[str]) -> list[FieldRequirement]:
        """The requirements on the measured fields of one event; `before` has the values of earlier events."""
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
    """The possible numbers of events, smallest first."""
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
    """The number of additional events that break the condition; 0 if more events cannot break it."""
    return int(threshold.value) + 1 if threshold.operator in ("lt", "lte", "eq", "neq") else 0

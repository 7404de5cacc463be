"""The value that a correlation measures in a complete time frame, and whether its condition holds.

This is the definition. For sliding frames, `incremental.py` computes the same results moment by moment.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cloudsigma import ir
from cloudsigma.correlation.chain import Chain
from cloudsigma.correlation.condition import negates, terms, truth
from cloudsigma.correlation.entry import Moment
from cloudsigma.correlation.total import as_float, exact_sum

Frame = Sequence[tuple[float, Moment]]
"""The moments of a time frame with their times, in order of time."""

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
    "neq": operator.ne,
}


def slides(rule: ir.CorrelationRule) -> bool:
    """Whether more entries can only help the condition; then a frame slides while it does not hold."""
    if rule.expression is not None:
        return not negates(rule.expression)
    threshold = rule.threshold
    return (
        threshold is not None
        and threshold.operator in ("gt", "gte")
        and rule.type in ("event_count", "value_count", "value_sum", "temporal", "temporal_ordered")
    )


def holds(rule: ir.CorrelationRule, frame: Frame) -> bool:
    """Whether the condition of the rule holds for a frame."""
    if rule.expression is not None:
        if rule.type == "temporal_ordered":
            return _some_term_holds(rule.expression, rule.rules, frame)
        return truth(rule.expression, _rules(frame))
    if rule.threshold is None:
        return False
    value = measured(rule, rule.threshold, frame)
    return value is not None and COMPARISONS[rule.threshold.operator](value, rule.threshold.value)


def measured(rule: ir.CorrelationRule, threshold: ir.Threshold, frame: Frame) -> int | float | None:
    """The value to compare with the threshold; `None` for an average or percentile without numbers."""
    match rule.type:
        case "event_count":
            return sum(len(moment) for _, moment in frame)
        case "value_count":
            return len({value for _, moment in frame for entry in moment.values() for value in entry.measured})
        case "temporal":
            return len(_rules(frame))
        case "temporal_ordered":
            return chain_length(rule.rules, frame)
        case "value_sum":
            return exact_sum(_numbers(frame))
        case "value_avg":
            numbers = [as_float(number) for number in _numbers(frame)]
            return exact_sum(numbers) / len(numbers) if numbers else None
        case "value_percentile":
            return percentile(_numbers(frame), threshold.percentile or 0)
        case "value_median":
            return percentile(_numbers(frame), 50)


def _numbers(frame: Frame) -> list[int | float]:
    return [number for _, moment in frame for entry in moment.values() for number in entry.measured]


def _rules(frame: Frame) -> set[str]:
    return {rule for _, moment in frame for entry in moment.values() for rule in entry.rules}


def percentile(numbers: Iterable[int | float], rank: int) -> float | None:
    """The percentile by linear interpolation at rank p/100 x (n - 1) of the sorted numbers."""
    ordered = sorted(map(as_float, numbers))
    if not ordered:
        return None
    if any(map(math.isnan, ordered)):  # NaN cannot be sorted
        return math.nan
    at = rank * (len(ordered) - 1) / 100
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    if at == low or ordered[low] == ordered[high]:  # infinite ones, too
        return ordered[low]
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def chain_length(rules: Sequence[str], frame: Frame) -> int:
    """The longest chain of entries for rules in the listed order: times do not decrease, no entry is used twice."""
    chain = Chain(rules, len(rules))
    for time, moment in frame:
        chain.add(time, moment.values())
    return next(length for length in range(len(rules), -1, -1) if chain.start(length) > -math.inf)


def _some_term_holds(expression: ir.Expression, order: Sequence[str], frame: Frame) -> bool:
    present = _rules(frame)
    for wanted, unwanted in terms(expression):
        if wanted <= present and present.isdisjoint(unwanted):
            ordered = [rule for rule in order if rule in wanted]
            if chain_length(ordered, frame) == len(ordered):
                return True
    return False

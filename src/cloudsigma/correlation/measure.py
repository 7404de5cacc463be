"""What a correlation measures in a time frame, and whether its condition holds (semantics: "The measured value")."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from cloudsigma import ir
from cloudsigma.engine.match import Match
from cloudsigma.engine.operators import Numeric


class Entry(msgspec.Struct):
    """One event, or one match of another correlation, inside a group."""

    time: float
    """Seconds since 1970."""
    identity: object
    """Equal for the same event."""
    rules: set[str]
    """IDs of the rules that matched it."""
    matches: list[Match]
    texts: set[tuple[str, ...]]
    """Values that are counted, for `value_count`."""
    numbers: list[Numeric]
    """Numbers that are measured, for the metric types."""


def slides(rule: ir.CorrelationRule) -> bool:
    """Whether more entries can only help the condition, so that a frame that does not hold slides on."""
    if rule.expression is not None:
        return not _negates(rule.expression)
    threshold = rule.threshold
    return (
        threshold is not None
        and threshold.operator in ("gt", "gte")
        and rule.type in ("event_count", "value_count", "value_sum", "temporal", "temporal_ordered")
    )


def holds(rule: ir.CorrelationRule, frame: Sequence[Entry]) -> bool:
    """Whether the condition of the rule holds for the entries of a frame, which are in order of time."""
    if rule.expression is not None:
        if rule.type == "temporal_ordered":
            return any(_term_holds(term, rule.rules, frame) for term in _terms(rule.expression))
        present = set().union(*(entry.rules for entry in frame))
        return _truth(rule.expression, present)
    if rule.threshold is None:
        return False
    value = _measured(rule, frame)
    return value is not None and _compares(value, rule.threshold.operator, rule.threshold.value)


def _measured(rule: ir.CorrelationRule, frame: Sequence[Entry]) -> Numeric | None:
    numbers = [number for entry in frame for number in entry.numbers]
    match rule.type:
        case "event_count":
            return len(frame)
        case "value_count":
            return len(set().union(*(entry.texts for entry in frame)))
        case "temporal":
            return len(set().union(*(entry.rules for entry in frame)) & set(rule.rules))
        case "temporal_ordered":
            return chain_length(rule.rules, frame)
        case "value_sum":
            return (
                math.fsum(map(float, numbers)) if any(isinstance(n, float) for n in numbers) else sum(map(int, numbers))
            )
        case "value_avg":
            return math.fsum(map(float, numbers)) / len(numbers) if numbers else None
        case "value_percentile":
            return percentile(numbers, rule.threshold.percentile or 0) if rule.threshold else None
        case "value_median":
            return percentile(numbers, 50)


def percentile(numbers: Iterable[Numeric], rank: int) -> float | None:
    """The percentile by linear interpolation at rank p/100 x (n - 1) of the sorted numbers."""
    ordered = sorted(map(float, numbers))
    if not ordered:
        return None
    at = rank * (len(ordered) - 1) / 100
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def _compares(value: Numeric, operator: str, limit: int | float) -> bool:
    match operator:
        case "lt":
            return value < limit
        case "lte":
            return value <= limit
        case "gt":
            return value > limit
        case "gte":
            return value >= limit
        case "eq":
            return value == limit
        case _:
            return value != limit


# --- order --------------------------------------------------------------------------------------------------


def chain_length(rules: Sequence[str], frame: Sequence[Entry]) -> int:
    """The longest chain of entries for rules in the listed order: times do not decrease, no entry is used twice.

    Entries of one moment may stand in any order. The moments are gone through one by one; `best[j]` is the longest
    chain over the first `j` rules so far, and inside a moment any run of rules is matched to different entries.
    """
    best = [0] * (len(rules) + 1)
    for _, moment in groupby(frame, key=lambda entry: entry.time):
        entries = list(moment)
        new = best.copy()
        for start in range(len(rules)):
            matched: dict[int, int] = {}
            size = 0
            for end in range(start, len(rules)):
                size += _augment(rules, end, entries, matched, set())
                new[end + 1] = max(new[end + 1], best[start] + size)
        for at in range(1, len(new)):
            new[at] = max(new[at], new[at - 1])
        best = new
    return best[-1]


def _augment(rules: Sequence[str], at: int, entries: Sequence[Entry], matched: dict[int, int], tried: set[int]) -> int:
    """Give the rule at a position an entry of its own, moving others if need be; 1 if that can be done, else 0."""
    for index, entry in enumerate(entries):
        if rules[at] in entry.rules and index not in tried:
            tried.add(index)
            if index not in matched or _augment(rules, matched[index], entries, matched, tried):
                matched[index] = at
                return 1
    return 0


# --- extended conditions ------------------------------------------------------------------------------------

Term = tuple[frozenset[str], frozenset[str]]
"""Rules that must be there, and rules that must not."""


def _negates(expression: ir.Expression) -> bool:
    match expression:
        case ir.Not():
            return True
        case ir.And(operands) | ir.Or(operands):
            return any(map(_negates, operands))
        case _:
            return False


def _truth(expression: ir.Expression, present: set[str]) -> bool:
    match expression:
        case ir.Identifier(name):
            return name in present
        case ir.Not(operand):
            return not _truth(operand, present)
        case ir.And(operands):
            return all(_truth(operand, present) for operand in operands)
        case ir.Or(operands):
            return any(_truth(operand, present) for operand in operands)
        case ir.Quantified():  # refused when the rule is compiled
            return False


def _terms(expression: ir.Expression, *, negated: bool = False) -> list[Term]:
    """The expression as an OR of AND terms."""
    match expression:
        case ir.Identifier(name):
            only = frozenset((name,))
            return [(frozenset(), only) if negated else (only, frozenset())]
        case ir.Not(operand):
            return _terms(operand, negated=not negated)
        case ir.And(operands) | ir.Or(operands):
            parts = [_terms(operand, negated=negated) for operand in operands]
            if isinstance(expression, ir.Or) is not negated:
                return [term for part in parts for term in part]
            joined: list[Term] = [(frozenset(), frozenset())]
            for part in parts:
                joined = [(yes | more, no | less) for yes, no in joined for more, less in part]
            return joined
        case ir.Quantified():  # refused when the rule is compiled
            return []


def _term_holds(term: Term, order: Sequence[str], frame: Sequence[Entry]) -> bool:
    wanted, unwanted = term
    if any(entry.rules & unwanted for entry in frame):
        return False
    ordered = [rule for rule in order if rule in wanted]
    return chain_length(ordered, frame) == len(ordered)

"""Determines which rules could have matched at all, given the events that occurred."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

from cloudsigma import ir
from cloudsigma.engine.evaluate.loading import Vocabulary
from cloudsigma.engine.evaluate.operators import fold
from cloudsigma.engine.prefilter.index import NAME, SOURCE, exact_values
from cloudsigma.engine.prefilter.reduction import Reducible
from cloudsigma.engine.rule import Rule
from cloudsigma.ir.walk import all_tests

Event = tuple[str | None, str | None]
"""Event source and event name; `None` if null or absent."""


def could_have_matched(rules: Sequence[Rule], events: Iterable[Event]) -> frozenset[str]:
    """The IDs of those rules that some record with one of these events could match; never too few.

    A correlation could have matched if enough of the rules that it refers to could have: as many as it requires
    together, or one if it counts or measures.
    """
    by_name: dict[str, list[Event]] = {}
    for event in events:
        by_name.setdefault(fold(event[1] or ""), []).append(event)
    vocabulary = Vocabulary()
    found = {
        rule.id
        for rule in rules
        if isinstance(rule.definition, ir.DetectionRule) and _could(rule.definition, by_name, vocabulary)
    }
    correlations = {rule.id: rule.correlation for rule in rules if rule.correlation is not None}
    waiting = True
    while waiting:  # until a round adds no rule: correlations refer to correlations
        more = {
            rule_id
            for rule_id, correlation in correlations.items()
            if rule_id not in found and sum(each in found for each in correlation.rules) >= _needed(correlation)
        }
        found |= more
        waiting = bool(more)
    return frozenset(found)


def asked_for(rule: Rule, name: str = NAME) -> tuple[str, ...]:
    """The values of a field, event names by default, of which a matching record must have one, as the rule spells them.

    Empty if the rule has no such list.
    """
    if not isinstance(rule.definition, ir.DetectionRule):
        return ()
    values = exact_values(rule.definition, name)
    if values is None:
        return ()
    spelled: dict[str, str] = {}
    for test in all_tests(rule.definition):
        for text in _texts(test.matchers) if test.field == name else ():
            spelled.setdefault(fold(text), text)
    return tuple(sorted(spelled.get(value, value) for value in values))


def _needed(correlation: ir.CorrelationRule) -> float:
    """How many of its rules must have matched before a correlation can."""
    threshold = correlation.threshold
    if threshold is None or not correlation.type.startswith("temporal"):
        return 1
    match threshold.operator:
        case "gte" | "eq":
            return max(threshold.value, 1)
        case "gt":
            return math.floor(threshold.value) + 1
        case _:
            return 1


def _could(rule: ir.DetectionRule, by_name: Mapping[str, list[Event]], vocabulary: Vocabulary) -> bool:
    names = exact_values(rule)
    lists = by_name.values() if names is None else (by_name[name] for name in names if name in by_name)
    reducible = Reducible(rule, (NAME, SOURCE), vocabulary)
    seen: set[bytes] = set()
    for events in lists:
        for event in events:
            for record in _records(event):
                verdicts = reducible.verdicts(record)
                if verdicts not in seen and reducible.reduce(verdicts) is not False:
                    return True
                seen.add(verdicts)
    return False


def _records(event: Event) -> Iterable[dict[str, str | None]]:
    """The possible values in a record of this event: `None` means null or absent."""
    for source, name in itertools.product(_spoken(SOURCE, event[0]), _spoken(NAME, event[1])):
        yield {**source, **name}


def _spoken(field: str, value: str | None) -> tuple[dict[str, str | None], ...]:
    return ({field: value},) if value is not None else ({field: None}, {})


def _texts(matchers: Iterable[ir.Matcher]) -> Iterable[str]:
    for matcher in matchers:
        match matcher:
            case ir.Pattern((str() as text,)):
                yield text
            case ir.OneOf(variants):
                yield from _texts(variants)
            case _:
                pass

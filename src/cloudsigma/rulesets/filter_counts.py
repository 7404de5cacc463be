"""Counts the matches that each Sigma filter removes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.prefilter.matcher import Matcher
from cloudsigma.engine.rule import Rule
from cloudsigma.ir.walk import filters_of, without_filters
from cloudsigma.rulesets.rule_set import RuleSet


@dataclass
class FilterCounts:
    """Counts the records, added one by one, that rules would match without their filters."""

    rules: RuleSet
    """The rules whose filters are counted."""
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rule ID and filter ID → matches that the filter removes. If several remove one match, each counts."""

    def __post_init__(self) -> None:
        self._narrowed: dict[str, ir.DetectionRule] = {
            rule.id: rule.definition
            for rule in self.rules
            if isinstance(rule.definition, ir.DetectionRule) and filters_of(rule.definition)
        }
        plain = [Rule(without_filters(definition)) for definition in self._narrowed.values()]
        self._plain = RuleSet(tuple(plain), declared=self.rules.declared)
        self._alone: dict[tuple[str, int], Rule] = {}

    @property
    def filters(self) -> tuple[str, ...]:
        """The IDs of all filters that narrow the rules."""
        return tuple(dict.fromkeys(each for rule in self._narrowed.values() for each in filters_of(rule)))

    @cached_property
    def probe(self) -> Matcher:
        """Like `RuleSet.probe`, but also selects the records whose matches filters remove."""
        others = (rule for rule in self.rules if rule.id not in self._narrowed)
        return RuleSet((*self._plain, *others), declared=self.rules.declared).probe

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one record; cheap unless a filter removes a match of it."""
        self.counts.update(self.removed(record))

    def removed(self, record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The rule ID and filter ID of each match of a record that a filter removes; nothing is counted."""
        if not self._narrowed:
            return
        for rule_id in set(self._plain.verdicts(record)).difference(self.rules.verdicts(record)):
            for at, filter_id in enumerate(filters_of(self._narrowed[rule_id])):
                predicate = self._with_one_filter(rule_id, at).predicate
                if predicate is not None and not predicate(record):
                    yield rule_id, filter_id

    def _with_one_filter(self, rule_id: str, at: int) -> Rule:
        key = rule_id, at
        if key not in self._alone:
            self._alone[key] = Rule(without_filters(self._narrowed[rule_id], at))
        return self._alone[key]

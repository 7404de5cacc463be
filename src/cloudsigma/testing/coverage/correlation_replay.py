"""Replay the cases of a correlation with another definition, or with other verdicts of its rules.

Verdicts come from `Predicate`, matches from the correlator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudsigma import ir
from cloudsigma.correlation import Correlator
from cloudsigma.engine.context.context import read_context
from cloudsigma.engine.identity import match_key
from cloudsigma.engine.match import Match
from cloudsigma.engine.rule import Rule
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.testing.cases.expectations import members_of
from cloudsigma.testing.coverage.clauses import Predicate

_MOST_KEPT = 10_000
Members = tuple[tuple[int, ...], ...]
"""For each match of a correlation, the positions of its records."""


class CorrelationReplay:
    """A correlation with all rules that it refers to, directly or through others."""

    def __init__(self, rules: RuleSet, rule: Rule) -> None:
        self.rule = rule
        self._rules = {each.id: each for each in rules.where(id=rule.id)}
        self.correlations = {
            each.id: each.definition for each in self._rules.values() if isinstance(each.definition, ir.CorrelationRule)
        }
        """By ID, the rule itself among them."""
        self.predicates = {
            each.id: Predicate(each.definition)
            for each in self._rules.values()
            if isinstance(each.definition, ir.DetectionRule) and each.definition.logsource.covers(rules.declared)
        }
        """Predicates of the detection rules whose log source fits, by ID."""
        self._matches: dict[tuple[str, int], Match] = {}
        """Matches by rule and identity of the record, which they keep alive: sequences share most records."""

    def verdicts(self, records: Sequence[Mapping[str, Any]]) -> dict[str, tuple[bool, ...]]:
        """Rule ID → the verdict on each record."""
        return {key: tuple(map(predicate.matches, records)) for key, predicate in self.predicates.items()}

    def matches(
        self,
        records: Sequence[Mapping[str, Any]],
        verdicts: Mapping[str, Sequence[bool]],
        correlations: Mapping[str, ir.CorrelationRule] | None = None,
    ) -> tuple[Match, ...]:
        """The matches of the correlation; `correlations` replaces definitions by ID."""
        definitions = {**self.correlations, **(correlations or {})}
        correlator = Correlator([Rule(definition) for definition in definitions.values()], max_entries=None)
        found: list[Match] = []
        for position, record in enumerate(records):
            given = [self._match(key, record) for key, each in verdicts.items() if each[position]]
            found += correlator.feed(given)
        found += correlator.close()
        return tuple(match for match in found if match.rule_id == self.rule.id)

    def members(
        self,
        records: Sequence[Mapping[str, Any]],
        verdicts: Mapping[str, Sequence[bool]],
        correlations: Mapping[str, ir.CorrelationRule] | None = None,
    ) -> Members:
        """The positions of the records in each match, sorted."""
        matches = self.matches(records, verdicts, correlations)
        return tuple(sorted(tuple(sorted(members_of(match, records))) for match in matches))

    def _match(self, rule_id: str, record: Mapping[str, Any]) -> Match:
        known = self._matches.get((rule_id, id(record)))
        if known is None or known.record is not record:
            if len(self._matches) >= _MOST_KEPT:
                self._matches.clear()
            # Without evidence, which a changed rule does not have.
            known = Match(self._rules[rule_id], record, read_context(record), (), match_key(rule_id, record))
            self._matches[rule_id, id(record)] = known
        return known

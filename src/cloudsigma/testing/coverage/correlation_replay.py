"""Cases of correlations, run again and again with a part changed: another correlation, other verdicts of its rules.

Which records the rules match comes from the plain evaluator, what they come to from the correlator.
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

Members = tuple[tuple[int, ...], ...]
"""For each match of a correlation the positions of the records that take part."""


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
        """Those of the detection rules that look at the records at all."""

    def verdicts(self, records: Sequence[Mapping[str, Any]]) -> dict[str, tuple[bool, ...]]:
        """Which of the records each detection rule matches, by the rule's ID."""
        return {key: tuple(map(predicate.matches, records)) for key, predicate in self.predicates.items()}

    def matches(
        self,
        records: Sequence[Mapping[str, Any]],
        verdicts: Mapping[str, Sequence[bool]],
        correlations: Mapping[str, ir.CorrelationRule] | None = None,
    ) -> tuple[Match, ...]:
        """The matches of the correlation; `correlations` stand in the place of those with their IDs."""
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
        """What the sequence comes to, without the names of groups."""
        matches = self.matches(records, verdicts, correlations)
        return tuple(sorted(tuple(sorted(members_of(match, records))) for match in matches))

    def _match(self, rule_id: str, record: Mapping[str, Any]) -> Match:
        # Without evidence: that of a rule that has been changed says nothing here.
        return Match(self._rules[rule_id], record, read_context(record), (), match_key(rule_id, record))

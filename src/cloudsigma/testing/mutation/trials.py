"""Run cases again and again, each time with some of the rules changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from cloudsigma import ir
from cloudsigma.errors import CaseError
from cloudsigma.testing.cases.case import Case
from cloudsigma.testing.cases.expectations import compare
from cloudsigma.testing.cases.suite import RuleTest
from cloudsigma.testing.coverage.clauses import Memo, Predicate
from cloudsigma.testing.coverage.correlation_replay import CorrelationReplay


class ChangedRules:
    """Changed rules, which replace the rules with the same IDs."""

    def __init__(self, definitions: Mapping[str, ir.DetectionRule | ir.CorrelationRule]) -> None:
        self.definitions = definitions
        self.predicates = {
            key: Predicate(each) for key, each in definitions.items() if isinstance(each, ir.DetectionRule)
        }
        """Predicates of the changed detection rules, by ID."""
        self.correlations = {key: each for key, each in definitions.items() if isinstance(each, ir.CorrelationRule)}

    def verdicts(
        self, records: Sequence[Mapping[str, Any]], verdicts: Mapping[str, tuple[bool, ...]]
    ) -> dict[str, tuple[bool, ...]]:
        """The verdicts by rule ID, recomputed for the changed rules."""
        return {
            key: tuple(map(self.predicates[key].matches, records)) if key in self.predicates else each
            for key, each in verdicts.items()
        }


NOTHING_CHANGED = ChangedRules({})


class Trial:
    """One case of a detection rule. Each outcome of a clause is computed once."""

    def __init__(self, test: RuleTest) -> None:
        if test.rule is None or test.case is None:
            raise CaseError("there is no case to run")
        self.name = test.name
        self.path = test.path
        self.case: Case = test.case
        self.rule_id = test.rule.id
        self.needs: frozenset[str] = frozenset((test.rule.id,))
        """IDs of the rules that the verdict depends on."""
        definition = test.rule.definition
        self.predicate: Predicate | None = None
        """Predicate of the unchanged rule, if it is a detection rule whose log source fits."""
        if isinstance(definition, ir.DetectionRule) and definition.logsource.covers(test.rules.declared):
            self.predicate = Predicate(definition)
        self._memos: tuple[Memo, ...] = tuple({} for _ in test.case.records)

    def passes(self, changed: ChangedRules = NOTHING_CHANGED) -> bool:
        """Whether the case passes with these rules."""
        predicate = changed.predicates.get(self.rule_id, self.predicate)
        if self.predicate is None or predicate is None:
            return _as_expected(self.case, 0)
        met = sum(predicate.matches(record, memo) for record, memo in zip(self.case.records, self._memos, strict=True))
        return _as_expected(self.case, met)


class SequenceTrial(Trial):
    """One case of a correlation, with its expected number of matches, groups and members."""

    def __init__(self, test: RuleTest, correlated: CorrelationReplay) -> None:
        super().__init__(test)
        self.correlated = correlated
        self.needs = frozenset({*correlated.correlations, *correlated.predicates})
        self._verdicts: dict[str, tuple[bool, ...]] = {}
        self._expected = [dataclasses.replace(each, context={}) for each in self.case.expected]

    def passes(self, changed: ChangedRules = NOTHING_CHANGED) -> bool:
        """Whether the case passes with these rules."""
        if not self._verdicts:
            self._verdicts = self.correlated.verdicts(self.case.records)
        given = changed.verdicts(self.case.records, self._verdicts)
        matches = self.correlated.matches(self.case.records, given, changed.correlations)
        if not _as_expected(self.case, len(matches)):
            return False
        return not (matches and self._expected and compare(self._expected, matches, self.case.records))


def _as_expected(case: Case, matches: int) -> bool:
    if case.count is not None and len(case.records) > 1:
        return matches == case.count
    return case.match is (matches > 0)

"""Run cases again and again, each time with some of the rules, or of their verdicts, changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cloudsigma import ir
from cloudsigma.errors import CaseError
from cloudsigma.testing.cases.case import Case
from cloudsigma.testing.cases.expectations import compare
from cloudsigma.testing.cases.suite import RuleTest
from cloudsigma.testing.coverage.clauses import Memo, Predicate
from cloudsigma.testing.coverage.correlation_replay import CorrelationReplay

Verdicts = Mapping[str, Sequence[bool]]
"""ID of a detection rule → its verdict on each record of a case."""


class ChangedRules:
    """Changed rules, which replace the rules with the same IDs."""

    def __init__(self, definitions: Mapping[str, ir.DetectionRule | ir.CorrelationRule]) -> None:
        self.definitions = definitions
        self.predicates = {
            key: Predicate(each) for key, each in definitions.items() if isinstance(each, ir.DetectionRule)
        }
        """Predicates of the changed detection rules, by ID."""
        self.correlations = {key: each for key, each in definitions.items() if isinstance(each, ir.CorrelationRule)}

    def verdicts(self, records: Sequence[Mapping[str, Any]], verdicts: Verdicts) -> Verdicts:
        """The verdicts by rule ID, recomputed for the changed rules."""
        return {
            key: tuple(map(self.predicates[key].matches, records)) if key in self.predicates else each
            for key, each in verdicts.items()
        }


NOTHING_CHANGED = ChangedRules({})


class Trial:
    """One case of a detection rule. Each outcome of a clause is computed once."""

    correlations: Mapping[str, ir.CorrelationRule] = {}
    """The correlations that the verdict depends on, by ID."""

    def __init__(self, test: RuleTest) -> None:
        if test.rule is None or test.case is None:
            raise CaseError("there is no case to run")
        self.name = test.name
        self.path = test.path
        self.case: Case = test.case
        self.rule_id = test.rule.id
        self.predicates: Mapping[str, Predicate] = {}
        """Predicates of the unchanged detection rules whose log source fits, by ID."""
        definition = test.rule.definition
        if isinstance(definition, ir.DetectionRule) and definition.logsource.covers(test.rules.declared):
            self.predicates = {self.rule_id: Predicate(definition)}
        self._memos: tuple[Memo, ...] = tuple({} for _ in test.case.records)
        self._known: Verdicts | None = None

    @property
    def needs(self) -> frozenset[str]:
        """IDs of the rules that the verdict depends on."""
        return frozenset((self.rule_id, *self.predicates, *self.correlations))

    @property
    def predicate(self) -> Predicate | None:
        """Predicate of the unchanged rule, if it is a detection rule whose log source fits."""
        return self.predicates.get(self.rule_id)

    def verdicts(self) -> Verdicts:
        """The verdicts of the unchanged rules."""
        if self._known is None:
            self._known = {key: self._verdicts(predicate) for key, predicate in self.predicates.items()}
        return self._known

    def _verdicts(self, predicate: Predicate) -> tuple[bool, ...]:
        return tuple(
            predicate.matches(record, memo) for record, memo in zip(self.case.records, self._memos, strict=True)
        )

    def outcomes(self, predicate: Predicate, position: int) -> list[bool]:
        """The outcomes of a rule's clauses for the record at a position."""
        return predicate.outcomes(self.case.records[position], self._memos[position])

    def passes(self, changed: ChangedRules = NOTHING_CHANGED) -> bool:
        """Whether the case passes with these rules."""
        verdicts = self.verdicts()
        given = {
            key: self._verdicts(changed.predicates[key]) if key in changed.predicates else each
            for key, each in verdicts.items()
        }
        return self.accepts(given, changed.correlations)

    def accepts(self, verdicts: Verdicts, correlations: Mapping[str, ir.CorrelationRule] | None = None) -> bool:
        """Whether the case passes with these verdicts; `correlations` replaces definitions by ID."""
        del correlations  # the verdict depends on none
        return _as_expected(self.case, sum(verdicts.get(self.rule_id, ())))


class SequenceTrial(Trial):
    """One case of a correlation, with its expected number of matches, groups and members."""

    def __init__(self, test: RuleTest, correlated: CorrelationReplay) -> None:
        super().__init__(test)
        self.correlated = correlated
        self.predicates = correlated.predicates
        self.correlations = correlated.correlations
        self._expected = [dataclasses.replace(each, context={}) for each in self.case.expected]

    def accepts(self, verdicts: Verdicts, correlations: Mapping[str, ir.CorrelationRule] | None = None) -> bool:
        """Whether the case passes with these verdicts; `correlations` replaces definitions by ID."""
        matches = self.correlated.matches(self.case.records, verdicts, correlations)
        if not _as_expected(self.case, len(matches)):
            return False
        return not (matches and self._expected and compare(self._expected, matches, self.case.records))


def trials_of(tests: Iterable[RuleTest]) -> Iterator[tuple[RuleTest, Trial]]:
    """Each test with its trial; a test without a rule, or with a case that does not fit its rule, is left out."""
    correlated: dict[tuple[int, str], CorrelationReplay] = {}
    for test in tests:
        if test.rule is None or test.case is None:
            continue
        if test.rule.correlation is not None:
            key = (id(test.rules), test.rule.id)
            if key not in correlated:
                correlated[key] = CorrelationReplay(test.rules, test.rule)
            yield test, SequenceTrial(test, correlated[key])
        elif not test.case.sequence:
            yield test, Trial(test)


def _as_expected(case: Case, matches: int) -> bool:
    if case.count is not None and len(case.records) > 1:
        return matches == case.count
    return case.match is (matches > 0)

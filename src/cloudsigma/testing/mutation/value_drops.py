"""Mutants that drop one value of a long list, without compiling each: a rule with a thousand values has a thousand.

A rule without one of several alternatives is the rule in which that clause is false, and coverage knows which cases
fail then. So all values of a list are decided in one pass over the cases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Literal

from cloudsigma import ir
from cloudsigma.testing.coverage.clause_places import Places
from cloudsigma.testing.coverage.clauses import Clause, Predicate
from cloudsigma.testing.coverage.measure import clause_witnesses
from cloudsigma.testing.coverage.trials import Trial
from cloudsigma.testing.mutation.edits import Mutant
from cloudsigma.testing.solver.meaning import normal
from cloudsigma.testing.solver.value_solver import NoValue, find_value

Status = Literal["killed", "survived", "equivalent"]
LONG = 50
"""Values of a list that is long."""
DETAILED = 20
"""Survivors of long lists that get a proposed case; if more cases are missing, details are of no use yet."""


class ValueDrops:
    """The values of the long lists of one rule that its cases miss or notice."""

    def __init__(self, rule: ir.DetectionRule, trials: Sequence[Trial]) -> None:
        self._rule = rule
        self._trials = trials
        self._predicate = Predicate(rule)
        self._counts: dict[int, Counter[ir.Matcher]] = {}
        self._detailed = 0

    @cached_property
    def _places(self) -> Mapping[tuple[int | None, int | None], int]:
        """Line and column of a value → the position of its clause, for lists that are long."""
        places, path = Places(), self._rule.metadata.path
        found: dict[tuple[int | None, int | None], int] = {}
        for position, clause in enumerate(self._predicate.clauses):
            if len(clause.test.matchers) > LONG and not clause.test.all_of and clause.selection.filter is None:
                _, line, column = places.of_clause(clause, path)
                found[line, column] = position
        return found

    @cached_property
    def _killers(self) -> Mapping[int, str]:
        """Positions of clauses → the first case that fails without them."""
        found: dict[int, str] = {}
        for trial in self._trials:
            for position, witness in clause_witnesses(
                trial, self._rule.metadata.id, self._predicate, passes=trial.passes()
            ):
                if witness in ("true_match", "true_no_match"):
                    found.setdefault(position, trial.name)
        return found

    def verdict(self, mutant: Mutant) -> tuple[Status, str] | None:
        """Status and reason of a mutant that drops a value of a long list; `None` if it must be compiled."""
        position = self._places.get(mutant.dropped) if mutant.dropped is not None else None
        if position is None:
            return None
        if position in self._killers:
            return "killed", self._killers[position]
        clause = self._predicate.clauses[position]
        if self._is_needless(clause):
            return "equivalent", "another value of the list matches all that it matches"
        self._detailed += 1
        return ("survived", "") if self._detailed > DETAILED else None

    def _is_needless(self, clause: Clause) -> bool:
        """Whether it is proved that the others match all that one value matches."""
        counts = self._counts.setdefault(id(clause.test), Counter(map(normal, clause.test.matchers)))
        own = normal(clause.matcher)
        if counts[own] > 1:
            return True
        others = [each for each in _wide(counts) if each != own]
        return isinstance(answer := find_value([own], others, clause.test.field, hasty=True), NoValue) and answer.proved


def _wide(matchers: Mapping[ir.Matcher, int]) -> Iterator[ir.Matcher]:
    """The matchers that match more than one text; two that match one text each are equal or have nothing in common."""
    for each in matchers:
        if not isinstance(each, ir.Pattern) or any(isinstance(part, ir.Wildcard) for part in each.parts):
            yield each

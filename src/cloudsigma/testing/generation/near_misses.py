"""Near misses: for each test of a rule, a record that differs in one place from a matching one and does not match.

A near miss shows the effect of one test, so the test must decide alone: in both records, flipping it flips the verdict
of the rule. If no record makes a test decisive, the reason is an `Obstacle`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudsigma.engine.evaluate import operators
from cloudsigma.testing.generation.generated import NearMiss, Obstacle, Sample
from cloudsigma.testing.generation.pair_formula import PairProblem
from cloudsigma.testing.generation.record_maker import RecordMaker
from cloudsigma.testing.records.changes import Difference, differences
from cloudsigma.testing.solver.formula import AllOf, Literal, RulePart, atoms_of, part_node
from cloudsigma.testing.solver.search import Contradiction, Nogood

_MAX_BASES = 6
_MAX_WAYS = 8
_MAX_TRIED = 150


class NearMisses:
    """Makes the near misses of one rule."""

    def __init__(self, maker: RecordMaker, match: Sample) -> None:
        self._maker = maker
        self._match = match
        self._atoms = {part: tuple(atoms_of(part)) for part in maker.formula.parts}
        self._truths: dict[int, dict[RulePart, bool]] = {}
        self._near = {part: self._related(part) for part in maker.formula.parts}
        self._samples = [match]
        """Matching records so far; they are reused before a new one is made."""

    def make(self, part: RulePart) -> NearMiss | Obstacle:
        """The near miss for one test, or the reason that there is none."""
        for sample in self._samples:
            if (found := self._from(sample, part)) is not None:
                return found
        problem = PairProblem(self._maker, part)
        ended: list[Contradiction] = []
        for side in problem.sides:
            nogoods: list[Nogood] = []
            for _ in range(_MAX_BASES):
                model = problem.model(side, nogoods)
                if isinstance(model, Contradiction):
                    ended.append(model)
                    break
                nogoods.append(frozenset(model.asked.items()))
                before = problem.first(model)
                made = self._maker.make(AllOf(tuple(Literal(atom, holds) for atom, holds in before.items())))
                if isinstance(made, Sample) and (found := self._from(made, part)) is not None:
                    self._samples.append(made)
                    return found
        return self._obstacle(part, ended, problem)

    # --- from one matching record -----------------------------------------------------------------------------

    def _from(self, sample: Sample, part: RulePart) -> NearMiss | None:
        """A near miss made from a matching record, preferably one that changes no other test."""
        record, formula = sample.record, self._maker.formula
        truths = self._truth(record)
        if formula.verdict({**truths, part: not truths[part]}):
            return None  # the test does not decide here
        turned = AllOf(
            (
                part_node(part, holds=not truths[part]),
                formula.node(holds=False),
                formula.node(given={part: truths[part]}),
            )
        )
        others = tuple(part_node(each, holds=truths[each]) for each in self._near[part] if each is not part)
        for node in dict.fromkeys((AllOf((turned, *others)), turned)):
            for other in self._maker.finder.near(node, record, lambda made: not self._maker.matches(made), 1):
                changes = differences(record, other)
                if len(changes) == 1:
                    return self._near_miss(other, sample, changes, part)
        return None

    def _near_miss(
        self, record: dict[str, Any], sample: Sample, changes: tuple[Difference, ...], part: RulePart
    ) -> NearMiss:
        holds = self._truth(sample.record)[part]
        reason = f"{part.label} {'does not hold' if holds else 'holds'} ({part.selection})"
        return NearMiss((record,), sample, changes, reason, (str(part),), part.line)

    def _truth(self, record: Mapping[str, Any]) -> dict[RulePart, bool]:
        if (found := self._truths.get(id(record))) is None:
            found = {part: is_true(part, record) for part in self._maker.formula.parts}
            if any(record is sample.record for sample in self._samples):
                self._truths[id(record)] = found
        return found

    def _related(self, part: RulePart) -> frozenset[RulePart]:
        """The tests that a change of this test's field can affect."""
        fields = self._maker.fields
        own = {atom.field for atom in self._atoms[part]}
        seen = {other for name in own for other in (*fields.above[name], *fields.below[name])}
        return frozenset(
            other
            for other, atoms in self._atoms.items()
            if any(atom.field in seen or getattr(atom.matcher, "field", None) in seen for atom in atoms)
        )

    # --- reasons for a missing near miss ----------------------------------------------------------------------

    def _obstacle(self, part: RulePart, ended: Sequence[Contradiction], problem: PairProblem) -> Obstacle:
        constant = [
            side
            for side in (True, False)
            if isinstance(found := self._maker.finder.prove(part_node(part, holds=side)), Contradiction)
            and found.proved
        ]
        if constant:
            reason = f"it cannot decide: it is {'false' if True in constant else 'true'} for every record"
            return Obstacle("dependent", reason, str(part), part.line)
        parts = {other for each in ended for atom in each.atoms for other in self._maker.sources.get(atom, ())}
        named = tuple(str(other) for other in self._maker.formula.parts if other in parts and other != part)
        proved = len(ended) == len(problem.sides) and all(each.proved for each in ended)
        reason = (
            f"it cannot decide alone{problem.condition}: no value flips this test and, with it, the verdict"
            if proved
            else "no record was found in which it decides alone"
        )
        if named:
            reason += f", because of {'; '.join(named[:4])}" + (" and others" if len(named) > 4 else "")
        return Obstacle("dependent" if proved else "not found", reason, str(part), part.line, named)


def is_true(part: RulePart, record: Mapping[str, Any]) -> bool:
    """Whether one part holds for a record, evaluated by the engine's operators."""
    test = part.test
    matchers = test.matchers if part.value is None else (test.matchers[part.value],)
    met = (operators.field_matches(each, record, test.field) for each in matchers)
    return (all(met) if test.all_of else any(met)) is not test.negated

"""Make a record that a rule matches, or say why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.evaluate.explain import explain
from cloudsigma.engine.rule import Rule
from cloudsigma.testing.generation.generated import Obstacle, Sample
from cloudsigma.testing.solver.formula import Node, RulePart
from cloudsigma.testing.solver.record_finder import RecordFinder
from cloudsigma.testing.solver.search import Contradiction, Nogood


class RecordMaker:
    """Makes records for one detection rule."""

    def __init__(self, rule: Rule, more: Iterable[str] = ()) -> None:
        """Take the rule, and names of more fields that formulas will be about."""
        definition = rule.definition
        assert isinstance(definition, ir.DetectionRule)  # noqa: S101  # checked by the caller
        self._rule = rule
        self._definition: ir.DetectionRule = definition
        self.finder = RecordFinder([definition], more)
        self.formula = self.finder.formulas[0]
        self.sources = self.finder.sources
        self.fields = self.finder.fields
        self.spare = self.finder.spare

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether the rule matches a record, by its predicate and by `explain`, which must agree."""
        verdict = explain(self._definition, record).matched
        if self._rule.predicate is not None and self._rule.predicate(record) is not verdict:
            raise AssertionError(f"predicate and explanation of {self._rule.title!r} differ on {record!r}")
        return verdict

    def make(self, node: Node, nogoods: tuple[Nogood, ...] = ()) -> Sample | Contradiction:
        """A record that satisfies a formula and that the rule matches, or why there is none.

        Args:
            node: The formula; it must imply the formula of the rule.
            nogoods: Assignments to exclude.
        """
        found = self.finder.find(node, self.matches, nogoods)
        return found if isinstance(found, Contradiction) else Sample((found.record,), found.template, found.note)

    def obstacle(self, found: Contradiction) -> Obstacle:
        """The reason that no record matches the rule."""
        parts = self.parts_of(found)
        conflict = tuple(str(part) for part in parts)
        line = next((part.line for part in parts if part.line is not None), None)
        if not found.proved:
            named = f": {'; '.join(conflict[:4])}" if conflict else ""
            return Obstacle(
                "not found", f"no record was found that passes all of its tests{named}", None, line, conflict
            )
        reason = "no record can match: " + (
            f"the condition needs all of these, and they contradict each other: {'; '.join(conflict)}"
            if conflict
            else "its condition is never true"
        )
        return Obstacle("contradiction", reason, None, line, conflict)

    def parts_of(self, found: Contradiction) -> tuple[RulePart, ...]:
        """The tests that the atoms of a contradiction belong to, in the order of the rule."""
        parts = {part for atom in found.atoms for part in self.sources.get(atom, ())}
        return tuple(part for part in self.formula.parts if part in parts)

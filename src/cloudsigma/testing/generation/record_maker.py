"""Make a record that satisfies a formula: search an assignment, assemble a record, check it with the rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.evaluate.explain import explain
from cloudsigma.engine.rule import Rule
from cloudsigma.testing.generation import start_records
from cloudsigma.testing.generation.assembly import assemble
from cloudsigma.testing.generation.generated import Obstacle, Sample
from cloudsigma.testing.solver.field_constraints import FieldConstraints
from cloudsigma.testing.solver.formula import Atom, Formula, Node, RulePart
from cloudsigma.testing.solver.search import Contradiction, Model, Nogood, Search

_MAX_MODELS = 12
LISTS = "a field has a list of values here, because no single value passes all of its tests"
FLAT = "keys of this record contain dots, because the tests of a field contradict those of a field inside it"


class RecordMaker:
    """Makes records for one detection rule."""

    def __init__(self, rule: Rule, more: Iterable[str] = ()) -> None:
        """Take the rule, and names of more fields that formulas will be about."""
        definition = rule.definition
        assert isinstance(definition, ir.DetectionRule)  # noqa: S101  # checked by the caller
        self.rule = rule
        self.definition: ir.DetectionRule = definition
        self.formula = Formula(definition)
        self.sources: Mapping[Atom, tuple[RulePart, ...]] = self.formula.sources()
        self.fields = FieldConstraints([*self.sources, *(Atom(name, ir.Null()) for name in more)])
        self._known_calls = start_records.names() if start_records.is_cloudtrail(definition) else ()
        self.spare = start_records.SPARE if start_records.is_cloudtrail(definition) else "message"

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether the rule matches a record, by its predicate and by `explain`, which must agree."""
        verdict = explain(self.definition, record).matched
        if self.rule.predicate is not None and self.rule.predicate(record) is not verdict:
            raise AssertionError(f"predicate and explanation of {self.rule.title!r} differ on {record!r}")
        return verdict

    def make(self, node: Node, nogoods: tuple[Nogood, ...] = ()) -> Sample | Contradiction:
        """A record that satisfies a formula and that the rule matches, or why there is none.

        First an ordinary record is tried, then one with lists of values, then one whose keys contain dots. The last
        form is the most general: if no such record exists, no record does.

        Args:
            node: The formula; it must imply the formula of the rule.
            nogoods: Assignments to exclude.
        """
        found: list[Contradiction] = []
        ways: list[tuple[FieldConstraints, bool, str]] = [(self.fields, True, ""), (self.fields, False, LISTS)]
        if self.fields.nest:
            ways.append((FieldConstraints(self.sources, flat=True), False, FLAT))
        for fields, single, note in ways:
            made = self._made(node, nogoods, fields, single=single)
            if isinstance(made, Sample):
                return Sample(made.records, made.template, note)
            found.append(made)
        if found[-1].proved:
            return found[-1]
        return Contradiction(found[0].atoms or found[-1].atoms, proved=False)

    def _made(
        self, node: Node, nogoods: tuple[Nogood, ...], fields: FieldConstraints, *, single: bool
    ) -> Sample | Contradiction:
        search = Search(fields, self._known_calls)
        refused = list(nogoods)
        for _ in range(_MAX_MODELS):
            model = search.model(node, single=single, nogoods=refused)
            if isinstance(model, Contradiction):
                return model
            found = (
                start_records.starts(self.definition, model.asked, fields) if fields is self.fields else [({}, None)]
            )
            for start, template in found:
                record = assemble(start, model.asked, fields, self.spare)
                if record is not None and self.matches(record):
                    return Sample((record,), template)
            refused.append(frozenset(model.asked.items()))
        return Contradiction(frozenset(), proved=False)

    def make_any(self, node: Node) -> Model | Contradiction:
        """An assignment that satisfies a formula for records of any form, or why there is none."""
        return Search(FieldConstraints(self.sources, flat=True)).model(node, single=False)

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

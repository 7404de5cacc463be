"""A record for a formula: what to ask of the fields, where to start from, and the verdict checked at the end."""

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
LISTS = "a field has a list of values here, because no single value meets all that is asked of it"
FLAT = "keys of this record hold dots, because the rule asks different things of a field and of what is in it"


class RecordMaker:
    """Makes records for one detection rule."""

    def __init__(self, rule: Rule, more: Iterable[str] = ()) -> None:
        """Take the rule, and names of more fields that will be asked for."""
        definition = rule.definition
        assert isinstance(definition, ir.DetectionRule)  # noqa: S101  # the caller looks at the kind of rule
        self.rule = rule
        self.definition: ir.DetectionRule = definition
        self.formula = Formula(definition)
        self.sources: Mapping[Atom, tuple[RulePart, ...]] = self.formula.sources()
        self.fields = FieldConstraints([*self.sources, *(Atom(name, ir.Null()) for name in more)])
        self._known_calls = start_records.names() if start_records.is_cloudtrail(definition) else ()
        self.spare = start_records.SPARE if start_records.is_cloudtrail(definition) else "message"

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether the rule matches a record, by its predicate and by the plain evaluator, which must agree."""
        verdict = explain(self.definition, record).matched
        if self.rule.predicate is not None and self.rule.predicate(record) is not verdict:
            raise AssertionError(f"predicate and explanation of {self.rule.title!r} differ on {record!r}")
        return verdict

    def make(self, node: Node, nogoods: tuple[Nogood, ...] = ()) -> Sample | Contradiction:
        """A record for which a formula holds, and the rule with it.

        A record as one expects it is tried for first, then one with lists of values, then one whose keys hold dots,
        which allows most: what cannot be there cannot be at all.

        Args:
            node: The formula; it must not hold where the rule does not.
            nogoods: What must not be asked together.
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
        """What must be asked for a formula to hold, of whatever record; or why nothing can be."""
        return Search(FieldConstraints(self.sources, flat=True)).model(node, single=False)

    def obstacle(self, found: Contradiction) -> Obstacle:
        """Why there is no record that the rule matches."""
        parts = self.parts_of(found)
        conflict = tuple(str(part) for part in parts)
        line = next((part.line for part in parts if part.line is not None), None)
        if not found.proved:
            named = f": {'; '.join(conflict[:4])}" if conflict else ""
            return Obstacle(
                "not found", f"no record was found that meets all of its tests{named}", None, line, conflict
            )
        reason = "nothing can match: " + (
            f"these cannot all be as the condition wants them: {'; '.join(conflict)}"
            if conflict
            else "its condition is never true"
        )
        return Obstacle("contradiction", reason, None, line, conflict)

    def parts_of(self, found: Contradiction) -> tuple[RulePart, ...]:
        """The tests that the atoms of a contradiction are from, in the order of the rule."""
        parts = {part for atom in found.atoms for part in self.sources.get(atom, ())}
        return tuple(part for part in self.formula.parts if part in parts)

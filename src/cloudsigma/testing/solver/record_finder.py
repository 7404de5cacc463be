"""Find a record that satisfies a formula: search an assignment of its atoms, and change a record until they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.evaluate import operators
from cloudsigma.testing.solver import start_records
from cloudsigma.testing.solver.assembly import assemble
from cloudsigma.testing.solver.field_constraints import Assignment, FieldConstraints
from cloudsigma.testing.solver.formula import FALSE, AllOf, Atom, Formula, Literal, Node, RulePart, atoms_in, simplified
from cloudsigma.testing.solver.search import Contradiction, Model, Nogood, Search

MAX_FIELD_SETS = 80
"""Sets of fields that are changed together, for each start record."""
_MAX_MODELS = 12
_MAX_NEAR_MODELS = 4
LISTS = "a field has a list of values here, because no single value passes all of its tests"
FLAT = "keys of this record contain dots, because the tests of a field contradict those of a field inside it"

Record = Mapping[str, Any]
Accepts = Callable[[dict[str, Any]], bool]
"""Checks a record by evaluating the rule."""


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A record that satisfies the formula."""

    record: dict[str, Any]
    template: Mapping[str, Any] | None = None
    """Arguments of `testing.record` for the template that it was made from, if any."""
    note: str = ""
    """A remark about an unusual record."""


class RecordFinder:
    """Finds records for formulas over the fields of some rules."""

    def __init__(self, rules: Sequence[ir.DetectionRule], more: Iterable[str] = ()) -> None:
        """Take the rules, and names of more fields that formulas will be about."""
        self.formulas = tuple(map(Formula, rules))
        self.sources: dict[Atom, tuple[RulePart, ...]] = {}
        for formula in self.formulas:
            for atom, parts in formula.sources().items():
                self.sources[atom] = (*self.sources.get(atom, ()), *parts)
        self._more = tuple(Atom(name, ir.Null()) for name in more)
        self._is_cloudtrail = start_records.is_cloudtrail(rules[0])
        texts = start_records.TEXTS if self._is_cloudtrail else ()
        self.fields = FieldConstraints([*self.sources, *self._more], texts=texts)
        self._flat: FieldConstraints | None = None
        self._known_calls = start_records.names() if self._is_cloudtrail else ()
        self.spare = start_records.SPARE if self._is_cloudtrail else "message"

    @property
    def flat(self) -> FieldConstraints:
        """The fields as keys of one flat object: the most general form of a record, so proofs are about it."""
        if self._flat is None:
            self._flat = FieldConstraints([*self.sources, *self._more], flat=True)
        return self._flat

    def prove(self, node: Node) -> Model | Contradiction:
        """An assignment that satisfies a formula for records of any form, or the proof that there is none."""
        return Search(self.flat).model(node, single=False)

    def find(self, node: Node, accepts: Accepts, nogoods: tuple[Nogood, ...] = ()) -> FoundRecord | Contradiction:
        """A record that satisfies a formula and is accepted, or why there is none.

        First an ordinary record is tried, then one with lists of values, then, for other logs than CloudTrail, one
        whose keys contain dots. The last form is the most general: if no such record exists, no record does.
        """
        ended: list[Contradiction] = []
        ways: list[tuple[FieldConstraints, bool, str]] = [(self.fields, True, ""), (self.fields, False, LISTS)]
        if self.fields.nest and not self._is_cloudtrail:
            ways.append((self.flat, False, FLAT))
        for fields, single, note in ways:
            refused = list(nogoods)
            for _ in range(_MAX_MODELS):
                model = Search(fields, self._known_calls).model(node, single=single, nogoods=refused)
                if isinstance(model, Contradiction):
                    ended.append(model)
                    break
                for start, template in self._starts(model.asked, fields):
                    record = assemble(start, model.asked, fields, self.spare)
                    if record is not None and accepts(record):
                        return FoundRecord(record, template, note)
                refused.append(frozenset(model.asked.items()))
            else:
                ended.append(Contradiction(frozenset(), proved=False))
        if ended[-1].proved:
            proof = self.prove(node) if self._is_cloudtrail else ended[-1]
            if isinstance(proof, Contradiction) and proof.proved:
                return proof
        return Contradiction(ended[0].atoms or ended[-1].atoms, proved=False)

    def _starts(self, asked: Assignment, fields: FieldConstraints) -> Iterable[start_records.StartRecord]:
        if fields is self.fields:
            return start_records.starts(asked, fields, is_cloudtrail=self._is_cloudtrail)
        return [({}, None)]

    # --- near a record ----------------------------------------------------------------------------------------

    def near(self, node: Node, start: Record, accepts: Accepts, fields: int) -> Iterator[dict[str, Any]]:
        """Records that satisfy a formula and differ from a start record in at most this many fields.

        All other fields keep their values, so what remains of the formula is small.
        """
        atoms = dict.fromkeys(atoms_in(node))
        truths = {atom: operators.field_matches(atom.matcher, start, atom.field) for atom in atoms}
        for names in self._field_sets(node, fields):
            free = self._free(atoms, names)
            rest = simplified(node, {atom: truth for atom, truth in truths.items() if atom not in free})
            if rest == FALSE:
                continue
            kept = tuple(Literal(atom, truths[atom]) for atom in atoms if atom.field is None and None not in names)
            for single in (True, False):
                for record in self._made_near(AllOf((rest, *kept)), start, truths, single=single):
                    if accepts(record):
                        yield record

    def _field_sets(self, node: Node, number: int) -> Iterator[tuple[str | None, ...]]:
        """Sets of fields to change, those that the formula mentions most first."""
        used: dict[str | None, int] = {}
        for atom in atoms_in(node):
            used[atom.field] = used.get(atom.field, 0) + 1
        return islice(combinations(used, number), MAX_FIELD_SETS)

    def _free(self, atoms: Iterable[Atom], names: Sequence[str | None]) -> frozenset[Atom]:
        """The atoms that a change of these fields can affect; keywords are left out unless they are to change."""
        reached = {other for name in names for other in (*self.fields.above[name], *self.fields.below[name])}
        if None not in names:
            reached.discard(None)
        return frozenset(
            atom
            for atom in atoms
            if atom.field in reached or (isinstance(atom.matcher, ir.FieldRef) and atom.matcher.field in reached)
        )

    def _made_near(self, node: Node, start: Record, truths: Assignment, *, single: bool) -> Iterator[dict[str, Any]]:
        refused: list[Nogood] = []
        for _ in range(_MAX_NEAR_MODELS):
            model = Search(self.fields, preferred=truths).model(node, single=single, nogoods=refused)
            if isinstance(model, Contradiction):
                return
            record = assemble(start, model.asked, self.fields, self.spare)
            if record is not None:
                yield record
            refused.append(frozenset(model.asked.items()))

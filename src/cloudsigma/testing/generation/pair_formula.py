"""One formula for two records that differ in one field, where the difference flips one test and the rule's verdict.

In the formula, the changing fields of the second record have names with a prefix; all other fields are shared. So one
search finds both records, or proves that no such pair exists.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloudsigma import ir
from cloudsigma.testing.generation.record_maker import RecordMaker
from cloudsigma.testing.solver.field_constraints import FieldConstraints
from cloudsigma.testing.solver.formula import AllOf, AnyOf, Atom, Literal, Node, RulePart, part_node
from cloudsigma.testing.solver.search import Contradiction, Model, Nogood, Search

_AFTER = "\0after "
"""Prefix for fields of the second record; no rule can contain it."""
_KEYWORDS = f"{_AFTER}keywords"


class PairProblem:
    """The search for two records in which one test decides."""

    def __init__(self, maker: RecordMaker, part: RulePart) -> None:
        self._maker = maker
        self._part = part
        self._decisive = maker.formula.decisive(part)
        self.single = False
        """Whether the proof holds only if each field has a single value."""
        fields = maker.fields
        self._changing = {*fields.above[part.field], *fields.below[part.field]}
        atoms = [*maker.sources, *(self._renamed(atom) for atom in maker.sources)]
        self._nested, self._flat = FieldConstraints(atoms), FieldConstraints(atoms, flat=True)

    @property
    def sides(self) -> tuple[bool, ...]:
        """The truth values that the test may have in the first record."""
        return (True, False) if self._decisive is None else (self._decisive[1],)

    def model(self, side: bool, nogoods: Sequence[Nogood]) -> Model | Contradiction:  # noqa: FBT001
        """An assignment for both records, where the test has the truth value `side` in the first."""
        formula, part = self._maker.formula, self._part
        if self._decisive is not None:
            pivotal = self._decisive[0]
        else:
            pivotal = AllOf((formula.node(given={part: side}), formula.node(holds=False, given={part: not side})))
        node = AllOf(
            (part_node(part, holds=side), pivotal, self._node(AllOf((part_node(part, holds=not side), pivotal))))
        )
        found = Search(self._nested).model(node, nogoods=nogoods)
        if isinstance(found, Model):
            return found
        for single in (False, True):
            widest = Search(self._flat).model(node, single=single, nogoods=nogoods)
            if isinstance(widest, Contradiction) and widest.proved:
                self.single |= single
                return Contradiction(frozenset(map(self._named, widest.atoms)))
        return Contradiction(frozenset(map(self._named, found.atoms)), proved=False)

    @property
    def condition(self) -> str:
        """The condition of the proof, as part of a sentence."""
        return " as long as each field has one value" if self.single else ""

    def first(self, model: Model) -> dict[Atom, bool]:
        """The assignment of the first record."""
        before = {atom: holds for atom, holds in model.asked.items() if not _is_after(atom)}
        for atom, holds in model.asked.items():  # a field that the second record refers to must be in the first
            if _is_after(atom) and holds and isinstance(atom.matcher, ir.FieldRef) and _AFTER not in atom.matcher.field:
                before[Atom(atom.matcher.field, ir.Null())] = False
        return before

    def _renamed(self, atom: Atom) -> Atom:
        matcher = atom.matcher
        if isinstance(matcher, ir.FieldRef) and matcher.field in self._changing:
            matcher = ir.FieldRef(f"{_AFTER}{matcher.field}", matcher.comparison, matcher.cased)
        if atom.field not in self._changing:
            return Atom(atom.field, matcher)
        return Atom(_KEYWORDS if atom.field is None else f"{_AFTER}{atom.field}", matcher)

    def _named(self, atom: Atom) -> Atom:
        """The atom without the prefix, as the rule has it."""
        matcher, field = atom.matcher, atom.field
        if isinstance(matcher, ir.FieldRef):
            matcher = ir.FieldRef(matcher.field.removeprefix(_AFTER), matcher.comparison, matcher.cased)
        return Atom(None if field == _KEYWORDS else field and field.removeprefix(_AFTER), matcher)

    def _node(self, node: Node) -> Node:
        match node:
            case Literal(atom, holds):
                return Literal(self._renamed(atom), holds)
            case AllOf(nodes):
                return AllOf(tuple(map(self._node, nodes)))
            case AnyOf(nodes):
                return AnyOf(tuple(map(self._node, nodes)))


def _is_after(atom: Atom) -> bool:
    return (atom.field or "").startswith(_AFTER) or getattr(atom.matcher, "field", "").startswith(_AFTER)

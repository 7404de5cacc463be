"""The two questions that the solver answers.

    satisfy(rule)            a record that a rule matches
    tell_apart(one, other)   a record that only one of two rules matches

Each answer is a record, checked with the engine's operators; a proof that no record exists; or neither, if the search
gave up. Log sources are ignored. The answers depend on the rules and the given records alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudsigma import ir
from cloudsigma.testing.solver.formula import AllOf, AnyOf, Atom, Memo, Node, RulePart, atoms_in, holds_in, simplified
from cloudsigma.testing.solver.record_finder import RecordFinder
from cloudsigma.testing.solver.search import Contradiction

_MAX_STARTS = 15
_MAX_CHANGED = 3
"""Fields that may differ from a given record."""
_MANY, _FEW = 40, 6
"""A field with many atoms is first searched with a few of them."""


@dataclass(frozen=True, slots=True)
class Found:
    """A record was found."""

    record: dict[str, Any]
    matches: bool
    """Whether the (first) rule matches the record."""
    near: int | None = None
    """Position of the given record that it was made from, if any."""


@dataclass(frozen=True, slots=True)
class Impossible:
    """It is proved that no record exists."""

    parts: tuple[RulePart, ...] = ()
    """For `satisfy`, the tests that contradict each other, each with its selection and line; empty if the condition
    can never be true, whatever the tests say."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """No record was found, and no proof that none exists."""


Answer = Found | Impossible | Unknown


def satisfy(rule: ir.DetectionRule) -> Answer:
    """A record that the rule matches, or a proof that it can match none."""
    finder = RecordFinder([rule])
    [formula] = finder.formulas
    node = formula.node()
    found = finder.find(node, lambda record: holds_in(node, record))
    if not isinstance(found, Contradiction):
        return Found(found.record, matches=True)
    if not found.proved:
        return Unknown()
    parts = {part for atom in found.atoms for part in finder.sources.get(atom, ())}
    return Impossible(tuple(part for part in formula.parts if part in parts))


def tell_apart(one: ir.DetectionRule, other: ir.DetectionRule, near: Sequence[Mapping[str, Any]] = ()) -> Answer:
    """A record that only one of two rules matches, or a proof that both match the same records.

    Args:
        one: A rule.
        other: Another rule.
        near: Records to change, the preferred first. The answer changes as few fields as it can, of any of them.
    """
    finder = RecordFinder([one, other])
    wanted, unwanted = (formula.node() for formula in finder.formulas)
    against, instead = (formula.node(holds=False) for formula in finder.formulas)
    sides: tuple[Node, ...] = (AllOf((wanted, instead)), AllOf((against, unwanted)))

    def accepts(record: Mapping[str, Any]) -> bool:
        memo: Memo = {}
        return holds_in(wanted, record, memo) is not holds_in(unwanted, record, memo)

    def near_one(different: Node) -> Found | None:
        for changed in range(1, _MAX_CHANGED + 1):
            for at, start in enumerate(near[:_MAX_STARTS]):
                for record in finder.near(different, start, accepts, changed):
                    return Found(record, holds_in(wanted, record), at)
        return None

    if left_out := _left_out(wanted, unwanted):
        short = AnyOf(tuple(simplified(side, left_out) for side in sides))
        if (found := near_one(short)) is not None:
            return found
    open_sides = []
    for side in sides:
        proof = finder.prove(side)
        if not (isinstance(proof, Contradiction) and proof.proved):
            open_sides.append(side)
    if not open_sides:
        return Impossible()
    different = open_sides[0] if len(open_sides) == 1 else AnyOf(tuple(open_sides))
    if (found := near_one(different)) is not None:
        return found
    for side in open_sides:
        made = finder.find(side, accepts)
        if not isinstance(made, Contradiction):
            return Found(made.record, holds_in(wanted, made.record))
    return Unknown()


def _left_out(one: Node, other: Node) -> dict[Atom, bool]:
    """Of fields with many atoms, all but a few, as if no value passed them; a record that is found is checked with all.

    Some atoms are kept of each rule alone, and some that both have.
    """
    ours, theirs = dict.fromkeys(atoms_in(one)), dict.fromkeys(atoms_in(other))
    kinds = (
        [atom for atom in ours if atom not in theirs],
        [atom for atom in theirs if atom not in ours],
        [atom for atom in ours if atom in theirs],
    )
    numbers = Counter(atom.field for kind in kinds for atom in kind)
    left_out: dict[Atom, bool] = {}
    for kind in kinds:
        kept: Counter[str | None] = Counter()
        for atom in kind:
            kept[atom.field] += 1
            if numbers[atom.field] > _MANY and kept[atom.field] > _FEW:
                left_out[atom] = False
    return left_out

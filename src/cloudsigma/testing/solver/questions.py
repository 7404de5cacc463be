"""The two questions that the solver answers.

    satisfy(rule)            a record that a rule matches
    tell_apart(one, other)   a record that only one of two rules matches

Each answer is a record, checked with the engine's operators; a proof that no record exists; or neither, if the search
gave up. Log sources are ignored. The answers depend on the rules and the given records alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudsigma import ir
from cloudsigma.testing.solver.formula import AllOf, AnyOf, Node, RulePart, holds_in
from cloudsigma.testing.solver.record_finder import RecordFinder
from cloudsigma.testing.solver.search import Contradiction

_MAX_STARTS = 15
_MAX_CHANGED = 3
"""Fields that may differ from a given record."""


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
    first, second = finder.formulas
    sides: tuple[Node, ...] = (
        AllOf((first.node(), second.node(holds=False))),
        AllOf((first.node(holds=False), second.node())),
    )
    proofs = [finder.prove(side) for side in sides]
    open_sides = tuple(
        side
        for side, proof in zip(sides, proofs, strict=True)
        if not isinstance(proof, Contradiction) or not proof.proved
    )
    if not open_sides:
        return Impossible()
    different = open_sides[0] if len(open_sides) == 1 else AnyOf(open_sides)
    wanted, unwanted = first.node(), second.node()

    def accepts(record: Mapping[str, Any]) -> bool:
        return holds_in(wanted, record) is not holds_in(unwanted, record)

    for changed in range(1, _MAX_CHANGED + 1):
        for at, start in enumerate(near[:_MAX_STARTS]):
            for record in finder.near(different, start, accepts, changed):
                return Found(record, holds_in(wanted, record), at)
    for side in open_sides:
        found = finder.find(side, accepts)
        if not isinstance(found, Contradiction):
            return Found(found.record, holds_in(wanted, found.record))
    return Unknown()

"""A rule as a boolean formula over atoms, in negation normal form.

An atom is one value of a rule on one field. The formula is no larger than the rule: nothing is multiplied out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.evaluate import operators
from cloudsigma.ir.walk import Joint, Leaf, asks_for_all, fold, members_of, names_in, tests_of


@dataclass(frozen=True, slots=True)
class Atom:
    """One matcher on one field (`None`: on every value of the record)."""

    field: str | None
    matcher: ir.Matcher


@dataclass(frozen=True, slots=True)
class Literal:
    """An atom that must hold, or must not hold."""

    atom: Atom
    holds: bool


@dataclass(frozen=True, slots=True)
class AllOf:
    """A conjunction; true if it is empty."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A disjunction; false if it is empty."""

    nodes: tuple[Node, ...]


Node = Literal | AllOf | AnyOf
Memo = MutableMapping[Atom, bool]
"""Known truth values of atoms on one record."""
TRUE = AllOf(())
FALSE = AnyOf(())


@dataclass(frozen=True, slots=True, eq=False)  # comparing a large test is slow, and each part is made once
class RulePart:
    """A test of a rule, or one value of a test with `all`: the unit that near misses flip."""

    selection: str
    test: ir.Test
    position: int
    """Position of the test in the selection, from 0."""
    value: int | None = None
    """Position of the value in a test with `all`; otherwise `None`."""

    @property
    def label(self) -> str:
        """The test as it reads in the rule: `eventName|endswith: Group`."""
        name = "|".join((self.test.field or "", *self.test.modifiers)) or "keywords"
        shown = self.written[:3]
        listed = ", ".join(_short(each) for each in shown) + (", …" if len(self.written) > len(shown) else "")
        return f"{name}: {listed}"

    @property
    def written(self) -> tuple[str, ...]:
        """The values of this part, as the rule has them."""
        return self.test.written if self.value is None else (self.test.written[self.value],)

    @property
    def line(self) -> int | None:
        """Line of the test in the rule file, from 1."""
        return self.test.line

    @property
    def field(self) -> str | None:
        """The field of the test."""
        return self.test.field

    def __str__(self) -> str:
        where = f", line {self.line}" if self.line is not None else ""
        return f"{self.label} ({self.selection}{where})"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


Truths = Mapping[RulePart, bool]


class Formula:
    """A detection rule as a formula."""

    def __init__(self, rule: ir.DetectionRule) -> None:
        self._selections = {selection.name: selection for selection in rule.selections}
        self._conditions = rule.conditions
        self._parts: dict[int, tuple[RulePart, ...]] = {}
        for selection in rule.selections:
            for position, test in enumerate(tests_of(selection.body)):
                each = range(len(test.matchers)) if test.all_of and len(test.matchers) > 1 else (None,)
                self._parts[id(test)] = tuple(RulePart(selection.name, test, position, value) for value in each)

    @cached_property
    def parts(self) -> tuple[RulePart, ...]:
        """The parts that the conditions use, in the order of the rule."""
        used = {name for condition in self._conditions for name in names_in(condition.expression)}
        return tuple(
            part
            for name, selection in self._selections.items()
            if name in used
            for test in tests_of(selection.body)
            for part in self._parts[id(test)]
        )

    def sources(self) -> dict[Atom, tuple[RulePart, ...]]:
        """Atom → the parts that contain it."""
        found: dict[Atom, list[RulePart]] = {}
        for part in self.parts:
            for atom in atoms_of(part):
                found.setdefault(atom, []).append(part)
        return {atom: tuple(parts) for atom, parts in found.items()}

    def node(self, *, holds: bool = True, given: Truths | None = None) -> Node:
        """The formula of the rule, or of its negation, with the given truth values for some parts."""
        nodes = tuple(self._node(each.expression, holds=holds, given=given or {}) for each in self._conditions)
        return _joined(nodes, all_of=not holds)

    def verdict(self, truths: Truths) -> bool:
        """Whether the rule matches, given the truth values of all its parts."""
        return self.node(given=truths) == TRUE

    def decisive(self, part: RulePart) -> tuple[Node, bool] | None:
        """The formula under which one part decides the verdict, and whether the rule needs the part true.

        `None` if the conditions contain the part more than once.
        """
        found = self._among([each.expression for each in self._conditions], part, all_of=False)
        return found[0] if len(found) == 1 else None

    def _among(
        self, members: Sequence[ir.Expression | ir.Group | ir.Test], part: RulePart, *, all_of: bool
    ) -> list[tuple[Node, bool]]:
        """`_within` for an AND (`all_of`) or an OR: the other members must be true, or false."""
        found = []
        for at, member in enumerate(members):
            for beside, wanted in self._within(member, part):
                others = (self._node(other, holds=all_of) for position, other in enumerate(members) if position != at)
                found.append((_joined((beside, *others), all_of=True), wanted))
        return found

    def _within(self, member: ir.Expression | ir.Group | ir.Test, part: RulePart) -> list[tuple[Node, bool]]:
        """For each place of the part in a member, the formula under which it decides, and its wanted truth value."""
        match member:
            case ir.Identifier(name):
                return self._within(self._selections[name].body, part) if name == part.selection else []
            case ir.Not(operand):
                return [(beside, not wanted) for beside, wanted in self._within(operand, part)]
            case ir.Test():
                mine = self._parts[id(member)]
                if part not in mine:
                    return []
                others = tuple(part_node(other, holds=not member.negated) for other in mine if other is not part)
                return [(_joined(others, all_of=True), True)]
            case _:
                return self._among(members_of(member), part, all_of=asks_for_all(member))

    def _node(
        self, root: ir.Expression | ir.Group | ir.Test, *, holds: bool = True, given: Truths | None = None
    ) -> Node:
        """The formula of a condition or selection, or of its negation."""
        known = given or {}

        def leaf(each: Leaf, wanted: bool) -> Node:  # noqa: FBT001  # called by `fold`
            if isinstance(each, ir.Test):
                return self._test(each, known, holds=wanted)
            return fold(self._selections[each.name].body, leaf, join, wanted=wanted)

        def join(nodes: list[Node], all_of: bool, _: Joint) -> Node:  # noqa: FBT001
            return _joined(tuple(nodes), all_of=all_of)

        return fold(root, leaf, join, wanted=holds)

    def _test(self, test: ir.Test, given: Truths, *, holds: bool) -> Node:
        nodes = tuple(
            (TRUE if given[part] is holds else FALSE) if part in given else part_node(part, holds=holds)
            for part in self._parts[id(test)]
        )
        return _joined(nodes, all_of=holds is not test.negated) if len(nodes) > 1 else nodes[0]


def part_node(part: RulePart, *, holds: bool) -> Node:
    """The formula of one part, or of its negation."""
    test, wanted = part.test, holds is not part.test.negated
    matchers = test.matchers if part.value is None else (test.matchers[part.value],)
    return _joined(tuple(_asked(test.field, each, wanted) for each in matchers), all_of=test.all_of is wanted)


def atoms_of(part: RulePart) -> Iterator[Atom]:
    """The atoms of a part."""
    waiting: list[Node] = [part_node(part, holds=True)]
    for node in waiting:
        if isinstance(node, Literal):
            yield node.atom
        else:
            waiting.extend(node.nodes)


def _asked(field: str | None, matcher: ir.Matcher, holds: bool) -> Node:  # noqa: FBT001
    """One value of a rule as a formula; equal meanings give equal formulas."""
    match matcher:
        case ir.OneOf(variants):
            return _joined(tuple(_asked(field, each, holds) for each in variants), all_of=not holds)
        case ir.Exists(value):
            return Literal(Atom(field, ir.Exists(value=True)), holds is value)
        case ir.Pattern(parts) if set(parts) == {ir.Wildcard.MANY}:
            return Literal(Atom(field, ir.Null()), not holds)  # every value but null has a text
    return Literal(Atom(field, matcher), holds)


def simplified(node: Node, truths: Mapping[Atom, bool]) -> Node:
    """The formula that is left if some atoms have known truth values."""
    if isinstance(node, Literal):
        known = truths.get(node.atom)
        return node if known is None else TRUE if known is node.holds else FALSE
    return _joined(tuple(simplified(each, truths) for each in node.nodes), all_of=isinstance(node, AllOf))


def _joined(nodes: tuple[Node, ...], *, all_of: bool) -> Node:
    """The conjunction or disjunction of nodes, without constants and repetitions."""
    kind, neutral, absorbing = (AllOf, TRUE, FALSE) if all_of else (AnyOf, FALSE, TRUE)
    if absorbing in nodes:
        return absorbing
    kept: list[Node] = []
    for node in dict.fromkeys(nodes):
        if node != neutral:
            kept.extend(node.nodes if isinstance(node, kind) else (node,))
    return kept[0] if len(kept) == 1 else kind(tuple(kept))


def holds_in(node: Node, record: Mapping[str, Any], memo: Memo | None = None) -> bool:
    """Whether a record satisfies a formula; each atom is evaluated at most once.

    Args:
        node: The formula.
        record: The record.
        memo: Known truth values of atoms on this record; it is extended.
    """
    known = {} if memo is None else memo

    def holds(each: Node) -> bool:
        if isinstance(each, Literal):
            truth = known.get(each.atom)
            if truth is None:
                truth = known[each.atom] = operators.field_matches(each.atom.matcher, record, each.atom.field)
            return truth is each.holds
        return all(map(holds, each.nodes)) if isinstance(each, AllOf) else any(map(holds, each.nodes))

    return holds(node)


def atoms_in(node: Node) -> Iterator[Atom]:
    """The atoms of a formula, with repetitions."""
    waiting: list[Node] = [node]
    for each in waiting:
        if isinstance(each, Literal):
            yield each.atom
        else:
            waiting.extend(each.nodes)

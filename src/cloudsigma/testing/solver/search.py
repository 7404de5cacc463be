"""Search for an assignment of atoms that satisfies a formula: depth first, with conflict-directed backjumping.

A dead end records the choices that it depends on, and the search jumps back to the last of them. So a contradiction
inside one filter is found once, and not again for every combination of the other filters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cloudsigma.testing.solver.field_constraints import Conflict, FieldConstraints
from cloudsigma.testing.solver.formula import AllOf, AnyOf, Atom, Literal, Node

MAX_CHOICES = 3000
"""The search gives up after this many choices."""

Levels = frozenset[int]
"""Depths of the choices that something depends on."""
_NO_LEVELS: Levels = frozenset()


@dataclass(frozen=True, slots=True)
class Model:
    """An assignment that satisfies the formula."""

    asked: dict[Atom, bool]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """No assignment satisfies the formula."""

    atoms: frozenset[Atom]
    """The atoms in conflict."""
    proved: bool = True
    """Whether this is proved; if not, the search gave up."""


@dataclass(slots=True)
class _Dead:
    """A dead end."""

    levels: Levels
    atoms: frozenset[Atom]
    proved: bool


@dataclass(slots=True)
class _State:
    """The assignment and the open choices at one point of the search."""

    asked: dict[Atom, bool] = field(default_factory=dict)
    why: dict[Atom, Levels] = field(default_factory=dict)
    open: list[tuple[AnyOf, Levels]] = field(default_factory=list)

    def copy(self) -> _State:
        return _State(dict(self.asked), dict(self.why), list(self.open))


@dataclass(slots=True)
class _Choice:
    """A choice between several nodes."""

    before: _State
    choices: Iterator[Node]
    depends: Levels
    """The earlier choices that this one and its dead ends depend on."""
    atoms: frozenset[Atom] = frozenset()
    proved: bool = True


Nogood = frozenset[tuple[Atom, bool]]


class Search:
    """Finds models of formulas over one set of fields."""

    def __init__(
        self,
        fields: FieldConstraints,
        known_calls: Collection[str] = (),
        preferred: Mapping[Atom, bool] | None = None,
    ) -> None:
        """Take the fields.

        Args:
            fields: The fields of the formulas.
            known_calls: Names of calls (in lower case) to prefer if a rule has several.
            preferred: Truth values to prefer, those of a record.
        """
        self._fields = fields
        self._known_calls = known_calls
        self._preferred = preferred or {}
        self._single = True
        self._nogoods: Sequence[Nogood] = ()

    def model(self, node: Node, *, single: bool = True, nogoods: Sequence[Nogood] = ()) -> Model | Contradiction:
        """An assignment that satisfies a formula, or why there is none.

        Args:
            node: The formula.
            single: Whether each field has a single value; otherwise it may have a list of values.
            nogoods: Assignments to exclude.
        """
        self._single, self._nogoods = single, nogoods
        stack: list[_Choice] = []
        state: _State = _State()
        dead = self._ask(state, node, _NO_LEVELS)
        tried = 0
        while True:
            if dead is None:
                dead = self._propagate(state)
            if dead is None:
                if not state.open:
                    return Model(state.asked)
                chosen, depends = self._next(state)
                stack.append(_Choice(state, iter(self._ordered(chosen, state)), depends))
            else:
                while stack and len(stack) not in dead.levels:
                    stack.pop()
                if not stack:
                    return Contradiction(dead.atoms, dead.proved)
                top = stack[-1]
                top.depends |= dead.levels - {len(stack)}
                top.atoms |= dead.atoms
                top.proved &= dead.proved
            top = stack[-1]
            following = next(top.choices, None)
            if following is None:
                stack.pop()
                dead = _Dead(top.depends, top.atoms, top.proved)
                continue
            tried += 1
            if tried > MAX_CHOICES:
                return Contradiction(top.atoms, proved=False)
            state = top.before.copy()
            dead = self._ask(state, following, frozenset({len(stack)}))

    def _ask(self, state: _State, node: Node, levels: Levels) -> _Dead | None:
        """Assert a node, and check the fields that it is about."""
        waiting, touched = [node], []
        while waiting:
            match waiting.pop():
                case Literal(atom, holds):
                    if (known := state.asked.get(atom)) is None:
                        state.asked[atom], state.why[atom] = holds, levels
                        touched.append(atom)
                    elif known is not holds:
                        return _Dead(levels | state.why[atom], frozenset({atom}), proved=True)
                case AllOf(nodes):
                    waiting.extend(reversed(nodes))
                case AnyOf(()):
                    return _Dead(levels, frozenset(), proved=True)
                case AnyOf() as chosen:
                    state.open.append((chosen, levels))
        if not touched:
            return None
        conflict = self._fields.conflict(state.asked, {atom.field for atom in touched}, single=self._single)
        conflict = conflict or self._refused(state)
        if conflict is not None:
            why = (state.why[atom] for atom in conflict.atoms if atom in state.why)
            return _Dead(levels.union(*why), conflict.atoms, conflict.proved)
        return None

    def _refused(self, state: _State) -> Conflict | None:
        for nogood in self._nogoods:
            if all(state.asked.get(atom) is holds for atom, holds in nogood):
                return Conflict(frozenset(atom for atom, _ in nogood), proved=False)
        return None

    def _propagate(self, state: _State) -> _Dead | None:
        """Unit propagation: drop satisfied choices and impossible alternatives, assert the only one left; repeat."""
        moved = True
        while moved:
            moved = False
            waiting, state.open = state.open, []
            for chosen, levels in waiting:
                left: list[Node] = []
                because, against = levels, set()
                for node in chosen.nodes:
                    known, atoms = _known(node, state)
                    if known:
                        break
                    if known is None:
                        left.append(node)
                    else:
                        because = because.union(*(state.why[atom] for atom in atoms))
                        against |= atoms
                else:
                    if not left:
                        return _Dead(because, frozenset(against), proved=True)
                    if len(left) > 1:
                        state.open.append(
                            (AnyOf(tuple(left)), because) if len(left) < len(chosen.nodes) else (chosen, levels)
                        )
                        continue
                    moved = True
                    if (dead := self._ask(state, left[0], because)) is not None:
                        dead.atoms |= against
                        return dead
        return None

    def _next(self, state: _State) -> tuple[AnyOf, Levels]:
        """The next choice; choices that need a value come first, since they often settle the others."""
        at = next((at for at, (chosen, _) in enumerate(state.open) if _asks_for_values(chosen)), 0)
        return state.open.pop(at)

    def _ordered(self, chosen: AnyOf, state: _State) -> list[Node]:
        """The alternatives of a choice, the cheapest first: leaving out a field that nothing else needs."""
        asked = {atom.field for atom, holds in state.asked.items() if holds}

        def cost(node: Node) -> int:
            if isinstance(node, Literal):
                if self._preferred:
                    return 0 if self._preferred.get(node.atom) is node.holds else 1
                if node.holds:
                    known = node.atom.field == "eventName" and str(node.atom.matcher).lower() in self._known_calls
                    return 0 if known else 2 if node.atom.field is None else 1
                return 0 if not asked & set(self._fields.below[node.atom.field]) else 1
            return 1

        return sorted(chosen.nodes, key=cost)


def _known(node: Node, state: _State) -> tuple[bool | None, set[Atom]]:
    """The truth value of a node under the assignment (`None`: open), and the atoms that make it false."""
    if isinstance(node, Literal):
        known = state.asked.get(node.atom)
        return (None, set()) if known is None else (known is node.holds, {node.atom})
    if isinstance(node, AllOf):
        verdicts = [_known(each, state) for each in node.nodes]
        for verdict, atoms in verdicts:
            if verdict is False:
                return False, atoms
        return (True, set()) if all(verdict for verdict, _ in verdicts) else (None, set())
    return None, set()


def _asks_for_values(node: Node) -> bool:
    if isinstance(node, Literal):
        return node.holds
    return any(_asks_for_values(each) for each in node.nodes)

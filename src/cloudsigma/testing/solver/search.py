"""What to ask of single fields so that a formula holds: depth first, and back to what caused a dead end.

A dead end knows the choices that it depends on. Choices that have no part in it are not tried again, so that a
contradiction inside one filter is found once and not for every combination of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from cloudsigma.testing.solver.field_constraints import Conflict, FieldConstraints
from cloudsigma.testing.solver.formula import AllOf, AnyOf, Atom, Literal, Node

MAX_CHOICES = 3000
"""A search gives up after this many choices."""

Levels = frozenset[int]
"""Choices that something depends on, by their depth."""
_NO_LEVELS: Levels = frozenset()


@dataclass(frozen=True, slots=True)
class Model:
    """What must be asked; then the formula holds."""

    asked: dict[Atom, bool]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Nothing can be asked under which the formula holds."""

    atoms: frozenset[Atom]
    """What stands against each other."""
    proved: bool = True
    """Whether that is certain, and not only that the search gave up."""


@dataclass(slots=True)
class _Dead:
    """A dead end."""

    levels: Levels
    atoms: frozenset[Atom]
    proved: bool


@dataclass(slots=True)
class _State:
    """What is known at one point of the search."""

    asked: dict[Atom, bool] = field(default_factory=dict)
    why: dict[Atom, Levels] = field(default_factory=dict)
    open: list[tuple[AnyOf, Levels]] = field(default_factory=list)

    def copy(self) -> _State:
        return _State(dict(self.asked), dict(self.why), list(self.open))


@dataclass(slots=True)
class _Choice:
    """A place where one of several nodes was chosen."""

    before: _State
    choices: Iterator[Node]
    depends: Levels
    """What the choice itself depends on, and all dead ends that it led to."""
    atoms: frozenset[Atom] = frozenset()
    proved: bool = True


Nogood = frozenset[tuple[Atom, bool]]


class Search:
    """Finds models of formulas over one set of fields."""

    def __init__(self, fields: FieldConstraints, known_calls: Collection[str] = ()) -> None:
        """Take the fields, and names of calls (in lower case) that are preferred where a rule has several."""
        self._fields = fields
        self._known_calls = known_calls
        self._single = True
        self._nogoods: Sequence[Nogood] = ()

    def model(self, node: Node, *, single: bool = True, nogoods: Sequence[Nogood] = ()) -> Model | Contradiction:
        """What must be asked for a formula to hold, or why there is nothing.

        Args:
            node: The formula.
            single: Whether each field must do with one value; else it may have a list of them.
            nogoods: What must not be asked together.
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
        """Ask for a node and what follows from it at once."""
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
        """Drop what holds already and what cannot, and ask for what is left alone, until nothing changes."""
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
        """The next choice: those that ask for values come first, since the others may be free once values are known."""
        at = next((at for at, (chosen, _) in enumerate(state.open) if _asks_for_values(chosen)), 0)
        return state.open.pop(at)

    def _ordered(self, chosen: AnyOf, state: _State) -> list[Node]:
        """The ways to meet a choice; what a field that nothing else is asked of can do without comes first."""
        asked = {atom.field for atom, holds in state.asked.items() if holds}

        def cost(node: Node) -> int:
            if isinstance(node, Literal):
                if node.holds:
                    known = node.atom.field == "eventName" and str(node.atom.matcher).lower() in self._known_calls
                    return 0 if known else 2 if node.atom.field is None else 1
                return 0 if not asked & set(self._fields.below[node.atom.field]) else 1
            return 1

        return sorted(chosen.nodes, key=cost)


def _known(node: Node, state: _State) -> tuple[bool | None, set[Atom]]:
    """Whether a node holds by what is asked already, seen from close by; and the atoms against it if it cannot."""
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

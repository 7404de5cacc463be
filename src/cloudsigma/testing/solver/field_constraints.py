"""Check whether the fields of a record can have values that satisfy an assignment of atoms, all at once.

A field includes everything below it: a value that is forbidden in `requestParameters` is forbidden in
`requestParameters.name` too, and keywords apply to the whole record.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cloudsigma import ir
from cloudsigma.testing.solver.formula import Atom
from cloudsigma.testing.solver.value_solver import FoundValue, NoValue, find_value

Assignment = Mapping[Atom, bool]
"""Atom → whether it must hold."""

_NULL, _EXISTS = ir.Null(), ir.Exists(value=True)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Atoms whose truth values contradict each other."""

    atoms: frozenset[Atom]
    proved: bool = True
    """Whether this is proved; if not, no value was found."""


class FieldConstraints:
    """The fields of a rule, and which of them contain others."""

    def __init__(self, atoms: Iterable[Atom], *, flat: bool = False, texts: Collection[str] = ()) -> None:
        """Take all atoms of a rule.

        Args:
            atoms: The atoms.
            flat: Whether each name is one key, dots included, and no field contains another.
            texts: Fields that never have a list of values.
        """
        self._flat = flat
        self._texts = texts
        names: dict[str | None, None] = {}
        for atom in atoms:
            names[atom.field] = None
            if isinstance(atom.matcher, ir.FieldRef):
                names[atom.matcher.field] = None
        paths = {name: self.path(name) for name in names}
        self.names = tuple(sorted(names, key=lambda name: (len(paths[name]), name or "")))
        self.above: dict[str | None, tuple[str | None, ...]] = {
            name: tuple(other for other in self.names if paths[name][: len(paths[other])] == paths[other])
            for name in self.names
        }
        """Field → the fields that contain it, itself included."""
        self.below: dict[str | None, tuple[str | None, ...]] = {
            name: tuple(other for other in self.names if name in self.above[other]) for name in self.names
        }
        """Field → the fields that it contains, itself included."""

    def path(self, name: str | None) -> tuple[str, ...]:
        """The keys from the top of the record to the field."""
        if name is None:
            return ()
        return (name,) if self._flat else tuple(name.split("."))

    @cached_property
    def nest(self) -> bool:
        """Whether some field contains another."""
        return any(len(above) > 1 + (None in above) for name, above in self.above.items() if name is not None)

    def conflict(self, asked: Assignment, touched: Iterable[str | None], *, single: bool) -> Conflict | None:
        """The first conflict in some fields, and in the fields that contain them or lie in them.

        Args:
            asked: The assignment so far.
            touched: Fields with new atoms.
            single: Whether each field has a single value; otherwise it may have a list of values.
        """
        around = {other for name in touched for other in (*self.above[name], *self.below[name])}
        by_field = grouped(asked)
        for name in self.names:
            if name in around and (found := self._conflict_at(name, by_field, single=single)) is not None:
                return found
        return None

    def _conflict_at(
        self, name: str | None, asked: Mapping[str | None, Mapping[Atom, bool]], *, single: bool
    ) -> Conflict | None:
        own = asked.get(name, {})
        wanted = [atom for atom, holds in own.items() if holds and is_of_one_value(atom.matcher)]
        needed = wanted + [
            atom for atom, holds in own.items() if (atom.matcher == _NULL and not holds) or _refers(atom, holds=holds)
        ]
        needed += [
            atom
            for others in asked.values()
            for atom, holds in others.items()
            if _refers(atom, holds=holds) and atom.matcher.field == name  # type: ignore[union-attr]
        ]
        present = needed + [atom for atom, holds in own.items() if atom.matcher == _EXISTS and holds]
        for above in self.above[name]:
            given = asked.get(above, {})
            if needed and given.get(Atom(above, _NULL)):
                return Conflict(frozenset({needed[0], Atom(above, _NULL)}))
            if present and given.get(Atom(above, _EXISTS)) is False:
                return Conflict(frozenset({present[0], Atom(above, _EXISTS)}))
        if not needed:
            return None
        unwanted = self.unwanted(name, asked)
        groups = [wanted] if single or name in self._texts else [[atom] for atom in wanted] or [[]]
        for group in groups:
            answer = find_value([atom.matcher for atom in group], [atom.matcher for atom in unwanted], name)
            if isinstance(answer, NoValue):
                atoms = {atom for atom in group if atom.matcher in answer.wanted}
                atoms |= {atom for atom in unwanted if atom.matcher in answer.unwanted}
                return Conflict(frozenset(atoms or needed[:1]), answer.proved)
        return None

    def unwanted(self, name: str | None, asked: Mapping[str | None, Mapping[Atom, bool]]) -> list[Atom]:
        """The atoms that no value of the field may pass: those of the field, and of the fields that contain it."""
        return [
            atom
            for above in self.above[name]
            for atom, holds in asked.get(above, {}).items()
            if not holds and is_of_one_value(atom.matcher)
        ]

    def values(self, name: str | None, asked: Assignment, hints: Sequence[object] = ()) -> list[object] | None:
        """Values for the field that satisfy the assignment, as few as possible; `None` if one was not found."""
        by_field = grouped(asked)
        wanted = [
            atom.matcher for atom, holds in by_field.get(name, {}).items() if holds and is_of_one_value(atom.matcher)
        ]
        unwanted = [atom.matcher for atom in self.unwanted(name, by_field)]
        groups: list[list[ir.Matcher]] = []
        found: list[object] = []
        for matcher in [None] if not wanted else [*wanted]:
            more = [matcher] if matcher is not None else []
            for at in range(len(groups)):
                if isinstance(answer := find_value(groups[at] + more, unwanted, name, hints), FoundValue):
                    groups[at] += more
                    found[at] = answer.value
                    break
            else:
                answer = find_value(more, unwanted, name, hints)
                if not isinstance(answer, FoundValue):
                    return None
                groups.append(more)
                found.append(answer.value)
        return found


def is_of_one_value(matcher: ir.Matcher) -> bool:
    """Whether a matcher tests a single value; the others test a field as a whole, or compare two fields."""
    return not isinstance(matcher, (ir.Null, ir.Exists, ir.FieldRef))


def _refers(atom: Atom, *, holds: bool) -> bool:
    return holds and isinstance(atom.matcher, ir.FieldRef)


def grouped(asked: Assignment) -> dict[str | None, dict[Atom, bool]]:
    """The assignment, grouped by field."""
    found: dict[str | None, dict[Atom, bool]] = {}
    for atom, holds in asked.items():
        found.setdefault(atom.field, {})[atom] = holds
    return found

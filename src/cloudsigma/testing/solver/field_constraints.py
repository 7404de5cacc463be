"""Whether values for the fields of a record can be what a rule asks, all at once.

A field stands for everything below it: what must not be in `requestParameters` must not be in
`requestParameters.name` either, and keywords look at the whole record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cloudsigma import ir
from cloudsigma.testing.solver.formula import Atom
from cloudsigma.testing.solver.value_solver import FoundValue, NoValue, find_value

Assignment = Mapping[Atom, bool]
"""Atoms that must hold, or must not."""

_NULL, _EXISTS = ir.Null(), ir.Exists(value=True)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Atoms that cannot be so together."""

    atoms: frozenset[Atom]
    proved: bool = True
    """Whether that is certain, and not only that nothing was found."""


class FieldConstraints:
    """The fields that a rule asks for, and how they lie in each other."""

    def __init__(self, atoms: Iterable[Atom], *, flat: bool = False) -> None:
        """Take all atoms of a rule; `flat`: names are keys as they are, dots and all, and no field lies in another."""
        self._flat = flat
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
        """For each field those that it lies in, itself included."""
        self.below: dict[str | None, tuple[str | None, ...]] = {
            name: tuple(other for other in self.names if name in self.above[other]) for name in self.names
        }
        """For each field those that lie in it, itself included."""

    def path(self, name: str | None) -> tuple[str, ...]:
        """Where the field is put: the keys from the top of the record."""
        if name is None:
            return ()
        return (name,) if self._flat else tuple(name.split("."))

    @cached_property
    def nest(self) -> bool:
        """Whether some field lies in another."""
        return any(len(above) > 1 + (None in above) for name, above in self.above.items() if name is not None)

    def conflict(self, asked: Assignment, touched: Iterable[str | None], *, single: bool) -> Conflict | None:
        """What stands in the way of values for some fields and those around them.

        Args:
            asked: All that is asked so far.
            touched: FieldConstraints for which something new is asked.
            single: Whether each field must do with one value; else it may have a list of them.
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
        groups = [wanted] if single else [[atom] for atom in wanted] or [[]]
        for group in groups:
            answer = find_value([atom.matcher for atom in group], [atom.matcher for atom in unwanted], name)
            if isinstance(answer, NoValue):
                atoms = {atom for atom in group if atom.matcher in answer.wanted}
                atoms |= {atom for atom in unwanted if atom.matcher in answer.unwanted}
                return Conflict(frozenset(atoms or needed[:1]), answer.proved)
        return None

    def unwanted(self, name: str | None, asked: Mapping[str | None, Mapping[Atom, bool]]) -> list[Atom]:
        """What no value of the field may meet: asked of the field, or of one that it lies in."""
        return [
            atom
            for above in self.above[name]
            for atom, holds in asked.get(above, {}).items()
            if not holds and is_of_one_value(atom.matcher)
        ]

    def values(self, name: str | None, asked: Assignment, hints: Sequence[object] = ()) -> list[object] | None:
        """Values with which the field is what is asked, as few as can be found; `None` where some are missing."""
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
    """Whether a matcher looks at one value; the others look at a field, or at two."""
    return not isinstance(matcher, (ir.Null, ir.Exists, ir.FieldRef))


def _refers(atom: Atom, *, holds: bool) -> bool:
    return holds and isinstance(atom.matcher, ir.FieldRef)


def grouped(asked: Assignment) -> dict[str | None, dict[Atom, bool]]:
    """What is asked, by field."""
    found: dict[str | None, dict[Atom, bool]] = {}
    for atom, holds in asked.items():
        found.setdefault(atom.field, {})[atom] = holds
    return found

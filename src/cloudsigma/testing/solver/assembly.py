"""Assemble a record: change a start record until every atom of an assignment has its truth value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.evaluate import operators
from cloudsigma.testing.records.changes import copied
from cloudsigma.testing.records.places import KeyPath, leaves, paths, put, remove
from cloudsigma.testing.solver.field_constraints import Assignment, FieldConstraints, grouped, is_of_one_value
from cloudsigma.testing.solver.formula import Atom
from cloudsigma.testing.solver.realistic_values import like, of_one_kind, outside
from cloudsigma.testing.solver.value_solver import FoundValue, find_value, meets

_NULL, _EXISTS = ir.Null(), ir.Exists(value=True)
_SIMILAR = 8
"""Values like one of the record, to try before others."""
_SPARE = ("name", "value", "detail")
"""Keys to use for a value that may have any key."""


def assemble(start: Mapping[str, Any], asked: Assignment, known: FieldConstraints, spare: str) -> dict[str, Any] | None:
    """A record that satisfies an assignment; `None` if none was found.

    Args:
        start: The record to start from. Members that no atom is about are kept.
        asked: The truth value that each atom must have.
        known: The fields of the rule.
        spare: Name of a field for values that may be in any field.
    """
    record: dict[str, Any] = copied(start)
    by_field = grouped(asked)
    fixed = _referred(record, asked, known)
    for name in reversed(known.names):  # the deepest fields first: the fields around them may be satisfied then
        _absent(record, name, by_field.get(name, {}), known)
    for name in reversed(known.names):
        _avoid(record, name, [atom.matcher for atom in known.unwanted(name, by_field)])
        if name in fixed:
            put(record, known.path(name), fixed[name])
        elif not _is_met(record, name, by_field.get(name, {})) and not _present(
            record, name, asked, known, spare, start
        ):
            return None
    return record if holds(record, asked) else None


def holds(record: Mapping[str, Any], asked: Assignment) -> bool:
    """Whether a record satisfies an assignment, evaluated by the engine's operators."""
    return all(operators.field_matches(atom.matcher, record, atom.field) is wanted for atom, wanted in asked.items())


def _is_met(record: Mapping[str, Any], name: str | None, own: Mapping[Atom, bool]) -> bool:
    return all(
        operators.field_matches(atom.matcher, record, name) is wanted
        for atom, wanted in own.items()
        if not isinstance(atom.matcher, ir.FieldRef)
    )


def _absent(record: dict[str, Any], name: str | None, own: Mapping[Atom, bool], known: FieldConstraints) -> None:
    """Remove a field that must be absent, or must be null."""
    null, exists = own.get(Atom(name, _NULL)), own.get(Atom(name, _EXISTS))
    if null or exists is False:
        while (path := next(paths(record, name), None)) is not None and path:
            remove(record, path)
        if null and exists:
            put(record, known.path(name), None)


def _avoid(record: dict[str, Any], name: str | None, unwanted: list[ir.Matcher]) -> None:
    """Replace forbidden values by similar ones, or remove them."""
    for path, value in list(leaves(record, name)):
        if any(operators.matches(each, value) for each in unwanted):
            label = next((part for part in reversed(path) if isinstance(part, str)), None)
            networks = [each.network for each in unwanted if isinstance(each, ir.Cidr)]
            outer = [address for each in networks for address in outside(each)]
            other = find_value((), unwanted, label, [*outer, *_similar(value, name)])
            if isinstance(other, FoundValue) and isinstance(value, str) and value:
                put(record, path, other.value)
            else:
                remove(record, path)


def _present(
    record: dict[str, Any],
    name: str | None,
    asked: Assignment,
    known: FieldConstraints,
    spare: str,
    start: Mapping[str, Any],
) -> bool:
    """Set the values that a field must have, like those of the start record; returns whether it is possible."""
    by_field = grouped(asked)
    own = by_field.get(name, {})
    given = [value for _, value in leaves(start, name) if value is not None] if name is not None else []
    hints = [*given, *(other for value in given[:2] for other in _similar(value, name))]
    values = known.values(name, asked, hints)
    if values is None:
        return False
    if not any(wanted and is_of_one_value(atom.matcher) for atom, wanted in own.items()):
        if own.get(Atom(name, _NULL)) is not False and not own.get(Atom(name, _EXISTS)):
            return True  # only forbidden values, which `_avoid` removed
        if own.get(Atom(name, _NULL)):
            return True
    inner = [each for each in known.below[name] if each != name and by_field.get(each)]
    path: KeyPath = known.path(name)
    if inner or name is None:
        taken = {known.path(each)[len(path)] for each in inner}
        path = (*path, *(_free(taken) if name is not None else known.path(spare)))
    put(record, path, values[0] if len(values) == 1 else values)
    return True


def _similar(value: Any, name: str | None) -> Iterator[Any]:
    """Other values of the kind, then values like the given one."""
    yield from of_one_kind(name)
    yield from islice(like(value), _SIMILAR)


def _free(taken: set[str]) -> KeyPath:
    return (next(each for each in (*_SPARE, *(f"detail{at}" for at in range(len(taken) + 1))) if each not in taken),)


# --- fieldref -----------------------------------------------------------------------------------------------


def _referred(record: Mapping[str, Any], asked: Assignment, known: FieldConstraints) -> dict[str | None, Any]:
    """Values for pairs of fields that `fieldref` compares; the values of the record are kept where they can be."""
    found: dict[str | None, Any] = {}
    references = [(atom, wanted) for atom, wanted in asked.items() if isinstance(atom.matcher, ir.FieldRef)]
    by_field = grouped(asked)

    def constraints(name: str | None) -> tuple[list[ir.Matcher], list[ir.Matcher]]:
        own = by_field.get(name, {})
        wanted = [atom.matcher for atom, holds in own.items() if holds and is_of_one_value(atom.matcher)]
        return wanted, [atom.matcher for atom in known.unwanted(name, by_field)]

    for atom, _ in sorted(references, key=lambda item: not item[1]):
        reference = atom.matcher
        assert isinstance(reference, ir.FieldRef)  # noqa: S101  # selected above
        theirs, not_theirs = constraints(reference.field)
        ours, not_ours = constraints(atom.field)
        refused = [
            each.matcher
            for each, wanted in references
            if not wanted and isinstance(each.matcher, ir.FieldRef) and _pair(each) == _pair(atom)
        ]
        if asked[atom]:
            given = [found[each] for each in (atom.field, reference.field) if each in found]
            there = [value for _, value in leaves(record, reference.field) if meets(value, theirs, not_theirs)]
            kept = [value for value in there[:1] if value is not None and not given]
            both = find_value([*ours, *theirs], [*not_ours, *not_theirs], atom.field, [*given, *there])
            if isinstance(both, FoundValue) and not refused and not kept:
                found[atom.field] = found[reference.field] = both.value
                continue
            other = find_value(theirs, not_theirs, reference.field, [*kept, *given])
            if isinstance(other, FoundValue):
                text = operators.text(other.value) or ""
                avoided = [_around(text, each) for each in refused]
                mine = find_value([*ours, _around(text, reference)], [*not_ours, *avoided], atom.field)
                if isinstance(mine, FoundValue):
                    found[atom.field], found[reference.field] = mine.value, other.value
                elif isinstance(both, FoundValue) and not refused:
                    found[atom.field] = found[reference.field] = both.value
        elif (
            ours
            or atom.field in found
            or by_field.get(atom.field, {}).get(Atom(atom.field, _NULL)) is False
            or operators.field_matches(reference, record, atom.field)
        ):
            given = [value for _, value in leaves(record, reference.field) if value is not None]
            other_value = found.get(
                reference.field, getattr(find_value(theirs, not_theirs, reference.field, given), "value", None)
            )
            if atom.field in found or other_value is None:
                continue
            text = operators.text(other_value) or ""
            similar = [each for _, value in leaves(record, atom.field) for each in _similar(value, atom.field)]
            mine = find_value(ours, [*not_ours, _around(text, reference)], atom.field, similar)
            if isinstance(mine, FoundValue):
                found[atom.field] = mine.value
                if theirs:
                    found[reference.field] = other_value
    return found


def _pair(atom: Atom) -> tuple[str | None, str | None]:
    """The two fields that a reference compares."""
    return atom.field, getattr(atom.matcher, "field", None)


def _around(text: str, reference: ir.FieldRef) -> ir.Pattern:
    """The pattern that a `fieldref` to this text requires."""
    many = ir.Wildcard.MANY
    before = (many,) if reference.comparison in ("endswith", "contains") else ()
    after = (many,) if reference.comparison in ("startswith", "contains") else ()
    return ir.Pattern((*before, *((text,) if text else ()), *after), reference.cased)

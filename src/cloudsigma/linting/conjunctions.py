"""A rule's condition as conjunctions of tests, of which one must hold.

Nothing is found where there are too many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from cloudsigma import ir
from cloudsigma.compiler.document import Place
from cloudsigma.ir.walk import Joint, Leaf, fold, without_filters
from cloudsigma.linting.notes import Note, RuleDocument

_MOST = 3_000
"""Most conjunctions of a rule that are examined."""


class Literal(NamedTuple):
    """A test, and whether it must hold."""

    test: ir.Test
    wanted: bool


Conjunction = tuple[Literal, ...]


class _TooManyError(Exception):
    """There are too many conjunctions."""


def conjunctions(rule: ir.DetectionRule) -> list[Conjunction]:
    """The conjunctions of tests of which one must hold; empty if there are too many."""
    rule = without_filters(rule)
    bodies = {selection.name: selection.body for selection in rule.selections}

    def leaf(node: Leaf, wanted: bool) -> list[Conjunction]:  # noqa: FBT001  # as `fold` calls it
        if isinstance(node, ir.Identifier):
            return fold(bodies[node.name], leaf, join, wanted=wanted)
        return [(Literal(node, wanted is not node.negated),)]

    def join(parts: list[list[Conjunction]], all_of: bool, _: Joint) -> list[Conjunction]:  # noqa: FBT001  # as above
        if not all_of:
            found = [each for part in parts for each in part]
        else:
            found = [()]
            for part in parts:
                if len(found) * len(part) > _MOST:
                    raise _TooManyError
                found = [(*left, *right) for left in found for right in part]
        if len(found) > _MOST:
            raise _TooManyError
        return found

    try:
        return [each for condition in rule.conditions for each in fold(condition.expression, leaf, join)]
    except _TooManyError:
        return []


def told_everywhere(
    found: Sequence[Conjunction], note_of: Callable[[ir.Test, bool, Conjunction], Note | None]
) -> Iterator[Note]:
    """The notes about tests that have one in every conjunction in which they occur.

    `note_of`: a test, whether it must hold, and its conjunction → a note or `None`.
    """
    verdicts: dict[int, Note | None] = {}
    for conjunction in found:
        for test, wanted in conjunction:
            key = id(test)
            if key not in verdicts or verdicts[key] is not None:
                verdicts[key] = note_of(test, wanted, conjunction)
    yield from (note for note in verdicts.values() if note is not None)


def first_of(names: Sequence[str]) -> str:
    """The first three of some names."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def place_of(document: RuleDocument, test: ir.Test, at: int) -> Place:
    """The place of a value of a test."""
    item = next(
        (
            way
            for way, place in document.document.keys.items()
            if (place.line, place.column) == (test.line, test.column)
        ),
        None,
    )
    if item is None:
        return Place(test.line or 1, test.column or 1)
    return document.value_place(item, at, len(test.matchers))

"""Walks through the parts of a rule, without recursion: a rule may nest to any depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from msgspec import structs

from cloudsigma import ir

Leaf = ir.Identifier | ir.Test
Node = ir.Expression | ir.Group | ir.Test
"""A part of a condition or of a selection."""
Joint = ir.Quantified | ir.And | ir.Or | ir.Group
"""A part of which all members must hold, or any."""

T = TypeVar("T")


def fold(
    root: Node,
    leaf: Callable[[Leaf, bool], T],
    join: Callable[[list[T], bool, Joint], T],
    negate: Callable[[T], T] | None = None,
    known: Callable[[Node], T | None] | None = None,
    *,
    wanted: bool = True,
) -> T:
    """Compute a value for a condition or a selection from the values of its parts, left to right.

    Args:
        root: Where to begin. The name of a selection is a leaf: `leaf` may fold the selection's body.
        leaf: The value of a selection's name or of a test; its flag is false beneath an odd number of `not`s.
        join: The value of several parts of which all (the flag) or any must hold, from their values.
        negate: The value of a negated part. `None`: every `not` is moved down to the leaves, whose flag says
            whether they must hold or must not, and beneath a `not` the flag of `join` is inverted.
        known: The value of a part that need not be folded; `None` for any other.
        wanted: The flag of the root: false for a selection named beneath a `not`.
    """
    values: list[T] = []
    waiting: list[tuple[Node, bool, int]] = [(root, wanted, -1)]
    while waiting:
        node, wanted, count = waiting.pop()
        if isinstance(node, (ir.Test, ir.Identifier)):
            values.append(leaf(node, wanted))
        elif count < 0 and known is not None and (value := known(node)) is not None:
            values.append(value)
        elif count < 0:  # its members first
            members = members_of(node)
            waiting.append((node, wanted, len(members)))
            below = wanted is not isinstance(node, ir.Not)
            waiting.extend([(member, below, -1) for member in reversed(members)])
        elif isinstance(node, ir.Not):
            if negate is not None:
                values.append(negate(values.pop()))
        else:
            parts = values[len(values) - count :]
            del values[len(values) - count :]
            all_of = asks_for_all(node)
            values.append(join(parts, all_of if negate is not None else all_of is wanted, node))
    return values.pop()


def members_of(node: Node) -> tuple[Node, ...]:
    """The parts directly below one, in order; empty for a test or a name."""
    match node:
        case ir.Group(members):
            return members
        case ir.And(operands) | ir.Or(operands):
            return operands
        case ir.Not(operand):
            return (operand,)
        case ir.Quantified(_, _, names):
            return tuple([ir.Identifier(name) for name in names])
        case _:
            return ()


def asks_for_all(node: Joint) -> bool:
    """Whether all parts of it must hold, not any."""
    return node.all_of if isinstance(node, (ir.Quantified, ir.Group)) else isinstance(node, ir.And)


def leaves_of(root: Node) -> Iterator[Leaf]:
    """The names of selections and the tests in a part of a rule, in its order."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ir.Test, ir.Identifier)):
            yield node
        else:
            waiting.extend(reversed(members_of(node)))


def tests_of(body: ir.Group | ir.Test) -> Iterator[ir.Test]:
    """The tests of a selection, in its order."""
    return (leaf for leaf in leaves_of(body) if isinstance(leaf, ir.Test))


def all_tests(rule: ir.DetectionRule) -> Iterator[ir.Test]:
    """The tests of all selections of a rule, in order."""
    for selection in rule.selections:
        yield from tests_of(selection.body)


def names_in(expression: ir.Expression) -> Iterator[str]:
    """The names of selections in a condition, in order, with repetitions."""
    return (leaf.name for leaf in leaves_of(expression) if isinstance(leaf, ir.Identifier))


def filters_of(rule: ir.DetectionRule) -> tuple[str, ...]:
    """The IDs of the filters that narrow a rule, in the order in which they are joined to it."""
    return rule.conditions[0].filters if rule.conditions else ()


def filter_titles(rule: ir.DetectionRule) -> dict[str, str]:
    """The IDs of the filters that narrow a rule, and their titles, which the names of their selections begin with."""
    return {each.filter: each.name.rpartition(": ")[0] for each in rule.selections if each.filter is not None}


def without_filters(rule: ir.DetectionRule, kept: int | None = None) -> ir.DetectionRule:
    """The rule before filters narrowed it; with `kept`, narrowed by the filter at that position alone."""
    conditions = tuple(
        structs.replace(condition, expression=_own(condition, kept), filters=()) for condition in rule.conditions
    )
    return structs.replace(rule, conditions=conditions)


def _own(condition: ir.Condition, kept: int | None) -> ir.Expression:
    if not condition.filters or not isinstance(condition.expression, ir.And):
        return condition.expression
    own, *added = condition.expression.operands
    return own if kept is None else ir.And((own, added[kept]))

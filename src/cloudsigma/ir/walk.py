"""Walks through the parts of a rule."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from cloudsigma import ir


def tests_of(body: ir.Group | ir.Test) -> Iterator[ir.Test]:
    """The tests of a selection, in its order."""
    if isinstance(body, ir.Test):
        yield body
    else:
        for member in body.members:
            yield from tests_of(member)


def all_tests(rule: ir.DetectionRule) -> Iterator[ir.Test]:
    """The tests of all selections of a rule, in order."""
    for selection in rule.selections:
        yield from tests_of(selection.body)


def names_in(expression: ir.Expression) -> Iterator[str]:
    """The names of selections in a condition, in its order; one may come more than once."""
    match expression:
        case ir.Identifier(name):
            yield name
        case ir.Quantified(_, _, names):
            yield from names
        case ir.And(operands) | ir.Or(operands):
            for operand in operands:
                yield from names_in(operand)
        case ir.Not(operand):
            yield from names_in(operand)


def filters_of(rule: ir.DetectionRule) -> tuple[str, ...]:
    """The IDs of the filters that narrow a rule, in the order in which they are joined to it."""
    return rule.conditions[0].filters if rule.conditions else ()


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

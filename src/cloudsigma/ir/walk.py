"""Walks through the parts of a rule."""

from __future__ import annotations

from collections.abc import Iterator

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

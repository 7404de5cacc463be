"""Extended conditions: expressions over the rules that have an entry in the frame."""

from __future__ import annotations

import math
from collections.abc import Collection

from cloudsigma import ir

Term = tuple[frozenset[str], frozenset[str]]
"""Rules that must have an entry, and rules that must not."""

MAX_TERMS = 256
"""Terms that the condition of a `temporal_ordered` correlation may have; the compiler refuses more.

Each is tracked as a separate chain while a frame slides, and their number can double with every `or`.
"""


def negates(expression: ir.Expression) -> bool:
    """Whether there is a `not` in the expression."""
    match expression:
        case ir.Not():
            return True
        case ir.And(operands) | ir.Or(operands):
            return any(map(negates, operands))
        case _:
            return False


def truth(expression: ir.Expression, present: Collection[str]) -> bool:
    """Whether the expression is true if these rules have an entry."""
    match expression:
        case ir.Identifier(name):
            return name in present
        case ir.Not(operand):
            return not truth(operand, present)
        case ir.And(operands):
            return all(truth(operand, present) for operand in operands)
        case ir.Or(operands):
            return any(truth(operand, present) for operand in operands)
        case ir.Quantified():  # refused when the rule is compiled
            return False


def count_terms(expression: ir.Expression, *, negated: bool = False) -> int:
    """How many terms `terms` returns, in linear time."""
    match expression:
        case ir.Not(operand):
            return count_terms(operand, negated=not negated)
        case ir.And(operands) | ir.Or(operands):
            counts = [count_terms(operand, negated=negated) for operand in operands]
            return sum(counts) if isinstance(expression, ir.Or) is not negated else math.prod(counts)
        case _:
            return 1


def terms(expression: ir.Expression, *, negated: bool = False) -> list[Term]:
    """The expression as an OR of AND terms. There may be exponentially many: see `count_terms`."""
    match expression:
        case ir.Identifier(name):
            only = frozenset((name,))
            return [(frozenset(), only) if negated else (only, frozenset())]
        case ir.Not(operand):
            return terms(operand, negated=not negated)
        case ir.And(operands) | ir.Or(operands):
            parts = [terms(operand, negated=negated) for operand in operands]
            if isinstance(expression, ir.Or) is not negated:
                return [term for part in parts for term in part]
            joined: list[Term] = [(frozenset(), frozenset())]
            for part in parts:
                joined = [(yes | more, no | less) for yes, no in joined for more, less in part]
            return joined
        case ir.Quantified():  # refused when the rule is compiled
            return []

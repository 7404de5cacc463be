"""The normal form of a rule: equal forms mean equal verdicts, so that mistakes with the same effect count once."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

from cloudsigma import ir
from cloudsigma.engine.evaluate import operators
from cloudsigma.testing.solver.formula import AllOf, Formula, Literal, Node


def meaning(rule: ir.DetectionRule) -> Hashable:
    """The normal form of a rule, without order, repetition, and letter case where it does not count."""
    return _form(Formula(rule).node())


def _form(node: Node) -> Hashable:
    if isinstance(node, Literal):
        return node.atom.field, normal(node.atom.matcher), node.holds
    return isinstance(node, AllOf), frozenset(map(_form, node.nodes))


@lru_cache(maxsize=8192)
def normal(matcher: ir.Matcher) -> ir.Matcher:
    """A matcher in normal form: a pattern's wildcards in one order, and not `cased` if it has no letters."""
    if not isinstance(matcher, ir.Pattern):
        return matcher
    parts: list[str | ir.Wildcard] = []
    run: list[ir.Wildcard] = []
    for part in (*matcher.parts, ""):
        if isinstance(part, ir.Wildcard):
            run.append(part)
            continue
        parts += [ir.Wildcard.ONE] * run.count(ir.Wildcard.ONE) + [ir.Wildcard.MANY] * (ir.Wildcard.MANY in run)
        run = []
        parts += [part] if part else []
    texts = "".join(part for part in parts if isinstance(part, str))
    if matcher.cased and not all(map(has_no_case, texts)):
        return ir.Pattern(tuple(parts), cased=True)
    folded = (part if isinstance(part, ir.Wildcard) else operators.fold(part) for part in parts)
    return ir.Pattern(tuple(folded), cased=False)


def has_no_case(character: str) -> bool:
    """Whether no other character has the same case folding."""
    return character.isascii() and not character.isalpha()

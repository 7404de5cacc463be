"""Condition text → expression of the IR, or the column of the mistake in it.

The grammar and the precedence are pySigma's (`not`, then `and`, then `or`), parsed here in one pass: pySigma's parser
takes exponential time for nested parentheses, and loses the quantifiers. A property test compares the two. Names are
resolved here, so that an undefined selection, or a pattern that matches none, is an error when the rule is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from msgspec import structs

from cloudsigma import ir
from cloudsigma.compiler.condition_mistakes import (
    ConditionProblem,
    syntax_problem,
    unknown_name,
    unmatched_pattern,
)

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "MAX_TERMS", "ConditionProblem", "parse_condition", "renamed"]

MAX_LENGTH = 100_000
"""Most characters of a condition."""
MAX_DEPTH = 40
"""Parentheses and operators may nest this deep (a run of the same operator counts once)."""
MAX_TERMS = 20_000
"""Selections that a condition may name, each pattern counted as the selections that it matches."""

_SHORT = 200
"""Conditions up to this many characters are cached."""

_BLANKS = " \n\t\r"
_TOKEN = re.compile(r"[ \n\t\r]*(?:(?P<word>[A-Za-z0-9_-]+)|(?P<bracket>[()]))")
_SELECTOR = re.compile(r"(1|any|all)[ \n\t\r]+of(?![A-Za-z0-9_$])[ \n\t\r]*([A-Za-z0-9*_]+)")


def parse_condition(text: object, names: Sequence[str]) -> ir.Expression:
    """Parse one condition over the selections called `names`; raises `ConditionProblem`."""
    if text is None:
        raise ConditionProblem("the condition is empty", None, "Write an expression over the selections.")
    if not isinstance(text, str):
        kind = {bool: "a boolean", int: "a number", float: "a number", dict: "a map", list: "a list"}.get(type(text))
        raise ConditionProblem(
            f"the condition is {kind or 'a date'}, not text", None, "Write an expression over the selections."
        )
    if len(text) > MAX_LENGTH:
        raise ConditionProblem(
            f"the condition has {len(text):,} characters, and the limit is {MAX_LENGTH:,}", None, "Shorten it."
        )
    return (_expression_of if len(text) <= _SHORT else _expression_of.__wrapped__)(text, tuple(names))


def renamed(expression: ir.Expression, names: Mapping[str, str]) -> ir.Expression:
    """The expression with each name replaced by the one it is mapped to."""
    match expression:
        case ir.Identifier(name):
            return ir.Identifier(names[name])
        case ir.Quantified():
            return structs.replace(expression, names=tuple(names[name] for name in expression.names))
        case ir.Not(operand):
            return ir.Not(renamed(operand, names))
        case ir.And(operands) | ir.Or(operands):
            return type(expression)(tuple(renamed(operand, names) for operand in operands))


def selects(pattern: str, name: str) -> bool:
    """Whether a pattern matches a selection; only a pattern with a leading underscore matches a name with one."""
    if name.startswith("_") and not pattern.startswith("_"):
        return False
    if pattern == "them":
        return True
    first, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    last = rest.pop()
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for part in rest:  # leftmost matches leave the most text for later parts: one pass is enough
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


@lru_cache(maxsize=1_000)
def _expression_of(text: str, names: tuple[str, ...]) -> ir.Expression:
    """Cached, since most rules have one of a few conditions."""
    return _Parser(text, names).parse()


class _Parser:
    """Recursive descent over one condition; its depth is bounded."""

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        self._text = text
        self._names = names
        self._known = frozenset(names)
        self._at = 0
        self._depth = 0
        self._terms = 0
        self._selected: dict[str, tuple[str, ...]] = {}
        self._unknown: ConditionProblem | None = None
        self._furthest = 0

    def parse(self) -> ir.Expression:
        expression = self._any()
        rest = len(self._text) - len(self._text[self._at :].lstrip(_BLANKS))
        if expression is None or rest < len(self._text):
            raise syntax_problem(self._text, max(rest, self._furthest), self._names)
        if self._unknown is not None:  # after the syntax, which explains more
            raise self._unknown
        return expression

    # --- grammar: a method that returns `None` does not move the position - ------------------------------------

    def _any(self) -> ir.Expression | None:
        return self._joined("or", self._all, ir.Or)

    def _all(self) -> ir.Expression | None:
        return self._joined("and", self._negated, ir.And)

    def _joined(
        self, word: str, operand: Callable[[], ir.Expression | None], kind: type[ir.And | ir.Or]
    ) -> ir.Expression | None:
        first = operand()
        if first is None:
            return None
        operands = [first]
        while True:
            before = self._at
            if self._word() != word or (following := operand()) is None:
                self._at = before
                return first if len(operands) == 1 else kind(tuple(operands))
            operands.append(following)

    def _negated(self) -> ir.Expression | None:
        before = self._at
        if self._word() != "not":
            self._at = before
            return self._operand()
        self._enter()
        operand = self._negated()
        self._depth -= 1
        if operand is None:
            self._at = before
            return None
        return ir.Not(operand)

    def _operand(self) -> ir.Expression | None:
        before = self._at
        found = _TOKEN.match(self._text, before)
        if found is None or found["bracket"] == ")":
            self._expected(before)
            return None
        if found["bracket"] is None:
            start = found.start("word")
            if selector := _SELECTOR.match(self._text, start):
                self._at = selector.end()
                return self._quantified(selector[1], selector[2], selector.start(2))
            self._at = found.end()
            return self._identifier(found["word"], start)
        self._at = found.end()
        self._enter()
        inner = self._any()
        self._depth -= 1
        closing = _TOKEN.match(self._text, self._at)
        if inner is None or closing is None or closing["bracket"] != ")":
            self._expected(self._at)
            self._at = before
            return None
        self._at = closing.end()
        return inner

    def _word(self) -> str | None:
        """The next word; `None` before a parenthesis and at the end."""
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found["word"]

    def _expected(self, at: int) -> None:
        """Record a syntax error at this position."""
        while at < len(self._text) and self._text[at] in _BLANKS:
            at += 1
        self._furthest = max(self._furthest, at)

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ConditionProblem(
                f"the condition nests deeper than {MAX_DEPTH} levels of parentheses and operators",
                self._at,
                "Split it over several selections.",
            )

    # --- names --------------------------------------------------------------------------------------------------

    def _identifier(self, name: str, at: int) -> ir.Identifier:
        self._count(1)
        if name not in self._known and self._unknown is None:
            self._unknown = unknown_name(name, at, self._names)
        return ir.Identifier(name)

    def _quantified(self, quantifier: str, pattern: str, at: int) -> ir.Quantified:
        names = self._selected.get(pattern)
        if names is None:
            names = self._selected[pattern] = tuple(name for name in self._names if selects(pattern, name))
        self._count(len(names) or 1)
        if not names and self._unknown is None:
            self._unknown = unmatched_pattern(quantifier, pattern, at, self._names)
        return ir.Quantified(quantifier == "all", pattern, names)

    def _count(self, terms: int) -> None:
        self._terms += terms
        if self._terms > MAX_TERMS:
            raise ConditionProblem(
                f"the condition names more than {MAX_TERMS:,} selections",
                None,
                "Name each selection once, or write fewer patterns.",
            )

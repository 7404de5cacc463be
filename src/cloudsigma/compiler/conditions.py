"""Condition text → expression of the IR, with the column of what is wrong with it.

The grammar and precedence are pySigma's (pyparsing). Its parse tree is read before its own post-processing, which
would lose the names of selections and the quantifiers. Names are resolved here, so that an undefined identifier or
a pattern without any is an error when the rule is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from msgspec import structs
from pyparsing import ParseBaseException
from sigma.conditions import (
    ConditionAND,
    ConditionIdentifier,
    ConditionItem,
    ConditionNOT,
    ConditionOR,
    ConditionSelector,
    SigmaCondition,
)
from sigma.exceptions import SigmaError
from sigma.rule.detection import EmptySigmaDetections

from cloudsigma import ir
from cloudsigma.compiler.remedies import nearest

MAX_LENGTH = 100_000
"""A condition with more characters than this is refused."""
MAX_DEPTH = 40
"""Operators may nest this deep (runs of the same operator count once)."""

_SHORT = 200
"""Characters of a condition that is worth remembering."""

_OLD_AGGREGATION = re.compile(r"\b(count|min|max|avg|sum|near)\b", re.IGNORECASE)
_OPERATOR_WORDS = frozenset({"and", "or", "not", "of", "all", "any", "them", "1"})
_QUANTIFIED = re.compile(r"\b\d+\s+of\b|\bof\s*\(")
_UPPER_OPERATOR = re.compile(r"\b(?!(?-i:and|or|not)\b)(?:and|or|not)\b", re.IGNORECASE)


class ConditionProblem(Exception):  # noqa: N818  # caught in `compiler` and turned into a RuleError with its place
    """What is wrong with a condition, and at which character of its text (from 0), if that is known."""

    def __init__(self, reason: str, at: int | None, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at
        self.remedy = remedy


def parse_condition(text: object, names: Sequence[str]) -> ir.Expression:
    """Parse one condition over the selections called `names`; raises `ConditionProblem`."""
    if not isinstance(text, str):
        kind = "empty" if text is None else f"a {type(text).__name__}, not text"
        raise ConditionProblem(f"the condition is {kind}", None, "Write an expression over the selections.")
    if len(text) > MAX_LENGTH:
        raise ConditionProblem(f"the condition is longer than {MAX_LENGTH:,} characters", None, "Shorten it.")
    if "|" in text:
        raise _pipe(text)
    return (_expression_of if len(text) <= _SHORT else _expression_of.__wrapped__)(text, tuple(names))


@lru_cache(maxsize=1_000)
def _expression_of(text: str, names: tuple[str, ...]) -> ir.Expression:
    """Remembered, since most rules have one of a few conditions and pySigma takes long over each."""
    try:
        tree = SigmaCondition(text, EmptySigmaDetections()).parse(postprocess=False)
    except SigmaError as error:
        raise _syntax(text, error.__context__) from error
    except RecursionError:
        tree = None
    if tree is None or not isinstance(tree, ConditionItem):
        raise ConditionProblem("the condition nests too deep", None, "Split it over several selections.")
    return _Resolver(text, names).expression(tree, 0)


class _Resolver:
    """Turns pySigma's tree into ours and looks up every name."""

    def __init__(self, text: str, names: Sequence[str]) -> None:
        self._text = text
        self._names = names

    def expression(self, item: object, depth: int) -> ir.Expression:
        if depth > MAX_DEPTH:
            raise ConditionProblem(
                f"the operators of the condition nest deeper than {MAX_DEPTH}",
                None,
                "Split it over several selections.",
            )
        match item:
            case ConditionIdentifier():
                return self._identifier(item.identifier)
            case ConditionSelector():
                return self._quantified(item)
            case ConditionNOT():
                return ir.Not(self.expression(item.args[0], depth + 1))
            case ConditionAND():
                return ir.And(tuple(self.expression(argument, depth + 1) for argument in item.args))
            case ConditionOR():
                return ir.Or(tuple(self.expression(argument, depth + 1) for argument in item.args))
        msg = f"no expression for {type(item).__name__}"
        raise TypeError(msg)

    def _identifier(self, name: str) -> ir.Identifier:
        if name in self._names:
            return ir.Identifier(name)
        at = self._find(name)
        if name.lower() in _OPERATOR_WORDS:
            raise ConditionProblem(
                f"{name!r} is read as a selection, and there is none of that name",
                at,
                f"Operators are written in lower case: {name.lower()}.",
            )
        raise ConditionProblem(f"no selection is called {name!r}", at, nearest(name, self._names))

    def _quantified(self, item: ConditionSelector) -> ir.Quantified:
        names = tuple(name for name in self._names if selects(item.pattern, name))
        if not names:
            raise ConditionProblem(
                f"{item.args[0]} of {item.pattern}: no selection fits the pattern",
                self._find(item.pattern),
                nearest(item.pattern, self._names),
            )
        return ir.Quantified(item.cond_class is ConditionAND, item.pattern, names)

    def _find(self, word: str) -> int | None:
        found = re.search(rf"(?<![\w*-]){re.escape(word)}(?![\w*-])", self._text)
        return found.start() if found else None


def selects(pattern: str, name: str) -> bool:
    """Whether a selector pattern stands for a selection; a leading underscore hides from patterns without one."""
    if name.startswith("_") and not pattern.startswith("_"):
        return False
    wanted = ".*".join(map(re.escape, pattern.split("*"))) if pattern != "them" else ".*"
    return re.fullmatch(wanted, name, re.DOTALL) is not None


def renamed(expression: ir.Expression, names: Mapping[str, str]) -> ir.Expression:
    """The expression with other names in the place of those that it has."""
    match expression:
        case ir.Identifier(name):
            return ir.Identifier(names[name])
        case ir.Quantified():
            return structs.replace(expression, names=tuple(names[name] for name in expression.names))
        case ir.Not(operand):
            return ir.Not(renamed(operand, names))
        case ir.And(operands) | ir.Or(operands):
            return type(expression)(tuple(renamed(operand, names) for operand in operands))


def _pipe(text: str) -> ConditionProblem:
    what = "an aggregation" if _OLD_AGGREGATION.search(text) else "a pipe"
    return ConditionProblem(
        f"{what} behind | is no longer part of Sigma's conditions",
        text.index("|"),
        "Keep the part before the | and write a correlation rule (event_count, value_count, temporal …) for the rest.",
    )


def _syntax(text: str, cause: BaseException | None) -> ConditionProblem:
    at = cause.loc if isinstance(cause, ParseBaseException) else None
    remedy = "Write selections joined by and, or, not, brackets, '1 of pattern' and 'all of pattern'."
    if not text.strip():
        return ConditionProblem("the condition is empty", None, remedy)
    if at is not None:
        at = min(at, len(text))
        rest = text[at:].strip()
        if found := _QUANTIFIED.search(text):
            return ConditionProblem(
                f"{found[0]!r} is no quantifier",
                found.start(),
                "Only '1 of', 'any of' and 'all of' a pattern or them.",
            )
        if re.search(r"\bnear\b", text):
            return ConditionProblem(
                "near is no longer part of Sigma's conditions",
                text.index("near"),
                "Write a correlation rule of type temporal.",
            )
        if found := _UPPER_OPERATOR.search(text):
            remedy = f"Operators are written in lower case: {found[0].lower()}."
        where = f"at {rest[:40]!r}" if rest else "at its end"
        return ConditionProblem(f"the condition cannot be read {where}", at, remedy)
    return ConditionProblem(f"the condition cannot be read ({cause})", None, remedy)

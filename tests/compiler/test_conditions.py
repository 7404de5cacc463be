"""Conditions mean what pySigma's parser says they do, in linear time, and mistakes in them are told."""

from __future__ import annotations

import random
import time

import pytest
from sigma.conditions import (
    ConditionAND,
    ConditionIdentifier,
    ConditionNOT,
    ConditionOR,
    ConditionSelector,
    SigmaCondition,
)
from sigma.exceptions import SigmaError
from sigma.rule.detection import EmptySigmaDetections

from cloudsigma import ir
from cloudsigma.compiler.conditions import (
    MAX_DEPTH,
    MAX_TERMS,
    ConditionProblem,
    parse_condition,
    selects,
)

NAMES = ("selection", "selection_a", "filter-x", "and", "not", "of", "1", "all", "them", "notepad", "_hidden")
WORDS = (*NAMES, "or", "any", "1 of ", "all of ", "any of", "selection*", "*", "sel*a", "(", ")", "(", ")", " ", "  ",
         "\n", "\t", "not", "and ", "or ", "and", "or", "-", "not(", ")and(", "!", "é")  # fmt: skip


def by_pysigma(text: str) -> object:
    """The condition as pySigma's parser reads it, in the form of the IR; `None` where it refuses it."""
    try:
        tree = SigmaCondition(text, EmptySigmaDetections()).parse(postprocess=False)
    except SigmaError:
        return None
    return _converted(tree)


def _converted(item: object) -> object:
    match item:
        case ConditionIdentifier():
            return ir.Identifier(item.identifier)
        case ConditionSelector():
            names = tuple(name for name in NAMES if selects(item.pattern, name))
            return ir.Quantified(item.cond_class is ConditionAND, item.pattern, names)
        case ConditionNOT():
            return ir.Not(_converted(item.args[0]))  # type: ignore[arg-type]
        case ConditionAND():
            return ir.And(tuple(map(_converted, item.args)))  # type: ignore[arg-type]
        case ConditionOR():
            return ir.Or(tuple(map(_converted, item.args)))  # type: ignore[arg-type]
    raise AssertionError(item)


def has_unknown(expression: object) -> bool:
    match expression:
        case ir.Identifier(name):
            return name not in NAMES
        case ir.Quantified(_, _, names):
            return not names
        case ir.Not(operand):
            return has_unknown(operand)
        case ir.And(operands) | ir.Or(operands):
            return any(map(has_unknown, operands))
    raise AssertionError(expression)


def condition(chosen: random.Random, depth: int = 0) -> str:
    """A text that the grammar has."""
    kind = chosen.randrange(6) if depth < 4 else chosen.randrange(2)
    if kind == 0:
        return chosen.choice(("1 of", "any  of", "all of")) + chosen.choice((" them", " s*", " selection*", " *"))
    if kind == 1:
        return chosen.choice(("selection", "selection_a", "filter-x", "notepad"))
    if kind == 2:
        return f"not {condition(chosen, depth + 1)}"
    if kind == 3:
        return f"({condition(chosen, depth + 1)})"
    word = f" {chosen.choice(('and', 'or'))} "
    return word.join(condition(chosen, depth + 1) for _ in range(chosen.randint(2, 3)))


def test_conditions_are_parsed_as_pysigma_parses_them() -> None:
    """Over random texts, right and wrong, both parsers give the same expression or both refuse."""
    chosen = random.Random(20261201)  # noqa: S311  # no secrets
    parsed = 0
    for at in range(3_000):
        words = chosen.choice(("", " ")).join(chosen.choices(WORDS, k=chosen.randint(1, 9)))
        text = condition(chosen) if at % 4 == 0 else words
        expected = by_pysigma(text)
        try:
            found: object = parse_condition(text, NAMES)
        except ConditionProblem:
            assert expected is None or has_unknown(expected), text
        else:
            assert found == expected, text
            parsed += 1
    assert parsed > 800


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("them", "a", True), ("them", "_a", False), ("_*", "_a", True), ("*", "_a", False), ("a*", "a", True),
        ("a*a", "a", False), ("a*b*c", "a-b-c", True), ("a*b*c", "acb", False), ("*b", "ab", True), ("ab", "ab", True),
        ("**", "x", True), ("a**b", "ab", True), ("a*b*b", "ab", False),
    ],
)  # fmt: skip
def test_patterns(pattern: str, name: str, *, expected: bool) -> None:
    """`*` matches any characters; a name that begins with an underscore needs a pattern that does."""
    assert selects(pattern, name) is expected


@pytest.mark.parametrize(
    "text",
    [
        "(" * 50_000 + "selection",
        "(" * (MAX_DEPTH - 1) + "selection" + ")" * (MAX_DEPTH - 1) + " and (",
        "not " * 25_000 + "selection",
        "selection and not (" * 38 + "selection",
        "selection or " * 7_000 + "selection",
        "(selection or " * 39 + "selection" + ")" * 39,
        "1 of " + "s*" * 49_000,
        "1 of * or " * 9_000 + "selection",
    ],
    ids=["open", "deep", "nots", "mixed", "long", "nested or", "pattern", "quantifiers"],
)
def test_time_is_linear(text: str) -> None:
    """No condition of 100,000 characters takes longer than a moment."""
    started = time.process_time()
    try:
        parse_condition(text, NAMES)
    except ConditionProblem as problem:
        told = problem.reason
    else:
        told = ""
    assert len(told) < 200
    assert time.process_time() - started < 1


def test_patterns_over_many_selections_are_bounded() -> None:
    """Patterns may match `MAX_TERMS` selections together."""
    names = tuple(f"s{number}" for number in range(MAX_TERMS // 2))
    assert parse_condition("1 of s* or 1 of s*", names)
    with pytest.raises(ConditionProblem, match=f"more than {MAX_TERMS:,} selections"):
        parse_condition("1 of s* or 1 of s* or s1", names)

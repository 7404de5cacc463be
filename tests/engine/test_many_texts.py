"""Many substrings looked for in one pass, and verdicts that are remembered: the same as one by one."""

from __future__ import annotations

import pytest
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

from cloudsigma import ir
from cloudsigma.engine.evaluate import operators, runtime
from cloudsigma.engine.evaluate.calls import Call
from cloudsigma.engine.evaluate.codegen import Line, Program
from cloudsigma.engine.evaluate.loading import Vocabulary
from cloudsigma.engine.memo import Budget

ALPHABET = st.sampled_from(list("abAB.*+?()[]{}|\\^$ éßİſK\x00\n\ud800\N{REPLACEMENT CHARACTER}"))
TEXTS = st.text(ALPHABET, min_size=1, max_size=4)


def contains(text: str, *, cased: bool) -> ir.Pattern:
    return ir.Pattern((ir.Wildcard.MANY, text, ir.Wildcard.MANY), cased)


@fuzz(160)
@given(st.lists(TEXTS, min_size=32, max_size=50), st.lists(st.text(ALPHABET, max_size=20), min_size=1), st.booleans())
def test_one_pass_finds_what_one_by_one_finds(texts: list[str], subjects: list[str], cased: bool) -> None:
    test = runtime.contains(*texts, cased=cased)
    matchers = [contains(text, cased=cased) for text in texts]
    for subject in [*subjects, *subjects]:
        assert test((subject,)) == any(operators.matches(matcher, subject) for matcher in matchers)


def test_thousands_of_texts_are_looked_for_too() -> None:
    texts = [f"prefix-{number:05}-suffix" for number in range(20_000)]
    test = runtime.contains(*texts)
    assert test(("… PREFIX-19999-suffix …",))
    assert not test(("prefix-20000-suffix",))


@pytest.mark.parametrize("call", [Call("search", ("^a+$",)), Call("like", (("a", ir.Wildcard.ONE), ("b",)))])
def test_remembered_texts_are_bounded(call: Call) -> None:
    """10,000 short texts and 100 of 100 KB: neither the entries nor the bytes grow without bound."""
    budget = Budget(1 << 20)
    program = Program((("TEST_0", call), ("FIELD_0", Call("field", ("a",)))), (LINES,), frozenset({"a"}))
    predicate = Vocabulary(budget).load(program, "here")
    for number in range(10_000):
        assert not predicate({"a": f"{number}"})
    for number in range(100):
        assert not predicate({"a": f"{number}" * 50_000})
    assert 0 < budget.used <= 1 << 20


LINES = (Line("def predicate(record):"), Line("    return TEST_0(FIELD_0(record))"))

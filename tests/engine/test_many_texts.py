"""Many substrings looked for in one pass, and verdicts that are remembered: the same as one by one."""

from __future__ import annotations

import pytest
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

from cloudsigma import ir
from cloudsigma.engine.evaluate import operators, runtime

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


@pytest.mark.parametrize("test", [runtime.search("^a+$"), runtime.like(("a", ir.Wildcard.ONE), ("b",))])
def test_what_is_remembered_is_bounded(test: runtime.ValuesTest) -> None:
    for number in range(10_000):
        assert not test((f"{number}",))
    assert not test(("x" * 10_000,))

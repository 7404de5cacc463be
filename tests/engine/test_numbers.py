"""The text and the order of numbers: the same in any decimal context, of any number of digits, without an exception."""

from __future__ import annotations

import decimal
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.engine.evaluate import operators
from cloudsigma.engine.numbers import number_text, order, read_number

HOSTILE = decimal.Context(prec=1, Emax=1, Emin=-1, rounding=decimal.ROUND_UP, traps=list(decimal.Context().flags))


@pytest.fixture(autouse=True)
def hostile_context() -> Iterator[None]:
    """One digit, every signal trapped, and the least limit of digits that Python takes."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    with decimal.localcontext(HOSTILE) as context:
        yield
        assert not any(context.flags.values())
    sys.set_int_max_str_digits(limit)


TEXTS: list[tuple[Any, str]] = [
    (8.0, "8"), (-0.0, "0"), (0.5, "0.5"), (1e300, f"{int(1e300)}"),
    (float("inf"), "inf"), (12, "12"), (-(10**5000), "-1" + "0" * 5000),
    (Decimal("1.50"), "1.5"), (Decimal("-0.00"), "0"), (Decimal("0E+900000000"), "0"), (Decimal("1E+3"), "1000"),
    (Decimal("-12E-3"), "-0.012"), (Decimal("7" * 5000), "7" * 5000), (Decimal("NaN"), "NaN"),
    (Decimal("1E+9000000"), "1" + "0" * 9_000_000), (Decimal("-1.20E+99999999999"), "-1.2E+99999999999"),
    (Decimal("5E-99999999999"), "5E-99999999999"),

]  # fmt: skip


def test_text_of_a_number() -> None:
    for number, text in TEXTS:
        assert number_text(number) == text
        assert operators.text(number) == text


def test_text_takes_no_quadratic_time() -> None:
    began = time.process_time()
    assert len(number_text(10**400_000)) == 400_001
    assert time.process_time() - began < 5


@fuzz(300)
@given(st.integers() | st.integers(-(10**1500), 10**1500))
def test_text_of_integers_is_that_of_python(number: int) -> None:
    with decimal.localcontext(decimal.Context(prec=5000)):
        assert Decimal(number_text(number)) == number


ORDERED = [Decimal("-Infinity"), -(10**700), -1.5, Decimal(-1), 0, 0.1, Decimal("0.2"), 1, 2.5, Decimal("1E+9000000")]


def test_order_of_numbers() -> None:
    for at, number in enumerate(ORDERED):
        for position, other in enumerate(ORDERED):
            assert order(number, other) == (at > position) - (at < position)
        assert order(number, Decimal("NaN")) is None
        assert order(Decimal("sNaN"), number) is None
        assert order(number, float("nan")) is None


def test_numbers_are_read_under_any_limit() -> None:
    assert read_number("1" * 3000) == (10**3000 - 1) // 9
    assert read_number("-3") == -3
    assert read_number("1e2") == 100.0


def test_rules_give_one_verdict_in_any_context() -> None:
    """Records with numbers that a trapped signal would stop."""
    text = "title: T\nlogsource: {product: aws}\ndetection:\n  s: {%s}\n  condition: s\n"
    amounts: list[Any] = [Decimal("1.5"), Decimal("1E+9000000"), 10**5000, Decimal("NaN"), Decimal("sNaN"), "9" * 3000]
    for item, expected in [
        ("a|gt: 1", [True, True, True, False, False, True]),
        ("a: 1.5", [True, False, False, False, False, False]),
        ("a: '1.5'", [True, False, False, False, False, False]),
        ("a|contains: '99'", [False, False, False, False, False, True]),
    ]:
        rules = cloudsigma.compile_text(text % item)
        assert [bool(rules.verdicts({"a": amount})) for amount in amounts] == expected
        explained = [rules.explain({"a": amount}, rules.rules[0].id) for amount in amounts]
        assert [each.matched for each in explained] == expected
        assert all(map(str, explained))

"""`fieldref` between fields with many values: the quick ways agree with the definition, and products are bounded."""

from __future__ import annotations

import logging
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.engine.evaluate import operators

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3),
    st.sampled_from([0.0, 1.0, 1.5, float("nan"), Decimal(1), Decimal("1.5")]),
    st.sampled_from(["", "1", "1.0", "1.5", "true", "A", "a", "\u00c4", "\u00e4", "nan"]),
)  # fmt: skip
LISTS = st.lists(VALUES, max_size=6)


@given(LISTS, LISTS, st.booleans(), st.sampled_from(["equals", "startswith", "endswith", "contains"]))
def test_many_values_agree_as_few_do(ours: list[Any], theirs: list[Any], cased: bool, comparison: Any) -> None:
    expected = [v for v in ours if any(operators.agree(v, other, comparison, cased=cased) for other in theirs)]
    padding = [f"padding {n}" for n in range(80)]  # more pairs than the plain way takes
    found = list(operators.agreeing([*ours, *padding], [*theirs, None], comparison, cased=cased))
    assert list(map(repr, [each for each in found if each not in padding])) == list(map(repr, expected))


def test_products_of_arrays_take_bounded_time_and_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    def rules(modifiers: str) -> Any:
        detection = f"detection: {{s: {{a|{modifiers}: b}}, condition: s}}"
        return cloudsigma.compile_text(f"title: t\nlogsource: {{product: aws}}\n{detection}\n")

    record = {"a": [f"x{n}" for n in range(20_000)], "b": [f"y{n}" for n in range(20_000)]}
    started = time.process_time()
    assert rules("fieldref").verdicts(record) == ()
    with caplog.at_level(logging.WARNING):
        assert rules("fieldref|contains").verdicts(record) == ()
    assert time.process_time() - started < 5
    assert "more than 100000 pairs" in caplog.text
    assert len(rules("fieldref").verdicts({**record, "b": [*record["b"], "X19999"]})) == 1

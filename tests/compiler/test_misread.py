"""YAML's traps: numbers that are not what they show are refused where they would change what a rule means."""

from __future__ import annotations

import pytest

import cloudsigma

RULE = """\
title: T
logsource: {product: aws, service: cloudtrail}
detection:
    selection:
        recipientAccountId: VALUE
    condition: selection
"""


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("012345671234", "1402434204"), ("-0123", "-83"), ("0644", "420"), ("1:30", "90"), ("1:30.5", "90.5"),
        ("1_000", "1000"), ("1_0.5", "10.5"), ("1.23456789012345678e+5", "123456.78901234567"),
        ("0x1F", "31"), ("0b11", "3"),
    ],
)  # fmt: skip
def test_a_number_that_reads_otherwise_is_refused(text: str, number: str) -> None:
    """The error shows the text and the number, at its line, and how to write either."""
    with pytest.raises(cloudsigma.RuleError) as caught:
        cloudsigma.compile_text(RULE.replace("VALUE", text))
    error = caught.value
    assert (error.category, error.line) == ("value", 5)
    assert f"{text} without quotation marks is the number {number}" in error.reason
    assert f"'{text}'" in (error.remedy or "")


@pytest.mark.parametrize(
    "text", ["111122223333", "012345678912", "5", "-5", "0", "1.5", "'0644'", '"1:30"', "1e3", "+5"]
)
def test_numbers_that_read_as_written_stay(text: str) -> None:
    """Ordinary numbers and whatever is in quotation marks compile; so does 012345678912, which YAML reads as text."""
    assert len(cloudsigma.compile_text(RULE.replace("VALUE", text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        RULE.replace("title: T", "title: T\nx: &a [b, 0644]").replace("VALUE", "*a"),
        "x: &m {recipientAccountId: 0644}\n" + RULE.replace("recipientAccountId: VALUE", "<<: *m"),
        RULE.replace("VALUE", "[1, {a: 1}, 0644]").replace("{a: 1}", "2"),
        RULE.replace("title: T", "title: T\naction: global").replace("VALUE", "0644") + "---\ntitle: R\n",
        RULE.replace("detection:", "filter:\n    rules: any").replace("VALUE", "0644"),
        "title: C\ncorrelation: {type: event_count, rules: [r], timespan: 1m, condition: {gte: 010}}\n",
    ],
    ids=["alias", "merge", "list", "global", "filter", "correlation"],
)
def test_wherever_the_number_comes_from(text: str) -> None:
    """Aliases, merged maps, lists, global values, filters and correlations are looked at, too."""
    errors = cloudsigma.compile_text(text, on_error="skip").errors
    assert "value" in {error.category for error in errors}, errors


def test_a_global_value_that_is_replaced_is_forgotten() -> None:
    """Only the values that a rule is left with count."""
    first = "action: global\ndetection:\n    selection:\n        recipientAccountId: '0644'\n---\n"
    assert len(cloudsigma.compile_text(first + RULE.replace("VALUE", "0644"))) == 1

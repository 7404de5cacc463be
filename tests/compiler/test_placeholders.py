"""Placeholders: values that the user gives stand where the rule says `%name%`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma.compiler.placeholders import read_placeholders

RULE = """\
title: T
logsource: {product: aws, service: cloudtrail}
detection:
    selection:
        user|expand: ['%admins%', 'x%n%y']
        text|contains|expand: '%admins%'
        match|re|expand: '^%literal%$'
    condition: selection
"""
VALUES: dict[str, list[Any]] = {"admins": ["al*", "bob"], "n": [1, 2], "literal": ["a.b", "c+"]}


@pytest.mark.parametrize(
    ("changes", "matches"),
    [
        ({}, True),
        ({"user": "X2Y"}, True),
        ({"user": "x3y"}, False),
        ({"text": "ROBOBERT"}, True),
        ({"text": "carol"}, False),
        ({"match": "a.b"}, True),
        ({"match": "axb"}, False),
    ],
)
def test_values_stand_in_place(changes: dict[str, str], matches: bool) -> None:
    """Each value is tried; wildcards in it count in a string and are literal in an expression."""
    (rule,) = cloudsigma.compile_text(RULE, placeholders=VALUES)
    record = {"user": "alice", "text": "so bob said", "match": "c+", **changes}
    assert rule.predicate is not None
    assert rule.predicate(record) is matches


def test_missing_values_are_an_error_with_the_way_out() -> None:
    """A placeholder without values is `unsupported`, names itself and says how to give them."""
    errors = cloudsigma.compile_text(RULE, placeholders={"n": [1]}, on_error="skip").errors
    assert (errors[0].category, errors[0].line) == ("unsupported", 5)
    assert "%admins%" in errors[0].reason
    assert "placeholders={'admins': [values]}" in (errors[0].remedy or "")


def test_combinations_are_bounded() -> None:
    """Too many combinations in one value are refused with the number; one long list is not."""
    text = RULE.replace("x%n%y", "%n%%n%")
    many = {**VALUES, "n": list(range(200))}
    with pytest.raises(cloudsigma.RuleError, match="40,000 combinations"):
        cloudsigma.compile_text(text, placeholders=many)
    assert len(cloudsigma.compile_text(RULE, placeholders={**VALUES, "n": list(range(5000))})) == 1


@pytest.mark.parametrize("wrong", [{"a": []}, {"a": [None]}, {"a": {"b": 1}}], ids=repr)
def test_wrong_values_are_wrong_usage(wrong: dict[str, Any]) -> None:
    """Values that are no text and no numbers are told before any rule is compiled."""
    with pytest.raises(cloudsigma.UsageError, match="placeholder 'a'"):
        cloudsigma.compile_text(RULE, placeholders=wrong)


def test_values_from_a_file(tmp_path: Path) -> None:
    """A YAML file maps names to values; a file that cannot be used says why."""
    file = tmp_path / "values.yml"
    file.write_text("admins: [al*, bob]\nn: 1\nflag: true\n")
    assert read_placeholders(file) == {"admins": ("al*", "bob"), "n": ("1",), "flag": ("true",)}
    file.write_text("accounts: [012345671234, 111122223333]\nhour: 1:30\nversion: 1.10\nday: 2026-01-02\n")
    assert read_placeholders(file) == {
        "accounts": ("012345671234", "111122223333"), "hour": ("1:30",), "version": ("1.10",), "day": ("2026-01-02",),
    }  # fmt: skip
    file.write_text("- a\n")
    with pytest.raises(cloudsigma.RuleError, match="no map of placeholders"):
        read_placeholders(file)
    with pytest.raises(cloudsigma.RuleError, match="cannot be read"):
        read_placeholders(tmp_path / "none.yml")
    file.write_text("a: [")
    with pytest.raises(cloudsigma.RuleError, match="yaml error"):
        read_placeholders(file)


def test_all_public_rules_load_or_are_refused_as_expected(shared_corpus: Path) -> None:
    """Of SigmaHQ's 3,867 files all compile but 61 with an old condition or timeframe, and those with placeholders.

    Once values are given, the rules with placeholders compile as well. Where a condition is an old pipe, the message
    names correlations.
    """
    rules = cloudsigma.compile_rules(shared_corpus / "sigmahq_all", on_error="skip")
    refused: dict[str, set[str | None]] = {}
    names: set[str] = set()
    for error in rules.errors:
        kind = "placeholder" if "placeholder" in error.reason else error.category
        refused.setdefault(kind, set()).add(error.path)
        if kind == "placeholder":
            names.add(error.reason.split("%")[1])
        if "|" in error.reason:
            assert "correlation rule" in (error.remedy or "")
    counts = {kind: len(files) for kind, files in refused.items()}
    assert counts == {"condition": 58, "unsupported": 47, "placeholder": 25}
    folder = shared_corpus / "sigmahq_all" / "rules-placeholder"
    values = {name: ["value"] for name in names}
    again = cloudsigma.compile_rules(folder, placeholders=values, on_error="skip")
    assert again.errors == ()
    assert len(again) == len(list(folder.rglob("*.yml")))

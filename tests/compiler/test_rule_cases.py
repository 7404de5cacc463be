"""The cases of rules in `tests/corpus/cases/bugs-rules`: what users of comparable tools met, right or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import cloudsigma

CASES = Path(__file__).parent.parent / "corpus" / "cases" / "bugs-rules"
REFUSED = frozenset({"123-octal-account"})
"""Cases that expect matches and are refused, which is right as well; `docs/semantics.md` says why."""

DECIDED: dict[str, list[list[Any]]] = {"041-own-account-beside-foreign": [["T", 0]]}
"""Contested cases and their matches here; `docs/semantics.md` says why."""


def options(place: Path) -> dict[str, Any]:
    """The arguments of `compile_text` that a case has files for."""
    found: dict[str, Any] = {}
    if (place / "pipeline.yml").is_file():
        found["pipelines"] = [place / "pipeline.yml"]
    if (place / "placeholders.yml").is_file():
        found["placeholders"] = json.loads((place / "placeholders.yml").read_text(encoding="utf-8"))
    return found


def matches(rules: cloudsigma.RuleSet, records: list[dict[str, Any]]) -> list[list[Any]]:
    """Title and position of the record, or the positions of those that a correlation joins, in order."""
    found: list[list[Any]] = []
    for match in rules.evaluate(records):
        positions = sorted(next(at for at, each in enumerate(records) if each is record) for record in match.records)
        found.append([match.rule.title, positions if match.rule.correlation is not None else positions[0]])
    return sorted(found, key=repr)


@pytest.mark.parametrize("place", sorted(CASES.iterdir()), ids=lambda place: place.name)
def test_rule_case(place: Path) -> None:
    """The matches are those expected, or the first error has the category expected and says what to do."""
    expected = json.loads((place / "expect.json").read_text(encoding="utf-8"))
    lines = (place / "records.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines if line.strip()]
    rules = cloudsigma.compile_text((place / "rule.yml").read_text(encoding="utf-8"), on_error="skip", **options(place))
    if "error" in expected or place.name in REFUSED:
        assert rules.errors
        assert all(error.reason and error.remedy and error.line for error in rules.errors)
        if "error" in expected:
            assert rules.errors[0].category == expected["error"], str(rules.errors[0])
        return
    assert not rules.errors, str(rules.errors[0])
    assert matches(rules, records) == sorted(DECIDED.get(place.name, expected["matches"]), key=repr)

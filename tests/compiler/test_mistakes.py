"""Mistakes that authors make are told at their place, and rules that only look wrong are quiet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import cloudsigma

FOLDER = Path(__file__).parents[1] / "corpus" / "mistakes"
CASES: dict[str, dict[str, Any]] = {
    f"{file.stem}: {case['mistake']}": case
    for file in sorted(FOLDER.glob("*.yml"))
    for case in yaml.safe_load(file.read_text(encoding="utf-8"))
}


def places(text: str) -> list[str]:
    rules = cloudsigma.compile_text(text, on_error="skip")
    return [f"{each.line}:{each.column}" for each in (*rules.errors, *rules.warnings)]


@pytest.mark.parametrize("name", CASES)
def test_mistake(name: str) -> None:
    """Each mistake is told exactly at the places that its case names, and nothing else is."""
    case = CASES[name]
    found = places(case["text"])
    if case["must"] == "told":
        assert found == case.get("at", [])
        rules = cloudsigma.compile_text(case["text"], on_error="skip")
        assert case.get("says", "") in "\n".join(map(str, (*rules.errors, *rules.warnings)))
        assert found or "works" in case or "left_to_the_linter" in case
    elif case["must"] == "quiet":
        assert found == []


def test_what_is_left_to_the_linter() -> None:
    """Only mistakes that need knowledge of CloudTrail are left to the linter, and each says which knowledge."""
    left = [case for case in CASES.values() if "left_to_the_linter" in case]
    assert len(left) <= 7
    assert all(case["must"] == "told" and "at" not in case for case in left)


def test_every_shared_case_is_a_case_here(shared: Path) -> None:
    """Every shared case is a case here, with the same verdict."""
    import json

    manifest = json.loads((shared / "cases" / "mistakes" / "manifest.json").read_text(encoding="utf-8"))
    here = {(case["mistake"], case["must"]) for case in CASES.values()}
    assert {(each["mistake"], each["must"]) for each in manifest} <= here

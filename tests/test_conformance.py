"""The conformance cases: what a rule means, as data."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import cloudsigma
from cloudsigma.engine.evaluate.explain import explain

FOLDER = Path(__file__).parent / "corpus" / "conformance"
FILES = sorted(FOLDER.glob("*.yml"))
CASES = [case for file in FILES for case in yaml.load(file.read_text(), Loader=yaml.CSafeLoader)]
PASSING = FOLDER / "passing.json"


def problem(case: dict[str, Any]) -> str | None:
    """What is wrong with the library's answer to a case; `None` where it is right."""
    expected = case["expect"]
    try:
        rules = cloudsigma.compile_text(case["rule"])
    except (cloudsigma.RuleError, cloudsigma.RuleErrors) as error:
        errors = error.exceptions if isinstance(error, cloudsigma.RuleErrors) else (error,)
        wanted = expected["error"] if isinstance(expected, dict) else []
        if all(found.category in ([wanted] if isinstance(wanted, str) else wanted) for found in errors):
            return None
        return f"expected {expected}, got {error}"
    if isinstance(expected, dict):
        return f"loads, but must fail with {expected['error']}"
    events = case["events"]
    if len(rules) != 1 or rules.rules[0].correlation is not None:
        found = [_match(match, events) for match in rules.evaluate(events)]
        wanted_matches = [(match["rule"], match["events"], match.get("group", {})) for match in expected]
        got: Any = sorted(found, key=repr)
        want: Any = sorted(wanted_matches, key=repr)
    else:
        got = [at for at, event in enumerate(events) if list(rules.evaluate([event]))]
        want = expected
    return None if got == want else f"expected {want}, got {got}"


def _match(match: cloudsigma.Match, events: list[Any]) -> tuple[str, list[int], dict[str, str]]:
    positions = sorted(next(at for at, event in enumerate(events) if event is record) for record in match.records)
    return match.rule.title, positions, dict(match.group)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    """A case has the answer that it expects."""
    assert problem(case) is None, case["why"]


def test_count_per_area(record_property: Any) -> None:
    """The number of cases that pass falls in no area."""
    passed = Counter(case["area"] for case in CASES if problem(case) is None)
    total = Counter(case["area"] for case in CASES)
    for area in sorted(total):
        print(f"{area:20} {passed[area]:3} of {total[area]:3}")
        record_property(area, passed[area])
    print(f"{'all':20} {passed.total():3} of {total.total():3}")
    least = json.loads(PASSING.read_text())
    assert least.keys() == total.keys()
    assert {area: passed[area] for area in total if passed[area] < least[area]} == {}


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_files_are_valid(file: Path) -> None:
    """A case file fits its JSON Schema, and its cases are of its area."""
    cases = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
    jsonschema.validate(cases, json.loads((FOLDER / "schema.json").read_text()))
    assert {case["area"] for case in cases} == {file.stem}


def test_ids_are_unique() -> None:
    """No case has the ID of another."""
    assert [case_id for case_id, count in Counter(case["id"] for case in CASES).items() if count > 1] == []


def test_plain_evaluator_agrees() -> None:
    """On every case, the predicate and the plain evaluator give the same verdict."""
    compared = 0
    for case in CASES:
        try:
            rules = cloudsigma.compile_text(case["rule"])
        except cloudsigma.CloudSigmaError:
            continue
        for rule in rules:
            for event in case["events"]:
                if rule.correlation is None:
                    assert rule.predicate(event) is explain(rule.definition, event).matched, (case["id"], event)
                    compared += 1
    assert compared > 700

"""Patterns for EventBridge hand on every event that the rules match."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import run
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.rulesets.event_patterns import LONGEST, event_patterns

RULE = """
title: T
id: 0b2d8a8e-3c6f-4a7e-9d55-0a8f2f9f6f01
logsource: {product: aws, service: cloudtrail}
detection: {DETECTION}
"""


def passes(pattern: Any, value: Any) -> bool:
    """Whether an event passes a pattern, by EventBridge's guide; what the guide has and we do not use is an error."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(passes(inner, value.get(key)) for key, inner in pattern.items())
    return any(_one(option, value) for option in pattern)


def _one(option: Any, value: Any) -> bool:
    if isinstance(option, str):
        return bool(value == option)
    ((operator, text),) = option.items()
    if not isinstance(value, str):
        return False
    match operator:
        case "suffix":
            return value.endswith(text)
        case "equals-ignore-case":
            return value.lower() == text.lower()
    raise AssertionError(operator)


def delivered(record: Any, patterns: tuple[dict[str, Any], ...]) -> bool:
    event = {"detail-type": "AWS API Call via CloudTrail", "detail": record}
    return any(passes(pattern, event) for pattern in patterns)


def patterns_of(detection: str) -> list[dict[str, Any]]:
    found = event_patterns(cloudsigma.compile_text(RULE.replace("{DETECTION}", detection)))
    return [pattern["detail"] for pattern in found.patterns]


EITHER = (
    "{a: {eventSource: iam.amazonaws.com, eventName: CreateUser}, "
    "b: {eventSource: kms.amazonaws.com, eventName: CreateKey}, condition: a or b}"
)


@pytest.mark.parametrize(
    ("detection", "wanted"),
    [
        (
            "{s: {eventSource: iam.amazonaws.com, eventName: [CreateUser, createuser, DeleteUser]}, condition: s}",
            [{"eventSource": ["iam.amazonaws.com"], "eventName": ["CreateUser", "DeleteUser"]}],
        ),
        ("{s: {eventName: CreateKey}, condition: s}", [{"eventName": ["CreateKey"]}]),
        (
            "{s: {eventSource: iam.amazonaws.com, eventName: SomethingNew}, condition: s}",
            [{"eventSource": ["iam.amazonaws.com"], "eventName": [{"equals-ignore-case": "SomethingNew"}]}],
        ),
        (
            "{s: {eventSource: iam.amazonaws.com, eventName|startswith: Create}, condition: s}",
            [{"eventSource": ["iam.amazonaws.com"]}],
        ),
        (
            EITHER,
            [
                {"eventSource": ["iam.amazonaws.com"], "eventName": ["CreateUser"]},
                {"eventSource": ["kms.amazonaws.com"], "eventName": ["CreateKey"]},
            ],
        ),
        ("{s: {userAgent: x}, condition: s}", []),
        ("{s: {eventName: CreateUser}, condition: not s}", []),
    ],
)
def test_patterns_are_as_narrow_as_the_rule(detection: str, wanted: list[dict[str, Any]]) -> None:
    assert patterns_of(detection) == wanted


def test_dated_names_of_lambda_are_asked_for_as_the_rule_has_them() -> None:
    name = "UpdateFunctionCode20150331v2"
    detection = f"{{s: {{eventSource: lambda.amazonaws.com, eventName: {name}}}, condition: s}}"
    rules = cloudsigma.compile_text(RULE.replace("{DETECTION}", detection))
    record = {"eventSource": "lambda.amazonaws.com", "eventName": name}
    assert delivered(record, event_patterns(rules).patterns)


def test_every_match_on_the_corpus_is_delivered(shared_corpus: Path) -> None:
    rules = cloudsigma.compile_rules(shared_corpus / "sigmahq_rules", on_error="skip")
    found = event_patterns(rules)
    without = {rule.id for rule in found.without}
    matched = 0
    for match in rules.evaluate(cloudsigma.read_records(shared_corpus / "invictus", shared_corpus / "stratus")):
        if match.rule_id not in without:
            matched += 1
            assert delivered(match.record, found.patterns), match
    assert matched > 40
    assert all(len(json.dumps(pattern)) <= LONGEST for pattern in found.patterns)


NAMES = ["CreateUser", "createuser", "CreateKey", "SomethingNew", "ConsoleLogin"]
SOURCES = ["iam.amazonaws.com", "kms.amazonaws.com", "signin.amazonaws.com", "new.amazonaws.com"]
SELECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "eventName": st.lists(st.sampled_from(NAMES), min_size=1, max_size=3),
        "eventSource": st.lists(st.sampled_from(SOURCES), min_size=1, max_size=2),
        "eventName|startswith": st.sampled_from(["Create", "Some"]),
        "awsRegion": st.just("us-east-1"),
    },
).filter(bool)
CONDITIONS = st.sampled_from(["a and b", "a or b", "a and not b", "not a and b", "a or not b", "1 of *"])


@given(a=SELECTIONS, b=SELECTIONS, condition=CONDITIONS)
def test_no_event_that_a_rule_matches_is_kept_back(a: dict[str, Any], b: dict[str, Any], condition: str) -> None:
    rules = cloudsigma.compile_text(RULE.replace("{DETECTION}", json.dumps({"a": a, "b": b, "condition": condition})))
    found = event_patterns(rules)
    for source in SOURCES:
        for name in NAMES:
            record = {"eventSource": source, "eventName": name, "awsRegion": "us-east-1"}
            if rules.verdicts(record) and not found.without and name != "createuser":  # CloudTrail never writes it so
                assert delivered(record, found.patterns), record


def test_long_patterns_are_split(tmp_path: Path) -> None:
    names = [f"SomethingNew{at:04}" for at in range(300)]
    rule = tmp_path / "long.yml"
    detection = json.dumps({"s": {"eventSource": "iam.amazonaws.com", "eventName": names}, "condition": "s"})
    rule.write_text(RULE.replace("{DETECTION}", detection))
    done = run("rules", "--eventbridge-pattern", rule)
    patterns = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(patterns) > 1
    assert all(len(line) <= LONGEST for line in done.stdout.splitlines())
    asked = [name["equals-ignore-case"] for pattern in patterns for name in pattern["detail"]["eventName"]]
    assert sorted(asked) == names


def test_rules_without_a_pattern_are_told(tmp_path: Path) -> None:
    rule = tmp_path / "any.yml"
    rule.write_text(RULE.replace("{DETECTION}", "{s: {userAgent: x}, condition: s}"))
    done = run("rules", "--eventbridge-pattern", rule)
    assert (done.stdout, done.returncode) == ("", 3)
    assert "left out: T" in done.stderr
    reading = run("rules", "--eventbridge-pattern", rule.with_name("none.yml"))
    assert reading.returncode != 0

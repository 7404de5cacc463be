"""Evidence and explanations stay small, whatever the size of the rule and of the record."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import cloudsigma

VALUES = 10_000
LONG = "".join(f"v{number:05}" for number in range(VALUES)) + "x" * 40_000
"""100 KB that hold every value."""
HEAD = "title: T\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n"


def ruled(detection: str) -> cloudsigma.RuleSet:
    return cloudsigma.compile_text(HEAD + detection)


def all_of_them() -> cloudsigma.RuleSet:
    listed = "".join(f"      - v{number:05}\n" for number in range(VALUES))
    return ruled(f"  s:\n    eventName: X\n    f|contains|all:\n{listed}  condition: s\n")


def record(**more: Any) -> dict[str, Any]:
    return {"eventName": "X", **more}


def cpu(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def test_many_values_in_a_long_text_are_little_evidence() -> None:
    rules = all_of_them()
    given = record(f=LONG)
    (match,) = rules.match(given)
    *items, last = match.evidence
    assert len(items) <= 100
    assert (last.selection, last.field, last.pattern, last.values) == (
        "",
        None,
        f"{VALUES + 1 - len(items):,} more",
        (),
    )
    assert sum(len(value) for item in items for value in item.values) <= 1 << 18
    assert len(match.to_json(record=False)) < 400_000
    assert match.record["f"] is LONG

    explanation = rules.explain(given, match.rule_id)
    assert len(str(explanation)) < 10_000
    assert len(json.dumps(explanation.to_dict())) < 1_000_000


def test_evidence_of_a_long_text_costs_a_few_times_its_verdict() -> None:
    rules = all_of_them()
    given = record(f=LONG)
    rules.match(given)
    verdict = min(cpu(lambda: rules.verdicts(given)) for _ in range(3))
    match = min(cpu(lambda: rules.match(given)) for _ in range(3))
    assert match < 5 * verdict + 0.2


def test_a_long_text_is_cut_to_its_ends() -> None:
    rules = ruled("  s: {eventName: X, f|startswith: a}\n  condition: s\n")
    for length in (4_096, 4_097, 100_000):
        (match,) = rules.match(record(f="a" * (length - 1) + "z"))
        ((value,),) = [item.values for item in match.evidence if item.field == "f"]
        if length == 4_096:
            assert value == match.record["f"]
        else:
            assert value == "a" * 3_000 + f"… {length - 4_000:,} characters left out …" + "a" * 999 + "z"


def test_every_field_has_its_share() -> None:
    """One field with many values leaves room for the others, and few items are all there."""
    listed = "".join(f"      - v{number:05}\n" for number in range(150))
    rules = ruled(f"  many:\n    f|contains|all:\n{listed}  other: {{eventName: X}}\n  condition: many and other\n")
    (match,) = rules.match(record(f=LONG[:4_000]))
    assert [item.selection for item in match.evidence[-2:]] == ["other", ""]
    assert match.evidence[-1].to_dict()["pattern"].endswith(" more")

    few = ruled("  s: {f|contains|all: [v00001, v00002]}\n  condition: s\n")
    (match,) = few.match(record(f="v00001v00002"))
    assert [item.pattern for item in match.evidence] == ["v00001", "v00002"]


def test_many_values_that_did_not_match_are_little_evidence() -> None:
    listed = "".join(f"      - w{number:05}\n" for number in range(VALUES))
    rules = ruled(f"  s: {{eventName: X}}\n  other:\n    f:\n{listed}  condition: s and not other\n")
    (match,) = rules.match(record(f=[f"u{number}" for number in range(1_000)]))
    assert len(match.evidence) == 102
    assert match.evidence[-1].pattern == f"{VALUES - 100:,} more"
    assert len(match.to_json(record=False)) < 100_000


def test_values_of_a_large_array_are_a_hundred() -> None:
    rules = ruled("  s: {f|startswith: u}\n  condition: s\n")
    (match,) = rules.match(record(f=[f"u{number}" for number in range(100_000)]))
    assert [len(item.values) for item in match.evidence] == [100]


def test_an_explanation_of_many_values_shows_those_that_matched() -> None:
    listed = "".join(f"      - v{number:05}\n" for number in range(VALUES))
    rules = ruled(f"  s:\n    f:\n{listed}  condition: s\n")
    (rule,) = rules
    tree = rules.explain(record(f="v09999"), rule.id).to_dict()["tree"]
    test = next(step for step in walk(tree) if step["kind"] == "test")
    assert len(test["patterns"]) == 100
    assert test["patterns_left_out"] == VALUES - 100
    assert [each["pattern"] for each in test["patterns"] if each["matched"]] == ["v09999"]


def walk(step: dict[str, Any]) -> list[dict[str, Any]]:
    return [step, *(below for child in step.get("steps", ()) for below in walk(child))]

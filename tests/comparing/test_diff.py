"""Two versions of rules: what differs on logs, a record on which they differ, or the proof that there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import run
from group_calls import create_group

import cloudsigma
from cloudsigma.comparing import Comparison, compare_rules

RULE = """title: Group Created
id: 0b2d8a8e-3c6f-4a7e-9d55-0a8f2f9f6f01
logsource: {product: aws, service: cloudtrail}
detection:
  selection: SELECTION
  filter: {userIdentity.userName: terraform}
  condition: CONDITION
"""


def rules(
    selection: str = "{eventName: CreateGroup}", condition: str = "selection and not filter"
) -> cloudsigma.RuleSet:
    return cloudsigma.compile_text(RULE.replace("SELECTION", selection).replace("CONDITION", condition))


SAME = [
    ("{eventName: CreateGroup}", "selection and not filter", "not filter and selection"),
    ("{eventName: [CreateGroup, CREATEGROUP]}", "selection and not filter", "not (not selection or filter)"),
]
DIFFERENT = [
    ("{eventName: CreateGroup}", "selection", "selection and not filter"),
    ("{eventName: [CreateGroup, DeleteGroup]}", "selection", "selection"),
]


@pytest.mark.parametrize(("selection", "one", "other"), SAME)
def test_the_same_meaning_is_proved(selection: str, one: str, other: str) -> None:
    found = compare_rules(rules(condition=one), rules(selection, other))
    [difference] = found.differences
    assert (difference.meaning, found.differs) == ("same", False)


@pytest.mark.parametrize(("selection", "one", "other"), DIFFERENT)
def test_a_record_on_which_they_differ_is_made(selection: str, one: str, other: str) -> None:
    old, new = rules(condition=one), rules(selection, other)
    found = compare_rules(old, new)
    [difference] = found.differences
    assert (difference.meaning, found.differs) == ("differs", True)
    assert difference.record is not None
    assert bool(old.verdicts(difference.record)) is not bool(new.verdicts(difference.record))
    assert bool(new.verdicts(difference.record)) is (difference.record_matches == "new")


def trail(folder: Path) -> Path:
    records = [
        create_group("e1"),
        create_group("e2", userIdentity={"type": "IAMUser", "arn": "arn:t", "userName": "terraform"}),
        create_group("e3", eventName="DeleteGroup"),
        create_group("e1"),
    ]
    path = folder / "trail.json"
    path.write_text(json.dumps({"Records": records}))
    return path


def on_trail(found: Comparison) -> tuple[int, list[str], list[str]]:
    [difference] = found.differences
    assert difference.trail is not None
    return difference.trail.both, difference.trail.gained_events.examples, difference.trail.lost_events.examples


def test_events_that_change_verdict_are_counted_by_principal(tmp_path: Path) -> None:
    path = str(trail(tmp_path))
    narrower = compare_rules(rules(condition="selection"), rules(), [path])
    assert on_trail(narrower) == (1, [], ["e2"])
    difference = narrower.differences[0].trail
    assert difference is not None
    assert dict(difference.lost_events.principals) == {"arn:t": 1}
    wider = compare_rules(rules(), rules("{eventName|endswith: Group}", "selection"), [path])
    assert on_trail(wider) == (1, ["e2", "e3"], [])


def test_text_alone_is_no_difference() -> None:
    other = cloudsigma.compile_text(
        RULE.replace("SELECTION", "{eventName: CreateGroup}").replace("CONDITION", "selection and not filter")
        + "description: other\n"
    )
    assert not compare_rules(rules(), other).differs


def test_rules_that_one_side_has_are_told(tmp_path: Path) -> None:
    found = compare_rules(rules(), cloudsigma.bundled_rules(), [str(trail(tmp_path))])
    assert len(found.pairs.only_new) == 4
    assert len(found.pairs.only_old) == 1
    assert found.differs
    assert sum(found.alone.values()) == 4  # e1 and e2 for the bundled rule, e3 for its sibling; e1 for the old rule


def test_a_rule_with_a_new_id_is_the_one_of_its_title() -> None:
    text = RULE.replace("SELECTION", "{eventName: X}").replace("CONDITION", "selection")
    found = compare_rules(rules(), cloudsigma.compile_text(text.replace("9f6f01", "9f6f02")))
    assert (len(found.differences), found.pairs.only_new, found.pairs.only_old) == (1, (), ())


def test_correlations_are_compared_on_logs(tmp_path: Path) -> None:
    def many(count: int) -> cloudsigma.RuleSet:
        base = RULE.replace("SELECTION", "{eventName: CreateGroup}").replace("CONDITION", "selection")
        return cloudsigma.compile_text(
            base + "---\ntitle: Many\nid: 0b2d8a8e-3c6f-4a7e-9d55-0a8f2f9f6f03\ncorrelation: {type: event_count, "
            f"rules: [0b2d8a8e-3c6f-4a7e-9d55-0a8f2f9f6f01], timespan: 1h, condition: {{gte: {count}}}}}\n"
        )

    [difference] = compare_rules(many(2), many(3), [str(trail(tmp_path))]).differences
    assert (difference.meaning, difference.trail and difference.trail.lost) == ("unknown", 1)


def test_the_public_rules_are_the_same_as_themselves(shared_corpus: Path) -> None:
    whole = cloudsigma.compile_rules(shared_corpus / "sigmahq_rules", on_error="skip")
    assert not compare_rules(whole, whole).differs


def test_the_command(tmp_path: Path) -> None:
    for name, condition in (("old", "selection"), ("new", "selection and not filter")):
        (tmp_path / f"{name}.yml").write_text(
            RULE.replace("SELECTION", "{eventName: CreateGroup}").replace("CONDITION", condition)
        )
    done = run("diff", tmp_path / "old.yml", tmp_path / "new.yml", trail(tmp_path))
    assert done.returncode == 1
    assert "only the old version: 1 event, such as e2" in done.stdout
    assert "    by arn:t ×1" in done.stdout
    assert "1 changed, 0 unchanged, 0 new, 0 gone" in done.stdout
    form: Any = json.loads(run("diff", tmp_path / "old.yml", tmp_path / "new.yml", "--format", "json").stdout)
    assert form["changed"][0]["meaning"] == "differs"
    assert form["changed"][0]["trail"] is None
    assert run("diff", tmp_path / "old.yml", tmp_path / "old.yml").returncode == 0
    (tmp_path / "bad.yml").write_text("title: x\n")
    assert run("diff", tmp_path / "old.yml", tmp_path / "bad.yml").returncode == 3
    (tmp_path / "cut.json").write_text('{"Records": [')
    assert run("diff", tmp_path / "old.yml", tmp_path / "new.yml", tmp_path / "cut.json").returncode == 4

"""New rules: lint-clean, green at once, and true to the records that they were made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma import compile_rules, compile_text
from cloudsigma.cli import main
from cloudsigma.drafting import Draft, Metadata, draft_of_event, rule_text, tell_from, write_new
from cloudsigma.engine.evaluate.explain import explain
from cloudsigma.errors import UsageError
from cloudsigma.ir import DetectionRule


def event(name: str = "CreateDBInstance", **members: Any) -> dict[str, Any]:
    return {"eventSource": "rds.amazonaws.com", "eventName": name, "readOnly": False, **members}


def matches(draft: Draft, record: dict[str, Any]) -> bool:
    [rule] = compile_text(rule_text(draft, Metadata()))
    assert isinstance(rule.definition, DetectionRule)
    return explain(rule.definition, record).matched


def test_a_field_tells_examples_from_others() -> None:
    public = [event(requestParameters={"name": each, "publiclyAccessible": True}) for each in ("a", "b")]
    private = [event(requestParameters={"name": "c", "publiclyAccessible": False})]
    draft = tell_from(public, private)
    assert draft.fields == {"errorCode": None, "requestParameters.publiclyAccessible": True}
    assert all(matches(draft, each) for each in public)
    assert not any(matches(draft, each) for each in private)


@pytest.mark.parametrize(
    "members",
    [
        {"keyId": "one"},
        {"clientToken": "one"},
        {"startTime": "one"},
        {"roleSessionName": "one"},
        {"owner": "111122223333"},
        {"value": "HIDDEN_DUE_TO_SECURITY_REASONS"},
    ],
)
def test_a_value_that_differs_each_time_is_not_used(members: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="no stable field"):
        tell_from([event(requestParameters=members)], [event(requestParameters=dict.fromkeys(members, "x"))])


def test_the_name_of_a_resource_is_used_last() -> None:
    one = event(requestParameters={"dBInstanceIdentifier": "one", "name": "one", "public": True})
    other = event(requestParameters={"dBInstanceIdentifier": "two", "name": "two", "public": False})
    assert tell_from([one], [other]).fields == {"errorCode": None, "requestParameters.public": True}


def test_a_missing_member_tells_them_apart() -> None:
    draft = tell_from([event()], [event(requestParameters={"mode": "usual"})])
    assert draft.fields == {"errorCode": None, "requestParameters.mode": None}


def test_wildcards_of_a_value_are_characters() -> None:
    example, other = event(requestParameters={"path": "a*b?c\\d"}), event(requestParameters={"path": "aXbYc\\d"})
    draft = tell_from([example], [other])
    assert matches(draft, example)
    assert not matches(draft, other)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("iam:CreateUzer", "CreateUser"),
        ("iamm:CreateUser", "'iam'"),
        ("rds:CreateLoginProfile", "event of iam"),
        ("CreateUser", "SOURCE:NAME"),
    ],
)
def test_an_unknown_event_is_told(name: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        draft_of_event(name)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "own.yml"
    path.with_suffix(".cases.yml").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="exists"):
        write_new(draft_of_event("iam:CreateUser"), path)
    assert not path.exists()


def test_a_wrong_tag_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "own.yml"
    with pytest.raises(UsageError, match="ATT&CK"):
        write_new(draft_of_event("iam:CreateUser"), path, Metadata(tags=("T1098\nlevel: low",)))
    assert not path.exists()


def test_a_lost_record_has_its_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("from.json").write_text(json.dumps(event()) + "\n{broken\n", encoding="utf-8")
    assert main(["new", "--from", "from.json"]) == 4
    assert Path("aws_cloudtrail_rds_create_db_instance.yml").exists()


def test_a_command_needs_one_origin() -> None:
    assert main(["new"]) == 2
    assert main(["new", "--event", "iam:CreateUser", "--not", __file__]) == 2


def test_twenty_events_are_clean_and_green_at_once(
    tmp_path: Path, shared_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((shared_corpus / "stratus").glob("*.json")):
        for record in cloudsigma.read_records(path):
            found.setdefault(f"{record['eventSource']}:{record['eventName']}", record)
    monkeypatch.chdir(tmp_path)
    step = len(found) // 20
    for at, record in enumerate(list(found.values())[: 20 * step : step]):
        Path(f"{at}.json").write_text(json.dumps({"Records": [record]}), encoding="utf-8")
        assert main(["new", "--from", f"{at}.json", "-o", f"{at}.yml"]) == 0
        [rule] = compile_rules(f"{at}.yml")
        assert isinstance(rule.definition, DetectionRule)
        assert explain(rule.definition, record).matched
    assert len(list(tmp_path.glob("*.cases.yml"))) == 20
    assert main(["test", "."]) == 0
    assert cloudsigma.lint(".") == []

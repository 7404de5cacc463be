"""The bundled rules, and the cases that lie beside them.

A file of cases has a base record, and each case says what differs from it:

    rule: the rule's file, in the same folder
    record: the base record
    cases:
      - name: …
        why: one sentence
        expect: match or no_match
        set: {dotted.name: value}     # optional; all but the last part must be there already
        remove: [dotted.name]         # optional; must be there
        context: {principal: …}       # optional: text of attributes of the match's context
"""

from __future__ import annotations

import copy
import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

import cloudsigma

FOLDER = Path(__file__).parent.parent / "sigma_rules"
TITLES = {
    "iam/aws_cloudtrail_iam_group_created.yml": "IAM Group Created",
    "iam/aws_cloudtrail_iam_group_deleted.yml": "IAM Group Deleted",
    "rolesanywhere/aws_cloudtrail_rolesanywhere_profile_created.yml": "AWS IAM Roles Anywhere Profile Created",
    "rolesanywhere/aws_cloudtrail_rolesanywhere_trust_anchor_external_ca.yml": (
        "AWS IAM Roles Anywhere Trust Anchor Created with External CA"
    ),
}
RULE_FILES = [FOLDER / name for name in TITLES]
CASE_FILES = [path.with_suffix(".cases.yml") for path in RULE_FILES]

TOP_KEYS = {"rule", "record", "cases"}
CASE_KEYS = {"name", "why", "expect", "set", "remove", "context"}
REQUIRED_CASE_KEYS = {"name", "why", "expect"}
CONTEXT_KEYS = {"principal", "resource", "region", "account", "source_ip", "outcome"}


def load(path: Path) -> dict[str, Any]:
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict), path.name
    return loaded


def record_of(base: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    """The base record with the changes of a case; a change that changes nothing is an error."""
    record = copy.deepcopy(base)
    for name in case.get("remove", []):
        parent, last = parent_of(record, name)
        del parent[last]
    for name, value in case.get("set", {}).items():
        parent, last = parent_of(record, name)
        assert last not in parent or parent[last] != value, f"{case['name']}: {name} has this value already"
        parent[last] = copy.deepcopy(value)
    return record


def parent_of(record: dict[str, Any], name: str) -> tuple[dict[str, Any], str]:
    *path, last = name.split(".")
    for part in path:
        record = record[part]
    return record, last


def all_cases() -> list[Any]:
    return [
        pytest.param(path, case, id=f"{path.name.removesuffix('.cases.yml')}: {case['name']}")
        for path in CASE_FILES
        for case in load(path)["cases"]
    ]


@pytest.mark.parametrize(("path", "case"), all_cases())
def test_rule_gives_the_expected_verdict(path: Path, case: dict[str, Any]) -> None:
    file = load(path)
    rule_id = load(path.with_name(file["rule"]))["id"]
    record = record_of(file["record"], case)
    before = copy.deepcopy(record)
    rules = cloudsigma.bundled_rules()

    expected = case["expect"] == "match"
    assert rules[rule_id].predicate(record) is expected
    matches = [match for match in rules.match(record) if match.rule_id == rule_id]
    assert len(matches) == int(expected)
    assert record == before
    for name, value in case.get("context", {}).items():
        found = getattr(matches[0].context, name)
        assert (None if found is None else str(found)) == value, name


def test_context_tells_the_time() -> None:
    """The cases leave the time out: every record of theirs has it."""
    record = load(CASE_FILES[0])["record"]
    (match,) = cloudsigma.bundled_rules().match(record)
    assert match.context.time is not None
    assert match.context.time.isoformat() == "2026-11-20T10:15:30+00:00"


def test_context_has_the_fields_that_triage_needs() -> None:
    """The rule's `fields` lead to values of the record."""
    record = load(CASE_FILES[2])["record"]
    (match,) = cloudsigma.bundled_rules().match(record)
    fields = match.context.fields
    assert fields["requestParameters.roleArns"] == ["arn:aws:iam::111122223333:role/BuildAgent"]
    assert fields["userIdentity.arn"] == ["arn:aws:iam::111122223333:user/alice"]
    assert fields["responseElements.profile.profileArn"] == [
        "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/0d1e2f3a-4b5c-4d6e-8f70-8192a3b4c5d6"
    ]


@pytest.mark.parametrize("path", CASE_FILES, ids=lambda path: path.name)
def test_cases_are_well_formed(path: Path) -> None:
    file = load(path)
    assert set(file) == TOP_KEYS
    assert path.name == file["rule"].removesuffix(".yml") + ".cases.yml"
    assert path.with_name(file["rule"]) in RULE_FILES
    assert json.loads(json.dumps(file["record"])) == file["record"]  # no dates, no numbers as keys
    for case in file["cases"]:
        assert REQUIRED_CASE_KEYS <= set(case) <= CASE_KEYS, case
        assert case["why"].endswith("."), case["name"]
        assert case["expect"] in {"match", "no_match"}, case["name"]
        assert set(case.get("context", {})) <= CONTEXT_KEYS, case["name"]
        assert case["expect"] == "match" or "context" not in case, case["name"]
        assert json.loads(json.dumps(case)) == case


@pytest.mark.parametrize("path", CASE_FILES, ids=lambda path: path.name)
def test_no_two_cases_are_the_same(path: Path) -> None:
    """Every case differs from the base record and from every other case, in its name as well."""
    file = load(path)
    seen = {json.dumps(file["record"], sort_keys=True): "the base record"}
    for case in file["cases"]:
        text = json.dumps(record_of(file["record"], case), sort_keys=True)
        assert text not in seen, f"{case['name']} is the same as {seen[text]}"
        seen[text] = case["name"]
    assert len({case["name"] for case in file["cases"]}) == len(file["cases"])


@pytest.mark.parametrize("path", CASE_FILES, ids=lambda path: path.name)
def test_cases_are_many_and_of_both_kinds(path: Path) -> None:
    expected = [case["expect"] for case in load(path)["cases"]]
    assert len(expected) >= 10
    assert set(expected) == {"match", "no_match"}


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("set", {"eventName": "CreateGroup"}, AssertionError),
        ("set", {"missing.member": 1}, KeyError),
        ("remove", ["missing"], KeyError),
    ],
)
def test_case_that_changes_nothing_is_an_error(name: str, value: Any, wrong: type[Exception]) -> None:
    with pytest.raises(wrong):
        record_of({"eventName": "CreateGroup"}, {"name": "a case", name: value})


def test_folder_holds_rules_with_their_cases_and_nothing_else() -> None:
    found = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    cases = {name.removesuffix(".yml") + ".cases.yml" for name in TITLES}
    assert found == {*TITLES, *cases, "LICENSE", "README.md"}


def test_bundled_rules_are_the_four_detections() -> None:
    rules = cloudsigma.bundled_rules()
    assert {rule.title for rule in rules} == set(TITLES.values())
    assert len(rules) == 4
    assert rules.errors == ()
    assert rules.warnings == ()


def test_cases_ship_beside_the_rules() -> None:
    """Where the rules come from, installed or not, their cases and their license are too."""
    for rule in cloudsigma.bundled_rules(correlations=True):
        assert rule.path is not None
        path = Path(rule.path)
        assert path.with_suffix(".cases.yml").is_file()
        folder = next(parent for parent in path.parents if parent.name in ("sigma_rules", "sigma_correlations"))
        text = (folder / "LICENSE").read_text(encoding="utf-8")
        assert text.startswith("# Detection Rule License (DRL) 1.1")


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.name)
def test_metadata_is_complete(path: Path) -> None:
    rule = load(path)
    assert list(rule) == [
        *("title", "id", "name", "status", "description", "license", "references", "author", "date", "tags"),
        *("logsource", "detection", "fields", "falsepositives", "level"),
    ]
    assert rule["title"] == TITLES[path.relative_to(FOLDER).as_posix()]
    assert rule["name"] == path.stem
    assert re.fullmatch(r"aws_cloudtrail_[a-z_]+", path.stem)
    assert uuid.UUID(rule["id"]).version == 4
    assert rule["status"] == "experimental"
    assert rule["license"] == "DRL-1.1"
    assert rule["author"] == "cloudsigma"
    assert {"attack.persistence", "attack.privilege-escalation", "attack.t1098"} <= set(rule["tags"])
    assert rule["logsource"] == {"product": "aws", "service": "cloudtrail"}


def test_ids_are_unique() -> None:
    assert len({load(path)["id"] for path in RULE_FILES}) == 4


@pytest.mark.parametrize(
    ("rule", "level"),
    [
        ("aws_cloudtrail_iam_group_created", "medium"),
        ("aws_cloudtrail_iam_group_deleted", "low"),
        ("aws_cloudtrail_rolesanywhere_profile_created", "medium"),
        ("aws_cloudtrail_rolesanywhere_trust_anchor_external_ca", "high"),
    ],
)
def test_rules_are_found_by_name(rule: str, level: str) -> None:
    assert cloudsigma.bundled_rules()[rule].level == level


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.name)
def test_readme_speaks_of_the_rule(path: Path) -> None:
    assert path.relative_to(FOLDER).as_posix() in (FOLDER / "README.md").read_text(encoding="utf-8")

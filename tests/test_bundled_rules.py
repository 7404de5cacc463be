"""The bundled rules, and the cases that lie beside them (`docs/reference/case-files.md`)."""

from __future__ import annotations

import copy
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

import cloudsigma
from cloudsigma import testing

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
SUITE = testing.find_tests(FOLDER)


def load(path: Path) -> dict[str, Any]:
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict), path.name
    return loaded


@pytest.mark.parametrize(
    "test", SUITE.tests, ids=[f"{Path(test.path).name.removesuffix('.cases.yml')}: {test.name}" for test in SUITE.tests]
)
def test_rule_passes_its_case(test: testing.RuleTest) -> None:
    result = test.run()
    assert result.passed, str(result)


@pytest.mark.parametrize("case", [test.case for test in SUITE.tests if test.case], ids=lambda case: case.name)
def test_predicate_and_matches_agree_and_leave_the_record_alone(case: testing.Case) -> None:
    rules = cloudsigma.bundled_rules()
    rule = testing.find_rule(SUITE.rules, case)
    [record] = case.records
    before = copy.deepcopy(record)
    assert rule.predicate is not None
    assert rule.predicate(record) is case.match
    assert (rule.id in {match.rule_id for match in rules.match(record)}) is case.match
    assert record == before


def test_every_rule_has_cases_and_every_case_can_be_used() -> None:
    assert SUITE.untested == ()
    assert [str(test.error) for test in SUITE.tests if test.error] == []
    assert len(SUITE.tests) == 45 + 44 + 41 + 53


def test_context_tells_the_time() -> None:
    """The cases leave the time out: every record of theirs has it."""
    record = testing.read_case_file(CASE_FILES[0]).bases[None]
    (match,) = cloudsigma.bundled_rules().match(record)
    assert match.context.time is not None
    assert match.context.time.isoformat() == "2026-11-20T10:15:30+00:00"


def test_context_has_the_fields_that_triage_needs() -> None:
    """The rule's `fields` lead to values of the record."""
    record = testing.read_case_file(CASE_FILES[2]).bases[None]
    (match,) = cloudsigma.bundled_rules().match(record)
    fields = match.context.fields
    assert fields["requestParameters.roleArns"] == ["arn:aws:iam::111122223333:role/BuildAgent"]
    assert fields["userIdentity.arn"] == ["arn:aws:iam::111122223333:user/alice"]
    assert fields["responseElements.profile.profileArn"] == [
        "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/0d1e2f3a-4b5c-4d6e-8f70-8192a3b4c5d6"
    ]


@pytest.mark.parametrize("path", CASE_FILES, ids=lambda path: path.name)
def test_cases_are_many_and_of_both_kinds(path: Path) -> None:
    cases = testing.read_case_file(path).cases
    assert len(cases) >= 10
    assert {case.match for case in cases} == {True, False}
    assert [case.name for case in cases if not case.reason.endswith(".")] == []


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

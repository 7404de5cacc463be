"""The bundled correlations, and the cases that lie beside them (`docs/reference/case-files.md`)."""

from __future__ import annotations

import datetime as dt
import gzip
import itertools
import json
import os
import random
import subprocess
import sys
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

import cloudsigma
from cloudsigma import testing
from cloudsigma.engine.match import Match

FOLDER = Path(__file__).parent.parent / "sigma_correlations"
TITLES = {
    "correlation_aws_cloudtrail_iam_group_created_with_policy_and_member": (
        "IAM Group Created, Given a Policy and a Member by the Same Principal"
    ),
    "correlation_aws_cloudtrail_rolesanywhere_trust_anchor_then_profile": (
        "AWS IAM Roles Anywhere Trust Anchor and Then Profile Created by the Same Principal"
    ),
}
BASES = {
    "aws_cloudtrail_iam_group_created_base",
    "aws_cloudtrail_iam_group_policy_given_base",
    "aws_cloudtrail_iam_group_member_added_base",
    "aws_cloudtrail_rolesanywhere_trust_anchor_created_base",
    "aws_cloudtrail_rolesanywhere_profile_created_base",
}
RULE_FILES = [FOLDER / f"{name}.yml" for name in TITLES]
CASE_FILES = [path.with_suffix(".cases.yml") for path in RULE_FILES]

SUITE = testing.find_tests(FOLDER)

Shown = list[tuple[dict[str, str], list[str]]]


def case_files() -> dict[Path, testing.CaseFile]:
    return {path: testing.read_case_file(path) for path in CASE_FILES}


def expected_of(case: testing.Case) -> Shown:
    return in_order(
        (dict(match.group or {}), [case.records[position]["eventID"] for position in match.members or ()])
        for match in case.expected
    )


def found_by(rule_id: str, matches: Iterable[Match]) -> Shown:
    return in_order(
        (dict(match.group), [record["eventID"] for record in match.records])
        for match in matches
        if match.rule_id == rule_id
    )


def in_order(matches: Iterable[tuple[dict[str, str], list[str]]]) -> Shown:
    return sorted(((group, sorted(members)) for group, members in matches), key=repr)


ALL_CASES = [
    pytest.param(path, case, id=f"{path.name.removesuffix('.cases.yml')}: {case.name}")
    for path, file in case_files().items()
    for case in file.cases
]


def write_trail(folder: Path, records: Iterable[dict[str, Any]]) -> None:
    """One log file a record, the latest first."""
    for position, record in enumerate(reversed(list(records))):
        (folder / f"{position:02}.json.gz").write_bytes(gzip.compress(json.dumps({"Records": [record]}).encode()))


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cloudsigma", *map(os.fspath, arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=60, text=True, encoding="utf-8")


# --- cases --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "test", SUITE.tests, ids=[f"{Path(test.path).name.removesuffix('.cases.yml')}: {test.name}" for test in SUITE.tests]
)
def test_correlation_passes_its_case(test: testing.RuleTest) -> None:
    result = test.run()
    assert result.passed, str(result)


@pytest.mark.parametrize(("path", "case"), ALL_CASES)
def test_correlation_gives_the_same_in_any_order(path: Path, case: testing.Case) -> None:
    """In the order of the records, in every other order (or many), and in a stream."""
    rules = cloudsigma.bundled_rules(correlations=True)
    rule_id = rules[path.name.removesuffix(".cases.yml")].id
    records, expected = list(case.records), expected_of(case)

    assert found_by(rule_id, rules.evaluate(records)) == expected
    orders = list(itertools.islice(itertools.permutations(records), 24))
    shuffled = random.Random(7)  # noqa: S311  # an order, not a secret
    orders += [shuffled.sample(records, len(records)) for _ in range(10)]
    for order in orders:
        assert found_by(rule_id, rules.evaluate(order)) == expected
    in_time = sorted(records, key=lambda record: str(record["eventTime"]))
    assert found_by(rule_id, rules.evaluate(in_time, lateness=dt.timedelta(minutes=15))) == expected


@pytest.mark.parametrize(("path", "case"), ALL_CASES)
def test_detections_show_the_same_beside_the_correlations(path: Path, case: testing.Case) -> None:
    """The correlations take nothing away from the four, and their base rules show nothing."""
    records = case.records
    correlations = set(TITLES.values())
    beside = [
        match.key
        for match in cloudsigma.bundled_rules(correlations=True).evaluate(records)
        if match.rule.title not in correlations
    ]
    assert beside == [match.key for match in cloudsigma.bundled_rules().evaluate(records)]


@pytest.mark.parametrize("path", CASE_FILES, ids=lambda path: path.name)
def test_scan_finds_the_correlation(path: Path, tmp_path: Path) -> None:
    """End to end: `scan --correlations` on log files, which hold the records in the wrong order."""
    case = testing.read_case_file(path).cases[0]
    records = case.records
    write_trail(tmp_path, records)
    name = path.name.removesuffix(".cases.yml")

    done = run("scan", "--correlations", "--format", "jsonl", tmp_path)
    assert done.returncode == 1, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    (match,) = (each for each in found if each["rule"]["title"] == TITLES[name])
    assert match["group"] == case.group
    assert [part["record"]["eventID"] for part in match["matches"]] == [record["eventID"] for record in records]
    assert match["context"]["principal"]["text"] == "arn:aws:iam::111122223333:user/alice"
    assert f"1  {TITLES[name]}" in done.stderr

    without = run("scan", "--format", "jsonl", tmp_path)
    assert TITLES[name] not in without.stdout
    assert len(without.stdout.splitlines()) == len(found) - 1


@pytest.mark.parametrize("path", CASE_FILES, ids=lambda path: path.name)
def test_scan_finds_nothing_where_a_step_is_missing(path: Path, tmp_path: Path) -> None:
    name = path.name.removesuffix(".cases.yml")
    write_trail(tmp_path, testing.read_case_file(path).cases[0].records[:-1])
    done = run("scan", "--correlations", "--rule-id", name, tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


# --- the files of cases -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CASE_FILES, ids=lambda path: path.name)
def test_cases_say_what_each_match_is(path: Path) -> None:
    file = testing.read_case_file(path)
    assert [str(error) for error in file.errors] == []
    for case in file.cases:
        assert case.sequence
        assert case.reason.endswith("."), case.name
        assert case.match is bool(case.expected), case.name
        assert all(match.group and len(match.members or ()) >= 2 for match in case.expected), case.name


@pytest.mark.parametrize("path", CASE_FILES, ids=lambda path: path.name)
def test_cases_are_many_and_of_both_kinds(path: Path) -> None:
    cases = testing.read_case_file(path).cases
    matching = [case for case in cases if case.match]
    assert len(cases) >= 23
    assert len(matching) >= 8
    assert len(cases) - len(matching) >= 8


# --- the rules ----------------------------------------------------------------------------------------------


def test_correlations_come_with_the_four_and_rules_of_their_own() -> None:
    rules = cloudsigma.bundled_rules(correlations=True)
    four = {rule.id for rule in cloudsigma.bundled_rules()}
    added = [rule for rule in rules if rule.id not in four]
    assert {rule.title for rule in rules if rule.correlation is not None} == set(TITLES.values())
    assert {rule.name for rule in added} == {*TITLES, *BASES}
    assert len(four) == 4
    assert len(rules) == 11
    assert (rules.errors, rules.warnings) == ((), ())


def test_correlations_refer_to_none_of_the_four() -> None:
    """Else these would give no matches of their own."""
    rules = cloudsigma.bundled_rules(correlations=True)
    assert {rules[rule_id].name for rule_id in rules.hidden} == BASES


def test_the_four_are_the_same_with_correlations_and_without() -> None:
    assert list(cloudsigma.bundled_rules(correlations=True))[:4] == list(cloudsigma.bundled_rules())


def test_compiling_with_the_bundled_rules_adds_the_four_alone() -> None:
    assert len(cloudsigma.compile_rules(bundled=True)) == 4
    own = "title: Own\nlogsource: {product: aws}\ndetection: {s: {eventName: Own}, condition: s}"
    assert len(cloudsigma.compile_text(own, bundled=True)) == 5


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.name)
def test_metadata_is_complete(path: Path) -> None:
    first, *bases = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    head = ["title", "id", "name", "status", "description", "license", "references", "author", "date", "tags"]
    assert list(first) == [*head, "correlation", "fields", "falsepositives", "level"]
    assert (first["name"], first["title"]) == (path.stem, TITLES[path.stem])
    assert [rule["name"] for rule in bases] == first["correlation"]["rules"]
    for rule in bases:
        assert list(rule) == [*head, "logsource", "detection", "fields", "level"]
        assert rule["title"].endswith(" (Base of a Correlation)")
        assert rule["level"] == "informational"
        assert rule["logsource"] == {"product": "aws", "service": "cloudtrail"}
        assert rule["detection"]["condition"] == "selection and not 1 of filter_main_*"
        assert rule["detection"]["filter_main_error_code"] == {"errorCode": "?*"}
        assert rule["detection"]["filter_main_error_message"] == {"errorMessage": "?*"}
    for rule in (first, *bases):
        assert uuid.UUID(rule["id"]).version == 4
        assert rule["status"] == "experimental"
        assert rule["license"] == "DRL-1.1"
        assert rule["author"] == "cloudsigma"
        assert {"attack.persistence", "attack.privilege-escalation", "attack.t1098"} <= set(rule["tags"])


@pytest.mark.parametrize(
    ("rule", "level"),
    [
        ("correlation_aws_cloudtrail_iam_group_created_with_policy_and_member", "medium"),
        ("correlation_aws_cloudtrail_rolesanywhere_trust_anchor_then_profile", "high"),
    ],
)
def test_description_says_what_the_same_principal_means(rule: str, level: str) -> None:
    found = cloudsigma.bundled_rules(correlations=True)[rule]
    assert found.level == level
    assert found.description is not None
    assert "The same principal means the same userIdentity.arn." in found.description
    assert "two sessions of one role are not linked" in found.description
    assert found.correlation is not None
    assert found.correlation.group_by[0] == "userIdentity.arn"


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.name)
def test_readme_speaks_of_the_rule(path: Path) -> None:
    assert f"sigma_correlations/{path.name}" in (FOLDER.parent / "sigma_rules" / "README.md").read_text(
        encoding="utf-8"
    )


# --- the command --------------------------------------------------------------------------------------------


def names(*options: str | Path) -> list[str]:
    done = run("rules", "--format", "jsonl", *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["name"] for line in done.stdout.splitlines()]


def test_command_adds_the_correlations_when_asked(tmp_path: Path) -> None:
    """To the four, to rules of others, or alone."""
    own = tmp_path / "own.yml"
    own.write_text("title: Own\nname: own\nlogsource: {product: aws}\ndetection: {s: {eventName: Own}, condition: s}\n")
    four = [rule.name for rule in cloudsigma.bundled_rules()]
    added = {*TITLES, *BASES}
    assert names() == four
    assert set(names("--correlations")) == {*four, *added}
    assert set(names("--correlations", "--rules", own)) == {*four, *added, "own"}
    assert set(names("--correlations", "--rules", own, "--no-bundled")) == {*added, "own"}
    assert set(names("--correlations", "--no-bundled")) == added
    assert set(names("--rules", own)) == {*four, "own"}


def test_filter_reaches_the_base_rules(tmp_path: Path) -> None:
    """`--rules` is compiled together with the correlations: a filter on a base rule takes its events out."""
    trail = tmp_path / "trail"
    trail.mkdir()
    write_trail(trail, testing.read_case_file(CASE_FILES[0]).cases[0].records)
    own = tmp_path / "filter.yml"
    own.write_text(
        "title: Not alice\nlogsource: {product: aws, service: cloudtrail}\n"
        "filter:\n    rules: [aws_cloudtrail_iam_group_created_base]\n"
        "    alice: {userIdentity.userName: alice}\n    condition: not alice\n"
    )
    found = run("scan", "--correlations", "--format", "ids", trail).stdout.splitlines()
    filtered = run("scan", "--correlations", "--format", "ids", "--rules", own, trail).stdout.splitlines()
    assert [line.split("\t")[0] for line in found] == [
        "aa459000-af6c-425c-acc2-07c64acfaa76",
        "cc4988d9-1eb0-4e38-9ccb-5cbc36c3473d",
    ]
    assert filtered == found[:1]


def test_explain_of_a_correlation_names_its_rules() -> None:
    done = run("explain", "--correlations", "correlation_aws_cloudtrail_rolesanywhere_trust_anchor_then_profile")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == (
        "# a correlation has no predicate. Explain the rules that it refers to: "
        "aws_cloudtrail_rolesanywhere_trust_anchor_created_base, aws_cloudtrail_rolesanywhere_profile_created_base"
    )
    base = run("explain", "--correlations", "aws_cloudtrail_rolesanywhere_profile_created_base")
    assert "def " in base.stdout

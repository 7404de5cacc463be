"""Filters made from false positives: narrow, and tried before they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma import compile_rules
from cloudsigma.cli import main
from cloudsigma.drafting.shared_fields import shared_fields
from cloudsigma.drafting.tune import NoFilterError, matched_by, tune

ROLE = "arn:aws:iam::111122223333:role/deploy"
RULE = """\
title: Group Created
id: 0b2d8a8e-3c6f-4a7e-9d55-0a8f2f9f6f01
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventSource: iam.amazonaws.com
    eventName: CreateGroup
  condition: selection
"""


def event(number: int = 1, role: str = ROLE, address: str = "203.0.113.7", **members: Any) -> dict[str, Any]:
    name = role.rpartition("/")[2]
    return {
        "eventID": f"e{number}",
        "eventTime": f"2026-11-20T10:00:0{number}Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateGroup",
        "recipientAccountId": "111122223333",
        "sourceIPAddress": address,
        "userAgent": f"Boto3/1.40.{number} lang/python",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": f"arn:aws:sts::111122223333:assumed-role/{name}/run-{number}",
            "sessionContext": {"sessionIssuer": {"arn": role}},
        },
        **members,
    }


@pytest.fixture
def rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "rule.yml"
    path.write_text(RULE, encoding="utf-8")
    return path


def saved(name: str, *records: Mapping[str, Any]) -> str:
    Path(name).write_text(json.dumps({"Records": records}), encoding="utf-8")
    return name


def fields_of(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {each.key: each.value for each in shared_fields(records)}


def matches(text: str, record: Mapping[str, Any]) -> bool:
    Path("filter.yml").write_text(text, encoding="utf-8")
    rules = compile_rules("rule.yml", "filter.yml")
    assert rules.warnings == ()
    return bool(matched_by(rules, record))


def test_a_filter_takes_the_false_positives_and_no_other_caller(rule: Path) -> None:
    noise = [event(1), event(2, address="203.0.113.9")]
    made = tune(rule, noise)
    assert not any(matches(made.text, each) for each in noise)
    assert not matches(made.text, event(3, address="203.0.113.8"))  # the same caller, network and program
    for other in (
        event(3, role="arn:aws:iam::111122223333:role/admin"),
        event(3, address="198.51.100.1"),
        event(3, userAgent="curl/8.0"),
        event(3, recipientAccountId="444455556666"),
    ):
        assert matches(made.text, other)


def test_sessions_ids_times_and_versions_are_not_used() -> None:
    assert fields_of([event(1)]) == {
        "userIdentity.sessionContext.sessionIssuer.arn": ROLE,
        "sourceIPAddress": "203.0.113.7",
        "userAgent|startswith": "Boto3/",
        "recipientAccountId": "111122223333",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateGroup",
    }


@pytest.mark.parametrize(
    ("identities", "wanted"),
    [
        ([{"arn": "arn:aws:iam::1:user/ann"}], {"userIdentity.arn": "arn:aws:iam::1:user/ann"}),
        (
            [{"arn": "arn:aws:sts::1:assumed-role/r/one"}, {"arn": "arn:aws:sts::1:assumed-role/r/two"}],
            {"userIdentity.arn|startswith": "arn:aws:sts::1:assumed-role/r/"},
        ),
        ([{"arn": "arn:aws:sts::1:assumed-role/r/one"}, {"arn": "arn:aws:sts::1:assumed-role/s/one"}], {}),
        ([{"arn": "arn:aws:sts::1:assumed-role/r/one"}, {"arn": "arn:aws:iam::1:user/ann"}], {}),
        ([{"arn": "arn:aws:sts::1:federated-user/ann"}], {}),
        (
            [{"type": "AWSService", "invokedBy": "config.amazonaws.com"}],
            {"userIdentity.type": "AWSService", "userIdentity.invokedBy": "config.amazonaws.com"},
        ),
        ([{"type": "AssumedRole", "invokedBy": "config.amazonaws.com"}], {}),
        ([{"arn": ["arn:aws:iam::1:user/ann"]}, {}], {}),
        ([{"arn": "arn:aws:iam::1:user/\x1b[2J"}], {}),
    ],
)
def test_the_caller_is_a_role_user_or_service(identities: list[dict[str, Any]], wanted: dict[str, Any]) -> None:
    assert fields_of([{"userIdentity": identity} for identity in identities]) == wanted


@pytest.mark.parametrize(
    ("addresses", "wanted"),
    [
        (["203.0.113.7", "203.0.113.9"], {"sourceIPAddress|cidr": "203.0.113.0/28"}),
        (["10.1.0.1", "10.1.255.255"], {"sourceIPAddress|cidr": "10.1.0.0/16"}),
        (["10.0.255.1", "10.1.0.1"], {}),  # /15
        (["2001:db8::1", "2001:db8:0:f::2"], {"sourceIPAddress|cidr": "2001:db8::/60"}),
        (["2001:db8::1", "2001:DB8::1"], {"sourceIPAddress": "2001:db8::1"}),
        (["10.0.0.1", "2001:db8::1"], {}),
        (["10.0.0.1", "config.amazonaws.com"], {}),
        (["config.amazonaws.com"], {"sourceIPAddress": "config.amazonaws.com"}),
    ],
)
def test_the_network_is_the_smallest_around_the_addresses(addresses: list[str], wanted: dict[str, Any]) -> None:
    assert fields_of([{"sourceIPAddress": each} for each in addresses]) == wanted


@pytest.mark.parametrize(
    ("agents", "wanted"),
    [
        (["console.amazonaws.com"], {"userAgent": "console.amazonaws.com"}),
        (["APN/1.0 Terraform/1.9.5"], {"userAgent|startswith": "APN/1.0 Terraform/"}),
        (["aws-cli/2.1.3 Python/3", "aws-cli/2.7.1 Python/3"], {"userAgent|startswith": "aws-cli/"}),
        (["aws-cli/2.1.3", "aws-sdk-go/1.2.3"], {}),
        (["stratus-red-team_39f95f43-cd2f-4beb-b69e-be60b6fe1f57"], {"userAgent|startswith": "stratus-red-team_"}),
        (["HIDDEN_DUE_TO_SECURITY_REASONS"], {}),
    ],
)
def test_the_user_agent_ends_before_a_version_or_id(agents: list[str], wanted: dict[str, Any]) -> None:
    assert fields_of([{"userAgent": each} for each in agents]) == wanted


def test_wildcards_of_a_value_are_characters(rule: Path) -> None:
    made = tune(rule, [event(userAgent="a*b?c\\d")])
    assert not matches(made.text, event(2, userAgent="a*b?c\\d"))
    assert matches(made.text, event(2, userAgent="aXbYc\\d"))


def test_a_true_positive_of_the_same_caller_is_kept_by_another_field(rule: Path) -> None:
    noise = [event(1, requestParameters={"groupName": "blue", "path": "/apps/"})]
    true = event(2, requestParameters={"groupName": "admins", "path": "/"})
    made = tune(rule, noise, [true])
    assert made.tests[-1].field == "requestParameters.path"
    assert matches(made.text, true)
    assert not matches(made.text, noise[0])
    assert (made.kept, made.unmatched_kept) == (1, 0)


def test_a_true_positive_that_differs_in_ids_alone_leaves_no_filter(rule: Path) -> None:
    with pytest.raises(NoFilterError, match=r"no stable field .* eventID 'e2'"):
        tune(rule, [event(1, requestID="a")], [event(2, requestID="b")])


def test_an_event_is_not_false_and_true_at_once(rule: Path) -> None:
    with pytest.raises(NoFilterError, match="'e1' is a false positive and is to be kept"):
        tune(rule, [event(1)], [event(1)])


@pytest.mark.parametrize("agent", ["Boto3/1.40.1", "console.amazonaws.com"])
def test_a_program_and_an_account_alone_make_no_filter(rule: Path, agent: str) -> None:
    noise = [
        event(1, "arn:aws:iam::111122223333:role/a", "203.0.113.1", userAgent=agent),
        event(2, "arn:aws:iam::111122223333:role/b", "198.51.100.1", userAgent=agent),
    ]
    with pytest.raises(NoFilterError, match=r"neither a caller nor a network .*role/a, .*role/b"):
        tune(rule, noise)


def cases(rule: Path, *, match: str, **members: Any) -> None:
    record = json.dumps(event(4, **members))
    text = f"cases:\n  - name: by the pipeline\n    reason: a test\n    match: {match}\n    record: {record}\n"
    rule.with_suffix(".cases.yml").write_text(text, encoding="utf-8")


def test_a_case_that_must_match_is_kept(rule: Path) -> None:
    cases(rule, match="true", requestParameters={"path": "/"})
    made = tune(rule, [event(1, requestParameters={"path": "/apps/"})])
    assert made.tests[-1].field == "requestParameters.path"
    assert made.cases == 1


def test_a_case_that_cannot_be_told_apart_leaves_no_filter(rule: Path) -> None:
    cases(rule, match="true")
    with pytest.raises(NoFilterError, match="eventID 'e4'"):
        tune(rule, [event(1)])


def test_a_case_that_fails_already_is_told(rule: Path) -> None:
    cases(rule, match="false")
    with pytest.raises(NoFilterError, match=r"'by the pipeline' .* fails without a filter.*expected no match"):
        tune(rule, [event(1)])


def test_a_rule_without_id_is_named_or_refused(rule: Path) -> None:
    without = RULE.replace("id: 0b2d8a8e-3c6f-4a7e-9d55-0a8f2f9f6f01\n", "")
    rule.write_text(without, encoding="utf-8")
    with pytest.raises(NoFilterError, match="neither an ID nor a name"):
        tune(rule, [event(1)])
    rule.write_text("name: group_created\n" + without, encoding="utf-8")
    assert "        - group_created\n" in tune(rule, [event(1)]).text


def test_the_command_writes_a_filter_that_lint_and_scan_take(rule: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = saved("noise.json", event(1), event(2), event(3, eventName="GetUser"))
    logs = saved("logs.json", event(1), event(5), event(6), event(7, address="198.51.100.1"))
    assert main(["tune", str(rule), "--false-positives", noise, "--corpus", logs, "-o", "known.yml"]) == 0
    out = capsys.readouterr().out
    assert "leaves out 2 false positives" in out
    assert "1 record of --false-positives: the rule does not match them anyway" in out
    assert "matches in the corpus: 4, of which false positives: 1" in out
    assert "also left out: 2 events, such as e5, e6" in out
    assert "in 111122223333 ×2" in out
    assert cloudsigma.lint("known.yml", str(rule)) == []
    left = cloudsigma.scan("logs.json", rules=compile_rules(rule, "known.yml"))
    assert [match.record["eventID"] for match in left] == ["e7"]


def test_no_filter_is_exit_code_1_and_no_file(rule: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = saved("noise.json", event(1))
    assert main(["tune", str(rule), "--false-positives", noise, "--keep", noise, "-o", "known.yml"]) == 1
    assert "no filter was written: eventID 'e1'" in capsys.readouterr().err
    other = saved("other.json", event(1, eventName="GetUser"))
    assert main(["tune", str(rule), "--false-positives", other, "-o", "known.yml"]) == 1
    assert not Path("known.yml").exists()


def test_nothing_is_overwritten(rule: Path) -> None:
    Path("known.yml").write_text("mine", encoding="utf-8")
    noise = saved("noise.json", event(1))
    assert main(["tune", str(rule), "--false-positives", noise, "-o", "known.yml"]) == 2
    assert Path("known.yml").read_text(encoding="utf-8") == "mine"


def test_losses_bad_rules_and_unknown_rules_have_their_exit_codes(rule: Path) -> None:
    noise = saved("noise.json", event(1))
    Path("torn.json").write_text(json.dumps(event(1)) + "\n{broken\n", encoding="utf-8")
    assert main(["tune", str(rule), "--false-positives", "torn.json", "-o", "one.yml"]) == 4
    assert main(["tune", str(rule), "--false-positives", noise, "--corpus", "torn.json", "-o", "two.yml"]) == 4
    assert Path("two.yml").exists()
    assert main(["tune", "no_such_rule", "--false-positives", noise, "-o", "three.yml"]) == 2
    rule.write_text(RULE.replace("condition: selection", "condition: selektion"), encoding="utf-8")
    assert main(["tune", str(rule), "--false-positives", noise, "-o", "three.yml"]) == 3
    assert not Path("three.yml").exists()


def test_the_cases_of_a_correlation_in_the_file_are_kept(rule: Path) -> None:
    correlation = """\
---
title: Two Groups
name: two_groups
correlation:
  type: event_count
  rules: [0b2d8a8e-3c6f-4a7e-9d55-0a8f2f9f6f01]
  group-by: [recipientAccountId]
  timespan: 1h
  condition: {gte: 2}
"""
    rule.write_text(RULE + correlation, encoding="utf-8")
    records = [{"after": f"{at}m", "record": event(at, requestParameters={"path": "/"})} for at in (4, 5)]
    case = {"name": "two", "reason": "a test", "rule": "two_groups", "match": True, "records": records}
    rule.with_suffix(".cases.yml").write_text(json.dumps({"cases": [case]}), encoding="utf-8")
    made = tune(rule, [event(1, requestParameters={"path": "/apps/"})])
    assert (made.tests[-1].field, made.cases) == ("requestParameters.path", 1)
    with pytest.raises(NoFilterError, match="must go on matching"):
        tune(rule, [event(1, requestParameters={"path": "/"})])

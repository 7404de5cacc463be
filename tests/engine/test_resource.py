"""Which resource a call acted on."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cloudsigma.engine.context import resource as resource_module
from cloudsigma.engine.context.resource import Resource, read_resources
from cloudsigma.engine.context.resource_calls import describe_arn
from cloudsigma.engine.context.resource_types import CALLS, SERVICES, WRAPPERS

CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "data" / "resources.yml").read_text(encoding="utf-8")
)


def record_of(case: dict[str, Any]) -> dict[str, Any]:
    record = {
        "eventSource": f"{case['service']}.amazonaws.com",
        "eventName": case["call"],
        "requestParameters": case["request"],
        "responseElements": case.get("response"),
    }
    for key, member in (("resources", "resources"), ("error", "errorCode"), ("message", "errorMessage")):
        if key in case:
            record[member] = case[key]
    return record


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['service']}:{case['call']}")
def test_a_call_acts_on_the_resource_that_an_analyst_would_name(case: dict[str, Any]) -> None:
    resource, resources = read_resources(record_of(case))

    found = None if resource is None else [str(resource), resource.name, resource.type]
    assert found == case["is"]
    assert [str(one) for one in resources] == case.get("all", found[:1] if found else [])


def test_the_table_covers_the_breadth_that_it_promises() -> None:
    assert len({(case["service"], case["call"]) for case in CASES}) >= 60
    assert len({case["service"] for case in CASES}) >= 20


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["is"]], ids=lambda case: f"{case['service']}:{case['call']}"
)
def test_no_arn_is_ever_made_up(case: dict[str, Any]) -> None:
    record = record_of(case)
    resource, _ = read_resources(record)
    assert resource is not None
    assert resource.arn is None or resource.arn in unquote(str(record))


def test_every_noun_that_the_tables_point_at_is_one_of_the_service() -> None:
    known = {service: {re.split("[=:>]", entry)[0] for entry in row.nouns.split()} for service, row in SERVICES.items()}
    for service, row in SERVICES.items():
        owners = {owner for entry in row.nouns.split() for owner in entry.partition(">")[2].split(",") if owner}
        assert owners | set(row.usual.split()) <= known[service]
    for call, nouns in CALLS.items():
        assert set(nouns.split()) <= known[call.partition(":")[0]]
    for wrapped in WRAPPERS:
        service, _, noun = wrapped.partition(":")
        assert noun in known[service]


def test_the_resources_element_is_listed_once_each_in_its_order_and_fills_in_for_silent_parameters() -> None:
    entries = [
        {"ARN": "arn:aws:s3:::b", "type": "AWS::S3::Bucket"},
        {"arn": "arn:aws:sns:us-east-1:111122223333:t"},
        {"ARN": "arn:aws:s3:::b", "type": "AWS::S3::Bucket", "accountId": "111122223333"},
        {"resourceName": "g", "resourceType": "AWS::IAM::Group"},
    ]
    resource, resources = read_resources({"eventName": "X", "eventSource": "y.amazonaws.com", "resources": entries})
    assert resources == (
        Resource("arn:aws:s3:::b", "b", "AWS::S3::Bucket"),
        Resource("arn:aws:sns:us-east-1:111122223333:t", "t", "AWS::SNS::Topic"),
        Resource(None, "g", "AWS::IAM::Group"),
    )
    assert resource == resources[0]


def test_service_events_name_their_resource_in_their_own_members() -> None:
    rotated = {
        "eventSource": "secretsmanager.amazonaws.com",
        "eventName": "RotationStarted",
        "eventType": "AwsServiceEvent",
        "requestParameters": None,
        "additionalEventData": {"SecretId": "arn:aws:secretsmanager:us-east-1:111122223333:secret:s-AbCdEf"},
    }
    shared = {
        "eventSource": "ec2.amazonaws.com",
        "eventName": "SharedSnapshotVolumeCreated",
        "eventType": "AwsServiceEvent",
        "serviceEventDetails": {"snapshotId": "snap-1"},
    }
    assert str(read_resources(rotated)[0]) == "arn:aws:secretsmanager:us-east-1:111122223333:secret:s-AbCdEf"
    assert str(read_resources(shared)[0]) == "snap-1"


ACCOUNT = {"id": "car-1", "accountName": "****", "requestedTimestamp": "Mar 4, 2025 10:15:30 AM"}


@pytest.mark.parametrize(
    ("source", "event", "members", "named"),
    [
        ("organizations", "CreateAccountResult", {"serviceEventDetails": {
            "createAccountStatus": {**ACCOUNT, "state": "SUCCEEDED", "accountId": "444455556666"}}}, "444455556666"),
        ("organizations", "CreateAccountResult", {"serviceEventDetails": {
            "createAccountStatus": {**ACCOUNT, "state": "FAILED"}}}, None),
        ("organizations", "CreateAccount", {"requestParameters": {"accountName": "****", "email": "****"},
            "responseElements": {"createAccountStatus": {**ACCOUNT, "state": "IN_PROGRESS"}}}, None),
        ("controltower", "CreateManagedAccount", {"serviceEventDetails": {"createManagedAccountStatus": {
            "account": {"accountName": "n", "accountId": "444455556666"}, "state": "SUCCEEDED"}}}, "444455556666"),
        ("controltower", "DisableGuardrail", {"serviceEventDetails": {"disableGuardrailStatus": {
            "guardrails": [{"guardrailId": "AWS-GR_X"}], "state": "SUCCEEDED"}}}, "AWS-GR_X"),
        ("s3", "JobStatusChanged", {"serviceEventDetails": {
            "jobId": "j", "jobArn": "arn:aws:s3:us-west-2:111122223333:job/j", "status": "Complete"}},
            "arn:aws:s3:us-west-2:111122223333:job/j"),
        ("iam", "CreateUser", {"additionalEventData": {"user": "alice"}}, None),
        ("iam", "CreateUser", {"additionalEventData": {"userName": "alice", "Caller": "alice"}}, None),
    ],
)  # fmt: skip
def test_details_of_service_events_name_the_resource_and_never_the_caller(
    source: str, event: str, members: dict[str, Any], named: str | None
) -> None:
    record = {"eventSource": f"{source}.amazonaws.com", "eventName": event, "eventType": "AwsServiceEvent", **members}
    found, _ = read_resources(record)
    assert (None if found is None else str(found)) == named


def test_a_denial_names_the_target_in_any_letter_case() -> None:
    record = {
        "eventSource": "sts.amazonaws.com",
        "eventName": "assumerole",
        "errorMessage": "u is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/r",
    }
    assert str(read_resources(record)[0]) == "arn:aws:iam::111122223333:role/r"


@pytest.mark.parametrize("letters", [str.lower, str.upper])
@pytest.mark.parametrize(
    "case", [case for case in CASES if not case["call"].isupper()], ids=lambda case: f"{case['service']}:{case['call']}"
)
def test_names_of_calls_count_in_any_letter_case(case: dict[str, Any], letters: Any) -> None:
    expected = read_resources(record_of(case))
    assert read_resources(record_of({**case, "call": letters(case["call"])})) == expected


@pytest.mark.parametrize(
    "message",
    [
        "User: u is not authorized to perform: iam:PassRole on resource: arn:aws:iam::111122223333:role/r",
        "User: u is not authorized to perform: ec2:RunInstances on resource: arn:aws:ec2:us-east-1:1:instance/*",
        "on resource: ",
    ],
)
def test_a_denial_that_is_not_about_the_target_names_none(message: str) -> None:
    record = {"eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "errorMessage": message}
    assert read_resources(record) == (None, ())


def test_a_quoted_arn_in_a_denial_may_hold_blanks() -> None:
    record = {
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "errorMessage": 'u is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::b/my key" because',
    }
    assert read_resources(record)[0] == Resource("arn:aws:s3:::b/my key", "b/my key", "AWS::S3::Object")


@pytest.mark.parametrize(("arn", "type_", "name"), [
    ("arn:aws:iam::111122223333:group/a/b/g", "AWS::IAM::Group", "g"),
    ("arn:aws-cn:iam::111122223333:role/r", "AWS::IAM::Role", "r"),
    ("arn:aws:iam::111122223333:root", None, "root"),
    ("arn:aws:s3:::b", "AWS::S3::Bucket", "b"),
    ("arn:aws:s3:us-east-1:111122223333:accesspoint/ap", "AWS::S3::AccessPoint", "ap"),
    ("arn:aws:logs:us-east-1:111122223333:log-group:/a/b:*", "AWS::Logs::LogGroup", "/a/b"),
    ("arn:aws:ssm:us-east-1:111122223333:parameter/p", "AWS::SSM::Parameter", "p"),
    ("arn:aws:rds:us-east-1:111122223333:db:d", "AWS::RDS::DBInstance", "d"),
    ("arn:aws:ec2:us-east-1:111122223333:security-group/sg-1", "AWS::EC2::SecurityGroup", "sg-1"),
    ("arn:aws:newthing:us-east-1:111122223333:thing/x", None, "x"),
    ("arn:aws:iam::111122223333:", None, None),
    ("arn:aws:iam", None, None),
])  # fmt: skip
def test_an_arn_tells_type_and_name(arn: str, type_: str | None, name: str | None) -> None:
    assert describe_arn(arn) == (type_, name)


def test_a_resource_shows_its_arn_else_its_name_and_has_the_stable_json_form() -> None:
    group = Resource("arn:aws:iam::111122223333:group/g", "g", "AWS::IAM::Group")
    assert str(group) == "arn:aws:iam::111122223333:group/g"
    assert str(Resource(None, "g", "AWS::IAM::Group")) == "g"
    assert list(group.to_dict().items()) == [
        ("arn", "arn:aws:iam::111122223333:group/g"),
        ("name", "g"),
        ("type", "AWS::IAM::Group"),
        ("text", "arn:aws:iam::111122223333:group/g"),
    ]


@pytest.mark.parametrize("parameters", [
    {"groupName": 7}, {"groupName": ""}, {"groupName": None}, {"groupName": ["g"]}, {"groupName": {"deep": {}}},
    {"groupName": "HIDDEN_DUE_TO_SECURITY_REASONS"}, "groupName=g", 3, [], {}, {"groupNameRequest": 1},
    {"CreateRequest": {}},
])  # fmt: skip
def test_what_is_no_name_is_ignored(parameters: Any) -> None:
    record = {"eventSource": "iam.amazonaws.com", "eventName": "DeleteGroup", "requestParameters": parameters}
    assert read_resources(record) == (None, ())


def test_a_record_without_its_source_still_names_the_resource_but_no_type() -> None:
    record = {"eventName": "DeleteGroup", "requestParameters": {"groupName": "g"}}
    assert read_resources(record)[0] == Resource(None, "g", None)


def test_real_mutating_calls_name_their_resource(shared: Path) -> None:
    """Of the successful calls that change something all but those below name what they acted on."""
    silent = set()
    for path in sorted((shared / "corpus" / "invictus").rglob("*.json.gz")):
        for record in json.loads(gzip.decompress(path.read_bytes()))["Records"]:
            if record["readOnly"] is False and not record.get("errorCode") and read_resources(record)[0] is None:
                silent.add(record["eventName"])
    assert silent <= {"CheckMfa", "ConsoleLogin"}


NAMES: list[Any] = [
    "x", "", None, 1, True, "***", "arn:aws:iam::111122223333:role/x", "arn%3Aaws%3As3%3A%3A%3Ab", ["a", "b"], [],
    {"name": "n", "arn": "arn:aws:iam::111122223333:user/u"}, {"items": [{"instanceId": "i-1"}]}, {"content": "vpc-1"},
]  # fmt: skip


@given(st.data())
def test_a_plan_serves_every_record_with_the_same_keys(data: st.DataObject) -> None:
    """Only the values differ from the record for which the plan was made; and letter case of keys means nothing."""
    case = data.draw(st.sampled_from(CASES))
    members = ("requestParameters", "responseElements")

    def drawn(value: Any) -> Any:
        if isinstance(value, dict):  # a wrapper stays one
            return {key: data.draw(st.sampled_from([*NAMES, inner])) for key, inner in value.items()}
        return value

    first = record_of(case)
    second = {**first, **{member: drawn(first[member]) for member in members}}
    upper = {
        **second,
        **{
            member: {key[:1].upper() + key[1:]: inner for key, inner in (second[member] or {}).items()}
            for member in members
            if isinstance(second[member], dict)
        },
    }
    resource_module._plans.forget()
    alone = read_resources(second)
    resource_module._plans.forget()
    read_resources(first)
    assert read_resources(second) == alone
    assert read_resources(upper) == alone


def test_plans_are_bounded_whatever_keys_records_have() -> None:
    resource_module._plans.forget()
    for number in range(30):
        record = {
            "eventSource": "ec2.amazonaws.com",
            "eventName": "RunInstances",
            "requestParameters": {f"{number}-{key}": "x" for key in range(5_000)},
        }
        read_resources(record)
    assert resource_module._plans.bytes <= 2 << 20

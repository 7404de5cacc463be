"""The checks of values, of what holds together and of records that surprise, on more than their examples."""

from __future__ import annotations

from pathlib import Path

import pytest

import cloudsigma
from cloudsigma.catalogue import Catalogue
from cloudsigma.catalogue.record_fields import BOOLEANS, SCALARS, VALUES
from cloudsigma.catalogue.record_shapes import ABSENT, DATA_EVENTS, EVENTS_OF_ACTIONS, GLOBAL, SHAPES, WITHHELD
from cloudsigma.linting import Finding
from cloudsigma.linting.fixes import fixed_texts

HEAD = """title: Example
id: 5a1f0a52-7b43-4f3e-9d9e-0e9d7a3f7c11
logsource: {product: aws, service: cloudtrail}
detection:
"""
POLICY = {"outcome-not-tested", "sibling-calls", "data-event"}
"""Findings of the profile `thorough` that say nothing about a value."""


def found_in(text: str, folder: Path, profile: str = "thorough") -> list[Finding]:
    rule = folder / "rule.yml"
    rule.write_text(text, encoding="utf-8")
    return [each for each in cloudsigma.lint(rule, profile=profile) if each.slug not in POLICY]


def selection(lines: str) -> str:
    return f"{HEAD}  selection:\n" + "".join(f"    {line}\n" for line in lines.split("\n")) + "  condition: selection\n"


@pytest.mark.parametrize(
    ("line", "slugs"),
    [
        ("awsRegion: us-east-1a", ["unknown-region"]),
        ("awsRegion|startswith: eu_", ["unknown-region"]),
        ("awsRegion: us-gov-*", []),
        ("awsRegion|startswith: cn-", []),
        ("awsRegion: '*'", ["star-for-exists"]),
        ("eventID: 42", ["value-form"]),
        ("eventID: 0b2d8a8e-3c6f-4a7e-9d55-0a8f2f9f6f01", []),
        ("eventVersion: '2.0'", ["value-form"]),
        ("eventTime: 2026-01-31 12:00", ["value-form"]),
        ("eventTime: '2026-01-31T12:00:00Z'", []),
        ("userIdentity.accessKeyId: AKIAIOSFODNN7EXAMPLE", []),
        ("userIdentity.accessKeyId: my-key", ["value-form"]),
        ("userIdentity.accessKeyId|startswith: ASIA", []),
        ("userIdentity.arn: alice", ["value-form"]),
        ("userIdentity.arn|startswith: 'arn:aws:iam'", []),
        ("userIdentity.arn|startswith: ar", []),
        ("userIdentity.arn|endswith: ':root'", []),
        ("errorCode: Access Denied", ["value-form"]),
        ("errorCode: Client.UnauthorizedOperation", []),
        ("errorCode: ok", ["success-as-error-code"]),
        ("userAgent: Boto3", ["user-agent-without-version"]),
        ("userAgent: TruffleHog", []),
        ("userAgent|contains: boto3", []),
        ("sourceIPAddress: localhost", ["impossible-value"]),
        ("sourceIPAddress: 203.0.113", ["impossible-value"]),
        ("sourceIPAddress: 2001:db8::zz", []),
        ("sourceIPAddress: 2001:db8::1::2", ["impossible-value"]),
        ("sourceIPAddress: AWS Internal", []),
        ("sourceIPAddress: cloudtrail.amazonaws.com", []),
        ("additionalEventData.MFAUsed: No", ["unknown-enum-value", "boolean-word"]),
        ("additionalEventData.MFAUsed: 'NO'", []),
        ("responseElements.ConsoleLogin: Failed", ["unknown-enum-value"]),
        ("managementEvent: 'false'", ["boolean-as-text"]),
        ("eventType|startswith: Api", ["unknown-enum-value"]),
        ("userIdentity.type|startswith: Assumed", []),
    ],
)
def test_values_of_fields(line: str, slugs: list[str], tmp_path: Path) -> None:
    assert [each.slug for each in found_in(selection(line), tmp_path)] == slugs


def test_a_region_with_two_letters_swapped_is_named(tmp_path: Path) -> None:
    (finding,) = found_in(selection("awsRegion: us-esat-1"), tmp_path)
    assert finding.remedy == "Did you mean us-east-1?"


@pytest.mark.parametrize(
    ("lines", "slugs"),
    [
        ("eventSource: signin.amazonaws.com\neventName: ConsoleLogin\nerrorCode: Failed", ["known-record-shape"]),
        ("eventName: ConsoleLogin\nrequestParameters.userName: bob", ["known-record-shape"]),
        ("eventName: ConsoleLogin\nerrorCode: null", []),
        ("eventSource: ec2.amazonaws.com\nerrorCode: UnauthorizedOperation", ["known-record-shape"]),
        ("eventSource: ec2.amazonaws.com\nerrorCode: Client.UnauthorizedOperation", []),
        ("eventSource: [ec2.amazonaws.com, iam.amazonaws.com]\nerrorCode: AccessDenied", []),
        ("eventName: ModifyInstanceAttribute\nrequestParameters.attribute: [userData, kernel]", []),
        ("eventName: SendCommand\neventSource: ssm.amazonaws.com\nrequestParameters.parameters.commands|contains: x",
         ["withheld-value"]),
        ("eventName: SendCommand\nrequestParameters.parameters: HIDDEN_DUE_TO_SECURITY_REASONS", []),
        ("eventName: [PutParameter, GetParameter]\neventSource: ssm.amazonaws.com\nrequestParameters.value: x",
         []),  # one of the two has another shape
        ("userIdentity.type: AWSService\nuserIdentity.arn|contains: role", ["identity-fields"]),
        ("userIdentity.type: [AssumedRole, IAMUser]\nuserIdentity.userName: bob", []),
        ("userIdentity.type: AssumedRole\nuserIdentity.userName: null", []),
        ("eventSource: iam.amazonaws.com\nawsRegion: [us-east-1, eu-west-1]", []),
        ("eventSource: iam.amazonaws.com\nawsRegion: us-gov-west-1", []),
        ("eventSource: iam.amazonaws.com\nawsRegion|startswith: eu-", ["global-service-region"]),
        ("eventSource: sts.amazonaws.com\nawsRegion: eu-west-1", []),
    ],
)  # fmt: skip
def test_records_that_surprise(lines: str, slugs: list[str], tmp_path: Path) -> None:
    assert [each.slug for each in found_in(selection(lines), tmp_path)] == slugs


@pytest.mark.parametrize(
    ("parts", "condition", "slugs"),
    [
        ("  a: {eventName: [CreateUser, DeleteUser]}\n  b: {eventName: DeleteUser}", "a and not b", ["dead-value"]),
        ("  a: {eventName: [CreateUser, DeleteUser]}\n  b: {eventName: DeleteUser}", "a or b", []),
        ("  a: {eventName: [CreateUser, DeleteUser]}\n  b: {eventName: DeleteUser, awsRegion: us-east-1}",
         "a and not b", []),
        ("  a: {eventSource: [iam.amazonaws.com, ec2.amazonaws.com], eventName: CreateUser}", "a", ["dead-value"]),
        ("  a: {eventSource: [iam.amazonaws.com, ec2.amazonaws.com], eventName: [CreateUser, RunInstances]}", "a", []),
        ("  a: {eventSource: iam.amazonaws.com}\n  b: {eventName: DeleetUser}", "a and not b",
         ["filter-without-effect"]),
        ("  a: {eventName: CreateUser}\n  filter_a: {eventName: CreateGroup}\n  filter_b: {awsRegion: us-east-1}",
         "a and not 1 of filter_*", ["filter-without-effect"]),
        ("  a: {eventName: CreateUser}\n  filter_a: {eventName: CreateGroup}\n  filter_b: {awsRegion: us-east-1}",
         "a and not filter_b and not filter_a", ["filter-without-effect"]),
        ("  a: {eventName|cased: [CreateUser, createuser]}", "a", []),
    ],
)  # fmt: skip
def test_values_without_effect(parts: str, condition: str, slugs: list[str], tmp_path: Path) -> None:
    text = f"{HEAD}{parts}\n  condition: {condition}\n"
    assert [each.slug for each in found_in(text, tmp_path)] == slugs


def test_rules_that_a_correlation_is_made_of_are_no_twins(tmp_path: Path) -> None:
    one = selection("eventName: CreateGroup").replace("title: Example", "title: Example\nname: part")
    other = selection("eventName: CreateGroup").replace("7c11", "7c12").replace("Example", "Other")
    correlation = """title: Many
id: 5a1f0a52-7b43-4f3e-9d9e-0e9d7a3f7c13
correlation:
  type: event_count
  rules: [part]
  group-by: [userIdentity.arn]
  timespan: 1h
  condition: {gte: 3}
"""
    assert [each.slug for each in found_in(f"{one}---\n{other}", tmp_path)] == ["same-logic"]
    assert found_in(f"{one}---\n{correlation}---\n{other}", tmp_path) == []


def test_no_fix_where_an_alias_repeats_the_text(tmp_path: Path) -> None:
    """The text of an anchor is that of all its aliases, so that a fix would change more than one place."""
    text = HEAD + "  a: &part {eventname: CreateGroup}\n  b: *part\n  condition: a or b\n"
    shared = [each for each in found_in(text, tmp_path) if each.slug == "unknown-field"]
    assert shared
    assert fixed_texts(shared) == {}
    merged = HEAD + "  a: &part {eventname: CreateGroup}\n  b: {<<: *part, awsRegion: us-east-1}\n  condition: a or b\n"
    assert fixed_texts(found_in(merged, tmp_path)) == {}
    alone = HEAD + "  a: {eventname: CreateGroup}\n  condition: a\n"
    assert len(fixed_texts(found_in(alone, tmp_path))) == 1


# --- the tables -----------------------------------------------------------------------------------------------


def test_the_tables_name_sources_and_events_of_the_catalogue() -> None:
    catalogue = Catalogue.load()
    named = {(shape.source, event) for shape in (*SHAPES, *WITHHELD) for event in shape.events}
    named |= {(source, name) for source, (_, names) in DATA_EVENTS.items() for name in names}
    named |= {(source, event) for (source, _), event in EVENTS_OF_ACTIONS.items()}
    assert not [each for each in named if catalogue.event(*each) is None and each != ("s3", "getobjecttorrent")]
    assert not [source for source in GLOBAL if not catalogue.has_source(source)]
    assert set(ABSENT) <= {each.lower() for each in VALUES["userIdentity.type"]}
    assert BOOLEANS <= SCALARS
    assert "us-east-1" in catalogue.regions


def test_the_tables_agree_with_real_records(shared_corpus: Path) -> None:
    """Data events, regions of global services, members of identities, EC2's codes, forms of single fields."""
    wrong = set()
    for record in cloudsigma.read_records(shared_corpus / "invictus"):
        source, name = record["eventSource"].removesuffix(".amazonaws.com"), record["eventName"]
        is_data = name.lower() in DATA_EVENTS.get(source, ("", frozenset()))[1]
        if is_data is not (record.get("eventCategory") == "Data"):
            wrong.add(("data", source, name))
        if source in GLOBAL and record["awsRegion"] != "us-east-1":
            wrong.add(("region", source, record["awsRegion"]))
        identity = record.get("userIdentity") or {}
        absent = ABSENT.get(str(identity.get("type")).lower(), {})
        wrong |= {("identity", identity["type"], member) for member in absent if member in identity}
        if source == "ec2" and not str(record.get("errorCode") or "Client.").startswith(("Client.", "Server.")):
            wrong.add(("code", source, record["errorCode"]))
        for shape in SHAPES:
            if shape.source == source and name.lower() in shape.events and shape.value is None:
                part = record.get(shape.field)
                wrong |= {("shape", name, shape.field)} if part else set()
    assert wrong == set()


@pytest.mark.parametrize(
    "field",
    ["eventID", "awsRegion", "userIdentity.arn", "errorCode", "userAgent", "eventTime", "sourceIPAddress",
     "userIdentity.accessKeyId", "vpcEndpointId", "eventVersion"],
)  # fmt: skip
def test_no_value_of_a_real_record_is_told(field: str, shared_corpus: Path) -> None:
    from cloudsigma.compiler.document import Place
    from cloudsigma.linting.field_values import value_notes

    values = set()
    for record in cloudsigma.read_records(shared_corpus / "invictus"):
        value = record
        for part in field.split("."):
            value = (value or {}).get(part)  # type: ignore[assignment]
        if value:
            values.add(str(value))
    assert values
    catalogue = Catalogue.load()
    told = [note for value in values for note in value_notes(field, value, Place(1, 1), frozenset(), catalogue)]
    assert told == []


def test_the_nearest_name_is_a_typing_error_or_shares_the_words() -> None:
    catalogue = Catalogue.load()

    def near(name: str, source: str) -> str | None:
        found = catalogue.nearest_event(name, source)
        return found.name if found else None

    assert near("CreateUser", "rds") is None
    assert near("CreateGroup", "ec2") is None
    assert near("DeleteModelCustomizationJob", "bedrock") != "GetModelCustomizationJob"
    assert near("creategruop", "iam") == "CreateGroup"
    assert near("RunInstance", "ec2") == "RunInstances"
    assert near("DeleteUserGroup", "iam") == "DeleteGroup"

"""Who did what to which resource, where and when."""

from __future__ import annotations

import copy
import json
import pickle
from collections import UserDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudsigma.engine.context import context as context_module
from cloudsigma.engine.context.context import Context, Principal, Resource, read_context

CREATE_GROUP: dict[str, Any] = {
    "eventVersion": "1.08",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "arn": "arn:aws:iam::111122223333:user/alice",
        "accountId": "111122223333",
        "accessKeyId": "AKIAEXAMPLE",
        "userName": "alice",
    },
    "eventTime": "2025-03-04T10:15:30Z",
    "eventSource": "iam.amazonaws.com",
    "eventName": "CreateGroup",
    "awsRegion": "us-east-1",
    "sourceIPAddress": "203.0.113.24",
    "userAgent": "aws-cli/2.15",
    "requestParameters": {"groupName": "g"},
    "responseElements": {"group": {"path": "/", "groupName": "g", "arn": "arn:aws:iam::111122223333:group/g"}},
    "requestID": "r-1",
    "eventID": "e-1",
    "readOnly": False,
    "eventType": "AwsApiCall",
    "managementEvent": True,
    "recipientAccountId": "111122223333",
    "eventCategory": "Management",
}
ASSUME_ROLE: dict[str, Any] = {
    "userIdentity": {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:s",
        "arn": "arn:aws:sts::111122223333:assumed-role/r/s",
        "sessionContext": {
            "sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/r", "userName": "r"},
            "attributes": {"mfaAuthenticated": "false"},
        },
        "onBehalfOf": {"userId": "u-1"},
    },
    "eventTime": "2025-03-04T10:15:30.25+02:00",
    "eventSource": "sts.amazonaws.com",
    "eventName": "AssumeRole",
    "requestParameters": {"roleArn": "arn:aws:iam::111122223333:role/x"},
    "responseElements": None,
    "resources": [{"ARN": "arn:aws:iam::111122223333:role/x", "type": "AWS::IAM::Role"}],
    "errorCode": "AccessDenied",
}
RUN_INSTANCES: dict[str, Any] = {
    "eventSource": "ec2.amazonaws.com",
    "eventName": "TerminateInstances",
    "requestParameters": {"instancesSet": {"items": [{"instanceId": "i-1"}, {"instanceId": "i-2"}]}},
    "responseElements": {"TerminateInstancesResponse": {"instancesSet": {"item": {"instanceId": "i-1"}}}},
    "serviceEventDetails": {"snapshotId": "snap-1"},
    "additionalEventData": {"MFAUsed": "Yes"},
}


def test_the_context_of_a_created_group() -> None:
    assert read_context(CREATE_GROUP, {"requestParameters.groupName": ["g"]}) == Context(
        principal=Principal(
            arn="arn:aws:iam::111122223333:user/alice",
            kind="iam_user",
            name="alice",
            id="AIDAEXAMPLE",
            account="111122223333",
            access_key_id="AKIAEXAMPLE",
        ),
        resource=Resource("arn:aws:iam::111122223333:group/g", "g", "AWS::IAM::Group"),
        resources=(Resource("arn:aws:iam::111122223333:group/g", "g", "AWS::IAM::Group"),),
        time=datetime(2025, 3, 4, 10, 15, 30, tzinfo=UTC),
        region="us-east-1",
        account="111122223333",
        source_ip="203.0.113.24",
        user_agent="aws-cli/2.15",
        event_name="CreateGroup",
        event_source="iam.amazonaws.com",
        event_id="e-1",
        event_type="AwsApiCall",
        read_only=False,
        request_id="r-1",
        error_code=None,
        error_message=None,
        outcome="success",
        fields={"requestParameters.groupName": ["g"]},
    )


def test_the_stable_json_form() -> None:
    context = read_context(CREATE_GROUP, {"requestParameters.groupName": ["g"]})
    resource = {
        "text": "arn:aws:iam::111122223333:group/g",
        "arn": "arn:aws:iam::111122223333:group/g",
        "name": "g",
        "type": "AWS::IAM::Group",
    }
    assert context.principal is not None
    assert list(context.to_dict().items()) == [
        ("principal", context.principal.to_dict()),
        ("resource", resource),
        ("resources", [resource]),
        ("time", "2025-03-04T10:15:30Z"),
        ("region", "us-east-1"),
        ("account", "111122223333"),
        ("source_ip", "203.0.113.24"),
        ("user_agent", "aws-cli/2.15"),
        ("event_name", "CreateGroup"),
        ("event_source", "iam.amazonaws.com"),
        ("event_id", "e-1"),
        ("event_type", "AwsApiCall"),
        ("read_only", False),
        ("request_id", "r-1"),
        ("error_code", None),
        ("error_message", None),
        ("outcome", "success"),
        ("fields", {"requestParameters.groupName": ["g"]}),
    ]


def test_an_empty_record_says_nothing() -> None:
    assert read_context({}) == Context()
    assert set(map(str, read_context({}).to_dict().values())) == {"None", "[]", "{}", "unknown"}


def test_fields_are_copied_in_and_out() -> None:
    values = ["g"]
    context = read_context({}, {"f": values})
    context.to_dict()["fields"]["f"].append("x")
    values.append("y")
    assert context.fields == {"f": ["g"]}


def test_a_context_survives_pickling() -> None:
    context = read_context(ASSUME_ROLE, {"f": [1]})
    assert pickle.loads(pickle.dumps(context)) == context  # noqa: S301  # our own bytes


def test_a_record_is_not_changed() -> None:
    record = copy.deepcopy(RUN_INSTANCES)
    read_context(record)
    assert record == RUN_INSTANCES


def proxied(node: Any, of: type) -> Any:
    if isinstance(node, dict):
        return of({key: proxied(value, of) for key, value in node.items()})
    return [proxied(value, of) for value in node] if isinstance(node, list) else node


@pytest.mark.parametrize("of", [MappingProxyType, UserDict])
@pytest.mark.parametrize("record", [CREATE_GROUP, ASSUME_ROLE, RUN_INSTANCES])
def test_any_mapping_gives_the_same_context(of: type, record: dict[str, Any]) -> None:
    assert read_context(proxied(record, of)) == read_context(record)


# --- time -----------------------------------------------------------------------------------------------------


class Stamp(datetime):
    """A subclass whose own methods fail, as pandas' do for some times."""

    def astimezone(self, tz: Any = None) -> Any:
        raise TypeError(tz)

    def replace(self, *_: Any, **__: Any) -> Any:
        raise ValueError


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ("2025-03-04T10:15:30Z", "2025-03-04T10:15:30Z"),
        ("2025-03-04T10:15:30.5Z", "2025-03-04T10:15:30.500000Z"),
        ("2025-03-04T10:15:30.123456789Z", "2025-03-04T10:15:30.123456Z"),
        ("2025-03-04T12:15:30+02:00", "2025-03-04T10:15:30Z"),
        ("2025-03-04T10:15:30+00:00", "2025-03-04T10:15:30Z"),
        ("2025-03-04T10:15:30", "2025-03-04T10:15:30Z"),
        ("2025-03-04", None),
        ("Jul 10, 2023 12:27:13 PM", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2025-02-30T00:00:00Z", None),
        ("\ud800", None),
        ("", None),
        ("2025-03-04 10:15:30", "2025-03-04T10:15:30Z"),
        ("2025-03-04T101530Z", None),
        ("2025-03-04T10:15Z", None),
        ("2025-W10-2T10:15:30Z", None),
        ("2025-03-04T10:15.30Z", None),
        ("2025-03-04T101530.5Z", None),
        ("1741083330", None),
        (1741083330, "2025-03-04T10:15:30Z"),
        (1741083330.25, "2025-03-04T10:15:30.250000Z"),
        (1741083330000, "2025-03-04T10:15:30Z"),
        (1741083330250, "2025-03-04T10:15:30.250000Z"),
        (Decimal("1741083330.25"), "2025-03-04T10:15:30.250000Z"),
        (Decimal("1E+9000000"), None),
        (Decimal("sNaN"), None),
        (True, None),
        (10**400, None),
        (datetime(2025, 3, 4, 10, 15, 30), "2025-03-04T10:15:30Z"),  # noqa: DTZ001  # UTC, as the page says
        (datetime(2025, 3, 4, 12, 15, 30, tzinfo=timezone(timedelta(hours=2))), "2025-03-04T10:15:30Z"),
        (Stamp(2025, 3, 4, 10, 15, 30, tzinfo=UTC), "2025-03-04T10:15:30Z"),
        (float("nan"), None),
        (None, None),
        (["2025-03-04T10:15:30Z"], None),
    ],
)
def test_time_is_read_from_text_datetimes_and_numbers_and_shown_in_utc(recorded: Any, shown: str | None) -> None:
    context = read_context({"eventTime": recorded})
    assert context.to_dict()["time"] == shown
    assert context.time is None or context.time.tzinfo is UTC


# --- outcome --------------------------------------------------------------------------------------------------

CALL = {"eventName": "CreateGroup", "eventType": "AwsApiCall"}
DENIED_CODES = [
    "AccessDenied",
    "AccessDeniedException",
    "accessdenied",
    "Client.UnauthorizedOperation",
    "UnauthorizedOperation",
    "UnauthorizedException",
    "NotAuthorized",
    "NotAuthorizedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "VpceAccessDenied",
    "Client.AuthFailure",
    "ForbiddenException",
    "AllAccessDisabled",
    "KMS.AccessDeniedException",
]
FAILED_CODES = [
    "EntityAlreadyExistsException",
    "DeleteConflictException",
    "ThrottlingException",
    "Client.DryRunOperation",
    "ExpiredToken",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "InvalidAccessException",
]


@pytest.mark.parametrize("code", DENIED_CODES)
def test_a_code_that_says_not_allowed_is_a_denial(code: str) -> None:
    assert read_context({**CALL, "errorCode": code, "errorMessage": "…"}).outcome == "denied"


@pytest.mark.parametrize("code", FAILED_CODES)
def test_any_other_code_is_a_failure(code: str) -> None:
    assert read_context({**CALL, "errorCode": code}).outcome == "failed"


@pytest.mark.parametrize(
    ("parts", "outcome"),
    [
        ({}, "success"),
        ({"errorCode": None, "errorMessage": ""}, "success"),
        ({"eventType": "AwsConsoleAction"}, "success"),
        ({"eventType": None}, "success"),  # exports and old records leave it out
        ({"errorMessage": "You are not authorized to perform this operation."}, "denied"),
        ({"errorMessage": "Access Denied"}, "denied"),
        ({"errorMessage": "The bucket is not empty"}, "failed"),
        ({"errorCode": "ValidationError", "errorMessage": "u is not authorized to perform: iam:X"}, "denied"),
        ({"responseElements": {"errorCode": "AccessDenied"}}, "denied"),
        ({"responseElements": {"errorMessage": "no such thing"}}, "failed"),
        ({"responseElements": {"errorCode": ""}}, "success"),
        ({"eventName": None}, "unknown"),
        ({"eventType": "AwsServiceEvent"}, "unknown"),
        ({"eventType": "AwsCloudTrailInsight"}, "unknown"),
        ({"eventType": "AwsVpceEvents"}, "unknown"),
        ({"eventType": "AwsServiceEvent", "serviceEventDetails": {"xStatus": {"state": "SUCCEEDED"}}}, "success"),
        ({"eventType": "AwsServiceEvent", "serviceEventDetails": {"xStatus": {"state": "FAILED"}}}, "failed"),
        ({"eventType": "AwsServiceEvent", "serviceEventDetails": {"xStatus": {"state": "IN_PROGRESS"}}}, "unknown"),
        ({"eventType": "AwsServiceEvent", "serviceEventDetails": {"xStatus": {"state": 3}, "y": None}}, "unknown"),
        ({"responseElements": {"createAccountStatus": {"state": "IN_PROGRESS"}}}, "success"),
    ],
)
def test_how_a_call_ended(parts: dict[str, Any], outcome: str) -> None:
    assert read_context({**CALL, **parts}).outcome == outcome


@pytest.mark.parametrize(
    ("parts", "outcome"),
    [
        ({"responseElements": {"ConsoleLogin": "Success"}}, "success"),
        ({"responseElements": {"ConsoleLogin": "Failure"}}, "failed"),
        ({"responseElements": {"ConsoleLogin": "Failure"}, "errorMessage": "Failed authentication"}, "failed"),
        ({"eventName": "CheckMfa", "responseElements": {"CheckMfa": "Success"}}, "success"),
        ({"eventName": "consolelogin", "responseElements": {"ConsoleLogin": "Failure"}}, "failed"),
        ({"eventName": "SwitchRole", "responseElements": {"SwitchRole": "Failure"}}, "failed"),
        (
            {"eventName": "CredentialVerification", "serviceEventDetails": {"CredentialVerification": "Failure"}},
            "failed",
        ),
        ({"eventName": "GetSigninToken", "responseElements": {"credentials": "…"}}, "unknown"),
        ({"responseElements": None}, "unknown"),
        ({"responseElements": {"ConsoleLogin": True}}, "unknown"),
    ],
)
def test_a_sign_in_ends_as_it_states(parts: dict[str, Any], outcome: str) -> None:
    assert read_context({"eventName": "ConsoleLogin", "eventType": "AwsConsoleSignIn", **parts}).outcome == outcome


# --- the rest -------------------------------------------------------------------------------------------------


def test_the_affected_account_is_the_recipient_else_the_callers() -> None:
    caller = {"type": "AWSAccount", "accountId": "444455556666"}
    assert read_context({"userIdentity": caller, "recipientAccountId": "111122223333"}).account == "111122223333"
    assert read_context({"userIdentity": caller, "recipientAccountId": ""}).account == "444455556666"
    assert read_context({"recipientAccountId": 111122223333}).account is None


@pytest.mark.parametrize(
    ("recorded", "read_only"),
    [(True, True), (False, False), ("true", True), ("False", False), ("", None), (None, None), (0, None), ([], None)],
)
def test_read_only_is_a_boolean_also_where_an_export_wrote_text(recorded: Any, *, read_only: bool | None) -> None:
    assert read_context({"readOnly": recorded}).read_only is read_only


@pytest.mark.parametrize("address", ["AWS Internal", "ec2.amazonaws.com", "2001:db8::1", "203.0.113.24"])
def test_a_source_that_is_no_address_is_kept_as_recorded_and_alters_nothing_else(address: str) -> None:
    context = read_context({**CREATE_GROUP, "sourceIPAddress": address})
    assert context.source_ip == address
    assert {**context.to_dict(), "source_ip": None} == {**read_context(CREATE_GROUP).to_dict(), "source_ip": None}


def test_the_request_id_is_found_in_either_spelling() -> None:
    assert read_context({"requestID": "a", "requestId": "b"}).request_id == "a"
    assert read_context({"requestId": "b"}).request_id == "b"


# --- whatever a record holds ----------------------------------------------------------------------------------

RECORDS = [CREATE_GROUP, ASSUME_ROLE, RUN_INSTANCES]


def places(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [at, *(place for key, child in children for place in places(child, (*at, key)))]


KNOWN_KEYS = sorted({key for record in RECORDS for place in places(record) for key in place if isinstance(key, str)})
KEYS = st.one_of(
    st.text(max_size=6), st.sampled_from([*KNOWN_KEYS, "ARN", "content", "bucketName", "key", "groups", "XRequest"])
)
DENIAL = "x is not authorized to perform: a:CreateGroup on resource: "
SOURCES = ["iam.amazonaws.com", "ec2.amazonaws.com", "s3.amazonaws.com", "ssm.amazonaws.com", "x", "."]
EVENTS = ["CreateGroup", "GetParametersByPath", "ConsoleLogin", "To", "AddToTo", "AwsServiceEvent", "A" * 300]
NAMES = ["", "\ud800", "arn:aws:iam::1:role/r", "arn:::::", "arn:aws:s3:::b/k", "alias/x", "AssumedRole", DENIAL]
TEXTS = st.one_of(st.text(max_size=8), st.sampled_from([*SOURCES, *EVENTS, *NAMES]))
NUMBERS = st.one_of(st.integers(), st.sampled_from([2**64, -(2**63)]), st.floats())
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=25,
)


def assert_well_formed(context: Context) -> None:
    """What holds of every context: it is JSON (of texts, not the record's own objects), and texts are not empty."""
    shown = context.to_dict()
    json.dumps(shown)
    for one in (shown["principal"], shown["resource"], *shown["resources"]):
        assert one is None or (isinstance(one["text"], str) and one["text"])
    assert shown["outcome"] in {"success", "denied", "failed", "unknown"}
    assert "" not in [value for key, value in shown.items() if key != "fields"]


@given(st.dictionaries(KEYS, JSON, max_size=12))
def test_no_record_raises(record: dict[str, Any]) -> None:
    assert_well_formed(read_context(record))


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A realistic record with up to three of its nodes replaced by anything."""
    record: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(RECORDS)))
    for _ in range(draw(st.integers(1, 3))):
        *parents, last = draw(st.sampled_from([place for place in places(record) if place]))
        node: Any = record
        for key in parents:
            node = node[key]
        node[last] = draw(JSON)
    return record


@given(mutated())
def test_no_damaged_record_raises(record: dict[str, Any]) -> None:
    assert_well_formed(read_context(record))


def test_depth_and_size_cost_nothing() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"groupName": deep}
    record = {**CREATE_GROUP, "requestParameters": deep, "responseElements": {"group": deep}, "resources": [deep]}
    assert read_context(record).resource is None
    assert (
        read_context({"eventName": "Ab" * 100_000, "eventSource": "x", "requestParameters": {"a": "b"}}).resource
        is None
    )
    while deep:  # taken apart by hand: the interpreter would free it by recursion
        deep = deep["groupName"]


def test_keys_that_are_no_text_are_passed_over() -> None:
    record = {**CREATE_GROUP, "requestParameters": {7: "x", None: "y"}, "responseElements": {("a",): {}}}
    assert read_context(record).resource is None


VALUES = st.one_of(st.text(max_size=3), st.none(), st.booleans(), st.integers(), st.floats(), st.lists(st.text()))


@given(
    st.dictionaries(
        st.one_of(st.sampled_from(sorted(CREATE_GROUP)), st.text(max_size=3), st.just("\ud800"), st.integers()), VALUES
    ),
    st.sampled_from([dict, UserDict, MappingProxyType]),
)
def test_texts_read_by_one_conversion_are_those_read_one_by_one(
    members: dict[Any, Any], form: Callable[[dict[Any, Any]], Any]
) -> None:
    record = form({**CREATE_GROUP, **members})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context_module, "_read_texts", context_module._pick_texts)
        expected = read_context(record)
    assert read_context(record) == expected

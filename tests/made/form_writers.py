"""Records written in the forms that exporters have, with what each form drops on the way.

A form is `write(records) → bytes`, with one document, line or row for each record in order, and `carried(record)`, the
record as far as the form can carry it.
"""

from __future__ import annotations

import base64
import copy
import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

Record = dict[str, Any]


class Form(NamedTuple):
    """One form."""

    write: Callable[[list[Record]], bytes]
    carried: Callable[[Record], Record] = lambda record: record
    drops: str = ""
    """What the form cannot carry, as docs/reference/forms.md says it; empty: nothing."""


FORMS: dict[str, Form] = {}


def dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def lines(values: Iterable[Any]) -> bytes:
    return "".join(dumped(value) + "\n" for value in values).encode()


def document(value: Any) -> bytes:
    return dumped(value).encode()


def encoded(value: Any) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else document(value)).decode()


def table(rows: list[dict[str, str]]) -> bytes:
    """CSV with the columns of all rows; a missing cell is empty."""
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def without_nulls(value: Any) -> Any:
    """A value without members that are null, at any depth."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return value


def without_empty_cells(record: Record) -> Record:
    """A record without nulls, and without members that are empty texts."""
    return {name: value for name, value in without_nulls(record).items() if value != ""}


_DROPS_NULLS = "members that are null"
_DROPS_EMPTY = "members that are null, and members of the record that are empty text"

# --- forms that carry all ---------------------------------------------------------------------------------------

FORMS["log_file"] = Form(lambda records: document({"Records": records}))
FORMS["array"] = Form(document)
FORMS["lines"] = Form(lines)
FORMS["objects"] = Form(lambda records: "".join(map(dumped, records)).encode())
FORMS["lookup_events"] = Form(
    lambda records: document({"Events": [{"EventId": "1", "CloudTrailEvent": dumped(r)} for r in records]})
)
FORMS["eventbridge"] = Form(
    lambda records: lines(
        {"detail-type": "AWS API Call via CloudTrail", "source": "aws.x", "detail": r} for r in records
    )
)
FORMS["log_subscription"] = Form(
    lambda records: lines(
        {"awslogs": {"data": encoded(gzip.compress(document({"logEvents": [{"message": dumped(r)}]}), 1))}}
        for r in records
    )
)
FORMS["log_events"] = Form(lambda records: document({"events": [{"message": dumped(r)} for r in records]}))
FORMS["log_lines"] = Form(
    lambda records: "".join(f"2025-03-04T10:15:30.000Z {dumped(record)}\n" for record in records).encode()
)
FORMS["logs_insights"] = Form(lambda records: table([{"@timestamp": "t", "@message": dumped(r)} for r in records]))
FORMS["sns"] = Form(
    lambda records: document(
        {
            "Records": [
                {"EventSource": "aws:sns", "Sns": {"Type": "Notification", "Message": dumped(r)}} for r in records
            ]
        }
    )
)
FORMS["sqs"] = Form(
    lambda records: document(
        {"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": dumped(r)} for r in records]}
    )
)
FORMS["kinesis"] = Form(
    lambda records: document(
        {"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": encoded(r)}} for r in records]}
    )
)
FORMS["firehose"] = Form(
    lambda records: document({"records": [{"recordId": "1", "data": encoded(r)} for r in records]})
)
FORMS["mq"] = Form(
    lambda records: document({"eventSource": "aws:mq", "messages": [{"data": encoded(r)} for r in records]})
)
FORMS["kafka"] = Form(
    lambda records: document({"eventSource": "aws:kafka", "records": {"t-0": [{"value": encoded(r)} for r in records]}})
)
FORMS["lake_event_json"] = Form(lambda records: table([{"eventJson": dumped(record)} for record in records]))
FORMS["elastic_original"] = Form(
    lambda records: lines({"_source": {"event": {"original": dumped(record)}}} for record in records)
)
FORMS["ocsf_raw"] = Form(
    lambda records: lines({"class_uid": 6003, "metadata": {}, "raw_data": dumped(record)} for record in records)
)
FORMS["splunk"] = Form(lambda records: table([{"_raw": dumped(record)} for record in records]))
FORMS["logstash"] = Form(lambda records: lines({"message": dumped(r), "@timestamp": "t"} for r in records))
FORMS["panther"] = Form(
    lambda records: lines({**r, "p_log_type": "AWS.CloudTrail"} for r in records), without_nulls, _DROPS_NULLS
)
FORMS["table_split"] = Form(
    lambda records: document(
        {"columns": columns(records), "data": [[r.get(name) for name in columns(records)] for r in records]}
    ),
    without_nulls,
    _DROPS_NULLS,
)
FORMS["table_by_columns"] = Form(
    lambda records: document(
        {name: {str(at): r.get(name) for at, r in enumerate(records)} for name in columns(records)}
    ),
    without_nulls,
    _DROPS_NULLS,
)


def columns(records: list[Record]) -> list[str]:
    return list(dict.fromkeys(name for record in records for name in record))


@(lambda write: FORMS.setdefault("pandas_lines", Form(write)))
def pandas_lines(records: list[Record]) -> bytes:
    """Python's JSON of a data frame's rows: each has all columns, with NaN for what it lacks."""
    return lines({name: r.get(name, float("nan")) for name in columns(records)} for r in records)


@(lambda write: FORMS.setdefault("text_parameters", Form(write)))
def text_parameters(records: list[Record]) -> bytes:
    """Objects of parameters as JSON text."""
    return lines(
        {name: dumped(value) if name in _PARAMETERS and isinstance(value, dict) else value for name, value in r.items()}
        for r in records
    )


_PARAMETERS = ("requestParameters", "responseElements", "additionalEventData", "serviceEventDetails")


def flat(value: Record, prefix: str = "") -> Record:
    made: Record = {}
    for name, inner in value.items():
        if isinstance(inner, dict) and inner and not any("." in key for key in inner):
            made |= flat(inner, f"{prefix}{name}.")
        else:
            made[prefix + name] = inner
    return made


FORMS["flattened"] = Form(lambda records: lines(map(flat, records)))


def cells(record: Record, printed: Callable[[Any], str]) -> dict[str, str]:
    """A row with the objects of a record printed, and without what is null."""
    return {
        name: value if isinstance(value, str) else printed(value) for name, value in record.items() if value is not None
    }


FORMS["csv_json_cells"] = Form(
    lambda records: table([cells(r, dumped) for r in records]), without_empty_cells, _DROPS_EMPTY
)
FORMS["csv_python_cells"] = Form(
    lambda records: table([cells(r, repr) for r in records]), without_empty_cells, _DROPS_EMPTY
)


# --- Athena -----------------------------------------------------------------------------------------------------

_STRUCT = ("type", "principalId", "arn", "accountId", "invokedBy", "accessKeyId", "userName")


def athena_row(record: Record) -> dict[str, str]:
    identity = record.get("userIdentity")
    row = {name.lower(): value if isinstance(value, str) else dumped(value)
        for name, value in record.items() if value is not None}  # fmt: skip
    if isinstance(identity, dict):
        row["useridentity"] = struct(identity)
    return row


def struct(value: Any) -> str:
    """A value as Athena prints it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name.lower()}={struct(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(struct, value)) + "]"
    return value if isinstance(value, str) else dumped(value)


def without_ambiguous(record: Record) -> Record:
    """The user's identity without texts that a printed struct does not delimit."""
    made = without_empty_cells(copy.deepcopy(record))
    if isinstance(made.get("userIdentity"), dict):
        made["userIdentity"] = _delimited(made["userIdentity"])
    return made


def _delimited(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: inner for name, held in value.items() if (inner := _delimited(held)) not in (None, {})}
    return value if not isinstance(value, str) or not set(value) & set("{}[]=,") else None


FORMS["athena"] = Form(
    lambda records: table([athena_row(without_ambiguous(record)) for record in records]),
    without_ambiguous,
    "members that are null, members of the record that are empty text, texts of `userIdentity` that contain a comma, "
    "`=` or a bracket, and members without a column",
)

# --- Sentinel ---------------------------------------------------------------------------------------------------

_SENTINEL = {
    "TimeGenerated": "eventTime", "AwsEventId": "eventID", "EventVersion": "eventVersion", "EventSource": "eventSource",
    "EventTypeName": "eventType", "EventName": "eventName", "UserIdentityType": "userIdentity.type",
    "UserIdentityPrincipalid": "userIdentity.principalId", "UserIdentityArn": "userIdentity.arn",
    "UserIdentityAccountId": "userIdentity.accountId", "UserIdentityInvokedBy": "userIdentity.invokedBy",
    "UserIdentityAccessKeyId": "userIdentity.accessKeyId", "UserIdentityUserName": "userIdentity.userName",
    "SessionMfaAuthenticated": "userIdentity.sessionContext.attributes.mfaAuthenticated",
    "SessionCreationDate": "userIdentity.sessionContext.attributes.creationDate",
    "SessionIssuerType": "userIdentity.sessionContext.sessionIssuer.type",
    "SessionIssuerPrincipalId": "userIdentity.sessionContext.sessionIssuer.principalId",
    "SessionIssuerArn": "userIdentity.sessionContext.sessionIssuer.arn",
    "SessionIssuerAccountId": "userIdentity.sessionContext.sessionIssuer.accountId",
    "SessionIssuerUserName": "userIdentity.sessionContext.sessionIssuer.userName",
    "SourceIpAddress": "sourceIPAddress", "AWSRegion": "awsRegion", "UserAgent": "userAgent", "ErrorCode": "errorCode",
    "ErrorMessage": "errorMessage", "RequestParameters": "requestParameters", "ResponseElements": "responseElements",
    "AdditionalEventData": "additionalEventData", "AwsRequestId_": "requestID", "Resources": "resources",
    "APIVersion": "apiVersion", "ManagementEvent": "managementEvent", "ReadOnly": "readOnly",
    "RecipientAccountId": "recipientAccountId", "ServiceEventDetails": "serviceEventDetails",
    "SharedEventId": "sharedEventID", "VpcEndpointId": "vpcEndpointId", "Category": "eventCategory",
    "TlsVersion": "tlsDetails.tlsVersion", "CipherSuite": "tlsDetails.cipherSuite",
    "ClientProvidedHostHeader": "tlsDetails.clientProvidedHostHeader",
}  # fmt: skip


def held(record: Any, path: str) -> Any:
    for name in path.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    return record


def placed(made: Record, path: str, value: Any) -> None:
    *around, name = path.split(".")
    for step in around:
        made = made.setdefault(step, {})
    made[name] = value


def only(paths: Iterable[str]) -> Callable[[Record], Record]:
    """A record of the members at these paths alone, without nulls and empty texts."""
    kept = tuple(paths)

    def reduced(record: Record) -> Record:
        made: Record = {}
        for path in kept:
            value = held(record, path)
            if value not in (None, ""):
                placed(made, path, value)
        return made

    return reduced


def sentinel_row(record: Record) -> Record:
    row = {column: held(record, path) for column, path in _SENTINEL.items()}
    row |= {column: dumped(value) for column, value in row.items() if isinstance(value, (dict, list))}
    return {"TenantId": "t", "SourceSystem": "AWS", "Type": "AWSCloudTrail", **row}


_DROPS_SENTINEL = "members without a column, such as `webIdFederationData`, `inScopeOf`, `eventContext`"
FORMS["sentinel_csv"] = Form(
    lambda records: table([cells({k: v for k, v in sentinel_row(r).items() if v != ""}, dumped) for r in records]),
    only(_SENTINEL.values()), _DROPS_SENTINEL,
)  # fmt: skip
FORMS["sentinel_json"] = Form(
    lambda records: document([{k: "" if v is None else v for k, v in sentinel_row(r).items()} for r in records]),
    only(_SENTINEL.values()), _DROPS_SENTINEL,
)  # fmt: skip

# --- Security Lake ----------------------------------------------------------------------------------------------

_OCSF = {
    "actor.user.type": "userIdentity.type", "actor.user.name": "userIdentity.userName",
    "actor.user.credential_uid": "userIdentity.accessKeyId", "actor.session.issuer":
        "userIdentity.sessionContext.sessionIssuer.arn", "actor.invoked_by": "userIdentity.invokedBy",
    "api.operation": "eventName", "api.service.name": "eventSource", "api.version": "apiVersion",
    "api.request.uid": "requestID", "api.response.error": "errorCode", "api.response.message": "errorMessage",
    "cloud.region": "awsRegion", "http_request.user_agent": "userAgent", "metadata.product.version": "eventVersion",
    "metadata.uid": "eventID", "metadata.event_code": "eventType", "time_dt": "eventTime",
    "src_endpoint.uid": "vpcEndpointId", "metadata.product.feature.name": "eventCategory",
}  # fmt: skip
_OCSF_1_1 = {
    "actor.user.uid": "userIdentity.arn", "actor.user.uid_alt": "userIdentity.principalId",
    "actor.user.account.uid": "userIdentity.accountId",
    "actor.session.created_time_dt": "userIdentity.sessionContext.attributes.creationDate",
    "actor.session.is_mfa": "userIdentity.sessionContext.attributes.mfaAuthenticated",
    "api.request.data": "requestParameters", "api.response.data": "responseElements",
}  # fmt: skip
_OCSF_RC_2 = {
    "actor.user.uuid": "userIdentity.arn", "actor.user.uid": "userIdentity.principalId",
    "actor.user.account_uid": "userIdentity.accountId",
    "actor.session.created_time": "userIdentity.sessionContext.attributes.creationDate",
    "actor.session.mfa": "userIdentity.sessionContext.attributes.mfaAuthenticated",
}  # fmt: skip


def ocsf(version: str, paths: dict[str, str]) -> Callable[[Record], Record]:
    """An event of Security Lake: what has a path is there, all else in `unmapped`, by dotted names, as texts."""

    def written(record: Record) -> Record:
        event: Record = {"class_uid": 6003, "metadata": {"version": version, "product": {"name": "CloudTrail"}}}
        left = copy.deepcopy(record)
        for path, source in paths.items():
            value = held(record, source)
            if value not in (None, ""):
                placed(event, path, dumped(value) if isinstance(value, (dict, list)) else value)
                removed(left, source)
        address = left.pop("sourceIPAddress", None)
        if isinstance(address, str):
            placed(event, f"src_endpoint.{'domain' if address.endswith('.com') else 'ip'}", address)
        if record.get("eventName") == "ConsoleLogin":
            event["class_uid"] = 3002
            if (multi_factor := held(record, "additionalEventData.MFAUsed")) in ("Yes", "No"):
                event["is_mfa"] = multi_factor == "Yes"
                removed(left, "additionalEventData.MFAUsed")
            if isinstance(target := held(record, "additionalEventData.LoginTo"), str):
                placed(event, "dst_endpoint.svc_name", target)
                removed(left, "additionalEventData.LoginTo")
            if isinstance(status := held(record, "responseElements.ConsoleLogin"), str):
                event["status"] = status
                removed(left, "responseElements.ConsoleLogin")
        event["unmapped"] = {
            name: value if isinstance(value, str) else dumped(value)
            for name, value in flat(left).items()
            if value not in (None, {}, "")
        }
        return event

    return written


def removed(record: Record, path: str) -> None:
    *around, name = path.split(".")
    inner: Any = record
    for step in around:
        inner = inner.get(step) if isinstance(inner, dict) else None
    if isinstance(inner, dict):
        inner.pop(name, None)


def without_empty(value: Any) -> Any:
    """A value without nulls and empty texts and objects, at any depth."""
    if isinstance(value, dict):
        return {name: inner for name, held_ in value.items() if (inner := without_empty(held_)) not in (None, "", {})}
    return value


def with_parameters(record: Record) -> Record:
    """A record without what is empty, but for the parameters, which are JSON text in an event of 1.1."""
    whole = {name: record[name] for name in ("requestParameters", "responseElements") if record.get(name) is not None}
    return {**without_empty(record), **whole}


_DROPS_OCSF = "nulls, empty texts and empty objects"
for _version, _paths, _carried in (
    ("1.0.0-rc.2", _OCSF | _OCSF_RC_2, without_empty),
    ("1.1.0", _OCSF | _OCSF_1_1, with_parameters),
    ("1.3.0", _OCSF | _OCSF_1_1, with_parameters),
):
    _written = ocsf(_version, _paths)
    FORMS[f"ocsf_{_version}"] = Form(
        lambda records, written=_written: lines(map(written, records)),
        _carried,
        _DROPS_OCSF,  # type: ignore[misc]
    )

# --- Elastic ----------------------------------------------------------------------------------------------------

_ECS = {
    "aws.cloudtrail.event_version": "eventVersion", "aws.cloudtrail.user_identity.type": "userIdentity.type",
    "aws.cloudtrail.user_identity.arn": "userIdentity.arn", "user.id": "userIdentity.principalId",
    "cloud.account.id": "userIdentity.accountId",
    "aws.cloudtrail.user_identity.access_key_id": "userIdentity.accessKeyId",
    "aws.cloudtrail.user_identity.invoked_by": "userIdentity.invokedBy",
    "aws.cloudtrail.user_identity.session_context.mfa_authenticated":
        "userIdentity.sessionContext.attributes.mfaAuthenticated",
    "aws.cloudtrail.user_identity.session_context.creation_date": "userIdentity.sessionContext.attributes.creationDate",
    "aws.cloudtrail.user_identity.session_context.session_issuer.type":
        "userIdentity.sessionContext.sessionIssuer.type",
    "aws.cloudtrail.user_identity.session_context.session_issuer.principal_id":
        "userIdentity.sessionContext.sessionIssuer.principalId",
    "aws.cloudtrail.user_identity.session_context.session_issuer.arn": "userIdentity.sessionContext.sessionIssuer.arn",
    "aws.cloudtrail.user_identity.session_context.session_issuer.account_id":
        "userIdentity.sessionContext.sessionIssuer.accountId",
    "event.provider": "eventSource", "event.action": "eventName", "event.id": "eventID", "@timestamp": "eventTime",
    "cloud.region": "awsRegion", "source.address": "sourceIPAddress", "user_agent.original": "userAgent",
    "aws.cloudtrail.error_code": "errorCode", "aws.cloudtrail.error_message": "errorMessage",
    "aws.cloudtrail.flattened.request_parameters": "requestParameters",
    "aws.cloudtrail.flattened.response_elements": "responseElements",
    "aws.cloudtrail.flattened.additional_eventdata": "additionalEventData",
    "aws.cloudtrail.flattened.service_event_details": "serviceEventDetails",
    "aws.cloudtrail.request_id": "requestID", "aws.cloudtrail.event_type": "eventType",
    "aws.cloudtrail.api_version": "apiVersion", "aws.cloudtrail.management_event": "managementEvent",
    "aws.cloudtrail.read_only": "readOnly", "aws.cloudtrail.recipient_account_id": "recipientAccountId",
    "aws.cloudtrail.vpc_endpoint_id": "vpcEndpointId", "aws.cloudtrail.event_category": "eventCategory",
    "tls.cipher": "tlsDetails.cipherSuite", "tls.client.server_name": "tlsDetails.clientProvidedHostHeader",
}  # fmt: skip
_NAMES = ("userIdentity.userName", "userIdentity.sessionContext.sessionIssuer.userName")


def ecs(record: Record) -> Record:
    event: Record = {"ecs": {"version": "8.11.0"}, "aws": {"cloudtrail": {}}}
    for path, source in _ECS.items():
        value = without_empty(held(record, source))
        if value not in (None, "", {}):
            placed(event, path, value)
    name = held(record, _NAMES[0]) or held(record, _NAMES[1])
    if name:
        placed(event, "user.name", name)
    resources = record.get("resources")
    if isinstance(resources, list):
        spelled = {"ARN": "arn", "accountId": "account_id", "type": "type"}
        event["aws"]["cloudtrail"]["resources"] = [
            {spelled[key]: value for key, value in each.items() if key in spelled}
            for each in resources
            if isinstance(each, dict)
        ]
    version = held(record, "tlsDetails.tlsVersion")
    if isinstance(version, str):
        event.setdefault("tls", {}).update(version_protocol="tls", version=version.removeprefix("TLSv"))
    return event


def carried_by_ecs(record: Record) -> Record:
    made = only([*_ECS.values(), *_NAMES, "tlsDetails.tlsVersion"])(record)
    made = without_empty(made)
    issuer = held(made, "userIdentity.sessionContext.sessionIssuer")
    if issuer and held(made, _NAMES[0]):
        placed(made, _NAMES[1], held(made, _NAMES[0]))
        removed(made, _NAMES[0])
    resources = record.get("resources")
    if isinstance(resources, list) and resources:
        made["resources"] = [
            {key: each[key] for key in ("ARN", "accountId", "type") if key in each}
            for each in resources
            if isinstance(each, dict)
        ]
    return made


FORMS["elastic"] = Form(
    lambda records: lines(map(ecs, records)),
    carried_by_ecs,
    "`sharedEventID`, `webIdFederationData`, `identityProvider`, nulls and empty values; and, if the user and the "
    "session's issuer both have a name, which of them `user.name` names",
)

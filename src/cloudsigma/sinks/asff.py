"""Matches as findings for AWS Security Hub (ASFF), with every limit of `BatchImportFindings` checked here.

The format and its limits: "AWS Security Finding Format" in the Security Hub user guide, and the partner guide for the
sizes of a call. With the default product ARN, the calling account must be the account of the findings.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import re
from typing import Any

from cloudsigma.engine.context.context import Context, Resource
from cloudsigma.engine.match import Match
from cloudsigma.escaping import printable
from cloudsigma.sinks.interface import Sink
from cloudsigma.sinks.json_documents import json_line
from cloudsigma.sinks.made_at import made_at
from cloudsigma.sinks.output import LineOutput

MAX_FINDINGS = 100
"""Findings in one call."""
MAX_CALL = 6_000_000
"""Bytes of one call."""
MAX_FINDING = 240_000
"""Bytes of one finding."""

_SCHEMA = "2018-10-08"
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")
_ID, _TITLE, _DESCRIPTION, _TYPE, _GENERATOR = 512, 256, 1024, 256, 512
_FIELDS, _FIELD_NAME, _FIELD_VALUE = 50, 128, 2048
_RESOURCES, _RESOURCE_ID, _RESOURCE_TYPE = 32, 512, 256
_SEVERITIES = {
    "informational": "INFORMATIONAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "critical": "CRITICAL",
}
_RESOURCE_TYPES = {
    "AWS::IAM::Group": "AwsIamGroup",
    "AWS::IAM::Role": "AwsIamRole",
    "AWS::IAM::User": "AwsIamUser",
    "AWS::IAM::AccessKey": "AwsIamAccessKey",
    "AWS::IAM::ManagedPolicy": "AwsIamPolicy",
    "AWS::S3::Bucket": "AwsS3Bucket",
    "AWS::EC2::Instance": "AwsEc2Instance",
    "AWS::EC2::SecurityGroup": "AwsEc2SecurityGroup",
    "AWS::KMS::Key": "AwsKmsKey",
    "AWS::Lambda::Function": "AwsLambdaFunction",
    "AWS::SecretsManager::Secret": "AwsSecretsManagerSecret",
    "AWS::CloudTrail::Trail": "AwsCloudTrailTrail",
}
"""CloudFormation resource types → their names in Security Hub; all other types become `Other`."""


class UnsendableError(ValueError):
    """The match cannot become a finding: its record lacks a value that ASFF requires, or the finding is too large."""


def finding(match: Match, made: dt.datetime) -> dict[str, Any]:
    """The finding of a match, within every limit of ASFF: longer texts end with `…`.

    Args:
        match: The match; its key makes the finding's `Id`, so that sending it again updates the finding.
        made: The finding's creation time; `FirstObservedAt` and `LastObservedAt` hold the time of the event.

    Raises:
        UnsendableError: The record names no account, or the finding is larger than 240 KB.
    """
    context, rule = match.context, match.rule
    account = context.account
    region = context.region or ""
    region = region if _REGION.fullmatch(region) else "us-east-1"
    if account is None or not (len(account) == 12 and account.isdigit()):
        raise UnsendableError(f"{rule.title}: the record of match {match.key} names no account; ASFF requires one")
    now = _time(made)
    times = sorted(each.context.time for each in (match.matches or (match,)) if each.context.time is not None)
    made_finding = {
        "SchemaVersion": _SCHEMA,
        "Id": _cut(f"cloudsigma/{match.key}", _ID),
        "ProductArn": f"arn:{_partition(region)}:securityhub:{region}:{account}:product/{account}/default",
        "GeneratorId": _cut(f"cloudsigma/{match.rule_id}", _GENERATOR),
        "AwsAccountId": account,
        "CreatedAt": now,
        "UpdatedAt": now,
        "Title": _cut(rule.title, _TITLE),
        "Description": _cut(_description(match), _DESCRIPTION),
        "Resources": _resources(context, account, region),
        "FindingProviderFields": {
            "Severity": {
                "Label": _SEVERITIES.get(rule.level or "", "INFORMATIONAL"),
                "Original": rule.level or "unknown",
            },
            "Types": ["TTPs"],
        },
        "ProductFields": _product_fields(match),
    }
    if times:
        made_finding |= {"FirstObservedAt": _time(times[0]), "LastObservedAt": _time(times[-1])}
    if rule.references and rule.references[0].startswith("https://"):
        made_finding["SourceUrl"] = rule.references[0]
    if match.approval is not None and match.approval.approved:
        made_finding["Workflow"] = {"Status": "SUPPRESSED"}  # of a new finding; imports change it in no known one
    if action := _action(context):
        made_finding["Action"] = action
    if _size(made_finding) > MAX_FINDING:
        raise UnsendableError(f"{rule.title}: the finding of match {match.key} is larger than {MAX_FINDING:,} bytes")
    return made_finding


class Batches:
    """Collects findings into calls of one account, 100 findings and 6 MB at most."""

    def __init__(self) -> None:
        self._calls: dict[str, tuple[list[dict[str, Any]], int]] = {}

    def add(self, finding: dict[str, Any]) -> list[dict[str, Any]] | None:
        """Collect a finding; returns a call once it is full, else `None`."""
        account, size = finding["ProductArn"], _size(finding) + 2
        call, used = self._calls.get(account, ([], 2))
        full = None
        if call and (len(call) >= MAX_FINDINGS or used + size > MAX_CALL):
            full, call, used = call, [], 2
        call.append(finding)
        self._calls[account] = (call, used + size)
        return full

    def rest(self) -> list[list[dict[str, Any]]]:
        """The calls that are not full."""
        calls, self._calls = self._calls, {}
        return [call for call, _ in calls.values()]


class AsffSink(Sink):
    """Writes one line for each call of `BatchImportFindings`; `left_out` reports the matches without an account."""

    def __init__(self, stream: LineOutput) -> None:
        self._stream = stream
        self._batches = Batches()
        self._unsendable: list[str] = []

    def write(self, match: Match) -> None:
        """Collect the finding of one match, and write a call that is full."""
        try:
            full = self._batches.add(finding(match, made_at()))
        except UnsendableError as error:
            self._unsendable.append(str(error))
        else:
            self._write_call(full)

    def close(self) -> None:
        """Write the calls that are not full."""
        for call in self._batches.rest():
            self._write_call(call)
        self._stream.flush()

    @property
    def left_out(self) -> list[str]:
        """The matches that cannot become findings, and why."""
        return self._unsendable

    def _write_call(self, call: list[dict[str, Any]] | None) -> None:
        if call:
            self._stream.write_line(json_line({"Findings": call}, utf8=self._stream.is_utf8))


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def _cut(text: str, most: int) -> str:
    text = printable(text.strip()) or "-"
    return text if len(text) <= most else text[: most - 1] + "…"


def _time(when: dt.datetime) -> str:
    return when.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _description(match: Match) -> str:
    context = match.context
    what = (
        f"{context.event_name} by {context.principal} on {context.resource or 'no named resource'}: {context.outcome}."
    )
    return f"{what} {match.rule.description or ''}"


def _resources(context: Context, account: str, region: str) -> list[dict[str, Any]]:
    named = [context.resource] if context.resource is not None else []
    named += [each for each in context.resources if each != context.resource]
    place = {"Partition": _partition(region), "Region": region}
    found = [_resource(each) | place for each in named if str(each)][:_RESOURCES]
    return found or [{"Type": "AwsAccount", "Id": f"AWS::::Account:{account}"} | place]


def _resource(resource: Resource) -> dict[str, Any]:
    type_ = _RESOURCE_TYPES.get(resource.type or "", "Other")
    described = {"Type": _cut(type_, _RESOURCE_TYPE), "Id": _cut(resource.arn or resource.name or "-", _RESOURCE_ID)}
    details = {"resource": _cut(str(resource), 1024), "type": resource.type or "unknown"}
    return described | ({"Details": {"Other": details}} if type_ == "Other" else {})


def _action(context: Context) -> dict[str, Any] | None:
    if context.event_name is None:
        return None
    call: dict[str, Any] = {"Api": _cut(context.event_name, 256), "ServiceName": _cut(context.event_source or "-", 128)}
    if context.source_ip is not None:
        try:
            address = ipaddress.ip_address(context.source_ip)
        except ValueError:
            call |= {"CallerType": "domain", "DomainDetails": {"Domain": _cut(context.source_ip, 128)}}
        else:
            call["CallerType"] = "remoteip"
            if address.version == 4:  # ASFF has no member for an IPv6 address
                call["RemoteIpDetails"] = {"IpAddressV4": str(address)}
    if context.time is not None:
        call |= {"FirstSeen": _time(context.time), "LastSeen": _time(context.time)}
    return {"ActionType": "AWS_API_CALL", "AwsApiCallAction": call}


def _product_fields(match: Match) -> dict[str, str]:
    row = match.to_row()
    named = {
        "cloudsigma/rule_id": match.rule_id,
        "cloudsigma/author": match.rule.author,
        "cloudsigma/principal": row["principal"],
        "cloudsigma/root": row["root"],
        "cloudsigma/outcome": row["outcome"],
        "cloudsigma/event_id": row["event_id"],
        "cloudsigma/source_ip": row["source_ip"],
        "cloudsigma/user_agent": row["user_agent"],
        "cloudsigma/error_code": row["error_code"],
        "cloudsigma/tags": row["tags"],
        "cloudsigma/approval": row["approval"],
        "cloudsigma/approved_by": row["approved_by"] or None,
        "cloudsigma/near_misses": row["near_misses"] or None,
    }
    fields = {name: _cut(str(value), _FIELD_VALUE) for name, value in named.items() if value is not None}
    for name, values in match.context.fields.items():
        if len(fields) < _FIELDS:
            fields[_cut(f"cloudsigma/fields/{name}", _FIELD_NAME)] = _cut(", ".join(map(str, values)), _FIELD_VALUE)
    return fields

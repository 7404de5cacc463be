"""Who did what to which resource, where and when: read from a record, whatever rule it matched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from cloudsigma.engine.context.dotted_names import has_joined_names, nested
from cloudsigma.engine.context.event_time import EVENT_TIME, read_time
from cloudsigma.engine.context.principal import Kind, Principal, ReadPrincipal, read_principal
from cloudsigma.engine.context.record_access import flag, mapping, text
from cloudsigma.engine.context.resource import Resource, read_resources
from cloudsigma.engine.json_form import json_ready

__all__ = ["Context", "Kind", "Outcome", "Principal", "Resource", "read_context"]

Outcome = Literal["success", "denied", "failed", "unknown"]
"""How a call ended; `read_context` has the rules."""


class Context(msgspec.Struct, frozen=True):
    """The facts of a record that an alert shows; `None` for everything that the record does not say.

    The JSON form has the fields in this order.
    """

    principal: Principal | None = None
    """Who made the call; `None` where the record has no identity at all."""
    resource: Resource | None = None
    """What the call acted on; `None` where the record names nothing."""
    resources: tuple[Resource, ...] = ()
    """All that the record names: its own `resources` element, and the targets of the call, `resource` among them."""
    time: datetime | None = None
    """When the call was completed (`eventTime`): aware, in UTC."""
    region: str | None = None
    """The AWS region that took the call; of a global service such as IAM the region it lives in."""
    account: str | None = None
    """The account that was affected: `recipientAccountId`, else the caller's."""
    source_ip: str | None = None
    """As recorded: an address, or the name of the AWS service that called."""
    user_agent: str | None = None
    """As recorded."""
    event_name: str | None = None
    """The API call."""
    event_source: str | None = None
    """The service, such as `iam.amazonaws.com`."""
    event_id: str | None = None
    """CloudTrail's ID of the record."""
    event_type: str | None = None
    """`AwsApiCall`, `AwsConsoleSignIn`, `AwsServiceEvent`, …"""
    read_only: bool | None = None
    """Whether the call only reads; missing from records of old versions."""
    request_id: str | None = None
    """The service's ID of the request; several records may share one."""
    error_code: str | None = None
    """As recorded."""
    error_message: str | None = None
    """As recorded."""
    outcome: Outcome = "unknown"
    """How the call ended."""
    fields: dict[str, list[Any]] = {}
    """The values of the rule's `fields`, by the name they have there."""

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form."""
        return {
            "principal": self.principal.to_dict() if self.principal is not None else None,
            "resource": self.resource.to_dict() if self.resource is not None else None,
            "resources": [resource.to_dict() for resource in self.resources],
            "time": self.time.isoformat().replace("+00:00", "Z") if self.time is not None else None,
            "region": self.region,
            "account": self.account,
            "source_ip": self.source_ip,
            "user_agent": self.user_agent,
            "event_name": self.event_name,
            "event_source": self.event_source,
            "event_id": self.event_id,
            "event_type": self.event_type,
            "read_only": self.read_only,
            "request_id": self.request_id,
            "error_code": self.error_code,
            "error_message": self.error_message,
            "outcome": self.outcome,
            "fields": {name: json_ready(values) for name, values in self.fields.items()},
        }


_TEXTS = {
    "region": "awsRegion",
    "account": "recipientAccountId",
    "source_ip": "sourceIPAddress",
    "user_agent": "userAgent",
    "event_name": "eventName",
    "event_source": "eventSource",
    "event_id": "eventID",
    "event_type": "eventType",
    "request_id": "requestID",
    "other_request_id": "requestId",
    "error_code": "errorCode",
    "error_message": "errorMessage",
}


class _Texts(msgspec.Struct, rename={**_TEXTS, "read_only": "readOnly"}):
    """The members of a record that the context shows as they are; an empty text counts as none."""

    region: str | None = None
    account: str | None = None
    source_ip: str | None = None
    user_agent: str | None = None
    event_name: str | None = None
    event_source: str | None = None
    event_id: str | None = None
    event_type: str | None = None
    request_id: str | None = None
    other_request_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    read_only: bool | str | None = None


def _read_texts(record: Mapping[str, Any]) -> _Texts:
    """The texts of a record, by one conversion."""
    try:
        return msgspec.convert(record, _Texts)
    except Exception:  # noqa: BLE001  # a member of another type, a strange key, a foreign mapping's own failure
        return _pick_texts(record)


def _pick_texts(record: Mapping[str, Any]) -> _Texts:
    """`_read_texts`, one by one: members of other types, in damaged exports, are ignored."""
    texts = {field: text(record, member) for field, member in _TEXTS.items()}
    return _Texts(**texts, read_only=flag(record.get("readOnly")))


def read_context(
    record: Mapping[str, Any],
    fields: Mapping[str, Sequence[Any]] | None = None,
    principal_of: ReadPrincipal = read_principal,
) -> Context:
    """Read the context of a record; never raises, whatever the record holds.

    `outcome` is `denied` if the error says that the caller was not allowed to make the call, and `failed` for any other
    error code or message, also one in `responseElements`. A sign-in, and an operation that a service completed, has the
    result that the record states. A call without an error is a `success`. Other events (of services, insights, VPC
    endpoints) are `unknown`.

    Members whose names are joined by dots (`userIdentity.arn`) are read as if they were nested. `principal_of` is
    `read_principal`, perhaps cached.
    """
    if has_joined_names(record):
        record = nested(record)
    principal = principal_of(record)
    resource, resources = read_resources(record)
    texts = _read_texts(record)
    error_code, error_message = texts.error_code or None, texts.error_message or None
    return Context(
        principal,
        resource,
        resources,
        read_time(record.get(EVENT_TIME)),
        texts.region or None,
        texts.account or (principal.account if principal is not None else None),
        texts.source_ip or None,
        texts.user_agent or None,
        texts.event_name or None,
        texts.event_source or None,
        texts.event_id or None,
        texts.event_type or None,
        flag(texts.read_only),
        texts.request_id or texts.other_request_id or None,
        error_code,
        error_message,
        _outcome(record, texts, error_code, error_message),
        {name: list(values) for name, values in fields.items()} if fields else {},
    )


def _outcome(record: Mapping[str, Any], texts: _Texts, code: str | None, message: str | None) -> Outcome:
    response = mapping(record, "responseElements")
    if code is None and message is None and response:
        # AWS documents that some services report their errors there.
        code, message = text(response, "errorCode"), text(response, "errorMessage")
    if code is not None or message is not None:
        return "denied" if is_denial(code, message) else "failed"

    event = texts.event_name
    if not event:
        return "unknown"
    event_type = texts.event_type or "AwsApiCall"
    # Sign-ins: {"ConsoleLogin": "Failure"}, of Identity Center also in serviceEventDetails.
    details = mapping(record, "serviceEventDetails")
    stated = text(response, event) or text(details, event)
    if stated is None and event_type != "AwsApiCall":
        stated = _stated(response, event) or _stated(details, event)
    if stated is not None and (outcome := _STATED.get(stated.lower())) is not None:
        return outcome
    return "success" if event_type in _CALLS else "unknown"


def _stated(node: Mapping[str, Any], event: str) -> str | None:
    """The outcome under the event's name in another letter case, or the state of an operation that has ended.

    `CreateAccountResult` has `{"createAccountStatus": {"state": "FAILED", …}}`.
    """
    for key, value in node.items():
        if isinstance(key, str):
            if isinstance(value, str) and key.lower() == event.lower():
                return value
            if isinstance(value, Mapping) and key.endswith("Status") and (state := text(value, "state")) is not None:
                return state
    return None


_STATED: dict[str, Outcome] = {
    "success": "success", "failure": "failed", "succeeded": "success", "failed": "failed",
}  # fmt: skip
_CALLS = frozenset({"AwsApiCall", "AwsConsoleAction"})

_DENIED_CODES = ("accessdenied", "unauthorized", "notauthorized", "authorizationerror")
_DENIED_CODES_WHOLE = frozenset(
    {"authfailure", "forbidden", "forbiddenexception", "allaccessdisabled", "insufficientprivilegesexception"}
)
_DENIED_MESSAGES = ("not authorized", "unauthorized", "access denied", "access is denied", "accessdenied")


def is_denial(code: str | None, message: str | None) -> bool:
    """Whether an error means "not allowed" rather than "not possible"; expired or malformed credentials do not."""
    said = message.lower() if message is not None else ""
    if code is None:
        return any(part in said for part in _DENIED_MESSAGES)
    # EC2 writes `Client.UnauthorizedOperation`, a VPC endpoint `VpceAccessDenied`, S3 `AccessDenied`.
    short = code.rpartition(".")[2].lower()
    if short in _DENIED_CODES_WHOLE or any(part in short for part in _DENIED_CODES):
        return True
    # IAM's own sentence, which some services wrap in a code of theirs.
    return "not authorized to perform" in said

"""Make CloudTrail records from templates: call, principal, caller and outcome.

The records have the form that CloudTrail writes. Accounts, addresses and keys are reserved for documentation, and
identifiers are derived from the arguments, so that equal arguments give equal records on every machine.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Literal, get_args

from cloudsigma.errors import UsageError
from cloudsigma.testing.records.changes import ChangeError, changed
from cloudsigma.testing.records.templates import PlaceholderValues, calls, read_call, read_data, unknown

__all__ = ["CALLERS", "DEFAULT_TIME", "OUTCOMES", "PRINCIPALS", "Caller", "Outcome", "Principal", "calls", "record"]

Principal = Literal[
    "root",
    "iam_user",
    "role_session",
    "federated_user",
    "saml",
    "web_identity",
    "identity_center",
    "account",
    "service",
    "unknown",
    "anonymous",
]
"""Kinds of `Context.principal`, and `anonymous`, a caller without credentials."""
Outcome = Literal["success", "denied", "failed", "throttled"]
"""Outcome of a call; in its context, a throttled call is `failed`."""
Caller = Literal["console", "cli", "sdk", "service"]
"""Client that makes the call; `service`: an AWS service on the principal's behalf."""

PRINCIPALS: tuple[str, ...] = get_args(Principal)
OUTCOMES: tuple[str, ...] = get_args(Outcome)
CALLERS: tuple[str, ...] = get_args(Caller)

DEFAULT_TIME = "2026-11-20T10:15:30Z"
"""The default time of a call."""

_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]")
_SENTENCE = "User: ${caller} is not authorized to perform: ${action} on resource: ${resource} ${because}"
_BECAUSE = "because no identity-based policy allows the ${action} action"


def record(
    call: str,
    *,
    principal: Principal | Mapping[str, str] | None = None,
    outcome: Outcome | None = None,
    caller: Caller | None = None,
    region: str | None = None,
    account: str = "111122223333",
    time: str | dt.datetime = DEFAULT_TIME,
    request: Mapping[str, Any] | None = None,
    set: Mapping[str, Any] | None = None,  # noqa: A002  # the word of the case files
) -> dict[str, Any]:
    """Make the CloudTrail record of an API call.

    Args:
        call: `service:Call`, one of `calls()`.
        principal: The kind of principal; default: an IAM user, or the first kind that can make the call. A mapping
            chooses its names, too: `{"kind": "role_session", "role": "Admin", "session": "ci-1"}`.
        outcome: The outcome of the call; default: `success`.
        caller: The client; default: the usual one for the principal.
        region: The region; default: `us-east-1`, or the region that records a global service.
        account: ID of the called account, 12 digits. It is also the principal's, unless that is an `account`.
        time: The time, as a datetime or ISO 8601 text; UTC if it has no zone.
        request: Request parameters that replace the template's. Response, resources and error messages follow them.
        set: Dotted names and values to set in the finished record; other members do not follow them.

    Raises:
        UsageError: There is no template for the call, or the arguments do not fit together.
    """
    service_data, data = read_call(call)
    service, _, name = call.partition(":")
    kind, names = _principal(principal, data)
    outcome = _chosen("outcome", outcome, data.get("outcomes", OUTCOMES), OUTCOMES, f"{call} ends in")
    who = read_data("principals")[kind]
    callers = [each for each in who["callers"] if each in data.get("callers", CALLERS)]
    if not callers:
        raise UsageError(f"a principal of the kind {kind} cannot make the call {call}")
    caller = _chosen("caller", caller, callers, CALLERS, f"a principal of the kind {kind} makes {call} with")
    moment = _time(time)
    if not re.fullmatch("[0-9]{12}", str(account)):
        raise UsageError(f"the account {account!r} is not text of 12 digits")
    partition, region = _region(region, service_data, service)

    seed = [call, kind, names, outcome, caller, region, account, moment.isoformat(), request or {}, set or {}]
    plain = {"account": account, "region": region, "partition": partition, "action": call}
    values = PlaceholderValues(
        hashlib.sha256(json.dumps(seed, sort_keys=True, default=str).encode()).hexdigest(),
        moment,
        plain | {"command": f"{service}.{re.sub('(?<=[a-z0-9])(?=[A-Z])', '-', name).lower()}"},
    )
    identity = _identity(who, names, values, caller, is_sign_in=service == "signin")
    values.plain["caller"] = who.get("caller") or _named(identity)
    values.request = _request(data, request, values, call)

    ended = {**service_data.get(outcome, {}), **(data.get(outcome) or {})}
    parts = {**data, **ended}
    made = _assembled(service_data, parts, values, identity, name, caller)
    code, message = _error(outcome, ended, parts, who, values)
    if outcome != "success":
        made |= {
            "errorCode": code,
            "errorMessage": message,
            "responseElements": values.fill(ended.get("response")),
        }
        if outcome != "failed" and not ended.get("keeps_request"):
            made["requestParameters"] = None
    made = {member: value for member, value in made.items() if value is not None or member in _NULLABLE}
    try:
        return changed(made, set=set)
    except ChangeError as error:
        raise UsageError(str(error)) from error


_NULLABLE = frozenset({"requestParameters", "responseElements"})


# --- the parts of a record ----------------------------------------------------------------------------------


def _assembled(
    service: Mapping[str, Any],
    parts: Mapping[str, Any],
    values: PlaceholderValues,
    identity: dict[str, Any],
    name: str,
    caller: str,
) -> dict[str, Any]:
    """The members of a record in CloudTrail's order; members that are `None` are removed later."""
    by_service = caller == "service"
    agent = values.fill(read_data("callers")[caller])
    if by_service:
        agent = dict.fromkeys(agent, identity["invokedBy"])
    is_data = bool(parts.get("data"))
    tls = {
        "tlsVersion": "TLSv1.3",
        "cipherSuite": "TLS_AES_128_GCM_SHA256",
        "clientProvidedHostHeader": values.fill(values.request.get("Host", service["host"])),
    }
    extra = values.fill(parts.get("extra", {}))
    is_sign_in = "AwsConsoleSignIn" in extra.values()
    return {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": values.plain["time"],
        "eventSource": service["source"],
        "eventName": name,
        "awsRegion": values.plain["region"],
        **agent,
        "errorCode": None,
        "errorMessage": None,
        "requestParameters": values.request or None,
        "responseElements": values.fill(parts.get("response")),
        "additionalEventData": extra.pop("additionalEventData", None),
        "requestID": values.fill("${uuid.request}") if service.get("request_id", True) else None,
        "eventID": values.fill("${uuid.event}"),
        "readOnly": bool(parts.get("read_only")),
        "resources": values.fill(parts.get("resources")),
        "eventType": "AwsApiCall",
        "managementEvent": not is_data,
        "recipientAccountId": values.plain["account"],
        "eventCategory": "Data" if is_data else "Management",
        "tlsDetails": None if by_service else tls,
        "sessionCredentialFromConsole": "true" if caller == "console" and not is_sign_in else None,
        **extra,
    }


def _identity(
    who: Mapping[str, Any], names: Mapping[str, str], values: PlaceholderValues, caller: str, *, is_sign_in: bool
) -> dict[str, Any]:
    before = dict(values.plain)
    values.plain |= names
    identity: dict[str, Any] = values.fill(who["identity"])
    values.plain = before
    if is_sign_in:
        identity.pop("accessKeyId", None)  # a sign-in uses a password
    elif caller == "console" and "temporary" in who:
        identity["accessKeyId"] = who["temporary"]
        identity["sessionContext"] = {
            "attributes": {"creationDate": values.plain["earlier"], "mfaAuthenticated": "false"}
        }
    if caller == "service":
        identity.setdefault("invokedBy", read_data("callers")["service"]["userAgent"])
    return identity


def _named(identity: Mapping[str, Any]) -> str:
    """The principal's name in a message: its ARN, or the next best identifier."""
    members = ("arn", "userName", "principalId", "invokedBy", "accountId")
    return str(next(identity[member] for member in members if identity.get(member)))


def _request(
    data: Mapping[str, Any], request: Mapping[str, Any] | None, values: PlaceholderValues, call: str
) -> dict[str, Any]:
    template = data.get("request") or {}
    if request and not template:
        raise UsageError(f"{call} has no request parameters")
    own = dict(request or {})
    return {key: own[key] if key in own else values.fill(template[key]) for key in {**template, **own}}


def _error(
    outcome: str, ended: Mapping[str, Any], parts: Mapping[str, Any], who: Mapping[str, Any], values: PlaceholderValues
) -> tuple[str | None, str | None]:
    code = ended.get("code")
    if outcome == "denied":
        values.plain["resource"] = values.fill(parts.get("resource", "*"))
        values.plain["because"] = values.fill(who.get("because", _BECAUSE))
        return code, values.fill(ended.get("sentence", _SENTENCE))
    return code, values.fill(ended.get("message"))


# --- arguments ----------------------------------------------------------------------------------------------


def _principal(principal: Any, data: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    makers = data.get("principals", PRINCIPALS)
    if principal is None:
        principal = "iam_user" if "iam_user" in makers else makers[0]
    names = dict(principal) if isinstance(principal, Mapping) else {"kind": principal}
    kind = names.pop("kind", None)
    if kind not in PRINCIPALS:
        raise unknown("kind of principal", kind, PRINCIPALS)
    if kind not in makers:
        raise UsageError(f"a principal of the kind {kind} cannot make this call; use one of {', '.join(makers)}")
    who = read_data("principals")[kind]
    chosen = who.get("names", {})
    known = sorted({*chosen, *(["account"] if "${account}" in str(who["identity"]) else [])})
    for name, value in names.items():
        if name not in known:
            raise unknown(f"part of the name of the principal {kind}", name, known or ["none"])
        if not isinstance(value, str):
            raise UsageError(f"{name} of the principal is {value!r}, which is not text")
    return kind, {**chosen, **names}


def _chosen(what: str, given: Any, possible: Any, known: tuple[str, ...], why: str) -> Any:
    if given is None:
        return possible[0]
    if given not in known:
        raise unknown(what, given, known)
    if given not in possible:
        raise UsageError(f"{what} {given!r} does not fit: {why} {' or '.join(possible)}")
    return given


def _time(time: Any) -> dt.datetime:
    try:
        moment = time if isinstance(time, dt.datetime) else dt.datetime.fromisoformat(time)
        return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{time!r} is not a time; write it like {DEFAULT_TIME}") from error


def _region(region: str | None, service: Mapping[str, Any], name: str) -> tuple[str, str]:
    """The partition, and the region that records the call."""
    if region is not None and not (isinstance(region, str) and _REGION.fullmatch(region)):
        raise UsageError(f"{region!r} is not a region; write it like us-east-1")
    start = (region or "us-east-1").split("-")
    partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get("-".join(start[: 2 if start[1] == "gov" else 1]), "aws")
    home = service.get("home", {}).get(partition)
    if home and region not in (None, home):
        raise UsageError(f"calls of {name} are recorded in {home}, not in {region}")
    return partition, home or region or "us-east-1"

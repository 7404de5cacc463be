"""Parse events that issue credentials: the new session or key, and the caller.

Members of the answers: AWS STS and IAM API references, "Logging IAM and AWS STS API calls with AWS CloudTrail" and
"AWS Sign-In events" in the CloudTrail user guide, and the Roles Anywhere API reference (`CreateSession`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from cloudsigma.engine.context.record_access import mapping, name
from cloudsigma.sessions.caller import Caller, read_caller, read_second

ISSUING_EVENTS = frozenset(
    {
        "AssumeRole",
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "AssumeRoot",
        "ConsoleLogin",
        "CreateAccessKey",
        "CreateSession",
        "GetFederationToken",
        "GetSessionToken",
        "GetWebIdentityToken",
        "SwitchRole",
    }
)
"""Names of the events that `read_issues` understands; other records issue nothing."""

_STS = frozenset(
    {
        "AssumeRole",
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "AssumeRoot",
        "GetFederationToken",
        "GetSessionToken",
        "GetWebIdentityToken",
    }
)
SOURCES = {
    **dict.fromkeys(_STS, "sts.amazonaws.com"),
    "ConsoleLogin": "signin.amazonaws.com",
    "SwitchRole": "signin.amazonaws.com",
    "CreateAccessKey": "iam.amazonaws.com",
    "CreateSession": "rolesanywhere.amazonaws.com",
}
"""Event that issues credentials → its service."""


class Issue(msgspec.Struct, frozen=True, omit_defaults=True):
    """One set of credentials that an event issued, and the caller that requested them."""

    event_id: str
    event_name: str
    caller: Caller
    second: int | None = None
    """Time of the event, in seconds since 1970."""
    key: str | None = None
    """The access key ID of the new credentials."""
    arn: str | None = None
    """The ARN of the new session."""
    principal_id: str | None = None
    """The principal ID of the new session; for a console sign-in, of the user."""
    token: str | None = None
    """The ID of a web identity token: issued by `GetWebIdentityToken`, used by `AssumeRoleWithWebIdentity`."""
    source_identity: str | None = None
    """The source identity that the request set."""
    address: str | None = None
    """`sourceIPAddress` of the call."""


def read_issues(record: Mapping[str, Any]) -> tuple[Issue, ...]:
    """The credentials that a record's event issued; empty for failed calls and for events that issue none."""
    event = record.get("eventName")
    if not isinstance(event, str) or SOURCES.get(event) != record.get("eventSource"):
        return ()
    caller, event_id = read_caller(record), name(record, "eventID")
    if caller is None or event_id is None or record.get("errorCode"):
        return ()
    request = mapping(record, "requestParameters")
    second, address = read_second(record.get("eventTime")), name(record, "sourceIPAddress")
    source_identity = name(request, "sourceIdentity")
    return tuple(
        Issue(
            event_id,
            event,
            caller,
            second,
            credentials.key,
            credentials.arn,
            credentials.principal_id,
            credentials.token,
            source_identity or credentials.source_identity,
            address,
        )
        for credentials in _credentials(event, record, request)
    )


class _Credentials(msgspec.Struct, frozen=True):
    key: str | None = None
    arn: str | None = None
    principal_id: str | None = None
    token: str | None = None
    source_identity: str | None = None


def _credentials(event: str, record: Mapping[str, Any], request: Mapping[str, Any]) -> Iterator[_Credentials]:
    answer = mapping(record, "responseElements")
    if event == "ConsoleLogin":
        identity = mapping(record, "userIdentity")
        if name(answer, "ConsoleLogin") == "Success":
            yield _Credentials(principal_id=name(identity, "principalId"), arn=name(identity, "arn"))
    elif event == "SwitchRole":
        identity = mapping(record, "userIdentity")
        yield _Credentials(arn=name(identity, "arn"), principal_id=name(identity, "principalId"))
    elif event == "CreateAccessKey":
        yield _Credentials(key=name(mapping(answer, "accessKey"), "accessKeyId"))
    elif event == "CreateSession":
        yield from _roles_anywhere(answer)
    elif event == "GetWebIdentityToken":
        yield _Credentials(token=name(answer, "webIdentityTokenId"))
    else:
        user = mapping(answer, "assumedRoleUser") or mapping(answer, "federatedUser")
        yield _Credentials(
            key=name(mapping(answer, "credentials"), "accessKeyId"),
            arn=name(user, "arn") or _session_arn(request),
            principal_id=name(user, "assumedRoleId") or name(user, "federatedUserId"),
            token=name(request, "webIdentityTokenId"),
            source_identity=name(answer, "sourceIdentity"),
        )


def _roles_anywhere(answer: Mapping[str, Any]) -> Iterator[_Credentials]:
    entries = answer.get("credentialSet")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping):
            user = mapping(entry, "assumedRoleUser")
            yield _Credentials(
                key=name(mapping(entry, "credentials"), "accessKeyId"),
                arn=name(user, "arn"),
                principal_id=name(user, "assumedRoleId"),
                source_identity=name(entry, "sourceIdentity"),
            )


def _session_arn(request: Mapping[str, Any]) -> str | None:
    """The session's ARN from the role and the session name: answers to EC2 and Lambda lack `assumedRoleUser`."""
    role, session = name(request, "roleArn"), name(request, "roleSessionName")
    if role is None or session is None or ":role/" not in role:
        return None
    beginning, _, path = role.partition(":role/")
    return f"{beginning.replace(':iam:', ':sts:', 1)}:assumed-role/{path.rsplit('/', 1)[-1]}/{session}"

"""A match as one flat row of plain values: for data frames, and for CSV, whose columns these are."""

from __future__ import annotations

from cloudsigma.engine.approval import Decision
from cloudsigma.engine.context.context import Context
from cloudsigma.engine.rule import Rule
from cloudsigma.engine.session_link import Link
from cloudsigma.origin import Origin

Cell = str | int | bool | None
"""A value of a row."""

COLUMNS: dict[str, str] = {
    "time": "`eventTime`, ISO 8601 in UTC",
    "level": "level of the rule",
    "title": "title of the rule",
    "event_name": "the API call",
    "outcome": "`success`, `denied`, `failed`, `unknown`",
    "root": "the identity that began the chain of sessions, where the sessions are linked",
    "root_certainty": "`certain`, `probable`, `ambiguous`, `unknown`",
    "principal": "the caller: the ARN, else the best identifier there is",
    "principal_kind": "kind of the caller: `iam_user`, `role_session`, …",
    "principal_name": "user name; of a session the role's name",
    "principal_account": "account of the caller",
    "session_name": "name of the role session",
    "access_key_id": "access key that signed the call",
    "mfa": "whether the session used MFA",
    "resource": "what the call acted on: the ARN, else the name",
    "resource_name": "its name",
    "resource_type": "its type, as AWS names types: `AWS::IAM::Group`",
    "account": "account that was affected",
    "region": "region that took the call",
    "source_ip": "address of the caller, or the name of a service",
    "user_agent": "user agent, as recorded",
    "error_code": "error code, as recorded",
    "error_message": "error message, as recorded",
    "event_source": "the service",
    "event_id": "CloudTrail's ID of the record",
    "event_type": "`AwsApiCall`, `AwsConsoleSignIn`, …",
    "read_only": "whether the call only reads",
    "request_id": "the service's ID of the request",
    "approval": "`approved`, `partly`, `none`, where approvals decided",
    "approved_by": "IDs of the approvals, separated by a space",
    "near_misses": "the approvals that all but cover the match, and the difference",
    "records": "how many records the match is about: 1, of a correlation all that contribute",
    "rule_id": "ID of the rule",
    "rule_author": "author of the rule, whom the Detection Rule License asks to name",
    "tags": "tags of the rule, separated by a space",
    "key": "for deduplication: the same rule and event give the same key in any run",
    "origin_path": "file of the record",
    "origin_position": "which record of the file, from 0",
}
"""The columns in their order, with their meaning."""


def match_row(
    rule: Rule,
    context: Context,
    session: Link | None,
    approval: Decision | None,
    origin: Origin | None,
    *,
    key: str,
    records: int,
) -> dict[str, Cell]:
    """The row of a match, from its parts: every column of `COLUMNS`, in their order; `None` if unknown."""
    principal, resource = context.principal, context.resource
    return {
        "time": context.time.isoformat().replace("+00:00", "Z") if context.time is not None else None,
        "level": rule.level,
        "title": rule.title,
        "event_name": context.event_name,
        "outcome": context.outcome,
        "root": session.root if session is not None else None,
        "root_certainty": session.certainty if session is not None else None,
        "principal": principal.text if principal is not None else None,
        "principal_kind": principal.kind if principal is not None else None,
        "principal_name": principal.name if principal is not None else None,
        "principal_account": principal.account if principal is not None else None,
        "session_name": principal.session_name if principal is not None else None,
        "access_key_id": principal.access_key_id if principal is not None else None,
        "mfa": principal.mfa if principal is not None else None,
        "resource": str(resource) if resource is not None else None,
        "resource_name": resource.name if resource is not None else None,
        "resource_type": resource.type if resource is not None else None,
        "account": context.account,
        "region": context.region,
        "source_ip": context.source_ip,
        "user_agent": context.user_agent,
        "error_code": context.error_code,
        "error_message": context.error_message,
        "event_source": context.event_source,
        "event_id": context.event_id,
        "event_type": context.event_type,
        "read_only": context.read_only,
        "request_id": context.request_id,
        "approval": approval.status if approval is not None else None,
        "approved_by": " ".join(approval.by) if approval is not None else None,
        "near_misses": "; ".join(f"{near.id}: {near.why}" for near in approval.near) if approval is not None else None,
        "records": records,
        "rule_id": rule.id,
        "rule_author": rule.author,
        "tags": " ".join(rule.tags),
        "key": key,
        "origin_path": origin.path if origin is not None else None,
        "origin_position": origin.position if origin is not None else None,
    }

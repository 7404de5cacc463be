"""One row of the table: the short form of a match."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from cloudsigma.engine.approval import approval_note
from cloudsigma.engine.context.context import Principal, Resource
from cloudsigma.engine.match import Match
from cloudsigma.escaping import printable

_OUTCOMES = {"success": "ok", "denied": "DENIED", "failed": "FAILED", "unknown": "?"}


@dataclass(frozen=True, slots=True)
class Row:
    """The values that a row shows; rows that differ only in their times are folded."""

    time: dt.datetime | None = field(compare=False)
    level: str
    title: str
    event: str
    outcome: str
    """`ok`, `DENIED`, `FAILED`, `?`: readable without color."""
    who: str
    """The caller, preceded by the root if that differs: `alice → PlatformAdmin/s`."""
    principal: str
    """The caller in full."""
    resource: str
    """The name of the resource."""
    full_resource: str
    """The resource in full."""
    address: str
    account: str
    region: str
    note: str = ""
    """The decision of approvals: the approval that covers the match, or nearly does."""


def make_row(match: Match) -> Row:
    """The row of a match."""
    context, session = match.context, match.session
    principal = str(context.principal or "-")
    root = session.root if session is not None and session.root not in (None, principal) else None
    who = _short(context.principal)
    return Row(
        context.time,
        match.rule.level or "-",
        printable(match.rule.title),
        printable(context.event_name or "-"),
        _OUTCOMES.get(context.outcome, "?"),
        printable(f"{short_arn(root)} → {who}" if root is not None else who),
        printable(f"{root} → {principal}" if root is not None else principal),
        printable(_resource_name(context.resource)),
        printable(str(context.resource or "-")),
        printable(context.source_ip or "-"),
        printable(context.account or "-"),
        printable(context.region or "-"),
        printable(approval_note(match.approval, [each.approval for each in match.matches])),
    )


def _short(principal: Principal | None) -> str:
    return short_arn(principal.text) if principal is not None else "-"


def short_arn(text: str) -> str:
    """The readable end of an ARN: `role/session` of a session, the name of a user, else the resource."""
    if not text.startswith("arn:") or text.count(":") < 5:
        return text
    resource = text.split(":", 5)[5]
    kind, _, name = resource.partition("/")
    if kind in {"assumed-role", "user", "federated-user", "role", "group"} and name:
        return name
    return resource or text


def _resource_name(resource: Resource | None) -> str:
    if resource is None:
        return "-"
    return resource.name or short_arn(str(resource))

"""One match in the report; all texts are shortened, since a record may be large."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from cloudsigma.engine.approval import approval_note
from cloudsigma.engine.match import Match

_TEXT = 300
"""Most characters shown of one text."""
_EVIDENCE = 30
"""Most tests shown of one rule."""


@dataclass(frozen=True, slots=True)
class Row:
    """The values that a report shows for a match."""

    time: dt.datetime | None
    level: str
    title: str
    event: str
    outcome: str
    error: str
    root: str
    """The root of the session; empty if it is unknown or equals the principal."""
    principal: str
    resource: str
    address: str
    account: str
    region: str
    key: str
    event_id: str
    origin: str
    """File and position of the record."""
    why: str
    """How the session was linked."""
    evidence: tuple[str, ...]
    """The tests that matched, one line each."""
    approved: bool
    """Whether it is an approved change."""
    approval: str
    """The approvals that cover the match, or nearly do."""
    contributing: int
    """Number of matches in a correlation; 0 for a detection rule."""


def make_row(match: Match) -> Row:
    """The row of a match."""
    context, session = match.context, match.session
    principal = str(context.principal or "-")
    root = session.root if session is not None and session.root not in (None, principal) else None
    origin = match.origin
    return Row(
        time=context.time,
        level=match.rule.level or "none",
        title=shorten(match.rule.title),
        event=shorten(context.event_name or "-"),
        outcome=context.outcome,
        error=shorten(context.error_code or ""),
        root=shorten(root or ""),
        principal=shorten(principal),
        resource=shorten(str(context.resource or "-")),
        address=shorten(context.source_ip or "-"),
        account=shorten(context.account or "-"),
        region=shorten(context.region or "-"),
        key=match.key,
        event_id=shorten(context.event_id or "-"),
        origin=shorten(f"{origin.path}, record {origin.position}") if origin is not None else "-",
        why=shorten(session.why) if session is not None else "",
        evidence=_evidence(match),
        approved=match.approval is not None and match.approval.approved,
        approval=shorten(approval_note(match.approval, [each.approval for each in match.matches])),
        contributing=len(match.matches),
    )


def _evidence(match: Match) -> tuple[str, ...]:
    """Each test with the value that passed it; for a correlation, its matches."""
    if match.matches:
        lines = [f"{each.context.time or '-'} {each.context.event_name}: {each.rule.title}" for each in match.matches]
    else:
        lines = []
        for item in match.evidence:
            name = "|".join((item.field or "keywords", *item.modifiers))
            values = ", ".join(map(str, item.values)) or "no value"
            lines.append(f"{'not ' if item.negated else ''}{name}: {item.pattern} — {values}")
    shown = [shorten(line) for line in lines[:_EVIDENCE]]
    if len(lines) > _EVIDENCE:
        shown.append(f"and {len(lines) - _EVIDENCE:,} more")
    return tuple(shown)


def shorten(text: str) -> str:
    """Shorten a long text in the middle: names differ at both ends."""
    return text if len(text) <= _TEXT else f"{text[: _TEXT // 2]}…{text[-_TEXT // 2 :]}"

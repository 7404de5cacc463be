"""One match as the report shows it: short texts alone, since a record may be large."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from cloudsigma.engine.match import Match

_TEXT = 300
"""Characters of one text that are shown."""
_EVIDENCE = 30
"""Tests of a rule that are shown."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a report shows of a match."""

    time: dt.datetime | None
    level: str
    title: str
    event: str
    outcome: str
    error: str
    root: str
    """The root of the session, where it is known and differs from the principal; else empty."""
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
    """What made the rule match, a line for each test."""
    contributing: int
    """Matches that a correlation is made of; 0 for a detection rule."""


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
        contributing=len(match.matches),
    )


def _evidence(match: Match) -> tuple[str, ...]:
    """Which test was met by which value; of a correlation, the matches that it is made of."""
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
    """The text, with the middle of a long one left out: both ends tell names apart."""
    return text if len(text) <= _TEXT else f"{text[: _TEXT // 2]}…{text[-_TEXT // 2 :]}"

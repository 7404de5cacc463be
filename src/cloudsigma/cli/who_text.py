"""The text of `cloudsigma who`: the answer in the order in which an analyst asks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from cloudsigma.activity.inquiry import (
    Chain,
    Inquiry,
    Session,
    Stretch,
    Tally,
    TellingEvent,
    TellingEvents,
    by_start,
    ranked,
)
from cloudsigma.activity.target import Target
from cloudsigma.activity.who import Findings
from cloudsigma.cli.activity_text import OUTCOMES, call_text, number, outcomes_text
from cloudsigma.escaping import printable

LISTED = 20
"""Lines of a list; more are counted."""
_CONTINUED = "\n      "
"""Before the further lines of one entry."""
_KINDS = {
    "address": "address",
    "arn": "ARN",
    "identity_center": "user ID of Identity Center, or name",
    "key": "access key",
    "name": "name of a user, role or session",
    "unique_id": "unique ID",
}


def who_text(target: Target, found: Findings, new: Mapping[str, Tally] | None) -> str:
    """The text of an answer; `new` is shown if a baseline was given."""
    inquiry = found.inquiry
    lines = [f"{printable(target.text)} ({_KINDS[target.kind]})"]
    if not inquiry.events:
        return f"{lines[0]}\nno event of it, nor of a session that descends from it"
    lines += _head(inquiry, found.issued)
    lines += _section("Behind it", map(_chain, ranked(inquiry.chains.values())))
    lines += _section("Sessions and keys", map(_session, by_start(inquiry.sessions.values())))
    lines += _section("Addresses", _tally(inquiry.addresses))
    lines += _section("Called on by services", _tally(inquiry.forwarded))
    lines += _section("Regions", _tally(inquiry.regions))
    lines += _section("Services", _tally(inquiry.services))
    lines += _section("Agents", _tally(inquiry.agents))
    lines += _events("Persistence", inquiry.persistence)
    lines += _events("Data read", inquiry.data_read)
    lines += _events("Matches", inquiry.matches)
    if new is not None:
        for kind, tally in new.items():
            lines += _section(f"New {kind}", _tally(tally)) or ["", f"New {kind}: none"]
    return "\n".join(lines)


def _head(inquiry: Inquiry, issued: int) -> Iterable[str]:
    yield f"{_span(inquiry.own)}: {number(inquiry.own.events, 'own event')}"
    if inquiry.descended.events:
        descended = number(inquiry.descended.events, "event")
        yield f"{_span(inquiry.descended)}: {descended} of sessions that descend from it"
    yield f"direct calls: {outcomes_text(inquiry.outcomes) or 'none'}"
    kinds = {"read": "read", "write": "changed something", "unknown": "do not say"}
    yield "events that " + ", ".join(f"{kinds[kind]}: {count:,}" for kind, count in sorted(inquiry.kinds.items()))
    yield f"credentials issued to it, and on: {issued:,}"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    """A title and its lines; empty without lines."""
    made = list(lines)
    if not made:
        return []
    more = len(made) - LISTED
    return ["", title, *(f"  {line}" for line in made[:LISTED]), *([f"  and {more:,} more"] if more > 0 else [])]


def _events(title: str, events: TellingEvents) -> list[str]:
    made = _section(title, map(_event, events.earliest[:LISTED]))
    more = events.count - LISTED
    return [*made, f"  and {more:,} more"] if more > 0 else made


def _chain(chain: Chain) -> str:
    if chain.link is None:
        return "-"
    link = chain.link
    root = printable(link.root) if link.root is not None else "unknown"
    steps = [f"→ {printable(step.event_name)} → {printable(step.session or '-')}" for step in link.steps]
    return _CONTINUED.join((f"{root} ×{chain.events:,}", *steps, f"{link.certainty}: {printable(link.why)}"))


def _session(session: Session) -> str:
    facts = [
        "long-term key" if session.started is None else "console" if session.console else "session",
        session.key,
        {True: "MFA", False: "no MFA", None: None}[session.mfa],
        "IMDSv1" if session.imds_v1 else None,
        f"issued {_second(session.started)}" if session.started is not None else None,
        None if session.own else "descends from it",
    ]
    said = ", ".join(printable(fact) for fact in facts if fact)
    return _CONTINUED.join((f"{printable(session.principal)} ×{session.events:,}", f"{_span(session)}; {said}"))


def _tally(tally: Tally) -> list[str]:
    return [f"{stretch.events:>8,}  {call_text(value)}  {_span(stretch)}" for value, stretch in tally.ranked]


def _event(event: TellingEvent) -> str:
    call = call_text(f"{event.event_source or '-'} {event.event_name or '-'}")
    outcome = OUTCOMES.get(event.outcome, "?")
    rule = f"{(event.level or '-').upper()} {printable(event.rule)}" if event.rule is not None else ""
    where = ", ".join(printable(part) for part in (event.source_ip, event.region) if part)
    lines = [
        f"{_second(event.time)}  {outcome:6}  {call}",
        rule,
        f"on {printable(event.resource)}" if event.resource else "",
        f"by {printable(event.principal)}" + (f" from {where}" if where else ""),
    ]
    return _CONTINUED.join(filter(None, lines))


def _span(stretch: Stretch) -> str:
    if stretch.first is None or stretch.last is None:
        return "without a time"
    first, last = _second(stretch.first), _second(stretch.last)
    if first == last:
        return first
    return f"{first} – {last[11:] if first[:11] == last[:11] else last}"


def _second(time: dt.datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}" if time is not None else "without a time"

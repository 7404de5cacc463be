"""The answers of `who` and `timeline` as sections of a page."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping, Sequence

from cloudsigma.activity.inquiry import Chain, Inquiry, Session, Stretch, Tally, TellingEvents, by_start, ranked
from cloudsigma.activity.timeline import Line, Timeline
from cloudsigma.report.section import ROWS, Node, Section, Table

_CHAINS = 20
"""Chains that are drawn as trees."""
_OUTCOMES = {"success": "ok", "denied": "DENIED", "failed": "FAILED"}


def who_sections(inquiry: Inquiry, issued: int, new: Mapping[str, Tally] | None) -> Sequence[Section]:
    """The sections of an inquiry: the answer, chains, sessions, places, telling events, what is new.

    Args:
        inquiry: What a target did.
        issued: Credentials that were issued to it, and on.
        new: What is new since a baseline, if one was given.
    """
    counted = ", ".join(f"{inquiry.outcomes[name]:,} {word}" for name, word in _OUTCOMES.items())
    lines = [
        f"{inquiry.own.events:,} own events, {_span(inquiry.own)}.",
        f"{inquiry.descended.events:,} events of sessions that descend from it, {_span(inquiry.descended)}.",
        f"Direct calls: {counted}; {inquiry.denied_share:.1%} denied. Credentials issued to it, and on: {issued:,}.",
    ]
    chains = ranked(inquiry.chains.values())
    more = [f"and {len(chains) - _CHAINS:,} more chains"] if len(chains) > _CHAINS else []
    parts = [
        Section("answer", "The answer", lines),
        Section("behind", "Behind it", more, trees=[_tree(chain) for chain in chains[:_CHAINS]]),
        Section("sessions", "Sessions and keys", tables=[_sessions(by_start(inquiry.sessions.values()))]),
        Section("places", "Where and what", tables=_filled(
            _tally("Addresses", inquiry.addresses), _tally("Called on by services", inquiry.forwarded),
            _tally("Regions", inquiry.regions), _tally("Services", inquiry.services), _tally("Agents", inquiry.agents),
        )),
        Section("telling", "Telling events", tables=_filled(
            _events("Persistence made", inquiry.persistence), _events("Data read", inquiry.data_read),
            _events("Matches", inquiry.matches),
        )),
    ]  # fmt: skip
    if new is not None:
        tables = [_tally(f"New {kind}", tally) for kind, tally in new.items()]
        parts.append(Section("new", "New since the baseline", tables=tables))
    return parts


def timeline_sections(timeline: Timeline) -> Sequence[Section]:
    """The section of a timeline: its first lines; the others are counted."""
    lines = iter(timeline.lines)
    rows = [_line(line) for line in itertools.islice(lines, ROWS)]
    heads = ("Time (UTC)", "Outcome", "Call", "Resource", "Principal", "From", "Marks")
    return [Section("events", "Events by time", tables=[Table(heads, rows, left_out=sum(1 for _ in lines))])]


def _filled(*tables: Table) -> Sequence[Table]:
    """The tables that have rows."""
    return [table for table in tables if table.rows]


def _tree(chain: Chain) -> Node:
    link = chain.link
    leaf = Node(f"{chain.events:,} calls, {_span(chain)}")
    if link is None:
        return leaf
    leaf.children.append(Node(f"{link.certainty}: {link.why}"))
    root = node = Node(link.root or "unknown")
    for step in link.steps:
        below = Node(f"{_second(step.time)} {step.event_name} → {step.session or '-'}")
        node.children.append(below)
        node = below
    node.children.append(leaf)
    return root


def _sessions(sessions: Sequence[Session]) -> Table:
    rows = [
        (
            each.principal,
            each.key or ("console" if each.console else "session"),
            _second(each.started) if each.started is not None else "long-term",
            {True: "yes", False: "no", None: "-"}[each.mfa],
            "IMDSv1" if each.imds_v1 else "-",
            "its own" if each.own else "descends from it",
            f"{each.events:,}",
            _span(each),
        )
        for each in sessions[:ROWS]
    ]
    heads = ("Principal", "Key", "Issued", "MFA", "Metadata", "Whose", "Calls", "First and last")
    return Table(heads, rows, left_out=len(sessions) - len(rows))


def _tally(title: str, tally: Tally) -> Table:
    values = tally.ranked
    rows = [(value, f"{stretch.events:,}", _span(stretch)) for value, stretch in values[:ROWS]]
    return Table(("Value", "Events", "First and last"), rows, title, len(values) - len(rows))


def _events(title: str, events: TellingEvents) -> Table:
    rows = [
        (
            _second(each.time), _OUTCOMES.get(each.outcome, "?"),
            f"{each.event_source or '-'} {each.event_name or '-'}", each.resource or "-", each.principal,
            each.source_ip or "-",
            f"{each.level or '-'}: {each.rule}" if each.rule is not None else "-",
        )
        for each in events.earliest[:ROWS]
    ]  # fmt: skip
    heads = ("Time (UTC)", "Outcome", "Call", "Resource", "Principal", "From", "Rule")
    return Table(heads, rows, title, events.count - len(rows))


def _line(line: Line) -> tuple[str, ...]:
    first, last = line.first, line.last
    until = f" ×{line.events:,} until {_second(last.time)}" if line.events > 1 else ""
    marks = [f"{level or '-'}: {title}" for level, title in first.rules] + [f"issued {each}" for each in first.issued]
    if first.around is not None:
        marks.append("this match" if first.around == "match" else "its chain")
    return (
        _second(first.time), _OUTCOMES.get(first.outcome, "?"),
        f"{first.event_source or '-'} {first.event_name or '-'}{until}",
        (first.resource if line.events == 1 else None) or "-", first.principal or "-",
        f"{first.source_ip or '-'} {first.region or ''}".strip(), "; ".join(marks),
    )  # fmt: skip


def _span(stretch: Stretch) -> str:
    if stretch.first is None:
        return "without a time"
    until = f" to {_second(stretch.last)}" if stretch.first != stretch.last else ""
    return f"{_second(stretch.first)}{until}"


def _second(time: dt.datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}" if time is not None else "-"

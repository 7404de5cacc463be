"""One approval in the report: its window, and its use in these logs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cloudsigma.engine.approval import ApprovalUse
from cloudsigma.report.row import shorten
from cloudsigma.report.section import Section, Table

_SOON = dt.timedelta(days=14)
"""An approval that ends this long after the last event is marked."""


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """The values that a report shows for an approval."""

    id: str
    ticket: str
    owner: str
    reason: str
    start: dt.datetime | None
    until: dt.datetime
    used: int
    near: int
    kind: str
    """`used`, `late`, `unused` or `draft`; the name of its style."""
    state: str
    """Its use in words."""


def make_rows(uses: Sequence[ApprovalUse], first: dt.datetime | None, last: dt.datetime | None) -> list[ApprovalRow]:
    """The rows of approvals, those that call for action first.

    Args:
        uses: The approvals, and the number of matches that each covers.
        first: The first event; `None` if no event has a time.
        last: The last event.
    """
    rows = [_row(use, first, last) for use in uses]
    return sorted(rows, key=lambda row: (["late", "unused", "draft", "used"].index(row.kind), row.until))


def _row(use: ApprovalUse, first: dt.datetime | None, last: dt.datetime | None) -> ApprovalRow:
    kind = "draft" if use.draft else "late" if use.after else "used" if use.used else "unused"
    return ApprovalRow(
        shorten(use.id), shorten(use.ticket or ""), shorten(use.owner or ""), shorten(use.reason or ""),
        use.start, use.until, use.used, use.near, kind, ", ".join(_state(use, first, last)),
    )  # fmt: skip


def _state(use: ApprovalUse, first: dt.datetime | None, last: dt.datetime | None) -> Iterable[str]:
    if use.draft:
        yield "a draft, which covers nothing"
        return
    yield "used" if use.used else "not used in these logs"
    if use.after:
        yield f"{use.after:,} {'match' if use.after == 1 else 'matches'} after its end"
    if use.after or first is None or last is None:
        return
    if use.until <= first:
        yield "ended before the first event"
    elif use.until <= last:
        yield "ended"
    elif use.start is not None and use.start > last:
        yield "begins after the last event"
    elif use.standing and use.until - last <= _SOON:
        yield f"to be reviewed by {use.until:%Y-%m-%d}"


def section_of(rows: Sequence[ApprovalRow], approved: int, matches: int, digest: str) -> Section:
    """The part of the page about approvals.

    Args:
        rows: The approvals.
        approved: Matches that they cover.
        matches: All matches.
        digest: Identifies the approvals.
    """
    line = (
        f"Of {matches:,} matches, {approved:,} {'is an approved change' if approved == 1 else 'are approved changes'}, "
        f"by the approvals with the digest {digest}. The list of all matches shows them, and so does the chart, in a "
        "color of their own; the groups and principals above leave them out."
    )
    heads = ("Approval", "State", "Covers", "Near misses", "From (UTC)", "Until", "Owner", "Reason and ticket")
    cells = [
        (
            row.id,
            row.state,
            f"{row.used:,}",
            f"{row.near:,}",
            f"{row.start:%Y-%m-%d %H:%M}" if row.start is not None else "any time",
            f"{row.until:%Y-%m-%d %H:%M}",
            row.owner or "-",
            " ".join(part for part in (row.reason, row.ticket) if part) or "-",
        )
        for row in rows
    ]
    return Section("approvals", "Approvals", (line,), tables=(Table(heads, cells),) if cells else ())

"""Matches as JSON lines for Timesketch: one event for each record of a match.

Timesketch requires `message`, `datetime` (ISO 8601) and `timestamp_desc`
(https://timesketch.org/guides/user/import-from-json-csv/); further members become attributes of the event.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.engine.match import Match
from cloudsigma.engine.match_row import Cell


def events(match: Match) -> Iterator[dict[str, Any]]:
    """The events of a match; skips records without a time, which a timeline cannot show."""
    approved = match.approval is not None and match.approval.approved
    for each in match.matches or (match,):
        when = each.context.time
        if when is None:
            continue
        about = {"title": match.rule.title, "rule_id": match.rule_id, "level": match.rule.level}
        row = each.to_row() | about | _decision(match)
        happened = f"{row['event_name']} by {row['principal']} on {row['resource']} ({row['outcome']})"
        yield {
            "data_type": "aws:cloudtrail:match",  # first: marks the line as no log record
            "message": f"{match.rule.title}: {happened}",
            "datetime": when.isoformat(timespec="milliseconds"),
            "timestamp_desc": "CloudTrail event time",
            "tag": [*match.rule.tags, *(["approved"] if approved else [])],
            **{name: value for name, value in row.items() if value is not None and name not in {"time", "tags"}},
        }


def _decision(match: Match) -> dict[str, Cell]:
    """The decision about the match itself, which its events have, too."""
    row = match.to_row()
    return {name: row[name] for name in ("approval", "approved_by", "near_misses")}

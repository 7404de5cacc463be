"""The time and the event ID of a record in a sequence."""

from __future__ import annotations

import datetime as dt

TIMELY = ("eventTime", "eventID")
"""Members that the place in a sequence sets."""


def in_sequence(time: dt.datetime, position: int) -> dict[str, str]:
    """Time and unique event ID of the record at a position, from 0: a repeated event would be counted once."""
    return {
        "eventTime": time.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventID": f"00000000-0000-4000-8000-{position:012}",
    }

"""Events that were delivered more than once: how often, and where each delivery is."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from cloudsigma.escaping import printable

_SHOWN = 10
"""Events that are shown to people; the JSON has all."""


class Place(msgspec.Struct, frozen=True):
    """Where a record is."""

    path: str | None
    """The file, or `-` for standard input; `None`: not known."""
    position: int | None
    """Which record of the file, counted from 0."""

    def __str__(self) -> str:
        return "an unknown place" if self.path is None else printable(f"{self.path} record {self.position}")


class Repeat(msgspec.Struct, frozen=True):
    """An event that matched and was delivered more than once."""

    event_id: str | None
    """Its `eventID`, if it has one."""
    rule_ids: tuple[str, ...]
    """The rules that it matched; each gave one match."""
    places: tuple[Place, ...]
    """Its deliveries; the matches that were given are of the first."""
    more: int = 0
    """Further deliveries that are not listed."""

    def __str__(self) -> str:
        more = f" and {self.more:,} more" if self.more else ""
        name = printable(self.event_id or "an event without an ID")
        return f"{name}: {'; '.join(map(str, self.places))}{more}"


class Repeats(msgspec.Struct, frozen=True):
    """Matches that were left out because the same event had matched the same rule before."""

    matches: int = 0
    """How many matches were left out."""
    events: tuple[Repeat, ...] = ()
    """The events that were delivered more than once, in the order in which that was noticed."""
    not_listed: int = 0
    """Of `matches`, those of events that are not in `events`, which is bounded."""
    forgotten: int = 0
    """Matches that are no longer remembered, since memory is bounded: a later delivery of theirs is given again."""

    def to_dict(self) -> dict[str, Any]:
        """The repeats as plain values, for JSON."""
        made: dict[str, Any] = json.loads(json.dumps(msgspec.to_builtins(self)))  # lists in the place of tuples
        return made

    def __str__(self) -> str:
        lines = [f"delivered more than once: {len(self.events):,} of the events that matched"]
        lines += [f"  {event}" for event in self.events[:_SHOWN]]
        if len(self.events) > _SHOWN:
            lines.append(f"  and {len(self.events) - _SHOWN:,} more, in the JSON of the ledger")
        if self.not_listed:
            lines.append(f"  {self.not_listed:,} repeated matches of further events")
        if self.forgotten:
            lines.append(f"  {self.forgotten:,} matches are no longer remembered; later deliveries were given again")
        return "\n".join(lines)

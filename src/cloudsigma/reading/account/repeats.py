"""Events that were delivered more than once, with the place of each delivery."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from cloudsigma.escaping import printable

_SHOWN = 10
"""Most events shown as text; the JSON has all."""


class Place(msgspec.Struct, frozen=True):
    """The place of a record: file and position."""

    path: str | None
    """The file, or `-` for standard input; `None`: unknown."""
    position: int | None
    """The position of the record in the file, from 0."""

    def __str__(self) -> str:
        return "an unknown place" if self.path is None else printable(f"{self.path} record {self.position}")


class Repeat(msgspec.Struct, frozen=True):
    """An event that matched and was delivered more than once."""

    event_id: str | None
    """Its `eventID`, if it has one."""
    rule_ids: tuple[str, ...]
    """The rules that it matched; each gave one match."""
    places: tuple[Place, ...]
    """Its deliveries; the reported matches are those of the first."""
    more: int = 0
    """The number of further deliveries, which are not listed."""

    def __str__(self) -> str:
        more = f" and {self.more:,} more" if self.more else ""
        name = printable(self.event_id or "an event without an ID")
        return f"{name}: {'; '.join(map(str, self.places))}{more}"


class Repeats(msgspec.Struct, frozen=True):
    """Matches that were skipped because the same event had matched the same rule before."""

    matches: int = 0
    """The number of skipped matches."""
    events: tuple[Repeat, ...] = ()
    """The events that were delivered more than once, in the order of their second delivery."""
    not_listed: int = 0
    """The number of skipped matches whose events are not listed in `events`, which is bounded."""
    forgotten: int = 0
    """Matches evicted from bounded memory: a later delivery of these is reported again."""

    def to_dict(self) -> dict[str, Any]:
        """The repeats as plain values, for JSON."""
        made: dict[str, Any] = json.loads(json.dumps(msgspec.to_builtins(self)))  # lists instead of tuples
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

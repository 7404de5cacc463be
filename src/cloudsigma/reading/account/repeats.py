"""Events that were delivered more than once: one match is given, and all places are kept.

CloudTrail may deliver an event twice, and overlapping trails do so always. What is remembered is bounded; what had to
be forgotten is counted.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import msgspec

from cloudsigma.escaping import printable
from cloudsigma.origin import Origin

REMEMBERED = 1_000_000
"""Keys of matches by which repeated ones are known; the oldest are forgotten first."""
LISTED = 10_000
"""Events that are listed with their places; the deliveries of further ones are only counted."""
PLACES = 100
"""Places of one event that are listed; further ones are only counted."""
_SHOWN = 10


class Place(msgspec.Struct, frozen=True):
    """Where a record stood."""

    path: str | None
    """The file, or `-` for standard input; `None` where it is not known."""
    position: int | None
    """Which record of the file, counted from 0."""

    def __str__(self) -> str:
        return "an unknown place" if self.path is None else printable(f"{self.path} record {self.position}")


class Repeat(msgspec.Struct, frozen=True):
    """One event that matched, and was delivered more than once."""

    event_id: str | None
    """Its `eventID`, if it has one."""
    rule_ids: tuple[str, ...]
    """The rules that it matched, and whose matches were given once."""
    places: tuple[Place, ...]
    """Where it stands; the match that was given is of the first."""
    more: int = 0
    """Further places that are not listed."""

    def __str__(self) -> str:
        more = f" and {self.more:,} more" if self.more else ""
        name = printable(self.event_id or "an event without an ID")
        return f"{name}: {'; '.join(map(str, self.places))}{more}"


class Repeats(msgspec.Struct, frozen=True):
    """The matches that were left out, since the same event had matched the same rule before."""

    matches: int = 0
    """How many there were."""
    events: tuple[Repeat, ...] = ()
    """The events that were delivered more than once, in the order in which that was noticed."""
    not_listed: int = 0
    """Of the matches, those of events that are not in `events`, since that has `LISTED` already."""
    forgotten: int = 0
    """Matches that were forgotten (`REMEMBERED`): if their events came again, that was not noticed."""

    def to_dict(self) -> dict[str, Any]:
        """The repeats as plain values, for JSON."""
        made: dict[str, Any] = json.loads(json.dumps(msgspec.to_builtins(self)))  # lists, as JSON has them
        return made

    def __str__(self) -> str:
        lines = [f"delivered more than once: {len(self.events):,} of the events that matched"]
        lines += [f"  {event}" for event in self.events[:_SHOWN]]
        if len(self.events) > _SHOWN:
            lines.append(f"  and {len(self.events) - _SHOWN:,} more, in the JSON of the ledger")
        if self.not_listed:
            lines.append(f"  {self.not_listed:,} repeated matches of further events")
        if self.forgotten:
            lines.append(f"  {self.forgotten:,} matches were forgotten; whether they came again is not known")
        return "\n".join(lines)


class _Event:
    """Notes on one event that was delivered more than once."""

    def __init__(self, event_id: str | None, first: Place) -> None:
        self.event_id = event_id
        self.rule_ids: dict[str, None] = {}
        self.places: dict[Place, None] = {first: None}
        self.more = 0

    def note(self, rule_id: str, place: Place) -> None:
        self.rule_ids[rule_id] = None
        if place in self.places:  # another rule has told of it
            return
        if len(self.places) < PLACES:
            self.places[place] = None
        else:
            self.more += 1


class Deliveries:
    """Tells the first delivery of a match from later ones, and keeps their places. Pickles, with all it remembers."""

    def __init__(self) -> None:
        self._first: OrderedDict[str, tuple[str | None, int | None]] = OrderedDict()
        self._events: dict[tuple[str | None, Place], _Event] = {}
        self._matches = 0
        self._not_listed = 0
        self._forgotten = 0
        self.unsaved: list[tuple[str, str | None, int | None]] | None = None
        """Where it is a list, it is told of every match that is new: key, path and position."""
        self.read_again: set[str] = set()
        """Paths of files that are being read a second time: what they had before is no other delivery."""

    def is_first(self, key: str, rule_id: str, event_id: str | None, origin: Origin | None) -> bool:
        """Whether no match with this key has come before, as far as that is remembered; if one has, this is noted.

        Records without an `eventID` that are equal may be two events, and each counts, with its place, as itself.
        """
        here = (origin.path, origin.position) if origin is not None else (None, None)
        if not event_id:
            key = f"{key} {here[1]} {here[0]}"
        first = self._first.get(key)
        if first is None:
            self._first[key] = here
            if self.unsaved is not None:
                self.unsaved.append((key, *here))
            if len(self._first) > REMEMBERED:
                self._first.popitem(last=False)
                self._forgotten += 1
            return True
        if first == here and here[0] in self.read_again:
            return False
        self._matches += 1
        name = (event_id, Place(*first))
        if name not in self._events:
            if len(self._events) >= LISTED:
                self._not_listed += 1
                return False
            self._events[name] = _Event(*name)
        self._events[name].note(rule_id, Place(*here))
        return False

    def resume(self, matches: Iterable[tuple[str, str | None, int | None]], repeats: Repeats) -> None:
        """Go on from what another has remembered (key, path and position of each match) and noted."""
        self._first = OrderedDict((key, (path, position)) for key, path, position in matches)
        self._matches, self._not_listed, self._forgotten = repeats.matches, repeats.not_listed, repeats.forgotten
        for repeat in repeats.events:
            event = self._events[repeat.event_id, repeat.places[0]] = _Event(repeat.event_id, repeat.places[0])
            event.rule_ids = dict.fromkeys(repeat.rule_ids)
            event.places = dict.fromkeys(repeat.places)
            event.more = repeat.more

    @property
    def repeats(self) -> Repeats:
        """The notes as a value."""
        return Repeats(
            self._matches,
            tuple(
                Repeat(event.event_id, tuple(event.rule_ids), tuple(event.places), event.more)
                for event in self._events.values()
            ),
            self._not_listed,
            self._forgotten,
        )

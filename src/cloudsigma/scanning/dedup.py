"""Deduplicates matches in bounded memory: only the first delivery of a match is reported.

CloudTrail may deliver an event twice, and overlapping trails always do. Keys are kept in two generations: once the
younger is full, the older is dropped, and its keys are counted as forgotten. Memory stays below 100 MB: 24 MiB for
each generation, `_PATH_BYTES` for the paths of first deliveries, `_LISTED_BYTES` for the list of repeated events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from cloudsigma.origin import Origin
from cloudsigma.reading.account.repeats import Place, Repeat, Repeats
from cloudsigma.scanning.match_keys import KeyTable, digest_of

GENERATION = 655_360
"""Keys in one generation. At least this many of the latest matches are remembered, and at most twice as many."""
LISTED = 10_000
"""Most repeated events listed with their places; the deliveries of further events are only counted."""
PLACES = 100
"""Most places listed for one event; further ones are only counted."""
_LISTED_BYTES = 16 << 20
_PATH_BYTES = 16 << 20
_EACH = 200
"""Most bytes of an entry, without its text."""
_UNKNOWN = 0xFFFFFFFF
"""The position of a match without an origin."""

KnownMatch = tuple[bytes, str | None, int | None]
"""A reported match: the digest of its key, and the path and position of its record."""


class _Event:
    """One event that was delivered more than once."""

    def __init__(self, event_id: str | None, first: Place) -> None:
        self.event_id = event_id
        self.rule_ids: dict[str, None] = {}
        self.places: dict[Place, None] = {first: None}
        self.more = 0


class MatchDedup:
    """Remembers the reported matches, and lists the events that were delivered again.

    Args:
        on_new: Called with each new match; a checkpoint saves it.
    """

    def __init__(self, on_new: Callable[[KnownMatch], None] | None = None) -> None:
        self._on_new = on_new
        self._young, self._old = KeyTable(), KeyTable()
        self._paths: dict[int, str | None] = {}
        self._last_path: str | None = None
        self._first_number, self._last_number = 1, 0
        self._path_bytes = 0
        self._events: dict[tuple[str | None, Place], _Event] = {}
        self._listed_bytes = 0
        self._matches = 0
        self._not_listed = 0
        self._forgotten = 0
        self.repeated = 0
        """Number of repeated matches that were not reported; excludes those of files that are read again."""
        self.read_again: set[str] = set()
        """Paths of files that are being read a second time; their matches do not count as repeated deliveries."""

    @property
    def size(self) -> int:
        """Memory in use, in bytes, rounded up."""
        return self._young.size + self._old.size + self._path_bytes + self._listed_bytes

    def is_new(self, key: str, rule_id: str, event_id: str | None, origin: Origin | None) -> bool:
        """Whether no remembered match has this key; a repeated match is noted.

        Two equal records without `eventID` may be two events, so for these the place is part of the key.
        """
        path, position = (origin.path, origin.position) if origin is not None else (None, None)
        digest = _digest(key) if event_id else digest_of(f"{key} {position} {path}")
        known = self._known(digest, path, position)
        if known is None:
            if self._on_new is not None:
                self._on_new((digest.to_bytes(16, "little"), path, position))
            return True
        again = path in self.read_again
        self.repeated += not again
        first = Place(self._paths.get(known[0]), known[1] if known[1] != _UNKNOWN else None)
        here = Place(path, position)
        if not (again and (first == here or known[0] not in self._paths)):
            self._note(event_id, first, here, rule_id)
        return False

    def _known(self, digest: int, path: str | None, position: int | None) -> tuple[int, int] | None:
        """The place of a reported match; `None` for a new match, which is added."""
        if len(self._old) and (known := self._old.get(digest)) is not None:
            return known
        if path != self._last_path or not self._last_number:
            self._number_path(path)
        place = position if position is not None and position < _UNKNOWN else _UNKNOWN
        known = self._young.get_or_add(digest, self._last_number, place)
        if known is None and len(self._young) >= GENERATION:
            self._forgotten += len(self._old)
            self._old, self._young = self._young, KeyTable()
        return known

    def _number_path(self, path: str | None) -> None:
        self._last_path = path
        self._last_number += 1
        self._paths[self._last_number] = path
        self._path_bytes += _EACH + len(path or "")
        while self._path_bytes > _PATH_BYTES:
            forgotten = self._paths.pop(self._first_number)
            self._first_number += 1
            self._path_bytes -= _EACH + len(forgotten or "")

    def _note(self, event_id: str | None, first: Place, here: Place, rule_id: str) -> None:
        self._matches += 1
        event = self._events.get((event_id, first))
        if event is None:
            if len(self._events) >= LISTED or self._listed_bytes > _LISTED_BYTES:
                self._not_listed += 1
                return
            event = self._events[event_id, first] = _Event(event_id, first)
            self._listed_bytes += 2 * _EACH + len(first.path or "") + len(event_id or "")
        event.rule_ids[rule_id] = None
        if here in event.places:  # another rule matched the same delivery
            return
        if len(event.places) < PLACES and self._listed_bytes <= _LISTED_BYTES:
            event.places[here] = None
            self._listed_bytes += _EACH + len(here.path or "")
        else:
            event.more += 1

    def resume(self, matches: Iterable[KnownMatch], repeats: Repeats, repeated: int) -> None:
        """Restore a saved state: the matches from the beginning of a generation, and the repeated events."""
        for digest, path, position in matches:
            self._known(int.from_bytes(digest, "little"), path, position)
        self.repeated = repeated
        self._matches, self._not_listed, self._forgotten = repeats.matches, repeats.not_listed, repeats.forgotten
        for repeat in repeats.events:
            event = self._events[repeat.event_id, repeat.places[0]] = _Event(repeat.event_id, repeat.places[0])
            event.rule_ids = dict.fromkeys(repeat.rule_ids)
            event.places = dict.fromkeys(repeat.places)
            event.more = repeat.more
            self._listed_bytes += _EACH + len(repeat.event_id or "")
            self._listed_bytes += sum(_EACH + len(place.path or "") for place in repeat.places)

    @property
    def repeats(self) -> Repeats:
        """The repeated events as a value."""
        return Repeats(
            self._matches,
            tuple(
                Repeat(event.event_id, tuple(event.rule_ids), tuple(event.places), event.more)
                for event in self._events.values()
            ),
            self._not_listed,
            self._forgotten,
        )


def _digest(key: str) -> int:
    """The digest of a key as a number; the key of a match is a digest already."""
    if len(key) == 32:
        with suppress(ValueError):
            return int(key, 16)
    return digest_of(key)

"""Time frames over the entries of one group; knows neither Sigma nor records.

A frame that starts at an entry with time `s` holds all entries with a time in `[s, s + span]`, both ends included.
The earliest entry starts a frame; where the frame holds, all of it is used up; where it does not, either only the
entries of its first moment are (the frame slides on), or all of it (frames do not overlap).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar


class Timed(Protocol):
    """What stands in a window."""

    @property
    def time(self) -> float:
        """Seconds since 1970."""
        ...


Entry = TypeVar("Entry", bound=Timed)


def _time(entry: Timed) -> float:
    return entry.time


class Window(Generic[Entry]):
    """The entries of one group that no closed frame has used up, in order of time."""

    __slots__ = ("_entries", "_gone", "_slides", "_span")

    def __init__(self, span: float, *, slides: bool) -> None:
        self._span = span
        self._slides = slides
        self._entries: list[Entry] = []
        self._gone: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def start(self) -> float | None:
        """The earliest time in the window."""
        return self._entries[0].time if self._entries else None

    def add(self, entry: Entry) -> None:
        """Put an entry in its place; among equal times, the one that came first stays first."""
        insort(self._entries, entry, key=_time)

    def find(self, same: Callable[[Entry], bool], time: float) -> Entry | None:
        """The entry with this time for which `same` holds."""
        at = bisect_right(self._entries, time, key=_time)
        while at and self._entries[at - 1].time == time:
            at -= 1
            if same(self._entries[at]):
                return self._entries[at]
        return None

    def close(self, holds: Callable[[Sequence[Entry]], bool], until: float | None) -> Iterator[Sequence[Entry]]:
        """The frames that hold, of those that end before `until`; of all where it is `None`."""
        first = 0
        entries = self._entries
        while first < len(entries):
            end = entries[first].time + self._span
            if until is not None and end >= until:
                break
            after = bisect_right(entries, end, lo=first, key=_time)
            frame = entries[first:after]
            if holds(frame):
                yield frame
                first = after
            elif self._slides:
                first = bisect_right(entries, entries[first].time, lo=first, key=_time)
            else:
                first = after
        self._gone += entries[:first]
        del entries[:first]

    def take_gone(self) -> list[Entry]:
        """The entries that `close` has used up since this was asked last."""
        gone, self._gone = self._gone, []
        return gone

"""Tracks the progress of a stream of event times, so that one time far in the future does not end it.

Two rules say which times count:

- A time beyond now and `SKEW` never does. Only a live stream has a now.
- A time more than `LEAP` beyond all others counts once such times have outnumbered the others by `CONFIRMATIONS`. This
  also applies to the first times of a stream: later arrivals with much earlier times can replace them.
"""

from __future__ import annotations

import math

import msgspec

LEAP = 86_400.0
"""Seconds: a time this much beyond all others has to be confirmed."""
CONFIRMATIONS = 5
"""How many more times beyond the leap than others it takes to follow them."""
SKEW = 900.0
"""Seconds that clocks may differ."""


class Watermark(msgspec.Struct):
    """The latest event time that counts; encodes as JSON, to be restored."""

    latest: float | None = None
    """In seconds since 1970; `None` before the first time."""
    support: int = 0
    """Times that agree with `latest`, up to `CONFIRMATIONS`."""
    ahead: list[float] = []
    """Times more than `LEAP` beyond `latest`, fewer than `CONFIRMATIONS`."""

    def note(self, time: float, *, now: float = math.inf) -> None:
        """Take the time of an event or a delivery."""
        if time > now + SKEW:
            return
        latest = self.latest
        if latest is None:
            self.latest, self.support = time, 1
        elif time > latest + LEAP:
            self._note_ahead(time)
        elif time >= latest - LEAP:
            self.latest = max(latest, time)
            self.support = min(self.support + 1, CONFIRMATIONS)
            del self.ahead[:1]
        elif self.support < CONFIRMATIONS:  # too few times have confirmed this progress
            self.latest, self.support = time, 1
        else:
            del self.ahead[:1]

    def _note_ahead(self, time: float) -> None:
        self.ahead.append(time)
        if len(self.ahead) < CONFIRMATIONS:
            return
        self.ahead.sort()
        self.latest, self.support = self.ahead[0], CONFIRMATIONS
        while self.ahead and self.ahead[0] <= self.latest + LEAP:
            self.latest = self.ahead.pop(0)

    def set(self, time: float) -> None:
        """Take a time that needs no confirmation, unless it is already past."""
        if self.latest is None or time > self.latest:
            self.latest = time
        self.support = CONFIRMATIONS
        self.ahead = [each for each in self.ahead if each > self.latest]

    def bound(self, lateness: float) -> float:
        """The time from before which no event is expected, given by how much an event may be late."""
        return self.latest - lateness if self.latest is not None else -math.inf

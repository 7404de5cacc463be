"""Matches over time, in at most 120 bars for any period."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass

BARS = 120
"""Most bars in a chart."""
_WIDTHS = (60, 300, 900, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400, 3650 * 86_400)
"""Possible widths of a bar, in seconds."""
_MOST_BARS = 4 * BARS
"""Most bars held in memory before they are widened; empty bars between them are not held."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of time."""

    start: dt.datetime
    end: dt.datetime
    levels: dict[str, int]
    """Level → matches."""

    @property
    def total(self) -> int:
        """All matches of the bar."""
        return sum(self.levels.values())


class Timeline:
    """Counts matches by time; bars become wider as the period grows."""

    def __init__(self) -> None:
        self._at = 0
        self._bars: dict[int, Counter[str]] = {}

    @property
    def width(self) -> int:
        """Seconds that one bar covers."""
        return _WIDTHS[self._at]

    def add(self, when: dt.datetime, level: str) -> None:
        """Count a match."""
        second = int(when.timestamp())
        self._bars.setdefault(second // self.width, Counter())[level] += 1
        while len(self._bars) > _MOST_BARS and self._at + 1 < len(_WIDTHS):
            self._widen()

    def bars(self) -> list[Bar]:
        """At most 120 bars from the first to the last match, including empty bars."""
        while self._bars and max(self._bars) - min(self._bars) >= BARS and self._at + 1 < len(_WIDTHS):
            self._widen()
        if not self._bars:
            return []
        return [self._bar(number) for number in range(min(self._bars), max(self._bars) + 1)][:BARS]

    def _bar(self, number: int) -> Bar:
        start = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=number * self.width)
        return Bar(start, start + dt.timedelta(seconds=self.width), dict(self._bars.get(number, {})))

    def _widen(self) -> None:
        before, self._at = self.width, self._at + 1
        wider: dict[int, Counter[str]] = {}
        for number, levels in self._bars.items():
            wider.setdefault(number * before // self.width, Counter()).update(levels)
        self._bars = wider

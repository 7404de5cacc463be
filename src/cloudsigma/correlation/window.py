"""Time frames over the entries of one group, independent of rules and records.

A frame that starts at an entry with time `s` holds all entries with a time in `[s, s + span]`, both ends included.
The earliest entry starts a frame. If the condition holds for it, all its entries are used up; if not, either only the
entries of its first moment are (the frame slides), or all of them (frames do not overlap).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from cloudsigma.correlation.aggregation import Frame
from cloudsigma.correlation.entry import Key, Moment
from cloudsigma.correlation.incremental import Tracker


class Window:
    """The moments of one group that no closed frame has used up, in order of time."""

    __slots__ = ("_end", "_first", "_times", "_tracker", "key", "moments")

    def __init__(self, key: Key) -> None:
        self.key = key
        """The group."""
        self.moments: dict[float, Moment] = {}
        """Time → entries."""
        self._times: list[float] = []  # those before `_first` are used up
        self._first = 0
        self._end = 0  # the moments from `_first` to this are in the tracker
        self._tracker: Tracker | None = None

    @property
    def start(self) -> float | None:
        """The earliest time in the window."""
        return self._times[self._first] if self._first < len(self._times) else None

    def add(self, time: float, moment: Moment) -> None:
        """Insert a new moment in order of time."""
        times = self._times
        if not times or time > times[-1]:
            times.append(time)
        else:
            at = bisect_right(times, time, self._first)
            times.insert(at, time)
            if at < self._end:
                self.count_anew()
        self.moments[time] = moment

    def changed(self, time: float) -> None:
        """Note that the entries of a moment have changed."""
        if self._first < self._end and time <= self._times[self._end - 1]:
            self.count_anew()

    def count_anew(self) -> None:
        """Reset the tracking of the first frame."""
        self._tracker = None
        self._end = self._first

    def slide(self, span: float, track: Callable[[], Tracker]) -> tuple[Frame, bool]:
        """Use up the first frame if it holds, else its first moment; returns the moments, and whether it held."""
        tracker = self._tracker
        if tracker is None:
            tracker = self._tracker = track()
            self._end = self._first
        times, end = self._times, self._end
        start = times[self._first]
        last = start + span
        while end < len(times) and times[end] <= last:
            tracker.add(times[end], self.moments[times[end]])
            end += 1
        self._end = end
        if tracker.holds(start):
            return self._use(end), True
        moment = self.moments.pop(start)
        tracker.drop(moment)
        self._first += 1
        self._compact()
        return ((start, moment),), False

    def use_frame(self, span: float) -> Frame:
        """Use up the first frame."""
        return self._use(bisect_right(self._times, self._times[self._first] + span, self._first))

    def _use(self, end: int) -> Frame:
        frame = [(time, self.moments.pop(time)) for time in self._times[self._first : end]]
        self._first = end
        self.count_anew()
        self._compact()
        return frame

    def _compact(self) -> None:
        if self._first >= 8 and self._first * 2 >= len(self._times):
            del self._times[: self._first]
            self._end -= self._first
            self._first = 0

"""The open time frames of one correlation: takes matches of its rules, returns matches of the correlation."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator

from cloudsigma import ir
from cloudsigma.correlation.aggregation import Frame, holds, slides
from cloudsigma.correlation.entry import Entry, Key, find_in, key_of
from cloudsigma.correlation.extractor import Extractor
from cloudsigma.correlation.incremental import tracker_of
from cloudsigma.correlation.match import correlation_match
from cloudsigma.correlation.storage import Group, Storage
from cloudsigma.correlation.window import Window
from cloudsigma.engine.match import Match
from cloudsigma.engine.rule import Rule

Take = Callable[[Match, float], None]


class OpenEntries:
    """The number of entries that the correlations of a correlator hold, and the end of the first time frame."""

    __slots__ = ("due", "entries")

    def __init__(self) -> None:
        self.entries = 0
        """Entries in all windows."""
        self.due = math.inf
        """No frame ends before this time."""


class GroupWindows:
    """The windows of one correlation rule, one for each group, ordered by the end of their first frame.

    Args:
        rule: The rule.
        definition: Its correlation.
        storage: Stores every change, if given.
        load: Shared by all correlations of the correlator.
        referred: Whether other correlations refer to this one.
        warn: See `Extractor`.
    """

    def __init__(
        self,
        rule: Rule,
        definition: ir.CorrelationRule,
        storage: Storage | None,
        load: OpenEntries,
        *,
        referred: bool,
        warn: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        self.rule = rule
        self._warn = warn
        self.definition = definition
        self.size = 0
        """Entries in all windows."""
        self._storage = storage
        self._load = load
        self.referred = referred
        """Whether other correlations refer to this one."""
        self._span = definition.timespan
        self._track = tracker_of(definition) if slides(definition) else None
        self._windows: dict[Key, Window] = {}
        # Windows by the times of their moments: the earliest times identify all frames that end.
        self._by_time: dict[float, list[Window]] = {}
        self._times: list[float] = []

    @property
    def due(self) -> float:
        """No frame ends before this time."""
        return self._times[0] + self._span if self._times else math.inf

    @property
    def start(self) -> float | None:
        """The earliest time of an entry that is not used up; `None` without entries."""
        while self._times:
            if any(window.start == self._times[0] for window in self._by_time[self._times[0]]):
                return self._times[0]
            del self._by_time[heapq.heappop(self._times)]
        return None

    # --- in ---------------------------------------------------------------------------------------------------

    def taker(self, rule_id: str) -> Take:
        """A function that takes the matches of one of the rules and makes an entry in each of their groups."""
        extractor = Extractor(self.definition, rule_id, self._warn)
        quick_key, quick_value = extractor.quick_key, extractor.quick_value
        rules, measures, enter = extractor.rules, extractor.measures, self._enter

        def take(match: Match, when: float) -> None:
            measured: tuple[object, ...] = ()
            if match.matches:
                if measures and not (measured := extractor.measured(match)):
                    return
            else:
                record = match.record
                if measures:
                    value = quick_value(record)
                    measured = (value,) if value is not None else extractor.measured(match)
                    if not measured:
                        return
                key = quick_key(record)
                if key is not None:
                    enter(key, match, when, rules, measured)
                    return
            for key in extractor.keys(match):
                enter(key, match, when, rules, measured)

        return take

    def _enter(self, key: Key, match: Match, when: float, rules: tuple[str, ...], measured: tuple[object, ...]) -> None:
        window = self._windows.get(key)
        moment = window.moments.get(when) if window is not None else None
        if window is None or moment is None:
            entry = Entry(match, rules, measured)
            self._open(key, window, when, {key_of(match): entry})
        else:
            name, known = find_in(moment, match)
            if known is not None:
                if rules[0] not in known.rules:
                    self._join(key, known, match, when, rules, measured)
                return
            entry = moment[name] = Entry(match, rules, measured)
            window.changed(when)
        self.size += 1
        self._load.entries += 1
        if self._storage is not None:
            self._storage.put(self.rule, _group(key), when, entry)

    def _open(self, key: Key, window: Window | None, when: float, moment: dict[object, Entry]) -> None:
        """Put a new moment into the window of its group."""
        if window is None:
            window = self._windows[key] = Window(key)
        window.add(when, moment)
        windows = self._by_time.get(when)
        if windows is not None:
            windows.append(window)
            return
        self._by_time[when] = [window]
        heapq.heappush(self._times, when)
        self._load.due = min(self._load.due, when + self._span)

    def _join(
        self,
        key: Key,
        entry: Entry,
        match: Match,
        when: float,
        rules: tuple[str, ...],
        measured: tuple[object, ...],
    ) -> None:
        """Add a match to the entry of its event: an event that several of the rules match counts once."""
        entry.rules += rules
        entry.others += (match,)
        if self.definition.type == "value_count":
            entry.measured = tuple(dict.fromkeys((*entry.measured, *measured)))
        else:
            entry.measured = entry.measured or measured
        self._windows[key].changed(when)
        if self._storage is not None:
            self._storage.put(self.rule, _group(key), when, entry)

    def restore(self, group: Group, time: float, entry: Entry) -> None:
        """Put a stored entry back into the window of its group."""
        key = group[0] if len(group) == 1 else group
        window = self._windows.get(key)
        moment = window.moments.get(time) if window is not None else None
        if moment is None:
            self._open(key, window, time, {key_of(entry.match): entry})
        else:
            moment[find_in(moment, entry.match)[0]] = entry
        self.size += 1
        self._load.entries += 1

    def entries(self) -> Iterator[tuple[Group, float, Entry]]:
        """All open entries, each with its group and its time; `restore` takes them."""
        for key, window in self._windows.items():
            for time, moment in window.moments.items():
                for entry in moment.values():
                    yield _group(key), time, entry

    def groups(self) -> Iterator[tuple[dict[str, str], Frame]]:
        """Each group by its fields, with all its open entries in order of time."""
        for key, window in self._windows.items():
            yield self._named(key), sorted(window.moments.items())

    def _named(self, key: Key) -> dict[str, str]:
        return dict(zip(self.definition.group_by, _group(key), strict=True))

    # --- out --------------------------------------------------------------------------------------------------

    def close(self, until: float | None) -> list[tuple[Match, float]]:
        """Close the frames that end before `until`: their matches, each with its time for other correlations."""
        found: list[tuple[float, Match, float]] = []
        times, span = self._times, self._span
        while times and (until is None or times[0] + span < until):
            time = heapq.heappop(times)
            for window in self._by_time.pop(time):
                if window.start == time:
                    self._close_first(window, found)
        if len(found) > 1:
            found.sort(key=lambda item: (item[0], tuple(item[1].group.values())))
        return [(match, when) for _, match, when in found]

    def evict(self, least: int) -> list[tuple[Match, float]]:
        """Close the frames that start earliest before their time, until `least` entries are gone."""
        found: list[tuple[float, Match, float]] = []
        target = max(0, self.size - least)
        while self._times and self.size > target:
            time = self._times[0]
            windows = self._by_time[time]
            for at, window in enumerate(windows):
                if self.size <= target:
                    del windows[:at]
                    break
                if window.start == time:
                    self._close_first(window, found)
            else:
                del self._by_time[heapq.heappop(self._times)]
        return [(match, when) for _, match, when in found]

    def _close_first(self, window: Window, found: list[tuple[float, Match, float]]) -> None:
        """Close the first frame of a window, and add its match to those found if it holds."""
        if self._track is not None:
            used, held = window.slide(self._span, self._track)
        else:
            used = window.use_frame(self._span)
            held = holds(self.definition, used)
        if held:
            found.append((used[0][0], self._match(window, used), self._time(used)))
        gone = 0
        for _, moment in used:
            gone += len(moment)
        self.size -= gone
        self._load.entries -= gone
        if self._storage is not None:
            self._storage.drop(self.rule, [entry for _, moment in used for entry in moment.values()])
        if not window.moments:
            del self._windows[window.key]

    def _match(self, window: Window, frame: Frame) -> Match:
        named = self._named(window.key)
        matches = [match for _, moment in frame for entry in moment.values() for match in entry.matches]
        return correlation_match(self.rule, named, tuple(matches))

    def _time(self, frame: Frame) -> float:
        """The time of a match for other correlations: when a threshold first held, else that of the last entry."""
        if self.referred and self._track is not None:
            tracker = self._track()
            for time, moment in frame:
                tracker.add(time, moment)
                if tracker.holds(frame[0][0]):
                    return time
        return frame[-1][0]


def _group(key: Key) -> Group:
    return key if isinstance(key, tuple) else (key,)

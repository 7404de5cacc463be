"""Correlation rules over a stream of matches.

Matches may come in any order within the lateness. A time frame is closed, and its match given, once no event that
could change it can still come: then, and not before, the same matches come out whatever the order they came in.
Event time alone counts, never the clock. See `docs/semantics.md`, "Correlations".
"""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cloudsigma.correlation.counter import Counter
from cloudsigma.correlation.match import event_time
from cloudsigma.engine.match import Match
from cloudsigma.engine.rule import Rule

if TYPE_CHECKING:
    from cloudsigma.correlation.state import State

_log = logging.getLogger("cloudsigma")

MAX_ENTRIES = 100_000
"""About 350 MB of records of usual size: `benchmarks/correlation_memory.py`."""


class Correlator:
    """Takes matches of rules and gives matches of correlations.

    Args:
        rules: The rules, the detection rules that correlations refer to among them.
        lateness: How much later than an event's time it may come, measured against the latest event time so far.
            `None`: no frame is closed before `advance` or `close` says so.
        state: A SQLite file that holds what is open: it is read at the start and written by every call, before the
            call returns, so that a new correlator goes on where this one was. Entries of a correlation that has
            changed since are left out, which the logger `cloudsigma` is told.
        max_entries: Bound on the entries held; `None`: no bound. Above it the frames that start earliest are closed
            before their time: what they hold by then is a match or is forgotten, and the logger `cloudsigma` is warned.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        lateness: dt.timedelta | None = None,
        state: str | os.PathLike[str] | None = None,
        max_entries: int | None = MAX_ENTRIES,
    ) -> None:
        known = tuple(rules)
        self._lateness = lateness.total_seconds() if lateness is not None else None
        self._max_entries = max_entries
        self._state: State | None = None
        if state is not None:
            from cloudsigma.correlation.state import State  # SQLite only where it is asked for

            self._state = State(state, known)
        self._counters = _referred_first(
            [Counter(rule, rule.correlation, self._state) for rule in known if rule.correlation is not None]
        )
        self._latest: float | None = None
        self.too_late = 0
        """Matches left out because they came later than the lateness allows."""
        self.evicted = 0
        """Entries whose frame was closed before its time because there were too many."""
        if self._state is not None:
            self._latest = self._state.latest
            counters = {counter.rule.id: counter for counter in self._counters}
            for rule_id, group, entry in self._state.entries():
                counters[rule_id].add(group, entry)

    def feed(self, matches: Iterable[Match]) -> tuple[Match, ...]:
        """Take matches of detection rules, the hidden ones too; returns the correlation matches now complete."""
        for match in matches:
            when = event_time(match.record)
            if when is None:
                continue
            if self._lateness is not None and self._latest is not None and when < self._latest - self._lateness:
                self.too_late += 1
                _log.warning("a match came more than the lateness after its time and takes no part in correlations")
                continue
            self._latest = when if self._latest is None else max(self._latest, when)
            for counter in self._counters:
                counter.take(match, when)
        given: list[Match] = []
        if self._lateness is not None and self._latest is not None:
            given += self._close(self._latest - self._lateness)
        given += self._evict()
        return self._given(given)

    def advance(self, time: dt.datetime) -> tuple[Match, ...]:
        """Say that no event from before `time` will come any more; returns the matches that this completes."""
        moment = time.replace(tzinfo=time.tzinfo or dt.UTC).timestamp()
        if self._lateness is not None:
            self._latest = max(moment + self._lateness, self._latest or moment)
        return self._given(self._close(moment))

    def close(self) -> tuple[Match, ...]:
        """Say that the input has ended; returns the matches of all frames that are still open."""
        return self._given(self._close(None))

    def _given(self, matches: list[Match]) -> tuple[Match, ...]:
        if self._state is not None:
            self._state.commit(self._latest)
        return tuple(matches)

    def _close(self, until: float | None) -> list[Match]:
        """Close frames rule by rule: correlations stand after those they refer to, and take their matches first."""
        given: list[Match] = []
        earliest: dict[str, float] = {}  # when the next match of a correlation may be, at the earliest
        for counter in self._counters:
            bound = until
            if until is not None:
                bound = min([until, *(earliest.get(rule_id, until) for rule_id in counter.definition.rules)])
            given += self._passed_on(counter.close(bound))
            if bound is not None:
                start = counter.start
                earliest[counter.rule.id] = bound if start is None else min(start, bound)
        return given

    def _passed_on(self, found: list[tuple[Match, float]]) -> list[Match]:
        """Give matches to the correlations that refer to their rule, and return them."""
        for match, when in found:
            for other in self._counters:
                other.take(match, when)
        return [match for match, _ in found]

    def _evict(self) -> list[Match]:
        size = sum(counter.size for counter in self._counters)
        if self._max_entries is None or size <= self._max_entries:
            return []
        excess = size - self._max_entries + self._max_entries // 10  # some room, so that it is not done at every match
        _log.warning("%d entries of correlations are open; the frames that start earliest are closed early", size)
        given: list[Match] = []
        for counter in self._counters:
            before = counter.size
            given += self._passed_on(counter.evict(excess * before // size + 1))
            self.evicted += before - counter.size
        return given


def _referred_first(counters: list[Counter]) -> list[Counter]:
    """The counters in an order in which each comes after those that it refers to."""
    ordered: list[Counter] = []
    waiting = list(counters)
    while waiting:
        ids = {counter.rule.id for counter in waiting}
        ready = [counter for counter in waiting if not ids & set(counter.definition.rules)]
        if not ready:  # a circle, which the compiler refuses
            return ordered + waiting
        ordered += ready
        waiting = [counter for counter in waiting if counter not in ready]
    return ordered

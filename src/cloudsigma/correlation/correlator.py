"""Correlation rules over a stream of matches.

Matches may come in any order within the lateness. A time frame is closed, and its match given, once no event that
could change it can still come: then, and not before, the same matches come out whatever the order they came in.
Event time alone counts, never the clock. See `docs/semantics.md`, "Correlations".
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cloudsigma.correlation.group_windows import Counter, Load, Take
from cloudsigma.engine.context.event_time import event_time
from cloudsigma.engine.match import Match
from cloudsigma.engine.rule import Rule

if TYPE_CHECKING:
    import sqlite3

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
            changed since are left out, which the logger `cloudsigma` is told. Given an open connection, calls write
            into its transaction, and whoever owns it commits.
        max_entries: Bound on the entries held; `None`: no bound. Above it the frames that start earliest are closed
            before their time: what they hold by then is a match or is forgotten, and the logger `cloudsigma` is warned.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        lateness: dt.timedelta | None = None,
        state: str | os.PathLike[str] | sqlite3.Connection | None = None,
        max_entries: int | None = MAX_ENTRIES,
    ) -> None:
        known = tuple(rules)
        self._lateness = lateness.total_seconds() if lateness is not None else math.inf
        self._max_entries = max_entries if max_entries is not None else math.inf
        self._state: State | None = None
        if state is not None:
            from cloudsigma.correlation.state import State  # SQLite only where it is asked for

            self._state = State(state, known)
        self._load = Load()
        correlations = {rule.id: rule.correlation for rule in known if rule.correlation is not None}
        referred = {rule_id for correlation in correlations.values() for rule_id in correlation.rules}
        counters = [
            Counter(rule, rule.correlation, self._state, self._load, referred=rule.id in referred)
            for rule in known
            if rule.correlation is not None
        ]
        self._counters = _referred_first(counters)
        # Of each counter, the correlations that it waits for.
        self._children = [[name for name in one.definition.rules if name in correlations] for one in self._counters]
        self._takers: dict[str, list[Take]] = {}
        for counter in self._counters:
            for rule_id in counter.definition.rules:
                self._takers.setdefault(rule_id, []).append(counter.taker(rule_id))
        self._latest = -math.inf
        self.too_late = 0
        """Matches left out because they came later than the lateness allows."""
        self.evicted = 0
        """Entries whose frame was closed before its time because there were too many."""
        self._told = (0, 0)
        if self._state is not None:
            if self._state.latest is not None:
                self._latest = self._state.latest
            by_id = {counter.rule.id: counter for counter in self._counters}
            for rule_id, group, time, entry in self._state.entries():
                by_id[rule_id].restore(group, time, entry)

    def feed(self, matches: Iterable[Match]) -> tuple[Match, ...]:
        """Take matches of detection rules, the hidden ones too; returns the correlation matches now complete."""
        takers = self._takers
        for match in matches:
            when = event_time(match.record)
            if when is None:
                continue
            if when > self._latest:
                self._latest = when
            elif when < self._latest - self._lateness:
                self._note_too_late()
                continue
            for take in takers.get(match.rule.definition.metadata.id, ()):
                take(match, when)
        load = self._load
        given: list[Match] = []
        if self._latest - self._lateness > load.due:
            given += self._close(self._latest - self._lateness)
        if load.entries > self._max_entries:
            given += self._evict()
        return self._given(given)

    def advance(self, time: dt.datetime) -> tuple[Match, ...]:
        """Say that no event from before `time` will come any more; returns the matches that this completes."""
        moment = time.replace(tzinfo=time.tzinfo or dt.UTC).timestamp()
        if self._lateness != math.inf:
            self._latest = max(moment + self._lateness, self._latest)
        return self._given(self._close(moment))

    def close(self) -> tuple[Match, ...]:
        """Say that the input has ended; returns the matches of all frames that are still open."""
        given = self._given(self._close(None))
        self._tell_counts()
        return given

    def _given(self, matches: list[Match]) -> tuple[Match, ...]:
        if self._state is not None:
            self._state.commit(self._latest if self._latest > -math.inf else None)
        return tuple(matches)

    def _close(self, until: float | None) -> list[Match]:
        """Close frames rule by rule: correlations stand after those they refer to, and take their matches first."""
        given: list[Match] = []
        earliest: dict[str, float] = {}  # when the next match of a correlation may be, at the earliest
        for counter, children in zip(self._counters, self._children, strict=True):
            bound = until
            if until is not None and children:
                bound = min(until, *(earliest.get(rule_id, until) for rule_id in children))
            if bound is None or counter.due < bound:
                given += self._passed_on(counter.close(bound))
            if bound is not None and counter.referred:
                start = counter.start
                earliest[counter.rule.id] = bound if start is None else min(start, bound)
        # A frame that has ended and is open still waits for a correlation that it refers to, which is due later.
        ends = (counter.due for counter in self._counters)
        self._load.due = min((end for end in ends if until is None or end >= until), default=math.inf)
        return given

    def _passed_on(self, found: list[tuple[Match, float]]) -> list[Match]:
        """Give matches to the correlations that refer to their rule, and return them."""
        for match, when in found:
            for take in self._takers.get(match.rule_id, ()):
                take(match, when)
        return [match for match, _ in found]

    def _evict(self) -> list[Match]:
        size = self._load.entries
        excess = size - self._max_entries + self._max_entries // 10  # some room, so that it is not done at every match
        before = self.evicted
        given: list[Match] = []
        for counter in self._counters:
            held = counter.size
            given += self._passed_on(counter.evict(int(excess * held // size) + 1))
            self.evicted += held - counter.size
        self._load.due = -math.inf  # what waited for an evicted frame may be complete
        if not before:
            _log.warning("%d entries of correlations are open; the frames that start earliest are closed early", size)
        return given

    def _note_too_late(self) -> None:
        self.too_late += 1
        if self.too_late == 1:
            _log.warning("a match came more than the lateness after its time and takes no part in correlations")

    def _tell_counts(self) -> None:
        """Say how often there was what a warning has told of once."""
        told = (self.too_late, self.evicted)
        if told == self._told:
            return
        self._told = told
        if self.too_late > 1:
            _log.warning("%d matches came more than the lateness after their time", self.too_late)
        if self.evicted:
            _log.warning("%d entries of correlations were in frames that were closed early", self.evicted)


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

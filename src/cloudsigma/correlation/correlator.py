"""Correlation rules over a stream of matches.

Matches may arrive in any order within the lateness. A time frame is closed, and its match returned, once no event that
could change it can still arrive, so the matches do not depend on the order of the input. Event time alone counts, never
the clock. See `docs/semantics.md`, "Correlations".
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import os
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from cloudsigma.correlation.extractor import match_time
from cloudsigma.correlation.group_windows import GroupWindows, OpenEntries, Take
from cloudsigma.correlation.storage import Storage
from cloudsigma.correlation.watermark import Watermark
from cloudsigma.engine.context.event_time import EVENT_TIME, event_time
from cloudsigma.engine.match import Match
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import UsageError, WrongTypeError

if TYPE_CHECKING:
    import sqlite3

_log = logging.getLogger("cloudsigma")

MAX_ENTRIES = 100_000
"""About 350 MB of records of usual size: `benchmarks/correlation_memory.py`."""


class Correlator:
    """Takes matches of rules and returns matches of correlations.

    Problems are counted in the attributes below and logged once as a warning of the logger `cloudsigma`.

    Args:
        rules: The correlations and the rules that they refer to.
        lateness: How much later than its event time a match may arrive, measured from the latest event time so far; one
            time far in the future does not count (`correlation/watermark.py`). `None`: no frame is closed before
            `advance` or `close` is called.
        state: A SQLite file with the open entries, which belongs to one correlator at a time. It is read at the start
            and written by every call before the call returns, so that a new correlator resumes where this one stopped.
            Entries of a correlation that has changed since are dropped with a warning. Given an open connection, calls
            write into its transaction, and its owner commits. An engine that keeps the entries itself gives a
            `Storage` (`correlation/storage.py`).
        max_entries: Bound on the entries held; `None`: no bound. Above it the frames that start earliest are closed
            early: a match if the condition holds by then, otherwise dropped.

    Raises:
        UsageError: An argument has the wrong type, or `max_entries` or `lateness` is negative.
        CloudSigmaError: The state cannot be read or written.
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        lateness: dt.timedelta | None = None,
        state: str | os.PathLike[str] | sqlite3.Connection | Storage | None = None,
        max_entries: int | None = MAX_ENTRIES,
    ) -> None:
        known = _checked_rules(rules)
        self._lateness = check_lateness(lateness)
        if max_entries is not None and (type(max_entries) is not int or max_entries < 1):
            raise UsageError(f"max_entries is {max_entries!r}; give a whole number above 0, or None for no bound")
        self._max_entries = max_entries if max_entries is not None else math.inf
        self._state = _opened(state, known) if state is not None else None
        self._load = OpenEntries()
        correlations = {rule.id: rule.correlation for rule in known if rule.correlation is not None}
        referred = {rule_id for correlation in correlations.values() for rule_id in correlation.rules}
        warned: set[tuple[str, str]] = set()
        windows = [
            GroupWindows(
                rule, rule.correlation, self._state, self._load, referred=rule.id in referred,
                warn=partial(_warn, warned, rule.id),
            )
            for rule in known
            if rule.correlation is not None
        ]  # fmt: skip
        self._windows = _referred_first(windows)
        # For each of them, the correlations that it waits for.
        self._children = [[name for name in one.definition.rules if name in correlations] for one in self._windows]
        self._takers: dict[str, list[Take]] = {}
        self._time_fields: dict[str, str] = {}
        for one in self._windows:
            for rule_id in one.definition.rules:
                self._takers.setdefault(rule_id, []).append(one.taker(rule_id))
                if one.definition.time_field != EVENT_TIME:
                    self._time_fields[rule_id] = one.definition.time_field
        self._watermark = Watermark()
        self.too_late = 0
        """Matches left out because they arrived later than the lateness allows."""
        self.without_time = 0
        """Matches left out because their records have no time that can be read."""
        self.evicted = 0
        """Entries whose frame was closed early because there were too many."""
        self._told = (0, 0, 0)
        if self._state is not None:
            self._watermark = self._state.watermark
            by_id = {one.rule.id: one for one in self._windows}
            for rule_id, group, time, entry in self._state.entries():
                by_id[rule_id].restore(group, time, entry)

    def feed(self, matches: Iterable[Match]) -> tuple[Match, ...]:
        """Take matches of detection rules, including suppressed ones (`RuleSet.match`).

        Returns the correlation matches that are complete now.
        """
        takers, moved = self._takers, self._time_fields
        lateness, watermark = self._lateness, self._watermark
        for match in _iterable(matches):
            if not isinstance(match, Match):
                raise WrongTypeError("one of the matches", match, _MATCHES)
            rule_id = match.rule.definition.metadata.id
            when = event_time(match.record) if rule_id not in moved else match_time(match, moved[rule_id])
            if when is None:
                if rule_id in takers:
                    self._note_without_time()
                continue
            if lateness != math.inf:
                watermark.note(when)
                if when < watermark.bound(lateness):
                    self._note_too_late()
                    continue
            for take in takers.get(rule_id, ()):
                take(match, when)
        load = self._load
        given: list[Match] = []
        bound = watermark.bound(lateness)
        if bound > load.due:
            given += self._close(bound)
        if load.entries > self._max_entries:
            given += self._evict()
        return self._given(given)

    def advance(self, time: dt.datetime) -> tuple[Match, ...]:
        """Declare that no event from before `time` will arrive; returns the matches that this completes."""
        if not isinstance(time, dt.datetime):
            raise WrongTypeError("advance", time, "a datetime")
        moment = time.replace(tzinfo=time.tzinfo or dt.UTC).timestamp()
        if self._lateness != math.inf:
            self._watermark.set(moment + self._lateness)
        return self._given(self._close(moment))

    def close(self) -> tuple[Match, ...]:
        """Declare that the input has ended; returns the matches of all frames that are still open."""
        given = self._given(self._close(None))
        self._tell_counts()
        return given

    @property
    def open_entries(self) -> int:
        """Matches in open frames; in frames of several correlations or groups they count for each."""
        return self._load.entries

    def adopt(self, other: Correlator) -> None:
        """Take over the open entries of a correlator with other rules; call it before the first match.

        Entries of a correlation that is missing here, or has changed, are dropped with a warning.
        """
        ours = {one.rule.id: one for one in self._windows}
        for theirs in other._windows:  # private, of the same class
            one = ours.get(theirs.rule.id)
            if one is not None and one.rule.identity == theirs.rule.identity:
                for group, time, entry in theirs.entries():
                    one.restore(group, time, entry)
            elif theirs.size:
                _log.warning("the correlation %s has changed: its open frames are left out", theirs.rule.id)
        self._watermark = other._watermark

    def release(self) -> None:
        """Close the state file, so that another correlator can resume from it; do not use this one any more."""
        if self._state is not None:
            self._state.close()

    def _given(self, matches: list[Match]) -> tuple[Match, ...]:
        if self._state is not None:
            self._state.commit()
        return tuple(matches)

    def _close(self, until: float | None) -> list[Match]:
        """Close frames rule by rule; each correlation comes after those that it refers to, and takes their matches."""
        given: list[Match] = []
        earliest: dict[str, float] = {}  # the earliest time that the next match of a correlation can have
        for one, children in zip(self._windows, self._children, strict=True):
            bound = until
            if until is not None and children:
                bound = min(until, *(earliest.get(rule_id, until) for rule_id in children))
            if bound is None or one.due < bound:
                given += self._passed_on(one.close(bound))
            if bound is not None and one.referred:
                start = one.start
                earliest[one.rule.id] = bound if start is None else min(start, bound)
        # An ended frame may stay open until the correlations it refers to are complete.
        ends = (one.due for one in self._windows)
        self._load.due = min((end for end in ends if until is None or end >= until), default=math.inf)
        return given

    def _passed_on(self, found: list[tuple[Match, float]]) -> list[Match]:
        """Pass matches to the correlations that refer to their rule; returns them, too."""
        for match, when in found:
            for take in self._takers.get(match.rule_id, ()):
                take(match, when)
        return [match for match, _ in found]

    def _evict(self) -> list[Match]:
        size = self._load.entries
        excess = size - self._max_entries + self._max_entries // 10  # evict a batch, so that not every match evicts
        before = self.evicted
        given: list[Match] = []
        for one in self._windows:
            held = one.size
            given += self._passed_on(one.evict(int(excess * held // size) + 1))
            self.evicted += held - one.size
        self._load.due = -math.inf  # frames that waited for an evicted one may be complete
        if not before:
            _log.warning("%d entries of correlations are open; the frames that start earliest are closed early", size)
        return given

    def _note_too_late(self) -> None:
        self.too_late += 1
        if self.too_late == 1:
            _log.warning("a match came more than the lateness after its time and takes no part in correlations")

    def _note_without_time(self) -> None:
        self.without_time += 1
        if self.without_time == 1:
            _log.warning("the record of a match has no time that can be read; the match takes no part in correlations")

    def _tell_counts(self) -> None:
        """Log the counts of problems that were logged only once."""
        told = (self.too_late, self.without_time, self.evicted)
        if told == self._told:
            return
        self._told = told
        if self.too_late > 1:
            _log.warning("%d matches came more than the lateness after their time", self.too_late)
        if self.without_time > 1:
            _log.warning("%d matches whose records have no time take no part in correlations", self.without_time)
        if self.evicted:
            _log.warning("%d entries of correlations were in frames that were closed early", self.evicted)


def _opened(state: str | os.PathLike[str] | sqlite3.Connection | Storage, rules: tuple[Rule, ...]) -> Storage:
    if isinstance(state, Storage):
        return state
    if not isinstance(state, (str, os.PathLike)) and not hasattr(state, "cursor"):
        raise WrongTypeError("state", state, "a path as text or pathlib.Path, or an open sqlite3 connection")
    from cloudsigma.correlation.state import State  # imports SQLite

    return State(state, rules)


def _warn(warned: set[tuple[str, str]], rule_id: str, kind: str, message: str) -> None:
    """Log a warning once for each correlation and kind of problem."""
    if (rule_id, kind) not in warned:  # a function: a method would keep the correlator, and its state file, alive
        warned.add((rule_id, kind))
        _log.warning("%s", message)


def _referred_first(windows: list[GroupWindows]) -> list[GroupWindows]:
    """In an order in which each correlation comes after those that it refers to."""
    ordered: list[GroupWindows] = []
    waiting = list(windows)
    while waiting:
        ids = {one.rule.id for one in waiting}
        ready = [one for one in waiting if not ids & set(one.definition.rules)]
        if not ready:  # a circle, which the compiler refuses
            return ordered + waiting
        ordered += ready
        waiting = [one for one in waiting if one not in ready]
    return ordered


def check_lateness(lateness: object) -> float:
    """A lateness in seconds, infinite for `None`; raises `UsageError` unless it is a `timedelta` of 0 or more."""
    if lateness is None:
        return math.inf
    if not isinstance(lateness, dt.timedelta):
        raise WrongTypeError("lateness", lateness, "a timedelta, such as timedelta(minutes=15), or None")
    if lateness < dt.timedelta(0):
        raise UsageError(f"lateness is {lateness}; give a timedelta of 0 or more, or None")
    return lateness.total_seconds()


def _checked_rules(rules: object) -> tuple[Rule, ...]:
    if isinstance(rules, Iterable):
        known = tuple(rules)
        if all(isinstance(rule, Rule) for rule in known):
            return known
        wrong = next(rule for rule in known if not isinstance(rule, Rule))
        raise WrongTypeError("one of the rules", wrong, "rules: a RuleSet or other iterable of Rule")
    raise WrongTypeError("rules", rules, "a RuleSet or another iterable of Rule")


_MATCHES = "the matches that RuleSet.match returns"


def _iterable(matches: Iterable[Match]) -> Iterable[Match]:
    if isinstance(matches, Iterable):
        return matches
    raise WrongTypeError("matches", matches, _MATCHES)

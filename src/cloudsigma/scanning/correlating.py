"""Correlates the matches of a scan; time frames close at the end of the scan or, while following, of a pass.

Without following, all frames stay open until the end, so that the order of files does not matter. While paths are
followed, frames that end before the watermark minus the lateness close between two passes.
"""

from __future__ import annotations

import datetime as dt
import logging
import sqlite3
import time
from collections.abc import Iterator

from cloudsigma.correlation import MAX_ENTRIES, Correlator
from cloudsigma.correlation.match_stream import MatchStream
from cloudsigma.engine.context.event_time import event_time
from cloudsigma.engine.match import Match
from cloudsigma.reading.account.ledger import CorrelationLosses
from cloudsigma.reading.scope.file_name_facts import facts_of
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.batch import MatchedRecord
from cloudsigma.scanning.config import Follow
from cloudsigma.scanning.scan_state import ScanState

_log = logging.getLogger("cloudsigma")


class ScanCorrelations:
    """Turns matched records into matches, and correlates them.

    Args:
        rules: The rules.
        state: The state of the scan; this class updates its counts.
        follow: The settings for following; `None`: paths are not followed.
        database: The checkpoint's database, for the open frames.
    """

    def __init__(
        self, rules: RuleSet, state: ScanState, follow: Follow | None, database: sqlite3.Connection | None
    ) -> None:
        self._state = state
        self._follow = follow
        self._database = database
        self._keeps_frames = follow is not None and database is not None
        self._late = 0
        self._before = state.correlations
        self._correlator: Correlator | None = None
        self._use(rules)

    def _use(self, rules: RuleSet) -> None:
        self._rules = rules
        correlator = None
        if any(rule.correlation is not None for rule in rules) or self._correlator is not None:
            most = None if self._follow is None else MAX_ENTRIES
            correlator = Correlator(rules, state=self._database, max_entries=most)
            if self._correlator is not None and self._database is None:
                correlator.adopt(self._correlator)
        self._correlator = correlator
        self._stream = MatchStream(rules.hidden, correlator)
        self._stream.left_out = self._state.suppressed

    def replace_rules(self, rules: RuleSet) -> None:
        """Use other rules from now on; the open frames of correlations that are unchanged stay open."""
        self._before, self._late = self.losses, 0
        self._use(rules)

    @property
    def losses(self) -> CorrelationLosses:
        """The matches excluded from correlations so far."""
        if self._correlator is None:
            return self._before
        before = self._before
        return CorrelationLosses(
            before.late + self._late,
            before.undated + self._correlator.without_time,
            before.closed_early + self._correlator.evicted,
        )

    @property
    def open_entries(self) -> int:
        """Matches in open frames."""
        return self._correlator.open_entries if self._correlator is not None else 0

    def matches_of(self, found: MatchedRecord) -> Iterator[Match]:
        """The matches of one record."""
        matches = self._rules.matches_of(found.rule_ids, found.record, found.origin)
        correlate = self._correlator is not None and (self._follow is None or self._is_in_time(found))
        return self._stream.feed(matches, correlate=correlate)

    def _is_in_time(self, found: MatchedRecord) -> bool:
        when, state = event_time(found.record), self._state
        if when is None:
            return True  # the correlator counts it
        self._note(when)
        if state.closed_until is None or when >= state.closed_until:
            return True
        self._late += 1
        if self._late == 1:
            _log.warning("a match came more than the lateness after its event; it takes no part in correlations")
        return False

    def note_delivery(self, name: str) -> None:
        """While paths are followed, advance the watermark by the delivery time in the name of a file that was read."""
        delivery = facts_of(name) if self._follow is not None else None
        if delivery is not None and delivery.first is not None:
            self._note(delivery.first.timestamp())

    def _note(self, when: float) -> None:
        state = self._state
        state.watermark.note(when, now=time.time())
        latest, closed_until = state.watermark.latest, state.closed_until
        if latest is not None and closed_until is not None and latest < closed_until:
            state.closed_until = None  # the first times of the stream were not confirmed

    def end_of_pass(self, *, drained: bool = True, idle: float = 0.0) -> Iterator[Match]:
        """Close all frames that later events cannot change, and return their matches; called between two passes.

        Args:
            drained: Whether nothing waits to be read. After an outage a queue has hours of files in any order; until
                it is drained, no frame is closed.
            idle: Seconds for which there has been nothing to read. More than the lateness count as time that passed.
        """
        state, follow = self._state, self._follow
        if follow is None or self._correlator is None or not drained:
            return
        if idle > follow.lateness.total_seconds():
            state.watermark.set(time.time())
        bound = state.watermark.bound(follow.lateness.total_seconds())
        if bound > (state.closed_until if state.closed_until is not None else float("-inf")):
            state.closed_until = bound
            closed = self._correlator.advance(dt.datetime.fromtimestamp(bound, dt.UTC))
            yield from self._stream.shown(closed)

    def close(self) -> Iterator[Match]:
        """The matches of open frames at the end; while following with a checkpoint, open frames are saved instead."""
        if not self._keeps_frames:
            yield from self._stream.close()

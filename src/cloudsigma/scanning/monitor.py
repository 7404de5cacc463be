"""The counts of a scan that follows, for its health page: written by the scan's thread, read by others.

The scan publishes its numbers as one frozen value, at the end of each round and about once a second within one. Readers
take the latest value, so neither waits for the other.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from itertools import accumulate

import msgspec

from cloudsigma.engine.match import Match
from cloudsigma.reading.account.ledger import CorrelationLosses, Recorder
from cloudsigma.reading.sources.sqs.options import MessageCounts

ALIVE = 90.0
"""Seconds within which the loop of a healthy scan turns, beside the time that it waits."""
_EVERY = 1.0
"""Least seconds between two publications within a round."""
_UNWRITTEN = 10_000
"""Most matches whose delay waits until they are written; further ones are measured when they are found."""
DELAYS = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21_600.0, 86_400.0)
"""Buckets in seconds; CloudTrail itself delivers within five minutes on average."""
ROUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Buckets in seconds."""


class HistogramCounts(msgspec.Struct, frozen=True):
    """A histogram at one moment."""

    bounds: tuple[float, ...]
    """The upper bound of each bucket; the last bucket, without a bound, is not among them."""
    counts: tuple[int, ...]
    """Observations up to each bound, and then all of them."""
    total: float
    """The sum of the observations."""


class Histogram:
    """Counts observations in buckets."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Count an observation."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    @property
    def counts(self) -> HistogramCounts:
        """The observations so far."""
        return HistogramCounts(self._bounds, tuple(accumulate(self._counts)), self._total)


class Surroundings(msgspec.Struct, frozen=True):
    """The present state of the parts around a scan's loop; `Monitor.publish` takes it."""

    rules: int
    rules_digest: str
    reloads: dict[str, int]
    """Attempts to reload, by result: `success`, `failure`."""
    last_reload: float | None
    """In seconds since 1970."""
    messages: MessageCounts | None
    """`None`: no queue is read."""
    is_ready: bool
    """Whether the last receive from the queue succeeded; without a queue, true."""
    repeated_files: int
    paused_buckets: int
    correlation_entries: int
    correlation_losses: CorrelationLosses
    watermark: float | None
    checkpoint_bytes: int


class Numbers(msgspec.Struct, frozen=True):
    """The numbers of a scan at one moment, since the start of its process."""

    around: Surroundings
    rounds: HistogramCounts
    delays: HistogramCounts
    files: int
    """Files that were read, without messages."""
    records: int
    bytes: int
    """Stored bytes of files and messages."""
    lost: dict[str, int]
    """Files and messages that could not be read, wholly or in part, by reason."""
    matches: dict[tuple[str, str], int]
    """Matches by level and rule ID."""

    @property
    def match_count(self) -> int:
        """All matches."""
        return sum(self.matches.values())


LOST = ("unavailable", "denied", "unreadable", "damaged", "refused", "message")
"""The reasons of losses: passing failures; access denied; gone, or archived; damage within; not allowed to be read; a
message that is damaged."""
_FAILURES = {"passing": "unavailable", "denied": "denied", "lasting": "unreadable"}


class Monitor:
    """Counts what a scan does."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beat = clock()
        self._published = -_EVERY
        self._waits = 0.0
        self._files = self._records = self._bytes = 0
        self._lost: Counter[str] = Counter()
        self._matches: Counter[tuple[str, str]] = Counter()
        self._unwritten: list[float] = []
        self._rounds, self._delays = Histogram(ROUNDS), Histogram(DELAYS)
        self.numbers: Numbers | None = None
        """The latest numbers; `None` before the first round has ended."""

    # --- for readers ------------------------------------------------------------------------------------------

    @property
    def is_alive(self) -> bool:
        """Whether the loop has turned lately."""
        return self._clock() - self._beat <= ALIVE + self._waits

    @property
    def is_ready(self) -> bool:
        """Whether rules are loaded, and the queue or the paths could be read in the last round."""
        return self.numbers is not None and self.numbers.around.is_ready

    # --- for the scan -----------------------------------------------------------------------------------------

    def beat(self, *, waits: float = 0.0) -> None:
        """Note that the loop turns; `waits`: seconds for which it sleeps now."""
        self._beat, self._waits = self._clock(), waits

    @property
    def is_due(self) -> bool:
        """Whether to publish within a round."""
        return self._clock() - self._published >= _EVERY

    def note_read(self, recorder: Recorder, *, messages: bool) -> None:
        """Count a batch of sources that were read; `messages`: whether they are messages of a queue."""
        self._files += 0 if messages else recorder.files
        self._records += recorder.records
        self._bytes += recorder.bytes

    def note_lost(self, failure: str | None, otherwise: str) -> None:
        """Count a file by the kind of its failure, or by another reason if it has none."""
        self._lost[_FAILURES.get(failure or "", otherwise)] += 1

    def note_match(self, match: Match) -> None:
        """Count a match."""
        self._matches[match.rule.level or "none", match.rule_id] += 1
        if match.context.time is not None:
            self._unwritten.append(match.context.time.timestamp())
            if len(self._unwritten) >= _UNWRITTEN:
                self.note_written()

    def note_written(self) -> None:
        """Note that all matches so far are written."""
        now = time.time()
        for when in self._unwritten:
            self._delays.observe(max(0.0, now - when))
        self._unwritten.clear()

    def note_round(self, seconds: float) -> None:
        """Count a round in which something was read."""
        self._rounds.observe(seconds)

    def publish(self, around: Surroundings) -> None:
        """Publish the numbers."""
        self._published = self._clock()
        self.numbers = Numbers(
            around=around,
            rounds=self._rounds.counts,
            delays=self._delays.counts,
            files=self._files,
            records=self._records,
            bytes=self._bytes,
            lost={reason: self._lost[reason] for reason in LOST},
            matches=dict(self._matches),
        )

"""What a scan has come to so far: matches by rule, which of them came before, and what was read.

It is all that another process needs to go on with a scan, and has a form as data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from cloudsigma.origin import Origin
from cloudsigma.reading.account.coverage_counts import CoverageCounts, CoverageForm
from cloudsigma.reading.account.ledger import Ledger, Recorder
from cloudsigma.reading.account.repeats import Deliveries, Repeats

Remembered = tuple[str, str | None, int | None]
"""A match that was given: its key, and the path and position of its record."""


class _Form(msgspec.Struct, frozen=True):
    counts: dict[str, int]
    repeated: int
    read_again: int
    latest: float | None
    watermark: float | None
    read: Ledger
    repeats: Repeats | None
    coverage: CoverageForm | None


class Tally:
    """Counts as a scan goes on."""

    def __init__(self, *, dedup: bool, keeping: bool = False) -> None:
        """With `dedup`, a match that comes again is not new; with `keeping`, what comes is held for `take_unsaved`."""
        self.counts: Counter[str] = Counter()
        """Matches given, by rule ID."""
        self.repeated = 0
        """Matches left out because the same event had matched the same rule before."""
        self.read_again = 0
        """Files that were read a second time because they had changed."""
        self.latest: float | None = None
        """The latest time of any event that matched, and of any delivery, where correlations follow a stream."""
        self.watermark: float | None = None
        """No event from before this time takes part in correlations any more."""
        self.recorder = Recorder()
        """What was read."""
        if dedup:
            self.recorder.deliveries = Deliveries()
            self.recorder.deliveries.unsaved = [] if keeping else None

    def is_new(self, rule_id: str, key: str, event_id: str | None, origin: Origin | None) -> bool:
        """Whether a match is to be given: it is counted then."""
        deliveries = self.recorder.deliveries
        if deliveries is not None and not deliveries.is_first(key, rule_id, event_id, origin):
            if origin is None or origin.path not in deliveries.read_again:
                self.repeated += 1
            return False
        self.counts[rule_id] += 1
        return True

    def note_time(self, time: float) -> None:
        """Note the time of an event or a delivery, in seconds since 1970."""
        if self.latest is None or time > self.latest:
            self.latest = time

    def take_unsaved(self) -> list[Remembered]:
        """The matches that have come since this was last asked."""
        deliveries = self.recorder.deliveries
        if deliveries is None or deliveries.unsaved is None:
            return []
        taken, deliveries.unsaved = deliveries.unsaved, []
        return taken

    def to_json(self) -> bytes:
        """Everything but the matches."""
        deliveries, coverage = self.recorder.deliveries, self.recorder.coverage
        return msgspec.json.encode(
            _Form(
                dict(self.counts),
                self.repeated,
                self.read_again,
                self.latest,
                self.watermark,
                self.recorder.read,
                deliveries.repeats if deliveries is not None else None,
                coverage.to_form() if coverage is not None else None,
            )
        )

    def restore(self, form: bytes, matches: Iterable[Remembered]) -> None:
        """Go on from what another has come to; raises `msgspec.MsgspecError` where it is no such form."""
        found = msgspec.json.decode(form, type=_Form)
        self.counts.update(found.counts)
        self.repeated, self.read_again = found.repeated, found.read_again
        self.latest, self.watermark = found.latest, found.watermark
        self.recorder.resume(found.read)
        if self.recorder.deliveries is not None and found.repeats is not None:
            self.recorder.deliveries.resume(matches, found.repeats)
        if found.coverage is not None:
            self.recorder.coverage = CoverageCounts.of_form(found.coverage)

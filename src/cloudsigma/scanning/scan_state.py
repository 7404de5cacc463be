"""The state of a scan: matches by rule, which matches were given, and the account of what was read.

It is all that another process needs to resume the scan, and serializes as JSON.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from cloudsigma.correlation.watermark import Watermark
from cloudsigma.origin import Origin
from cloudsigma.reading.account.coverage_counts import CoverageCounts, CoverageForm
from cloudsigma.reading.account.ledger import CorrelationLosses, Ledger, Recorder
from cloudsigma.reading.account.repeats import Repeats
from cloudsigma.scanning.dedup import KnownMatch, MatchDedup


class SavedState(msgspec.Struct, frozen=True):
    """A state without the matches that were given."""

    counts: dict[str, int]
    suppressed: dict[str, int]
    repeated: int
    read_again: int
    watermark: Watermark
    closed_until: float | None
    correlations: CorrelationLosses
    read: Ledger
    repeats: Repeats | None
    coverage: CoverageForm | None


class ScanState:
    """Counts as a scan goes on.

    Args:
        dedup: Whether a match that was given before is left out.
        on_new: Called with each match that is given, where `dedup` is set.
    """

    def __init__(self, *, dedup: bool, on_new: Callable[[KnownMatch], None] | None = None) -> None:
        self.counts: Counter[str] = Counter()
        """Matches given, by rule ID."""
        self.suppressed: Counter[str] = Counter()
        """Matches of rules that only correlations show, by rule ID."""
        self.read_again = 0
        """Files that were read a second time because they had changed."""
        self.watermark = Watermark()
        """How far the times of matches and deliveries have come, where correlations follow a stream."""
        self.closed_until: float | None = None
        """An event from before this time takes no part in correlations any more."""
        self.correlations = CorrelationLosses()
        """What took no part in correlations."""
        self.recorder = Recorder()
        """What was read."""
        self.dedup = MatchDedup(on_new) if dedup else None
        """Which matches were given."""

    @property
    def repeated(self) -> int:
        """Matches left out because the same event had matched the same rule before."""
        return self.dedup.repeated if self.dedup is not None else 0

    def is_new(self, rule_id: str, key: str, event_id: str | None, origin: Origin | None) -> bool:
        """Whether to give a match; it is counted then."""
        if self.dedup is not None and not self.dedup.is_new(key, rule_id, event_id, origin):
            return False
        self.counts[rule_id] += 1
        return True

    def to_json(self) -> bytes:
        """Everything but the matches that were given."""
        coverage = self.recorder.coverage
        return msgspec.json.encode(
            SavedState(
                dict(self.counts),
                dict(self.suppressed),
                self.repeated,
                self.read_again,
                self.watermark,
                self.closed_until,
                self.correlations,
                self.recorder.read,
                self.dedup.repeats if self.dedup is not None else None,
                coverage.to_form() if coverage is not None else None,
            )
        )

    def restore(self, form: bytes, matches: Iterable[KnownMatch]) -> None:
        """Go on from a saved state; raises `msgspec.MsgspecError` where `form` is not one."""
        saved = msgspec.json.decode(form, type=SavedState)
        self.counts.update(saved.counts)
        self.suppressed.update(saved.suppressed)
        self.read_again = saved.read_again
        self.watermark, self.closed_until = saved.watermark, saved.closed_until
        self.correlations = saved.correlations
        self.recorder.resume(saved.read)
        if self.dedup is not None and saved.repeats is not None:
            self.dedup.resume(matches, saved.repeats, saved.repeated)
        if saved.coverage is not None:
            self.recorder.coverage = CoverageCounts.of_form(saved.coverage)

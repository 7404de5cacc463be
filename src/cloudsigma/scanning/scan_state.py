"""The state of a scan: matches by rule, the keys of reported matches, and the recorder of its input.

Another process can resume the scan from it; it serializes as JSON.
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
from cloudsigma.scanning.approving import ApprovalCounts
from cloudsigma.scanning.dedup import KnownMatch, MatchDedup


class SavedState(msgspec.Struct, frozen=True):
    """A state without the reported matches."""

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
    filtered: dict[str, int] = {}
    approvals: ApprovalCounts = msgspec.field(default_factory=ApprovalCounts)


class ScanState:
    """The counts of a running scan.

    Args:
        dedup: Whether to skip matches that were reported before.
        on_new: Called with each new match if `dedup` is set.
    """

    def __init__(self, *, dedup: bool, on_new: Callable[[KnownMatch], None] | None = None) -> None:
        self.counts: Counter[str] = Counter()
        """Matches reported, by rule ID."""
        self.suppressed: Counter[str] = Counter()
        """Matches of rules that only correlations show, by rule ID."""
        self.filtered: Counter[str] = Counter()
        """Matches that Sigma filters removed, by filter ID, if they are counted."""
        self.approvals = ApprovalCounts()
        """The decisions of approvals."""
        self.read_again = 0
        """Files that were read a second time because they had changed."""
        self.watermark = Watermark()
        """The latest times of matches and deliveries, for correlations while following."""
        self.closed_until: float | None = None
        """Events before this time are excluded from correlations."""
        self.correlations = CorrelationLosses()
        """The matches excluded from correlations."""
        self.recorder = Recorder()
        """The recorder of the input."""
        self.dedup = MatchDedup(on_new) if dedup else None
        """The keys of the reported matches."""

    @property
    def repeated(self) -> int:
        """Matches left out because the same event had matched the same rule before."""
        return self.dedup.repeated if self.dedup is not None else 0

    def is_new(self, rule_id: str, key: str, event_id: str | None, origin: Origin | None) -> bool:
        """Whether to report a match; if so, it is counted."""
        if self.dedup is not None and not self.dedup.is_new(key, rule_id, event_id, origin):
            return False
        self.counts[rule_id] += 1
        return True

    def to_json(self) -> bytes:
        """The state without the reported matches, as JSON."""
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
                dict(self.filtered),
                self.approvals,
            )
        )

    def restore(self, form: bytes, matches: Iterable[KnownMatch]) -> None:
        """Restore a saved state; raises `msgspec.MsgspecError` if `form` is malformed."""
        saved = msgspec.json.decode(form, type=SavedState)
        self.counts.update(saved.counts)
        self.suppressed.update(saved.suppressed)
        self.filtered.update(saved.filtered)
        self.approvals = saved.approvals
        self.read_again = saved.read_again
        self.watermark, self.closed_until = saved.watermark, saved.closed_until
        self.correlations = saved.correlations
        self.recorder.resume(saved.read)
        if self.dedup is not None and saved.repeats is not None:
            self.dedup.resume(matches, saved.repeats, saved.repeated)
        if saved.coverage is not None:
            self.recorder.coverage = CoverageCounts.of_form(saved.coverage)

"""The outcome of a scan, for summaries, JSON and reports."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudsigma.reading.account.ledger import Ledger
from cloudsigma.scanning.approving import ApprovalOutcome


class ScanOutcome(msgspec.Struct, frozen=True):
    """The counts of a scan's matches, and the ledger of its input."""

    matches: dict[str, int] = {}
    """Matches reported, by rule ID."""
    repeated: int = 0
    """Matches left out because the same event had matched the same rule before (`ledger.repeats` has the places)."""
    suppressed: dict[str, int] = {}
    """Matches of rules that only correlations show, by rule ID; they were not reported individually."""
    read_again: int = 0
    """Files that were read a second time because they had changed."""
    finished: bool = False
    """Whether the scan has finished; false while it runs, and after an interruption."""
    ledger: Ledger = Ledger()
    """The input that was read, the losses with their reasons, and the matches excluded from correlations."""
    filtered: dict[str, int] = {}
    """Matches that Sigma filters removed, by filter ID, if they are counted; a record read twice counts twice."""
    not_written: tuple[str, ...] = ()
    """Matches that an output's format cannot hold, each with the reason; known once the outputs are written."""

    approvals: ApprovalOutcome | None = None
    """The decisions about the matches; `None` without approvals. Approved matches are among `matches`."""

    @property
    def unapproved(self) -> int:
        """Number of matches that no approval covers."""
        return self.total - (self.approvals.approved if self.approvals is not None else 0)

    @property
    def total(self) -> int:
        """Number of matches reported."""
        return sum(self.matches.values())

    @property
    def complete(self) -> bool:
        """Whether nothing was lost: all input was read, every match took part in correlations and was written."""
        return self.finished and self.ledger.complete and not self.not_written

    def to_dict(self) -> dict[str, Any]:
        """The outcome as plain values, for JSON."""
        return {
            "matches": self.matches,
            "repeated": self.repeated,
            "suppressed": self.suppressed,
            "filtered": self.filtered,
            "not_written": list(self.not_written),
            "approvals": self.approvals.to_dict() if self.approvals is not None else None,
            "finished": self.finished,
            "ledger": self.ledger.to_dict(),
        }

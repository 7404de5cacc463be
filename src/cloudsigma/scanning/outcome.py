"""The outcome of a scan: one value, from which summaries, JSON and reports are made."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudsigma.reading.account.ledger import Ledger


class ScanOutcome(msgspec.Struct, frozen=True):
    """What a scan found, left out and read."""

    matches: dict[str, int] = {}
    """Matches given, by rule ID."""
    repeated: int = 0
    """Matches left out because the same event had matched the same rule before (`ledger.repeats` has the places)."""
    suppressed: dict[str, int] = {}
    """Matches of rules that only correlations show, by rule ID; they were not given by themselves."""
    read_again: int = 0
    """Files that were read a second time because they had changed."""
    finished: bool = False
    """Whether the scan came to its end; false while it runs, and after an interruption."""
    ledger: Ledger = Ledger()
    """What was read, what was not and why, and what took no part in correlations."""

    @property
    def total(self) -> int:
        """Matches given."""
        return sum(self.matches.values())

    @property
    def complete(self) -> bool:
        """Whether nothing was lost: all input was read, and everything that matched took part in correlations."""
        return self.finished and self.ledger.complete

    def to_dict(self) -> dict[str, Any]:
        """The outcome as plain values, for JSON."""
        return {
            "matches": self.matches,
            "repeated": self.repeated,
            "suppressed": self.suppressed,
            "finished": self.finished,
            "ledger": self.ledger.to_dict(),
        }

"""The account of what was read, what was not, and why: nothing is lost without a word."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

_LOSSES_A_FILE = 20
"""Places that are named one by one for a file; more are counted in one entry."""


class Loss(msgspec.Struct, frozen=True):
    """Input that could not be read."""

    path: str
    """The file or folder, or `-` for standard input."""
    reason: str
    """What is wrong with it."""
    position: str | None = None
    """Where in the file, as far as it is known: `line 3`, `record 17`."""
    rescued: int = 0
    """Records of the same file that were read all the same."""

    def __str__(self) -> str:
        where = f" at {self.position}" if self.position else ""
        rescued = f" ({self.rescued:,} records of it were read)" if self.rescued else ""
        return f"{self.path}: {self.reason}{where}{rescued}"


class Ledger(msgspec.Struct, frozen=True):
    """What one reading came to."""

    files: int = 0
    """Files of which something was read, or that were empty of records and whole."""
    bytes: int = 0
    """Bytes as stored."""
    inflated: int = 0
    """Bytes after decompression."""
    records: int = 0
    """Records handed out."""
    forms: dict[str, int] = {}
    """Records by the form they stood in."""
    recognized: dict[str, int] = {}
    """What was recognized and holds no API calls, by kind: digests, Insights events, notifications …"""
    not_looked_at: dict[str, int] = {}
    """Files of folders that were passed over, by ending."""
    losses: tuple[Loss, ...] = ()
    """Everything that could not be read."""

    @property
    def complete(self) -> bool:
        """Whether nothing was lost."""
        return not self.losses

    def to_dict(self) -> dict[str, Any]:
        """The account as plain values, for JSON."""
        return {**msgspec.structs.asdict(self), "losses": [msgspec.structs.asdict(loss) for loss in self.losses]}

    def __str__(self) -> str:
        files = f"{self.files:,} {'file' if self.files == 1 else 'files'}"
        records = f"{self.records:,} {'record' if self.records == 1 else 'records'}"
        lines = [f"read {files} ({_size(self.bytes)}), {records}{_counts(self.forms, ': ')}"]
        if self.recognized:
            lines.append(f"recognized, no API calls in them{_counts(self.recognized, ': ')}")
        if self.not_looked_at:
            lines.append(f"files not looked at{_counts(self.not_looked_at, ': ')}")
        if self.losses:
            lines.append(f"NOT READ, {len(self.losses):,} {'place' if len(self.losses) == 1 else 'places'}:")
            lines += [f"  {loss}" for loss in self.losses]
        return "\n".join(lines)


def _counts(counts: dict[str, int], opening: str) -> str:
    return opening + ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) if counts else ""


def _size(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"


class Recorder:
    """Takes notes while files are read; `ledger` is what they come to so far."""

    def __init__(self) -> None:
        self.files = 0
        self.bytes = 0
        self.inflated = 0
        self.records = 0
        self.forms: Counter[str] = Counter()
        self.recognized: Counter[str] = Counter()
        self.not_looked_at: Counter[str] = Counter()
        self._losses: list[Loss] = []

    def lose(self, path: str, reason: str) -> None:
        """Note a file or folder of which nothing was read."""
        self._losses.append(Loss(path, reason))

    def lose_parts(self, path: str, parts: list[tuple[str, str | None]], rescued: int) -> None:
        """Note the parts of one file (reason, position) that were not read."""
        named = parts if len(parts) <= _LOSSES_A_FILE else parts[: _LOSSES_A_FILE - 1]
        self._losses += [Loss(path, reason, position, rescued) for reason, position in named]
        if len(named) < len(parts):
            self._losses.append(
                Loss(path, f"{len(parts) - len(named):,} more places that cannot be read", None, rescued)
            )

    @property
    def ledger(self) -> Ledger:
        """The notes as a value."""
        return Ledger(
            files=self.files,
            bytes=self.bytes,
            inflated=self.inflated,
            records=self.records,
            forms=dict(self.forms),
            recognized=dict(self.recognized),
            not_looked_at=dict(self.not_looked_at),
            losses=tuple(self._losses),
        )

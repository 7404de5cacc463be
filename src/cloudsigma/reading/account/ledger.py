"""The ledger: the input that was read, skipped and lost, each loss with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cloudsigma.escaping import printable
from cloudsigma.reading.account.coverage import Coverage, counted
from cloudsigma.reading.account.coverage_counts import CoverageCounts
from cloudsigma.reading.account.repeats import Repeats

_NAMED = 20
"""Most skipped files that are named; more are only counted."""
_LOSSES_A_FILE = 20
"""Most losses listed for one file; the last entry counts all the rest."""


class Loss(msgspec.Struct, frozen=True):
    """Input that could not be read."""

    path: str
    """The file or folder, or `-` for standard input."""
    reason: str
    """Why it could not be read."""
    position: str | None = None
    """The place in the file, if known: `line 3`, `record 17`."""
    rescued: int = 0
    """Records of the same file that were read despite the loss."""
    places: int = 1
    """Number of places that this entry counts: the last entry of a file with many losses counts all the rest."""

    def __str__(self) -> str:
        where = f" at {self.position}" if self.position else ""
        verb = "was" if self.rescued == 1 else "were"
        rescued = f" ({self.rescued:,} of its records {verb} read)" if self.rescued else ""
        return printable(f"{self.path}: {self.reason}{where}{rescued}")


class CorrelationLosses(msgspec.Struct, frozen=True):
    """Matches excluded, wholly or in part, from correlations."""

    late: int = 0
    """Matches read later than the lateness after their event."""
    undated: int = 0
    """Matches whose record has no readable `eventTime`."""
    closed_early: int = 0
    """Matches in time frames closed before their end because of the limit on open frames."""

    @property
    def total(self) -> int:
        """The sum of these."""
        return self.late + self.undated + self.closed_early

    def __str__(self) -> str:
        parts = [
            f"{count:,} {what}"
            for count, what in (
                (self.late, "came too late"),
                (self.undated, "without a time"),
                (self.closed_early, "in frames that were closed early"),
            )
            if count
        ]
        matches = "match" if self.total == 1 else "matches"
        return f"NOT CORRELATED, {self.total:,} {matches}: {', '.join(parts)}"


class Ledger(msgspec.Struct, frozen=True):
    """The account of one reading."""

    files: int = 0
    """Files read at least in part, including intact files without records."""
    bytes: int = 0
    """Bytes as stored."""
    inflated: int = 0
    """Bytes after decompression."""
    records: int = 0
    """Records read, including those that the filters left out."""
    forms: dict[str, int] = {}
    """Records by the form of their file or envelope."""
    files_by_form: dict[str, int] = {}
    """Files by the form of their records; a file with several forms counts for each."""
    bytes_by_form: dict[str, int] = {}
    """Bytes as stored of these files."""
    recognized: dict[str, int] = {}
    """Recognized documents without API calls, by kind: digests, Insights events, notifications …"""
    named_files: int = 0
    """How often notifications name a file in S3; these files are read only with the option `named_files`."""
    named_files_read: int = 0
    """Files that were read only because notifications name them."""
    not_looked_at: dict[str, int] = {}
    """Files in folders that do not look like logs by their name and first bytes, by ending."""
    not_looked_at_names: tuple[str, ...] = ()
    """The names of the first 20 of them."""
    left_out: dict[str, int] = {}
    """Files, prefixes and records that the filters left out, by reason: time, account or region."""
    kept: dict[str, int] = {}
    """Records without the field that a filter needs; they were kept."""
    losses: tuple[Loss, ...] = ()
    """The input that could not be read."""
    repeats: Repeats = Repeats()
    """Scans only: the events that were delivered more than once, with their places."""
    coverage: Coverage | None = None
    """Scans with coverage only: accounts, regions and hours, their gaps, and the rules that could not match."""
    correlations: CorrelationLosses = CorrelationLosses()
    """Scans only: the matches excluded from correlations."""

    @property
    def complete(self) -> bool:
        """Whether nothing was lost: all input was read, and all matches took part in correlations."""
        return not self.losses and not self.correlations.total

    def to_dict(self) -> dict[str, Any]:
        """The account as plain values, for JSON."""
        return {
            **msgspec.structs.asdict(self),
            "losses": [msgspec.structs.asdict(loss) for loss in self.losses],
            "repeats": self.repeats.to_dict(),
            "coverage": self.coverage.to_dict() if self.coverage is not None else None,
            "correlations": msgspec.structs.asdict(self.correlations),
        }

    def __str__(self) -> str:
        files, records = counted(self.files, "file"), counted(self.records, "record")
        lines = [f"read {files} ({_size(self.bytes)}), {records}{_counts(self.forms, ': ')}"]
        if self.recognized:
            lines.append(f"recognized, no API calls in them{_counts(self.recognized, ': ')}")
        if self.named_files:
            read = f"{self.named_files_read:,}" if self.named_files_read else "none"
            lines.append(f"files in S3 that these name: {self.named_files:,}, {read} of them read")
        if self.not_looked_at:
            lines.append(f"files not looked at{_counts(self.not_looked_at, ': ')}")
            lines += [f"  {printable(name)}" for name in self.not_looked_at_names]
            if more := sum(self.not_looked_at.values()) - len(self.not_looked_at_names):
                lines.append(f"  and {more:,} more")
            lines.append("  (to read one, name the file itself)")
        if self.left_out:
            lines.append(f"left out, as asked{_counts(self.left_out, ': ')}")
        if self.kept:
            lines.append(f"not left out, since they do not say{_counts(self.kept, ': ')}")
        if self.repeats.matches or self.repeats.forgotten:
            lines.append(str(self.repeats))
        if self.coverage is not None:
            lines.append(str(self.coverage))
        if self.correlations.total:
            lines.append(str(self.correlations))
        if self.losses:
            lines.append(f"NOT READ, {counted(sum(loss.places for loss in self.losses), 'place')}:")
            lines += [f"  {loss}" for loss in self.losses]
        return "\n".join(lines)


def _counts(counts: dict[str, int], opening: str) -> str:
    return (
        opening + ", ".join(f"{printable(name)} {count:,}" for name, count in sorted(counts.items())) if counts else ""
    )


def _size(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"


class Losses:
    """The losses in one file: the first places, and the number of all."""

    def __init__(self, reason: str | None = None, position: str | None = None) -> None:
        self.named: list[tuple[str, str | None]] = []
        self.count = 0
        if reason is not None:
            self.add(reason, position)

    def add(self, reason: str, position: str | None = None) -> None:
        """Add a place."""
        self.count += 1
        if len(self.named) <= _LOSSES_A_FILE:
            self.named.append((reason, position))

    def add_first(self, reason: str) -> None:
        """Add a loss of the file as a whole, before the others."""
        self.count += 1
        self.named.insert(0, (reason, None))

    def forget_last(self) -> None:
        """Drop the last loss: it duplicates another."""
        if len(self.named) == self.count:
            self.named.pop()
        self.count -= 1


class Recorder:
    """Collects the ledger while files are read."""

    def __init__(self) -> None:
        self.files = 0
        self.bytes = 0
        self.inflated = 0
        self.records = 0
        self.forms: Counter[str] = Counter()
        self.files_by_form: Counter[str] = Counter()
        self.bytes_by_form: Counter[str] = Counter()
        self.recognized: Counter[str] = Counter()
        self.not_looked_at: Counter[str] = Counter()
        self.not_looked_at_names: list[str] = []
        self.left_out: Counter[str] = Counter()
        self.kept: Counter[str] = Counter()
        self.named_files = 0
        self.named_files_read = 0
        self.references: list[tuple[str, str]] | None = None
        """Bucket and key of each file in S3 that a notification names; `None` unless requested."""
        self.coverage: CoverageCounts | None = None
        """The coverage of the records; `None` unless requested."""
        self.stored: Callable[[], int] | None = None
        """Returns the bytes read so far from the file that is being streamed; `None` for others."""
        self.watch: Callable[[], None] | None = None
        """Called regularly while a file is streamed on the fast path, which returns few records."""
        self.unread: set[str] = set()
        """Files and folders from which nothing was read; `add` does not merge them."""
        self.failures: dict[str, str] = {}
        """The kinds of failure of unread files, by name: `passing`, `denied` or `lasting`; not merged either."""
        self._losses: list[Loss] = []

    def note_file(self, stored: int, inflated: int, forms: Mapping[str, int]) -> None:
        """Note the bytes of one file and its forms; its records have been counted already."""
        self.bytes += stored
        self.inflated += inflated
        for form in forms:
            self.files_by_form[form] += 1
            self.bytes_by_form[form] += stored

    def pass_over(self, kind: str, name: str) -> None:
        """Note a skipped file, which does not look like a log."""
        self.not_looked_at[kind] += 1
        if len(self.not_looked_at_names) < _NAMED:
            self.not_looked_at_names.append(name)

    def lose(self, path: str, reason: str) -> None:
        """Note a file or folder that could not be read at all."""
        self.unread.add(path)
        self._losses.append(Loss(path, reason))

    def lose_parts(self, path: str, lost: Losses, rescued: int) -> None:
        """Note the parts of one file that were not read."""
        named = lost.named if lost.count <= _LOSSES_A_FILE else lost.named[: _LOSSES_A_FILE - 1]
        self._losses += [Loss(path, reason, position, rescued) for reason, position in named]
        if others := lost.count - len(named):
            self._losses.append(Loss(path, f"{others:,} more places that cannot be read", None, rescued, others))

    def refer(self, kind: str, bucket: str, key: str) -> None:
        """Note a notification that names a file in S3."""
        self.recognized[kind] += 1
        self.named_files += 1
        if self.references is not None:
            self.references.append((bucket, key))

    def add(self, other: Recorder) -> None:
        """Merge another recorder, whose files were read after those of this one."""
        self.files += other.files
        self.bytes += other.bytes
        self.inflated += other.inflated
        self.records += other.records
        self.named_files += other.named_files
        self.named_files_read += other.named_files_read
        for ours, theirs in (
            (self.forms, other.forms),
            (self.files_by_form, other.files_by_form),
            (self.bytes_by_form, other.bytes_by_form),
            (self.recognized, other.recognized),
            (self.not_looked_at, other.not_looked_at),
            (self.left_out, other.left_out),
            (self.kept, other.kept),
        ):
            ours.update(theirs)
        self.not_looked_at_names += other.not_looked_at_names[: _NAMED - len(self.not_looked_at_names)]
        self._losses += other._losses  # private, of the same class
        if other.coverage is not None:
            self.coverage = self.coverage or CoverageCounts()
            self.coverage.add(other.coverage)

    @property
    def first_loss(self) -> Loss | None:
        """The first loss."""
        return self._losses[0] if self._losses else None

    @property
    def losses(self) -> tuple[Loss, ...]:
        """All losses."""
        return tuple(self._losses)

    def forget_losses(self, path: str) -> bool:
        """Drop the losses of a file that is retried; returns whether there were any."""
        before = len(self._losses)
        self._losses = [loss for loss in self._losses if loss.path != path]
        return len(self._losses) < before

    def resume(self, ledger: Ledger) -> None:
        """Restore the counts from the ledger of another recorder."""
        for name, value in list(vars(self).items()):
            if isinstance(value, Counter):
                setattr(self, name, Counter(getattr(ledger, name)))
            elif isinstance(value, int):
                setattr(self, name, getattr(ledger, name))
        self.not_looked_at_names = list(ledger.not_looked_at_names)
        self._losses = list(ledger.losses)

    @property
    def ledger(self) -> Ledger:
        """The ledger so far; a scan adds `repeats` and `correlations`."""
        covered = self.coverage.coverage if self.coverage is not None else None
        return msgspec.structs.replace(self.read, coverage=covered)

    @property
    def read(self) -> Ledger:
        """The ledger without `coverage`, which takes time to compute."""
        return Ledger(
            files=self.files,
            bytes=self.bytes,
            inflated=self.inflated,
            records=self.records,
            forms=dict(self.forms),
            files_by_form=dict(self.files_by_form),
            bytes_by_form=dict(self.bytes_by_form),
            recognized=dict(self.recognized),
            named_files=self.named_files,
            named_files_read=self.named_files_read,
            not_looked_at=dict(self.not_looked_at),
            not_looked_at_names=tuple(self.not_looked_at_names),
            left_out=dict(self.left_out),
            kept=dict(self.kept),
            losses=tuple(self._losses),
        )

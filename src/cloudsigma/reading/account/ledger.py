"""The account of what was read, what was not, and why: nothing is lost without a word."""

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
"""Files that were not looked at and are named; more are counted."""
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
    places: int = 1
    """How many places it stands for: of a file with very many, one loss sums up all but the first."""

    def __str__(self) -> str:
        where = f" at {self.position}" if self.position else ""
        verb = "was" if self.rescued == 1 else "were"
        rescued = f" ({self.rescued:,} of its records {verb} read)" if self.rescued else ""
        return printable(f"{self.path}: {self.reason}{where}{rescued}")


class CorrelationLosses(msgspec.Struct, frozen=True):
    """Matches that took no part, or not their full part, in correlations."""

    late: int = 0
    """Matches that came more than the lateness after their event."""
    undated: int = 0
    """Matches whose record has no `eventTime` that can be read."""
    closed_early: int = 0
    """Matches in time frames that were closed before their end, since more were open than the limit allows."""

    @property
    def total(self) -> int:
        """All of these together."""
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
    """Files of which something was read, or that were empty of records and whole."""
    bytes: int = 0
    """Bytes as stored."""
    inflated: int = 0
    """Bytes after decompression."""
    records: int = 0
    """Records read, also those that were left out as asked."""
    forms: dict[str, int] = {}
    """Records by the form they stood in."""
    files_by_form: dict[str, int] = {}
    """Files by the form of their records; one that has several counts for each."""
    bytes_by_form: dict[str, int] = {}
    """Bytes as stored of these files."""
    recognized: dict[str, int] = {}
    """What was recognized and holds no API calls, by kind: digests, Insights events, notifications …"""
    named_files: int = 0
    """How often notifications name a file in S3; such files are not read unless that is asked for."""
    named_files_read: int = 0
    """Of the files that were read, those that notifications name and no path leads to."""
    not_looked_at: dict[str, int] = {}
    """Files of folders that hold no log, as far as their name and beginning tell, by ending."""
    not_looked_at_names: tuple[str, ...] = ()
    """The first of them by name (20)."""
    left_out: dict[str, int] = {}
    """What was not asked for: files, prefixes and records outside the time, of other accounts, of other regions."""
    kept: dict[str, int] = {}
    """Records that do not say whether they were asked for, and were not left out."""
    losses: tuple[Loss, ...] = ()
    """Everything that could not be read."""
    repeats: Repeats = Repeats()
    """Of a scan: the events that were delivered more than once, with their places."""
    coverage: Coverage | None = None
    """Of a scan that was asked for it: accounts, regions and hours, their gaps, and the rules that could not match."""
    correlations: CorrelationLosses = CorrelationLosses()
    """Of a scan: the matches that took no part in correlations."""

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
    """What of one file cannot be read: the first places one by one, and how many there are."""

    def __init__(self, reason: str | None = None, position: str | None = None) -> None:
        self.named: list[tuple[str, str | None]] = []
        self.count = 0
        if reason is not None:
            self.add(reason, position)

    def add(self, reason: str, position: str | None = None) -> None:
        """One more place."""
        self.count += 1
        if len(self.named) <= _LOSSES_A_FILE:
            self.named.append((reason, position))

    def add_first(self, reason: str) -> None:
        """What is wrong with the file as a whole."""
        self.count += 1
        self.named.insert(0, (reason, None))

    def forget_last(self) -> None:
        """The place that was named last is none of its own."""
        if len(self.named) == self.count:
            self.named.pop()
        self.count -= 1


class Recorder:
    """Keeps the account while files are read."""

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
        """Bucket and key of each file in S3 that a message names, where they are asked for."""
        self.coverage: CoverageCounts | None = None
        """What the records cover, where that is asked for."""
        self.stored: Callable[[], int] | None = None
        """How many bytes have been taken of the file that is being read, where it is streamed."""
        self.watch: Callable[[], None] | None = None
        """Called as a file is streamed of which records are counted and few are given."""
        self.unread: set[str] = set()
        """Files and folders of which nothing was read; not taken over by `add`."""
        self._losses: list[Loss] = []

    def note_file(self, stored: int, inflated: int, forms: Mapping[str, int]) -> None:
        """Note what was read of one file: its bytes, and its records by form, which are not counted again."""
        self.bytes += stored
        self.inflated += inflated
        for form in forms:
            self.files_by_form[form] += 1
            self.bytes_by_form[form] += stored

    def pass_over(self, kind: str, name: str) -> None:
        """Note a file of a folder that holds no log."""
        self.not_looked_at[kind] += 1
        if len(self.not_looked_at_names) < _NAMED:
            self.not_looked_at_names.append(name)

    def lose(self, path: str, reason: str) -> None:
        """Note a file or folder of which nothing was read."""
        self.unread.add(path)
        self._losses.append(Loss(path, reason))

    def lose_parts(self, path: str, lost: Losses, rescued: int) -> None:
        """Note the parts of one file that were not read."""
        named = lost.named if lost.count <= _LOSSES_A_FILE else lost.named[: _LOSSES_A_FILE - 1]
        self._losses += [Loss(path, reason, position, rescued) for reason, position in named]
        if others := lost.count - len(named):
            self._losses.append(Loss(path, f"{others:,} more places that cannot be read", None, rescued, others))

    def refer(self, kind: str, bucket: str, key: str) -> None:
        """Note a message that names a file in S3."""
        self.recognized[kind] += 1
        self.named_files += 1
        if self.references is not None:
            self.references.append((bucket, key))

    def add(self, other: Recorder) -> None:
        """Take over the notes of another, of what was read after what this one has noted."""
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
        self._losses += other._losses  # of its own class
        if other.coverage is not None:
            self.coverage = self.coverage or CoverageCounts()
            self.coverage.add(other.coverage)

    @property
    def first_loss(self) -> Loss | None:
        """The first of what could not be read."""
        return self._losses[0] if self._losses else None

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What could not be read."""
        return tuple(self._losses)

    def forget_losses(self, path: str) -> bool:
        """Forget what was noted of a file that is tried again; gives whether there was anything."""
        before = len(self._losses)
        self._losses = [loss for loss in self._losses if loss.path != path]
        return len(self._losses) < before

    def resume(self, ledger: Ledger) -> None:
        """Go on from the ledger of another recorder."""
        for name, value in list(vars(self).items()):
            if isinstance(value, Counter):
                setattr(self, name, Counter(getattr(ledger, name)))
            elif isinstance(value, int):
                setattr(self, name, getattr(ledger, name))
        self.not_looked_at_names = list(ledger.not_looked_at_names)
        self._losses = list(ledger.losses)

    @property
    def ledger(self) -> Ledger:
        """The account so far, as a value; a scan adds `repeats` and `correlations`."""
        covered = self.coverage.coverage if self.coverage is not None else None
        return msgspec.structs.replace(self.read, coverage=covered)

    @property
    def read(self) -> Ledger:
        """The account without `coverage`, which takes time to work out."""
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

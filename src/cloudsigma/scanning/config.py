"""How a scan is configured: one value, and the callbacks that are told of its progress."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from cloudsigma.errors import UsageError
from cloudsigma.reading import Progress
from cloudsigma.reading.account.ledger import Loss
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection


@dataclass(frozen=True, slots=True)
class Follow:
    """How paths are watched for new files."""

    stop: threading.Event
    """Set it to end the scan: the file that is being read is finished, and no other is begun."""
    interval: float
    """Seconds between two looks at the paths."""
    lateness: dt.timedelta
    """How much later than its time an event may be delivered and still take part in correlations."""


@dataclass(frozen=True, slots=True)
class ScanConfig:
    """The settings of a scan; raises `UsageError` for `jobs` below 1."""

    dedup: bool = True
    """Give one match where the same event matches the same rule more than once."""
    jobs: int | None = 1
    """Processes that read and match; `None`: one for each core, where there is enough to read."""
    selection: Selection = field(default_factory=Selection)
    """Which records are asked for. A checkpoint's time window replaces that of the selection."""
    limits: Limits = field(default_factory=Limits)
    """Bounds on sizes, depth and numbers."""
    coverage: bool = False
    """Count all records by account, region and hour."""
    strict: bool = False
    """Raise `InputLostError` at the first loss."""
    sessions: bool = False
    """Collect the events that issue credentials, to link the matches' sessions; see `Scan.by_time`."""
    named_files: bool = False
    """Read the files in S3 that notifications name, too."""
    exclude: tuple[str, ...] = ()
    """Files that the scan writes, left out where a folder or pattern leads to them."""
    follow: Follow | None = None
    """Watch the paths for new files, until told to stop."""

    def __post_init__(self) -> None:
        if self.jobs is not None and self.jobs < 1:
            raise UsageError(f"jobs is {self.jobs}; give 1 or more, or None for one for each core")


@dataclass(frozen=True, slots=True)
class ScanCallbacks:
    """Functions that a scan calls as it goes on."""

    on_progress: Callable[[Progress], None] | None = None
    """Called after each file and now and then within one; not while paths are followed."""
    on_loss: Callable[[Loss], None] | None = None
    """Called with each loss as it occurs."""
    on_idle: Callable[[], None] | None = None
    """Called before a scan that follows waits for new files."""

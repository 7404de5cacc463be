"""The settings of a scan, and the callbacks for its progress."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import structs

from cloudsigma.errors import UsageError
from cloudsigma.reading.account.ledger import Loss
from cloudsigma.reading.account.progress import Watcher
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.scope.time_window import TimeWindow
from cloudsigma.reading.sources.sqs.options import QueueOptions
from cloudsigma.scanning.approving import Approver
from cloudsigma.scanning.monitor import Monitor
from cloudsigma.scanning.reload import Reload, Reloader


@dataclass(frozen=True, slots=True)
class Follow:
    """How paths are watched for new files."""

    stop: threading.Event
    """Set it to end the scan after the file that is being read."""
    interval: float
    """Seconds between two listings of the paths."""
    lateness: dt.timedelta
    """How long after its time an event may be delivered and still take part in correlations and links of sessions."""
    queue: QueueOptions = field(default_factory=QueueOptions)
    """How a queue is read, if the path names one."""
    reloader: Reloader | None = None
    """Reloads the rules between two passes."""
    monitor: Monitor | None = None
    """Counts what the scan does, for its health page."""


@dataclass(frozen=True, slots=True)
class ScanConfig:
    """The settings of a scan; raises `UsageError` for `jobs` below 1."""

    dedup: bool = True
    """Report only one match if the same event matches the same rule more than once."""
    jobs: int | None = 1
    """Worker processes; `None`: one for each core if the input is large enough."""
    selection: Selection = field(default_factory=Selection)
    """Filters for records. The time window of a checkpoint replaces that of the selection."""
    limits: Limits = field(default_factory=Limits)
    """Bounds on sizes, depth and numbers."""
    coverage: bool = False
    """Count all records by account, region and hour."""
    strict: bool = False
    """Raise `InputLostError` at the first loss."""
    sessions: bool = False
    """Collect the events that issue credentials, to link the sessions of matches; see `Scan.by_time`."""
    approvals: Approver | None = None
    """Decides which matches are approved changes, once sessions are linked. A streaming scan takes none with
    `max_matches`, and a scan that is not read by time none with `roots` either."""
    filter_counts: bool = False
    """Count the matches that each Sigma filter removes. It costs time: the rules are also evaluated without filters."""
    named_files: bool = False
    """Also read the files in S3 that notifications name."""
    exclude: tuple[str, ...] = ()
    """This scan's output files; skipped if a folder or pattern contains them."""
    follow: Follow | None = None
    """Watch the paths for new files until `Follow.stop` is set."""

    def with_window(self, window: TimeWindow) -> ScanConfig:
        """These settings with another time window."""
        return dataclasses.replace(self, selection=structs.replace(self.selection, window=window))

    def __post_init__(self) -> None:
        if self.jobs is not None and self.jobs < 1:
            raise UsageError(f"jobs is {self.jobs}; give 1 or more, or None for one for each core")


@dataclass(frozen=True, slots=True)
class ScanCallbacks:
    """Functions that a scan calls while it runs."""

    watcher: Watcher | None = None
    """Is told about the progress; not while paths are followed."""
    on_loss: Callable[[Loss], None] | None = None
    """Called with each loss as it occurs."""
    on_idle: Callable[[], None] | None = None
    """Called each time before a following scan waits for new files."""
    on_reload: Callable[[Reload], None] | None = None
    """Called after each attempt to reload the rules, once new rules are in use."""

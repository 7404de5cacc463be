"""Records in: files, folders and standard input → CloudTrail records, each with its origin.

One file is read at a time. What cannot be read never stops the rest: it is named in the ledger with its reason.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

import msgspec

from cloudsigma.origin import Origin
from cloudsigma.reading.ledger import Ledger, Loss, Recorder
from cloudsigma.reading.limits import Limits
from cloudsigma.reading.selection import select
from cloudsigma.reading.source_reader import SourceReader
from cloudsigma.reading.sources.finder import SourceFinder
from cloudsigma.reading.sources.interface import Unreadable
from cloudsigma.reading.time_window import Moment

__all__ = ["Ledger", "Limits", "Loss", "Progress", "Reader", "read_records"]

_PROGRESS_EVERY = 10_000


class Progress(msgspec.Struct, frozen=True):
    """How far a reading is."""

    files_done: int
    files_total: int
    records: int
    bytes_done: int = 0
    """Bytes as stored."""
    bytes_total: int | None = None
    """`None` where not all sizes are known."""


class Reader:
    """An iterable of records; `ledger` says what was read, and is whole once the iteration has ended.

    Iterating again reads again, with a new ledger; standard input can be read only once.
    """

    def __init__(
        self,
        finder: SourceFinder,
        reader: SourceReader,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._finder = finder
        self._reader = reader
        self._progress = progress
        self._recorder = Recorder()

    @property
    def ledger(self) -> Ledger:
        """The account of the reading so far."""
        return self._recorder.ledger

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for record, _ in self.with_origin():
            yield record

    def with_origin(self) -> Iterator[tuple[dict[str, Any], Origin]]:
        """The records with where each came from."""
        recorder = self._recorder = Recorder()
        sources: Any = self._finder.find(recorder)
        total = 0
        if self._progress is not None:
            sources = list(sources)
            total = len(sources)
        for done, source in enumerate(sources):
            if isinstance(source, Unreadable):
                recorder.lose(source.name, source.reason)
                continue
            for record, origin in self._reader.records(source, recorder):
                yield record, origin
                if self._progress is not None and recorder.records % _PROGRESS_EVERY == 0:
                    self._progress(Progress(done, total, recorder.records))
            if self._progress is not None:
                self._progress(Progress(done + 1, total, recorder.records))


def read_records(
    *paths: str | os.PathLike[str],
    limits: Limits | None = None,
    progress: Callable[[Progress], None] | None = None,
    stdin: BinaryIO | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    accounts: str | Iterable[str] = (),
    regions: str | Iterable[str] = (),
) -> Reader:
    """Read CloudTrail records from files, folders, S3 and standard input.

    Args:
        paths: Files; folders, in which every file with a known ending or none is looked at; `s3://bucket/prefix`; `-`
            is standard input.
        limits: Bounds on sizes, depth and numbers.
        progress: Called after every file and now and then within one.
        stdin: What `-` stands for; default: the process's standard input.
        since: Only records of this time or later: an ISO date or time (UTC unless it has an offset), `90m`, `24h`,
            `7d` or `2w` before now, or a `datetime`. A record without a readable `eventTime` is given.
        until: Only records before this time; the same forms.
        accounts: Only records of these accounts: the recipient's, else the caller's.
        regions: Only records of these regions.

    Returns:
        An iterable of records, read lazily; its `ledger` accounts for everything.

    Raises:
        UsageError: A time, account, region or S3 place has no form that there is, or what reads S3 is not installed.
    """
    selection = select(since, until, accounts, regions)
    return Reader(SourceFinder(paths, selection, stdin), SourceReader(limits or Limits(), selection), progress)

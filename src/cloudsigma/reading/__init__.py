"""Reads CloudTrail records, each with its origin, from files, folders, S3, standard input and values.

One file is read at a time. A file that cannot be read is a loss in the ledger, with its reason; the others are read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, BinaryIO

from cloudsigma.arguments import check_callable, check_flag, check_instance
from cloudsigma.origin import Origin
from cloudsigma.reading.account.ledger import Ledger, Loss, Recorder
from cloudsigma.reading.account.progress import Progress
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection, select
from cloudsigma.reading.scope.time_window import Moment
from cloudsigma.reading.source_reader import SourceReader
from cloudsigma.reading.sources.finder import SourceFinder
from cloudsigma.reading.sources.interface import Source, Unreadable
from cloudsigma.reading.sources.value import Value

__all__ = ["Ledger", "Limits", "Loss", "Progress", "Reader", "read_records"]

_PROGRESS_EVERY = 10_000


class Reader:
    """An iterable of records, with a `ledger` that is complete once the iteration has ended.

    Iterating again reads the input again, with a new ledger; standard input can be read only once.
    """

    def __init__(
        self,
        finder: SourceFinder,
        reader: SourceReader,
        progress: Callable[[Progress], None] | None = None,
        named: Selection | None = None,
    ) -> None:
        """`named`: also read the files that notifications name, if they pass the filters."""
        self._finder = finder
        self._named = named
        self._reader = reader
        self._progress = progress
        self._recorder = Recorder()
        self._listed = 0

    @property
    def ledger(self) -> Ledger:
        """The account of the reading so far."""
        return self._recorder.ledger

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for record, _ in self.with_origin():
            yield record

    def with_origin(self) -> Iterator[tuple[dict[str, Any], Origin]]:
        """The records, each with its origin."""
        recorder = self._recorder = Recorder()
        total = 0
        for done, source in enumerate(self._sources(recorder)):
            total = max(self._listed, done + 1)
            if isinstance(source, Unreadable):
                recorder.lose(source.name, source.reason)
                continue
            for record, origin in self._reader.records(source, recorder):
                yield record, origin
                if self._progress is not None and recorder.records % _PROGRESS_EVERY == 0:
                    self._progress(Progress(done, total, recorder.records))
            if self._progress is not None:
                self._progress(Progress(done + 1, total, recorder.records))

    def _sources(self, recorder: Recorder) -> Iterator[Source | Unreadable]:
        """The sources; the caller reads each before requesting the next."""
        if self._named is None:
            yield from self._found(recorder)
            return
        import sqlite3

        from cloudsigma.reading.sources.named_files import NamedFiles
        from cloudsigma.reading.sources.register import Register

        recorder.references = []
        with closing(sqlite3.connect("", check_same_thread=False)) as database:  # a temporary file
            register = Register(database)
            named = NamedFiles(register, self._named)
            for source in self._found(recorder, register.first_listed):
                yield source
                named.note(recorder, recorder)
            recorder.references = None
            for source in named.sources(register.first_listed):
                before = recorder.files
                yield source
                recorder.named_files_read += recorder.files - before

    def _found(
        self, recorder: Recorder, wanted: Callable[[Source], bool] | None = None
    ) -> Iterable[Source | Unreadable]:
        found = self._finder.find(recorder, wanted)
        if self._progress is None:
            return found
        listed = list(found)
        self._listed = len(listed)
        return listed


def read_records(
    *paths: str | os.PathLike[str] | Value,
    limits: Limits | None = None,
    progress: Callable[[Progress], None] | None = None,
    stdin: BinaryIO | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    accounts: str | Iterable[str] = (),
    regions: str | Iterable[str] = (),
    named_files: bool = False,
) -> Reader:
    """Read CloudTrail records from files, folders, S3 and standard input.

    Args:
        paths: Files; folders, from which files with a known ending or no ending are read; patterns with `*`, `?`,
            `[…]` or `**`; `s3://bucket/prefix`; `-` is standard input. Also values, in any form: the event of a
            Lambda function, a response of boto3 or rows of a data frame (a mapping, list or tuple), the content of a
            file (`bytes`, `bytearray`, `BytesIO`), or an open binary stream, which can be read once.
        limits: Bounds on sizes, depth and numbers.
        progress: Called after every file and regularly within a large one.
        stdin: The stream for `-`; default: the process's standard input.
        since: Only records of this time or later: an ISO date or time (UTC unless it has an offset), `90m`, `24h`,
            `7d` or `2w` before now, or a `datetime`. Records without a readable `eventTime` are included.
        until: Only records before this time, in the same forms.
        accounts: Only records of these accounts: the recipient's, else the caller's.
        regions: Only records of these regions.
        named_files: Also read the files in S3 that notifications name, if they pass the filters; each once, at the end.

    Returns:
        An iterable of records, read lazily; its `ledger` accounts for everything.

    Raises:
        UsageError: A time, account, region or S3 place is malformed, the extra that reads S3 is not installed, or
            something is neither a path nor a value that can be read.
    """
    check_callable("progress", progress)
    check_flag("named_files", named_files)
    check_instance("limits", limits, Limits, "a cloudsigma.Limits, or None")
    selection = select(since, until, accounts, regions)
    if named_files:
        from cloudsigma.reading.sources.named_files import check_named_files

        check_named_files()
    return Reader(
        SourceFinder(paths, selection, stdin),
        SourceReader(limits or Limits(), selection),
        progress,
        selection if named_files else None,
    )

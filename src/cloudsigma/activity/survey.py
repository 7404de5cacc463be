"""Reads a few fields of every record of a trail as columns, by the fast path if possible.

The fast path decodes no record whole. Other records arrive one by one, and are collected into columns too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import compress
from typing import Any

from cloudsigma.reading.account.ledger import Ledger, Recorder
from cloudsigma.reading.account.progress import ReadingProgress, Watcher
from cloudsigma.reading.envelope.record_shape import INSIGHT
from cloudsigma.reading.fast_path.probe import Probe
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import RecordFilter, Selection
from cloudsigma.reading.source_reader import SourceReader
from cloudsigma.reading.sources.finder import SourceFinder
from cloudsigma.reading.sources.interface import Unreadable
from cloudsigma.reading.sources.value import Value

Columns = dict[str, list[Any]]
"""Field → its values, one for each record: a text, or something else where the record has no text there."""
Take = Callable[[Columns], None]
"""Takes the columns of some records."""

_KIND = "eventType"
_SCOPE = ("recipientAccountId", "userIdentity.accountId", "awsRegion", "eventTime")
_BATCH = 10_000
"""Records read whole that are collected into one batch of columns."""
_TICK_EVERY = 10_000
"""Report progress after this many selected records of one file."""


class _Surveyed(Probe):
    """A probe that decodes no record: it hands the columns on once the file is accepted."""

    def __init__(self, fields: Sequence[str], take: Take, selection: Selection, recorder: Recorder) -> None:
        self._own = tuple(dict.fromkeys(fields))
        scope = () if selection.everything else _SCOPE
        self._names = tuple(dict.fromkeys((*fields, *scope, _KIND)))
        self._take = take
        self._filter = None if selection.everything else RecordFilter(selection, recorder.left_out, recorder.kept)
        self._pending: Columns = {}
        self._whole: Columns = {name: [] for name in self._own}

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields to decode."""
        return self._names

    def candidates(self, columns: Sequence[Iterator[Any]]) -> list[int]:
        """Keep the columns; no record needs to be decoded."""
        self._pending = {name: list(column) for name, column in zip(self._names, columns, strict=True)}
        return []

    def accepted(self) -> None:
        """Hand on the columns that were kept, without the records that were not asked for."""
        pending, self._pending = self._pending, {}
        if not pending:
            return
        kinds = pending[_KIND]
        if self._filter is not None:
            keeps = self._filter.keeps
            rows = zip(*(pending[name] for name in _SCOPE), strict=True)
            wanted = [kind != INSIGHT and keeps(_record(row)) for kind, row in zip(kinds, rows, strict=True)]
        elif INSIGHT in kinds:
            wanted = [kind != INSIGHT for kind in kinds]
        else:
            self._take({name: pending[name] for name in self._own})
            return
        self._take({name: list(compress(pending[name], wanted)) for name in self._own})

    def add_record(self, record: Mapping[str, Any]) -> None:
        """Collect a record that was read whole."""
        for name, column in self._whole.items():
            column.append(_value(record, name))
        if len(column) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Hand on the records that were collected."""
        whole, self._whole = self._whole, {name: [] for name in self._own}
        if any(whole.values()):
            self._take(whole)


def _record(row: tuple[Any, ...]) -> Mapping[str, Any]:
    account, caller, region, time = row
    identity = {"accountId": caller}
    return {"recipientAccountId": account, "userIdentity": identity, "awsRegion": region, "eventTime": time}


def _value(record: Mapping[str, Any], name: str) -> Any:
    node: Any = record
    for part in name.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node if isinstance(node, str) else None


def survey(
    paths: Sequence[str | os.PathLike[str] | Value],
    fields: Sequence[str],
    take: Take,
    *,
    selection: Selection | None = None,
    limits: Limits | None = None,
    watcher: Watcher | None = None,
) -> Ledger:
    """Read some fields of all records at paths; gives the account of what was read.

    Args:
        paths: Files, folders, places in S3, values; as for `read_records`.
        fields: Top-level fields, and members of top-level objects (`userIdentity.arn`).
        take: Called with columns, in the order of the files.
        selection: The times, accounts and regions to read.
        limits: Bounds on what is read.
        watcher: Is told about the progress.
    """
    selection, limits, recorder = selection or Selection(), limits or Limits(), Recorder()
    surveyed = _Surveyed(fields, take, selection, recorder)
    for record in records_through(surveyed, paths, recorder, selection, limits, watcher):
        surveyed.add_record(record)
    surveyed.flush()
    return recorder.ledger


def records_through(
    probe: Probe,
    paths: Sequence[str | os.PathLike[str] | Value],
    recorder: Recorder,
    selection: Selection | None = None,
    limits: Limits | None = None,
    watcher: Watcher | None = None,
    stage: str = "reading",
) -> Iterator[dict[str, Any]]:
    """The records at paths that a probe selects.

    Args:
        probe: Selects the records.
        paths: Files, folders, places in S3, values.
        recorder: Keeps the account of the reading.
        selection: The times, accounts and regions to read.
        limits: Bounds on what is read.
        watcher: Is told about the progress.
        stage: The name of the reading, for the watcher.
    """
    selection = selection or Selection()
    reader = SourceReader(limits or Limits(), selection, probe)
    sources = iter(SourceFinder(paths, selection).find(recorder))
    progress = ReadingProgress(watcher, recorder, stage) if watcher is not None else None
    for source in progress.watched(sources) if progress is not None else sources:
        if isinstance(source, Unreadable):
            recorder.lose(source.name, source.reason)
            continue
        if progress is None:
            for record, _ in reader.records(source, recorder):
                yield record
            continue
        part = Recorder()
        part.watch = partial(progress.advance, part, ())
        try:
            for given, (record, _) in enumerate(reader.records(source, part), 1):
                yield record
                if given % _TICK_EVERY == 0:
                    progress.advance(part, ())
        finally:
            recorder.add(part)
        progress.advance(None, (source,))

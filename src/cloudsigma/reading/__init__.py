"""Records in: files, folders and standard input → CloudTrail records, each with its origin.

One file is read at a time. What cannot be read never stops the rest: it is named in the ledger with its reason.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import msgspec

from cloudsigma.origin import Origin
from cloudsigma.reading.decode import Document, documents, reason
from cloudsigma.reading.envelope import unwrap
from cloudsigma.reading.envelope.interface import NoCalls, NoForm, Record
from cloudsigma.reading.inflate import Damage, Inflater, Limits, inflate
from cloudsigma.reading.ledger import Ledger, Loss, Recorder
from cloudsigma.reading.probe import MOST, Probe, Probed, View, decode_record
from cloudsigma.reading.sources.files import StandardInput, find_sources
from cloudsigma.reading.sources.interface import Source, Unreadable

__all__ = ["Ledger", "Limits", "Loss", "Progress", "Reader", "read_records"]

_PROGRESS_EVERY = 10_000


class Progress(msgspec.Struct, frozen=True):
    """How far a reading is."""

    files_done: int
    files_total: int
    records: int


class Reader:
    """An iterable of records; `ledger` says what was read, and is whole once the iteration has ended.

    Iterating again reads again, with a new ledger; standard input can be read only once.
    """

    def __init__(
        self,
        paths: tuple[str | os.PathLike[str], ...],
        limits: Limits,
        progress: Callable[[Progress], None] | None,
        stdin: BinaryIO | None,
        probe: Probe | None = None,
    ) -> None:
        self._paths = tuple(os.fspath(path) for path in paths)
        self._limits = limits
        self._progress = progress
        self._stdin = StandardInput(stdin)
        self._view = View(probe) if probe is not None else None
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
        sources: Any = self._sources(recorder)
        total = 0
        if self._progress is not None:
            sources = list(sources)
            total = len(sources)
        for done, source in enumerate(sources):
            if isinstance(source, Unreadable):
                recorder.lose(source.name, source.reason)
                continue
            for record, origin in self._read(source, recorder):
                yield record, origin
                if self._progress is not None and recorder.records % _PROGRESS_EVERY == 0:
                    self._progress(Progress(done, total, recorder.records))
            if self._progress is not None:
                self._progress(Progress(done + 1, total, recorder.records))

    def _sources(self, recorder: Recorder) -> Iterator[Source | Unreadable]:
        for path in self._paths:
            if path == "-":
                yield self._stdin
            else:
                yield from find_sources(path, recorder.not_looked_at)

    def _read(self, source: Source, recorder: Recorder) -> Iterator[tuple[dict[str, Any], Origin]]:
        """The records of one source: those that could match where the fast way is open, else all of them."""
        try:
            with source.open() as stream:
                stored = source.read_whole(stream, MOST) if self._view is not None else None
                probed = self._probe(self._view, stored) if self._view is not None and stored is not None else None
                if probed is not None and stored is not None:
                    yield from _let_through(source.name, probed, stored, recorder)
                else:
                    yield from self._read_plainly(source.name, Inflater(stream, self._limits, stored or b""), recorder)
        except OSError as error:
            recorder.lose(source.name, f"it cannot be read: {(error.strerror or str(error)).lower()}")

    def _probe(self, view: View, stored: bytes) -> Probed | None:
        content = inflate(stored, min(MOST, self._limits.inflated, self._limits.document))
        return view.probe(content) if content is not None else None

    def _read_plainly(
        self, name: str, inflater: Inflater, recorder: Recorder
    ) -> Iterator[tuple[dict[str, Any], Origin]]:
        lost: list[tuple[Damage, str | None]] = []
        position = 0
        whole = False
        cut = False  # whether the last thing found was damage
        try:
            for found in documents(inflater.chunks(), self._limits):
                cut = isinstance(found, Damage)
                if isinstance(found, Damage):
                    lost.append((found, found.position))
                    continue
                for part in _parts(found):
                    if isinstance(part, Record):
                        recorder.records += 1
                        recorder.forms[part.form] += 1
                        yield part.value, Origin(name, position, part.form)
                        position += 1
                    elif isinstance(part, NoCalls):
                        recorder.recognized[part.kind] += 1
                        whole = True
                    else:
                        place = f"record {part.index}" if part.index is not None else found.position
                        lost.append((Damage(part.reason), place))
                whole = True
            if inflater.damage is not None:
                if cut:  # what the JSON lacks at its end is what the compressed data lacks
                    lost.pop()
                lost.insert(0, (inflater.damage, None))
        except OSError as error:
            lost.append((Damage(f"it cannot be read: {(error.strerror or str(error)).lower()}"), None))
        finally:
            recorder.bytes += inflater.stored
            recorder.inflated += inflater.inflated
            recorder.files += int(whole or position > 0)
            recorder.lose_parts(name, [(damage.reason, place) for damage, place in lost], position)


def _let_through(
    name: str, probed: Probed, stored: bytes, recorder: Recorder
) -> Iterator[tuple[dict[str, Any], Origin]]:
    """The records that could match, once the account has all of them."""
    recorder.files += 1
    recorder.bytes += len(stored)
    recorder.inflated += probed.size
    recorder.records += probed.total
    if probed.total:
        recorder.forms[probed.form] += probed.total
    if probed.insights:
        recorder.recognized["Insights event"] += probed.insights
    for position, raw in probed.candidates:
        try:
            record = decode_record(raw)
        except (ValueError, RecursionError) as error:
            recorder.lose_parts(name, [(reason(error), f"record {position}")], probed.total - 1)
            continue
        yield record, Origin(name, position, probed.form)


def _parts(document: Document) -> Iterator[Record | NoCalls | NoForm]:
    return unwrap(document.value, document.form)


def read_records(
    *paths: str | os.PathLike[str],
    limits: Limits | None = None,
    progress: Callable[[Progress], None] | None = None,
    stdin: BinaryIO | None = None,
) -> Reader:
    """Read CloudTrail records from files, folders and standard input.

    Args:
        paths: Files; folders, in which every file with a known ending or none is looked at; `-` is standard input.
        limits: Bounds on sizes.
        progress: Called after every file and now and then within one.
        stdin: What `-` stands for; default: the process's standard input.

    Returns:
        An iterable of records, read lazily; its `ledger` accounts for everything.
    """
    return Reader(paths, limits or Limits(), progress, stdin)

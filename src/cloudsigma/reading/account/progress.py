"""Reports the progress of reading: the stage, files, records and bytes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from cloudsigma.reading.account.ledger import Recorder
from cloudsigma.reading.sources.interface import Source, Unreadable

_FOUND_FIRST = 5_000
"""Sources listed before the first is read. If there are no more, the total is known from the start."""


class Progress(msgspec.Struct, frozen=True):
    """Progress of reading: files, records and bytes."""

    files_done: int
    files_total: int
    """Files listed so far; grows while listing goes on."""
    records: int
    bytes_done: int = 0
    """Bytes as stored."""
    bytes_total: int | None = None
    """`None` unless all sizes are known."""


def _ignore(_stage: str, _done: int, _total: int | None) -> None:
    """Ignore stages; used when no callback is set."""


@dataclass(frozen=True, slots=True)
class Watcher:
    """Functions that are called while input is read."""

    on_progress: Callable[[Progress], None]
    """Called after every source and regularly within a large one."""
    on_stage: Callable[[str, int, int | None], None] = _ignore
    """Called with the name of a stage (`listing`, `reading`, `linking`, `writing`), the number of things that are done,
    and the number of all, or `None`. While reading, `on_progress` has the numbers."""


def report_stage(watcher: Watcher | None, stage: str, done: int = 0, total: int | None = None) -> None:
    """Tell a watcher, if there is one, the stage and how much of it is done."""
    if watcher is not None:
        watcher.on_stage(stage, done, total)


def ignore_progress(_part: Recorder | None, _sources: Iterable[Source | Unreadable]) -> None:
    """`ReadingProgress.advance` where nobody watches."""


class ReadingProgress:
    """Counts the sources found and the sources read.

    Args:
        watcher: Is told about the progress.
        recorder: The recorder of the reading; progress excludes the records that it has now.
        stage: The name of the reading.
    """

    def __init__(self, watcher: Watcher, recorder: Recorder, stage: str = "reading") -> None:
        self._watcher = watcher
        self._recorder = recorder
        self._stage = stage
        self._before = recorder.records
        self._found = self._files = self._bytes = 0
        self._total: int | None = 0
        self._all_found = False

    def watched(self, sources: Iterator[Source | Unreadable]) -> Iterator[Source | Unreadable]:
        """The same sources in the same order, counted."""
        self._all_found = False
        counted = self._counted(sources)
        first = []
        for source in itertools.islice(counted, _FOUND_FIRST):
            first.append(source)
            self._watcher.on_stage("listing", self._found, None)
        self._watcher.on_stage(self._stage, 0, None)
        return itertools.chain(first, counted)

    def _counted(self, sources: Iterator[Source | Unreadable]) -> Iterator[Source | Unreadable]:
        source = next(sources, None)
        self._all_found = source is None
        while source is not None:
            self._found += 1
            if isinstance(source, Source):
                self._total = None if self._total is None or source.size is None else self._total + source.size
            following = next(sources, None)  # look one ahead, to recognize the last source
            self._all_found = following is None
            yield source
            source = following

    def advance(self, part: Recorder | None, sources: Iterable[Source | Unreadable]) -> None:
        """Report progress, given the recorder of the batch being read and the sources that are done."""
        for source in sources:
            self._files += 1
            self._bytes += getattr(source, "size", None) or 0
        records = self._recorder.records - self._before + (part.records if part is not None else 0)
        taken = part.stored() if part is not None and part.stored is not None else 0
        total = self._total if self._all_found else None
        self._watcher.on_progress(Progress(self._files, self._found, records, self._bytes + taken, total))

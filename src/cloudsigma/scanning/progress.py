"""Reports the progress of a scan: files, records and bytes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

from cloudsigma.reading import Progress
from cloudsigma.reading.account.ledger import Recorder
from cloudsigma.reading.sources.interface import Source, Unreadable

_FOUND_FIRST = 5_000
"""Sources listed before the first is read. If there are no more, the total is known from the start."""


class ScanProgress:
    """Counts the sources found and the sources read.

    Args:
        on_progress: Called after every source and regularly within a large one.
        recorder: The recorder of the scan; progress excludes the records that it has now.
    """

    def __init__(self, on_progress: Callable[[Progress], None], recorder: Recorder) -> None:
        self._on_progress = on_progress
        self._recorder = recorder
        self._before = recorder.records
        self._found = self._files = self._bytes = 0
        self._total: int | None = 0
        self._all_found = False

    def watched(self, sources: Iterator[Source | Unreadable]) -> Iterator[Source | Unreadable]:
        """The same sources in the same order, counted."""
        self._all_found = False
        counted = self._counted(sources)
        return itertools.chain(list(itertools.islice(counted, _FOUND_FIRST)), counted)

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
        self._on_progress(Progress(self._files, self._found, records, self._bytes + taken, total))

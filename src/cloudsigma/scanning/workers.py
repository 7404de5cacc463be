"""Files read and evaluated on several processes; the results come in the order of the files.

The parent finds the sources and sends them out in batches; a worker reads them and sends back what matched and its
account of the reading. The parent itself reads large files and standard input, piece by piece.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator

from cloudsigma.reading.sources.interface import Source, Unreadable
from cloudsigma.scanning.batch import BatchConfig, BatchReader, BatchResult, Tick
from cloudsigma.scanning.malloc import keep_freed_memory
from cloudsigma.scanning.worker_pool import Future, WorkerDied, WorkerPool

_log = logging.getLogger("cloudsigma")

_Batch = list[Source | Unreadable]

WORTH_IT = 20_000_000
"""Bytes of files, as stored, below which starting workers takes longer than they save."""
_LARGE = 32_000_000
"""Bytes of a file, as stored, from which the parent reads it: its matches are not held all at once."""
_BATCH_BYTES, _BATCH_FILES = 1_000_000, 16
"""A batch ends at whichever is reached first: small, so that results are used soon and do not pile up."""
_AHEAD = 3
"""Batches for each worker that are sent out before their results are awaited."""


def cores() -> int:
    """How many processes can run at once here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_sources(
    config: BatchConfig, sources: Iterator[Source | Unreadable], jobs: int | None, tick: Tick | None = None
) -> Generator[BatchResult]:
    """Read sources; the results come in their order.

    Args:
        config: What to read them with.
        sources: Where bytes come from.
        jobs: Worker processes, at most as many as there are cores and batches; 1: this process reads one file at a
            time. `None`: one for each core, if there is enough to read for workers to pay off.
        tick: Called with the progress of what this process reads itself.
    """
    here = BatchReader(config, tick)
    workers = min(jobs, cores()) if jobs is not None else cores()
    if workers < 2:
        yield from (here.read([source]) for source in sources)
        return
    first: _Batch = []
    if jobs is None:
        size = 0
        for source in sources:
            first.append(source)
            size += getattr(source, "size", None) or 0
            if size >= WORTH_IT:
                break
        else:
            yield from (here.read([source]) for source in first)
            return
    yield from _read_on_workers(here, _batches(itertools.chain(first, sources)), workers)


def _batches(sources: Iterable[Source | Unreadable]) -> Iterator[_Batch]:
    batch: _Batch = []
    size = 0
    for source in sources:
        if _is_large(source):
            if batch:
                yield batch
            yield [source]
            batch, size = [], 0
            continue
        batch.append(source)
        size += getattr(source, "size", None) or 0
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _is_large(source: Source | Unreadable) -> bool:
    return isinstance(source, Source) and (source.size is None or source.size >= _LARGE)


def _begin(config: BatchConfig) -> Callable[[_Batch], BatchResult]:
    """In a worker: the function that reads batches."""
    keep_freed_memory()
    reader = BatchReader(config)

    def read(batch: _Batch) -> BatchResult:
        result = reader.read(batch)
        return result._replace(found=list(result.found), sources=())  # the parent has the sources

    return read


def _read_on_workers(here: BatchReader, batches: Iterator[_Batch], workers: int) -> Iterator[BatchResult]:
    pool: WorkerPool[_Batch, BatchResult] = WorkerPool(workers, _begin, here.config)
    waiting: deque[tuple[_Batch, Future[_Batch] | None]] = deque()

    def next_result() -> BatchResult:
        batch, future = waiting.popleft()
        if future is not None:
            try:
                return pool.result(future)._replace(sources=batch)
            except WorkerDied:
                _log.warning("a worker process has died; the main process reads its files")
        return here.read(batch)

    try:
        for batch in batches:
            waiting.append((batch, None if any(map(_is_large, batch)) else pool.submit(batch)))
            if len(waiting) > workers * _AHEAD:
                yield next_result()
        while waiting:
            yield next_result()
    finally:
        pool.close()

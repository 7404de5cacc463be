"""Reads and evaluates files on several processes, with results in the order of the files.

The parent lists the sources and sends them in batches; a worker reads a batch and returns the matches and its recorder.
The parent itself streams large files and standard input.
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
"""Stored bytes of all files below which starting workers takes longer than it saves."""
_LARGE = 32_000_000
"""Stored bytes of a file from which the parent streams it, so that its matches are not all held in memory."""
_BATCH_BYTES, _BATCH_FILES = 1_000_000, 16
"""A batch ends at whichever limit is reached first. Batches are small, so that results do not pile up in memory."""
_AHEAD = 3
"""Batches submitted for each worker before the first result is awaited."""


def cores() -> int:
    """The number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_sources(
    config: BatchConfig, sources: Iterator[Source | Unreadable], jobs: int | None, tick: Tick | None = None
) -> Generator[BatchResult]:
    """Read sources, and yield the results in the order of the sources.

    Args:
        config: The settings for reading.
        sources: The sources, listed lazily.
        jobs: Worker processes, at most as many as there are cores and batches; 1: this process reads one file at a
            time. `None`: one for each core if the input is large enough for workers to pay off.
        tick: Called with the progress of sources that this process reads itself.
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
    """Called in a worker; returns the function that reads batches."""
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

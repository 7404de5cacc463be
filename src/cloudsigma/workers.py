"""Worker processes over files: which records match, found on several cores and given in the order of the files.

The parent finds the sources and hands them out in batches; a worker reads them and sends back what matched and its
account of the reading. Large files and standard input stay with the parent, which reads them piece by piece. Workers
are spawned, never forked: a fork would copy the threads' locks and clients that others in the process hold.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from cloudsigma.engine.match import make_matches
from cloudsigma.memory import keep_freed_memory
from cloudsigma.origin import Origin
from cloudsigma.reading.ledger import Recorder
from cloudsigma.reading.limits import Limits
from cloudsigma.reading.selection import Selection
from cloudsigma.reading.source_reader import SourceReader
from cloudsigma.reading.sources.interface import Source, Unreadable
from cloudsigma.ruleset import RuleSet

if TYPE_CHECKING:  # imported where workers are started: most scans have none
    from concurrent.futures import Future, ProcessPoolExecutor

_log = logging.getLogger("cloudsigma")

WORTH_IT = 20_000_000
"""Bytes of files, as stored, below which the start of workers takes longer than they save."""
_LARGE = 32_000_000
"""Bytes of a file, as stored, from which the parent reads it: what matched in it is not held as a whole."""
_BATCH_BYTES, _BATCH_FILES = 1_000_000, 16
"""A batch ends at whichever comes first: small enough that what it gives is soon used and does not pile up."""
_TICK_EVERY = 10_000
"""Records of one file that are given between two reports of progress."""
_AHEAD = 3
"""Batches a worker that are handed out before their results are asked for."""


class Found(NamedTuple):
    """A record that matched."""

    rule_ids: tuple[str, ...]
    record: dict[str, Any]
    origin: Origin


class Line(NamedTuple):
    """A match, written where it was found."""

    rule_id: str
    key: str
    event_id: str | None
    origin: Origin
    text: bytes


class Outcome(NamedTuple):
    """What some files came to."""

    found: Iterable[Found | Line]
    """To be used up before `recorder` is whole."""
    recorder: Recorder
    sources: Sequence[Source | Unreadable]
    """The files, one by one."""


class Job(NamedTuple):
    """What every batch is read with."""

    rules: RuleSet
    selection: Selection
    lines: bool
    """Whether matches are written by who finds them."""
    record: bool
    """Whether the lines have the record."""
    limits: Limits = Limits()
    coverage: bool = False
    """Whether all records are counted by account, region and hour."""
    strict: bool = False
    """Whether the first file of which something is lost is the last that is read."""
    references: bool = False
    """Whether the files are told that messages name."""


Tick = Callable[[Recorder], None]
"""Called now and then while a file is read, with the notes on its batch so far."""


def cores() -> int:
    """How many processes can run at once here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(
    job: Job, sources: Iterator[Source | Unreadable], jobs: int, *, always: bool, tick: Tick | None = None
) -> Generator[Outcome]:
    """Read sources on `jobs` processes; the outcomes come in the order of the sources.

    Args:
        job: What to read them with.
        sources: Where bytes come from.
        jobs: Worker processes; with one, everything is done in this process, one file at a time.
        always: Start workers even where there is so little to read that they do not pay.
        tick: Told of the progress of what this process reads itself.
    """
    here = _Search(job, tick)
    if jobs < 2:
        yield from (here.outcome([source]) for source in sources)
        return
    first: list[Source | Unreadable] = []
    size = 0
    for source in sources:
        first.append(source)
        size += getattr(source, "size", None) or 0
        if always or size >= WORTH_IT:
            break
    if always or size >= WORTH_IT:
        yield from _on_workers(here, _batches(itertools.chain(first, sources)), jobs)
    else:
        yield from (here.outcome([source]) for source in first)


def _batches(sources: Iterable[Source | Unreadable]) -> Iterator[list[Source | Unreadable]]:
    batch: list[Source | Unreadable] = []
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


class _Search:
    """Looks for matches in this process."""

    def __init__(self, job: Job, tick: Tick | None = None) -> None:
        self.job = job
        self._reader = SourceReader(
            job.limits, job.selection, job.rules.probe, coverage=job.coverage, strict=job.strict
        )
        self._tick = tick

    def outcome(self, batch: list[Source | Unreadable]) -> Outcome:
        """What a batch comes to; it is read while `found` is used up."""
        recorder = Recorder()
        recorder.references = [] if self.job.references else None
        return Outcome(self._found(batch, recorder), recorder, batch)

    def _found(self, batch: Iterable[Source | Unreadable], recorder: Recorder) -> Iterator[Found | Line]:
        verdicts, hidden, lines = self.job.rules.verdicts, self.job.rules.hidden, self.job.lines
        for source in batch:
            if self.job.strict and recorder.first_loss is not None:
                return
            if isinstance(source, Unreadable):
                recorder.lose(source.name, source.reason)
                continue
            given = 0
            for record, origin in self._reader.records(source, recorder):
                given += 1
                if given % _TICK_EVERY == 0 and self._tick is not None:
                    self._tick(recorder)
                rule_ids = verdicts(record)
                if not rule_ids:
                    continue
                if lines:
                    yield from self._lines([name for name in rule_ids if name not in hidden], record, origin)
                else:
                    yield Found(rule_ids, record, origin)

    def _lines(self, rule_ids: Iterable[str], record: dict[str, Any], origin: Origin) -> Iterator[Line]:
        rules = [self.job.rules[rule_id] for rule_id in rule_ids]
        for match in make_matches(rules, record, origin):
            text = match.to_json_bytes(record=self.job.record)
            yield Line(match.rule_id, match.key, match.context.event_id, origin, text)


# --- workers ------------------------------------------------------------------------------------------------

_search: _Search | None = None
"""In a worker: what reads batches."""


def _start(job: Job) -> None:
    global _search  # noqa: PLW0603  # a worker is started once, and a batch should not bring all rules along
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    _search = _Search(job)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the parent to be gone: were it killed, its workers would wait for batches for ever."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _read_batch(batch: list[Source | Unreadable]) -> Outcome:
    assert _search is not None  # noqa: S101  # set by `_start` before any batch
    outcome = _search.outcome(batch)
    return outcome._replace(found=list(outcome.found), sources=())  # the parent has these


def _on_workers(here: _Search, batches: Iterator[list[Source | Unreadable]], jobs: int) -> Iterator[Outcome]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(here.job,))
    waiting: deque[tuple[list[Source | Unreadable], Future[Outcome] | None]] = deque()
    try:
        for batch in batches:
            waiting.append((batch, _submitted(pool, batch)))
            if len(waiting) > jobs * _AHEAD:
                yield _received(here, *waiting.popleft())
        while waiting:
            yield _received(here, *waiting.popleft())
    finally:
        # Waiting is short, and what is not waited for here is at the interpreter's end, where it may go wrong.
        pool.shutdown(wait=True, cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, batch: list[Source | Unreadable]) -> Future[Outcome] | None:
    """The batch on its way to a worker; `None`: this process reads it."""
    from concurrent.futures.process import BrokenProcessPool

    if any(map(_is_large, batch)):
        return None
    try:
        with _interrupts_held():
            return pool.submit(_read_batch, batch)
    except BrokenProcessPool:
        return None


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait, here and in a process that is started meanwhile, there until it ignores it by itself."""
    if not hasattr(signal, "pthread_sigmask"):  # not on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _received(here: _Search, batch: list[Source | Unreadable], future: Future[Outcome] | None) -> Outcome:
    from concurrent.futures.process import BrokenProcessPool

    if future is not None:
        try:
            return future.result()._replace(sources=batch)
        except BrokenProcessPool:
            _log.warning("a worker process has died; what it was to read is read by the main process")
    return here.outcome(batch)

"""Worker processes over files: which records match, found on several cores and given in the order of the files.

The parent finds the sources and hands them out in batches; a worker reads them and sends back what matched and its
account of the reading. Large files and standard input stay with the parent, which reads them piece by piece.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from cloudsigma.engine.match import make_matches
from cloudsigma.origin import Origin
from cloudsigma.reading.account.ledger import Recorder
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.source_reader import SourceReader
from cloudsigma.reading.sources.interface import Source, Unreadable
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.malloc import keep_freed_memory
from cloudsigma.scanning.worker_pool import Ticket, WorkerDied, WorkerPool

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
        if (tick := self._tick) is not None:
            recorder.watch = lambda: tick(recorder)
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


def _begin(job: Job) -> Callable[[list[Source | Unreadable]], Outcome]:
    """In a worker: what reads batches."""
    keep_freed_memory()
    search = _Search(job)

    def read(batch: list[Source | Unreadable]) -> Outcome:
        outcome = search.outcome(batch)
        return outcome._replace(found=list(outcome.found), sources=())  # the parent has these

    return read


def _on_workers(here: _Search, batches: Iterator[list[Source | Unreadable]], jobs: int) -> Iterator[Outcome]:
    pool: WorkerPool[list[Source | Unreadable], Outcome] = WorkerPool(jobs, _begin, here.job)
    waiting: deque[tuple[list[Source | Unreadable], Ticket[list[Source | Unreadable]] | None]] = deque()

    def next_outcome() -> Outcome:
        batch, ticket = waiting.popleft()
        if ticket is not None:
            try:
                return pool.answer(ticket)._replace(sources=batch)
            except WorkerDied:
                _log.warning("a worker process has died; what it was to read is read by the main process")
        return here.outcome(batch)

    try:
        for batch in batches:
            waiting.append((batch, None if any(map(_is_large, batch)) else pool.submit(batch)))
            if len(waiting) > jobs * _AHEAD:
                yield next_outcome()
        while waiting:
            yield next_outcome()
    finally:
        pool.close()

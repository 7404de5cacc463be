"""Files to matches: sources, reader, rule set, workers and ledger together."""

from __future__ import annotations

import datetime as dt
import logging
import os
import sqlite3
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, BinaryIO

from msgspec import structs

from cloudsigma.correlation import MAX_ENTRIES, Correlator
from cloudsigma.engine.context.event_time import event_time
from cloudsigma.engine.match import Match, make_matches
from cloudsigma.engine.prefilter.reachability import asked_for
from cloudsigma.errors import InputLostError, UsageError
from cloudsigma.reading.account.coverage import SilentRule
from cloudsigma.reading.account.ledger import Ledger, Loss, Recorder
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.sources.finder import SourceFinder
from cloudsigma.reading.sources.interface import Source, Unreadable
from cloudsigma.reading.sources.register import Register
from cloudsigma.reading.sources.value import Value
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.checkpoint import Checkpoint
from cloudsigma.scanning.progress import ScanProgress
from cloudsigma.scanning.scan_state import Tally
from cloudsigma.scanning.source_queue import Follow, Rounds
from cloudsigma.scanning.workers import Found, Job, Line, cores, run

_log = logging.getLogger("cloudsigma")

_Advance = Callable[[Recorder | None, Iterable[Source | Unreadable]], None]
"""Is told of the notes on what is being read, and of sources that are done."""


class Scan:
    """The matches of files, found while it is iterated, and what was read for them.

    Lazy: files are read one at a time, or as many as there are jobs. Iterating it again reads the files again and
    begins the account anew: one iteration at a time.
    """

    def __init__(
        self,
        paths: tuple[str | os.PathLike[str] | Value, ...],
        rules: RuleSet,
        *,
        dedup: bool = True,
        jobs: int | None = 1,
        progress: Callable[..., None] | None = None,
        stdin: BinaryIO | None = None,
        selection: Selection | None = None,
        limits: Limits | None = None,
        coverage: bool = False,
        strict: bool = False,
        checkpoint: Checkpoint | None = None,
        follow: Follow | None = None,
        settled: Callable[[], None] | None = None,
        tell: Callable[[Loss], None] | None = None,
        own: Iterable[str | os.PathLike[str]] = (),
        named_files: bool = False,
    ) -> None:
        """Arguments beside those of `scan`.

        Args:
            paths: Files, folders, places in S3, values, `-`.
            rules: The rules.
            dedup: See `scan`, as the others up to `coverage`; `jobs=None` stands for as many as there are cores.
            jobs: Processes.
            progress: Called as files are read.
            stdin: What `-` stands for.
            selection: What is asked for.
            limits: Bounds on sizes.
            coverage: Whether all records are counted by account, region and hour.
            strict: Raise `InputLostError` at the first loss.
            checkpoint: Where the scan is kept as it goes on, and goes on from.
            follow: How to watch the paths; the iteration then ends when that says so.
            settled: Called before it waits for what is new.
            tell: Told of each loss as it comes.
            own: Files that are written meanwhile, and so not read where a folder holds them.
            named_files: See `scan`.

        Raises:
            UsageError: An argument makes no sense.
        """
        if jobs is not None and jobs < 1:
            raise UsageError(f"jobs is {jobs}; give 1 or more, or None for as many as there are cores")
        self.rules = rules
        """The rules that are evaluated."""
        self._dedup = dedup
        self._jobs = jobs
        self._progress = progress
        self._selection = selection or Selection()
        self._limits = limits or Limits()
        self._coverage = coverage
        self._strict = strict
        self._finder = SourceFinder(paths, self._selection, stdin)
        if "-" in self._finder.paths and (checkpoint is not None or follow is not None):
            raise UsageError("standard input can be read only once: it cannot be followed, nor be gone on with")
        self._checkpoint = checkpoint
        self._follow = follow
        self._settled = settled
        self._too_late = 0
        self._tell = tell
        self._correlates = any(rule.correlation is not None for rule in rules)
        self.named_files = named_files
        """Whether files in S3 that messages name are read, too."""
        if named_files:  # what reads S3 is imported where it is asked for
            from cloudsigma.reading.sources.named_files import check_named_files

            check_named_files()
        self._own = frozenset(os.path.abspath(path) for path in own)  # noqa: PTH100  # links are not followed
        self._tally = Tally(dedup=dedup)
        self._rounds = self._rounds_with(None)

    @property
    def counts(self) -> Counter[str]:
        """Matches given so far, by rule ID."""
        return self._tally.counts

    @property
    def repeated(self) -> int:
        """Matches left out so far because the same event had matched the same rule before."""
        return self._tally.repeated

    @property
    def read_again(self) -> int:
        """Files that were read a second time, since they had changed."""
        return self._tally.read_again

    @property
    def ledger(self) -> Ledger:
        """What was read so far, and what was not and why; whole once the iteration has ended."""
        notes = Recorder()
        notes.add(self._rounds.listing)
        notes.add(self._tally.recorder)
        notes.deliveries = self._tally.recorder.deliveries
        ledger, counts = notes.ledger, notes.coverage
        if ledger.coverage is None or counts is None or not counts.events_known:
            return ledger
        silent = tuple(SilentRule(rule.id, rule.title, asked_for(rule)) for rule in self.rules.silent(counts.events))
        return structs.replace(ledger, coverage=structs.replace(ledger.coverage, silent=silent))

    def __iter__(self) -> Iterator[Match]:
        self._begin()
        for match in self._evaluated(self._found(lines=False)):
            if self._tally.is_new(match.rule_id, match.key, match.context.event_id, match.origin):
                yield match
        self._end()

    def lines(self, *, record: bool = True) -> Iterator[bytes]:
        """`match.to_json_bytes()` of each match, without a line break.

        Where there are several jobs and no correlations, each writes its own, which is quicker than sending matches.
        """
        if self._correlates:
            yield from (match.to_json_bytes(record=record) for match in self)
            return
        self._begin()
        for line in self._found(lines=True, record=record):
            if isinstance(line, Line) and self._tally.is_new(line.rule_id, line.key, line.event_id, line.origin):
                yield line.text
        self._end()

    def _begin(self) -> None:
        checkpoint, follow = self._checkpoint, self._follow
        self._tally = Tally(dedup=self._dedup, keeping=checkpoint is not None)
        register = None
        if checkpoint is not None:
            checkpoint.restore(self._tally)
            register = checkpoint.register
        elif follow is not None or self.named_files:
            database = sqlite3.connect("", check_same_thread=False)  # a file of SQLite's own, which is gone with it
            weakref.finalize(self, database.close)
            register = Register(database, pause=follow.interval if follow is not None else 0.0)
        self._rounds = self._rounds_with(register)

    def _rounds_with(self, register: Register | None) -> Rounds:
        named = None
        if self.named_files and register is not None:
            from cloudsigma.reading.sources.named_files import NamedFiles

            named = NamedFiles(register, self._selection)
        return Rounds(
            self._finder,
            self._tally,
            register,
            dedup=self._dedup,
            following=self._follow is not None,
            strict=self._strict,
            tell=self._tell,
            own=self._own,
            named=named,
        )

    def _end(self) -> None:
        if self._checkpoint is not None:
            self._checkpoint.save(self._tally, finished=self._follow is None)

    # --- records that match -----------------------------------------------------------------------------------

    def _found(self, *, lines: bool, record: bool = True) -> Iterator[Found | Line | None]:
        """What matches in all sources, in their order; counted as it is taken. `None` ends a round of following."""
        job = Job(
            self.rules, self._selection, lines, record, self._limits, self._coverage, self._strict, self.named_files
        )
        jobs = cores() if self._jobs is None else self._jobs
        always = self._jobs is not None
        yield from self._found_now(job, jobs, always=always)
        follow = self._follow
        while follow is not None:
            yield None
            if self._checkpoint is not None:
                self._checkpoint.save(self._tally)
            if self._settled is not None:
                self._settled()
            if follow.stopping.wait(follow.interval):
                return
            yield from self._found_now(job, jobs, always=False)

    def _found_now(self, job: Job, jobs: int, *, always: bool) -> Iterator[Found | Line]:
        """What matches in the sources that there are now, and then in those that messages in them name."""
        progress = None
        if self._progress is not None and self._follow is None:
            progress = ScanProgress(self._progress, self._tally.recorder)
        yield from self._found_in(self._rounds.sources(), job, jobs, always=always, progress=progress)
        if self.named_files and not self._is_stopping:
            self._check(self._tally.recorder)
            yield from self._found_in(
                self._rounds.named_sources(), job._replace(references=False), jobs,
                always=always, progress=progress, named=True,
            )  # fmt: skip
        self._check(self._tally.recorder)

    def _found_in(
        self,
        sources: Iterator[Source | Unreadable],
        job: Job,
        jobs: int,
        *,
        always: bool,
        progress: ScanProgress | None,
        named: bool = False,
    ) -> Iterator[Found | Line]:
        recorder = self._tally.recorder
        advance: _Advance = _nobody_watches
        if progress is not None:
            sources, advance = progress.watched(sources), progress.advance
        with closing(run(job, sources, jobs, always=always, tick=lambda part: advance(part, ()))) as outcomes:
            for outcome in outcomes:
                try:
                    yield from outcome.found
                finally:  # whoever stops here, for a reason of their own, is told what was read until then
                    recorder.add(outcome.recorder)
                self._check(outcome.recorder)
                self._rounds.settle(outcome, named=named)
                if self._checkpoint is not None and self._checkpoint.due:
                    self._checkpoint.save(self._tally)
                advance(None, outcome.sources)
                if self._is_stopping:
                    return

    @property
    def _is_stopping(self) -> bool:
        return self._follow is not None and self._follow.stopping.is_set()

    def _check(self, recorder: Recorder) -> None:
        loss = recorder.first_loss if self._strict else None
        if loss is not None:
            raise InputLostError(loss.path, loss.reason, loss.position)

    # --- correlations -----------------------------------------------------------------------------------------

    def _evaluated(self, found: Iterable[Found | Line | None]) -> Iterator[Match]:
        """The matches of records that match, and those of correlations."""
        correlator, rules, follow = self._correlator(), self.rules, self._follow
        hidden = rules.hidden
        for each in found:
            if each is None:
                if correlator is not None:
                    yield from (match for match in self._pass_on(correlator) if match.rule_id not in hidden)
                continue
            if isinstance(each, Line):  # not asked for
                continue
            matches = make_matches([rules[rule_id] for rule_id in each.rule_ids], each.record, each.origin)
            for match in matches:
                if match.rule_id not in hidden:
                    yield match
            if correlator is not None and (follow is None or self._in_time(each)):
                yield from (match for match in correlator.feed(matches) if match.rule_id not in hidden)
        if correlator is not None and (follow is None or self._checkpoint is None):
            yield from (match for match in correlator.close() if match.rule_id not in hidden)

    def _correlator(self) -> Correlator | None:
        if not self._correlates:
            return None
        state = self._checkpoint.database if self._checkpoint is not None else None
        # Everything is held to the end, or to that of a round, so that the order of files does not count.
        return Correlator(self.rules, state=state, max_entries=None if self._follow is None else MAX_ENTRIES)

    def _in_time(self, found: Found) -> bool:
        """Whether a record that was found while following still counts in correlations."""
        when, tally = event_time(found.record), self._tally
        if when is None:
            return True
        if tally.watermark is not None and when < tally.watermark:
            self._too_late += 1
            if self._too_late == 1:
                _log.warning("a match came more than the lateness after its time and takes no part in correlations")
            return False
        tally.note_time(when)
        return True

    def _pass_on(self, correlator: Correlator) -> tuple[Match, ...]:
        """At the end of a round: the matches of frames that nothing can change any more."""
        tally, follow = self._tally, self._follow
        if follow is None or tally.latest is None:
            return ()
        bound = tally.latest - follow.lateness.total_seconds()
        if tally.watermark is not None and bound <= tally.watermark:
            return ()
        tally.watermark = bound
        return correlator.advance(dt.datetime.fromtimestamp(bound, dt.UTC))

    def to_dict(self) -> dict[str, Any]:
        """The account of the scan so far, for JSON."""
        return {"matches": dict(self.counts), "repeated": self.repeated, "ledger": self.ledger.to_dict()}


def _nobody_watches(part: Recorder | None, sources: Iterable[Source | Unreadable]) -> None:
    """What is told of progress where nobody asked."""

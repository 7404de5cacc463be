"""The passes of a scan: one over all sources or, while following, one after another until it is stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudsigma.errors import InputLostError
from cloudsigma.reading.account.ledger import Recorder
from cloudsigma.reading.account.progress import ReadingProgress, Watcher, ignore_progress
from cloudsigma.reading.sources.interface import Source, Unreadable
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.batch import BatchConfig, MatchedRecord, SerializedMatch
from cloudsigma.scanning.config import Follow, ScanConfig
from cloudsigma.scanning.correlating import ScanCorrelations
from cloudsigma.scanning.scan_state import ScanState
from cloudsigma.scanning.source_queue import SourceQueue
from cloudsigma.scanning.workers import read_sources

if TYPE_CHECKING:
    from cloudsigma.scanning.queue_rounds import QueueRounds
    from cloudsigma.sessions import Sessions

_Advance = Callable[[Recorder | None, Iterable[Source | Unreadable]], None]


@dataclass(frozen=True, slots=True)
class Hooks:
    """The calls of the passes into their scan."""

    save: Callable[[], None]
    """Saves the state; all matches yielded before are written."""
    is_save_due: Callable[[], bool]
    """Whether to save within a pass."""
    end_pass: Callable[[], None]
    """Called after each pass while following, once its state is saved and its messages are settled."""
    publish: Callable[[], None]
    """Called regularly within a pass, if the scan has a monitor: publishes its numbers."""
    new_rules: Callable[[], RuleSet | None]
    """Called before each pass but the first: swaps the rules, and returns them if they are new."""


class Passes:
    """Reads the sources that a queue of sources chooses, and updates the state of the scan.

    Args:
        state: The state of the scan.
        queue: Chooses the sources of each pass.
        config: The settings of the scan.
        hooks: The calls into the scan.
        rounds: The rounds of a queue of messages, if the scan reads one.
        correlations: Are told which files were read.
        sessions: Collects the events that issue credentials.
        watcher: Is told about the progress.
        reads_named_files: Whether the files that notifications name are read, too.
    """

    def __init__(
        self,
        state: ScanState,
        queue: SourceQueue,
        config: ScanConfig,
        hooks: Hooks,
        *,
        rounds: QueueRounds | None,
        correlations: ScanCorrelations | None,
        sessions: Sessions | None,
        watcher: Watcher | None,
        reads_named_files: bool,
    ) -> None:
        self._state = state
        self._queue = queue
        self._config = config
        self._hooks = hooks
        self._rounds = rounds
        self._correlations = correlations
        self._sessions = sessions
        self._watcher = watcher
        self._reads_named_files = reads_named_files
        self._monitor = config.follow.monitor if config.follow is not None else None
        self._began, self._was_busy = 0.0, False

    def run(self, batches: BatchConfig) -> Iterator[MatchedRecord | SerializedMatch | None]:
        """The matches in all sources, in order, counted when yielded. While following, `None` ends a pass."""
        follow = self._config.follow
        try:
            yield from self._pass(batches, self._config.jobs)
            while follow is not None:
                yield None
                self._hooks.save()
                is_last = self._rounds is not None and self._rounds.end_round()
                self._note_round(follow)
                self._hooks.end_pass()
                if is_last or (self._rounds is None and follow.stop.wait(follow.interval)):
                    return
                rules = self._hooks.new_rules()
                if rules is not None:
                    batches = batches._replace(rules=rules)
                yield from self._pass(batches, None)
        finally:
            self._queue.close()
            if self._rounds is not None:
                self._rounds.close()

    def _pass(self, batches: BatchConfig, jobs: int | None) -> Iterator[MatchedRecord | SerializedMatch]:
        """The matches in the present sources, then in the files that notifications in them name."""
        self._began, self._was_busy = time.monotonic(), False
        progress = None
        if self._watcher is not None:
            progress = ReadingProgress(self._watcher, self._state.recorder)
        if self._rounds is not None:
            jobs = 1  # messages are small, and each is answered for by itself
        yield from self._found_in(self._queue.sources(), batches, jobs, progress)
        if self._reads_named_files and not self._is_stopping:
            self._check(self._state.recorder)
            batches = batches._replace(references=False)
            yield from self._found_in(self._queue.named_sources(), batches, jobs, progress, named=True)
        self._check(self._state.recorder)

    def _found_in(
        self,
        sources: Iterator[Source | Unreadable],
        batches: BatchConfig,
        jobs: int | None,
        progress: ReadingProgress | None,
        *,
        named: bool = False,
    ) -> Iterator[MatchedRecord | SerializedMatch]:
        state, monitor = self._state, self._monitor
        advance: _Advance = ignore_progress
        if progress is not None:
            sources, advance = progress.watched(sources), progress.advance

        def tick(part: Recorder) -> None:
            advance(part, ())
            if monitor is not None:
                monitor.beat()

        with closing(read_sources(batches, sources, jobs, tick)) as results:
            for result in results:
                try:
                    yield from result.found
                finally:  # also for a caller that stops here
                    state.recorder.add(result.recorder)
                    state.suppressed.update(result.suppressed)
                    state.filtered.update(result.filtered)
                    if self._sessions is not None:
                        self._sessions.add_issues(result.issues)
                self._check(result.recorder)
                self._queue.note_done(result, named=named)
                self._note_deliveries(result.sources)
                if monitor is not None:
                    self._was_busy = True
                    monitor.beat()
                    monitor.note_read(result.recorder, messages=self._rounds is not None and not named)
                    if monitor.is_due:
                        self._hooks.publish()
                if self._hooks.is_save_due():
                    self._hooks.save()
                advance(None, result.sources)
                if self._is_stopping:
                    return

    def _note_round(self, follow: Follow) -> None:
        if follow.monitor is None:
            return
        if self._was_busy:
            began = self._rounds.messages.received_at if self._rounds is not None else self._began
            follow.monitor.note_round(time.monotonic() - began)
        follow.monitor.beat(waits=follow.interval if self._rounds is None else 0.0)

    def _note_deliveries(self, sources: Iterable[Source | Unreadable]) -> None:
        if self._config.follow is not None and self._correlations is not None:
            for source in sources:
                if isinstance(source, Source):
                    self._correlations.note_delivery(source.name)

    @property
    def _is_stopping(self) -> bool:
        return self._config.follow is not None and self._config.follow.stop.is_set()

    def _check(self, recorder: Recorder) -> None:
        loss = recorder.first_loss if self._config.strict else None
        if loss is not None:
            raise InputLostError(loss.path, loss.reason, loss.position)

"""A scan from files to matches: connects sources, reader, rules, workers, correlations and ledger."""

from __future__ import annotations

import os
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, BinaryIO

from msgspec import structs

from cloudsigma.engine.match import Match
from cloudsigma.engine.prefilter.reachability import asked_for
from cloudsigma.errors import UsageError
from cloudsigma.reading.account.coverage import SilentRule
from cloudsigma.reading.account.ledger import Ledger, Recorder
from cloudsigma.reading.account.progress import report_stage
from cloudsigma.reading.account.repeats import Repeats
from cloudsigma.reading.sources.finder import SourceFinder
from cloudsigma.reading.sources.register import Register
from cloudsigma.reading.sources.sqs.location import queue_of
from cloudsigma.reading.sources.value import Value
from cloudsigma.rulesets.filter_counts import FilterCounts
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.approving import Approving, check_stream
from cloudsigma.scanning.batch import BatchConfig, MatchedRecord, Serialization, SerializedMatch
from cloudsigma.scanning.checkpoint import Checkpoint
from cloudsigma.scanning.config import ScanCallbacks, ScanConfig
from cloudsigma.scanning.correlating import ScanCorrelations
from cloudsigma.scanning.outcome import ScanOutcome
from cloudsigma.scanning.passes import Hooks, Passes
from cloudsigma.scanning.rule_digests import set_digest
from cloudsigma.scanning.scan_state import ScanState
from cloudsigma.scanning.source_queue import SourceQueue
from cloudsigma.scanning.surroundings import surroundings
from cloudsigma.storage.sqlite import open_temporary

if TYPE_CHECKING:
    from cloudsigma.reading.sources.named_files import NamedFiles
    from cloudsigma.scanning.queue_rounds import QueueRounds
    from cloudsigma.sessions import Sessions

_Found = MatchedRecord | SerializedMatch | None


class Scan:
    """An iterable of the matches in files; `outcome` has the counts and the ledger.

    Lazy: reads one file at a time, or one for each job. Iterating again reads the files again, with a new ledger; do
    not run two iterations at the same time.
    """

    def __init__(
        self,
        paths: Iterable[str | os.PathLike[str] | Value],
        rules: RuleSet,
        config: ScanConfig | None = None,
        *,
        callbacks: ScanCallbacks | None = None,
        stdin: BinaryIO | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        """Prepare a scan; nothing is read yet.

        Args:
            paths: Files, folders, patterns, S3 URLs, values; `-` is standard input.
            rules: The rules.
            config: The settings.
            callbacks: Functions that are called while the scan runs.
            stdin: A stream for `-`. Default: the process's standard input.
            checkpoint: Resume from this checkpoint, and save the state to it. Its time window replaces the selection's.

        Raises:
            UsageError: An argument is invalid, or arguments contradict each other.
        """
        config = config or ScanConfig()
        if checkpoint is not None:
            config = config.with_window(checkpoint.window)
        self.rules = rules
        """The rules that are evaluated; while following, a reload replaces them."""
        self.config = config
        """The settings."""
        self._callbacks = callbacks or ScanCallbacks()
        self._watcher = self._callbacks.watcher if config.follow is None else None
        given = tuple(paths)
        self._location = queue_of(given, resumable=config.follow is not None and checkpoint is not None)
        self._finder = SourceFinder(given if self._location is None else (), config.selection, stdin)
        if "-" in self._finder.paths and (checkpoint is not None or config.follow is not None):
            raise UsageError("standard input can be read only once: it can be neither followed nor resumed")
        if checkpoint is not None or config.follow is not None:
            check_stream(config.approvals, linked=config.sessions)
        if config.named_files or self._location is not None:
            from cloudsigma.reading.sources.named_files import check_named_files  # imports the S3 clients

            check_named_files()
        self._checkpoint = checkpoint
        self._rounds: QueueRounds | None = None
        self._named: NamedFiles | None = None
        self._rules_digest = ""
        self._monitor = config.follow.monitor if config.follow is not None else None
        self._correlates = any(rule.correlation is not None for rule in rules)
        self._prepared = self._finished = False
        self._sessions: Sessions | None = None
        self._state = ScanState(dedup=config.dedup)
        self._approving = Approving(config.approvals, self._state.approvals)
        self._queue = SourceQueue(self._finder, self._state, config)
        self._correlations: ScanCorrelations | None = None

    # --- the outcome ------------------------------------------------------------------------------------------

    @property
    def outcome(self) -> ScanOutcome:
        """The outcome so far; complete once the iteration has ended."""
        state = self._state
        return ScanOutcome(
            dict(state.counts),
            state.repeated,
            dict(state.suppressed),
            state.read_again,
            self._finished,
            self.ledger,
            dict(state.filtered),
            approvals=self._approving.outcome,
        )

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, folders, patterns and S3 URLs that are read; not the values."""
        return self._finder.paths if self._location is None else (str(self._location),)

    @property
    def counts(self) -> Counter[str]:
        """Matches reported so far, by rule ID."""
        return self._state.counts

    @property
    def repeated(self) -> int:
        """Matches left out so far because the same event had matched the same rule before."""
        return self._state.repeated

    @property
    def ledger(self) -> Ledger:
        """The input read so far, and the losses with their reasons; complete once the iteration has ended."""
        state, notes = self._state, Recorder()
        notes.add(self._queue.listing)
        notes.add(state.recorder)
        ledger, covered = notes.ledger, notes.coverage
        ledger = structs.replace(
            ledger,
            repeats=state.dedup.repeats if state.dedup is not None else Repeats(),
            correlations=self._correlations.losses if self._correlations is not None else state.correlations,
        )
        if ledger.coverage is None or covered is None or not covered.events_known:
            return ledger
        silent = tuple(SilentRule(rule.id, rule.title, asked_for(rule)) for rule in self.rules.silent(covered.events))
        return structs.replace(ledger, coverage=structs.replace(ledger.coverage, silent=silent))

    def to_dict(self) -> dict[str, Any]:
        """The outcome so far as plain values, for JSON."""
        return self.outcome.to_dict()

    # --- the matches ------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Reset the scan, or restore the checkpoint's state and truncate its outputs; iterating does this, too.

        Raises:
            CloudSigmaError: The checkpoint is damaged; the outputs are unchanged.
        """
        checkpoint, config = self._checkpoint, self.config
        self._state = ScanState(dedup=config.dedup, on_new=checkpoint.note_match if checkpoint is not None else None)
        if config.filter_counts:
            self._state.filtered.update(dict.fromkeys(FilterCounts(self.rules).filters, 0))
        register = database = self._rounds = None
        if checkpoint is not None:
            checkpoint.restore(self._state)
            register, database = checkpoint.register, checkpoint.database
        elif config.follow is not None or config.named_files:
            temporary = open_temporary()
            weakref.finalize(self, temporary.close)
            register = Register(temporary, pause=config.follow.interval if config.follow is not None else 0.0)
        self._approving = Approving(config.approvals, self._state.approvals)
        self._correlations = ScanCorrelations(self.rules, self._state, config.follow, database)
        self._queue = self._new_queue(register)
        if checkpoint is not None:
            checkpoint.cut_outputs()
        self._sessions = _new_sessions() if config.sessions else None
        self._note_rules()
        self._prepared, self._finished = True, False

    def _new_queue(self, register: Register | None) -> SourceQueue:
        config, self._named = self.config, None
        if self._reads_named_files and register is not None:
            from cloudsigma.reading.sources.named_files import NamedFiles

            buckets = config.follow.queue.buckets if config.follow is not None else frozenset()
            self._named = NamedFiles(register, config.selection, buckets)
        if self._location is not None and config.follow is not None and register is not None:
            from cloudsigma.scanning.queue_rounds import QueueRounds

            self._rounds = QueueRounds(self._location, config.follow, register)
        on_loss = self._callbacks.on_loss
        return SourceQueue(
            self._finder,
            self._state,
            config,
            register,
            on_loss=on_loss,
            named=self._named,
            messages=self._rounds.messages if self._rounds is not None else None,
        )

    @property
    def _reads_named_files(self) -> bool:
        return self.config.named_files or self._location is not None

    def __iter__(self) -> Iterator[Match]:
        check_stream(self.config.approvals, linked=False)
        return (self._decided(match) for match in self._stream() if match is not None)

    def _stream(self) -> Iterator[Match | None]:
        """The matches as they are found. While following, `None` ends a pass."""
        found = self._begin(None)
        for match in self._matches(found):
            if match is None or self._state.is_new(match.rule_id, match.key, match.context.event_id, match.origin):
                if match is not None and self._monitor is not None:
                    self._monitor.note_match(match)
                yield match
        self._end()

    def by_time(self) -> Iterator[Match]:
        """The matches by time, each with its session linked; those without a time come last.

        Matches are returned once everything has been read, since the event that issued a session may be in any file.
        Until then they are held in a temporary file. While following, a match is held for `Follow.lateness`: until
        that much time has passed since it was found, or until deliveries are that much later than its event. Without
        `ScanConfig.sessions`, sessions are `None`.
        """
        from cloudsigma.scanning.match_spool import MatchSpool

        follow = self.config.follow
        with closing(MatchSpool()) as spool:
            for match in self._stream():
                if match is not None:
                    spool.add(match)
                elif follow is not None:
                    lateness = follow.lateness.total_seconds()
                    due = spool.release(self._state.watermark.bound(lateness), lateness)
                    yield from map(self._decided, map(self._linked, due))
            self._approving.count(lambda: map(self._linked, spool))
            stage, total = "linking" if self._sessions is not None else "writing", len(spool)
            for done, match in enumerate(spool, 1):
                report_stage(self._watcher, stage, done, total)
                yield self._decided(self._linked(match))

    def _linked(self, match: Match) -> Match:
        return self._sessions.linked(match) if self._sessions is not None else match

    def _decided(self, match: Match) -> Match:
        return self._approving.decided(match)

    def begin_writing(self) -> None:
        """Report that the matches are complete and outputs are finished; called by their sinks."""
        report_stage(self._watcher, "writing")

    def serialized(self, serialization: Serialization) -> Iterator[SerializedMatch]:
        """The matches as JSON.

        With several jobs and no correlations, the workers serialize; this is faster than sending `Match` values.
        """
        follow = self.config.follow
        reloads = follow is not None and follow.reloader is not None  # new rules may correlate, or have approvals
        if self._correlates or self.config.approvals is not None or reloads or self._monitor is not None:
            yield from map(serialization.of, self)
            return
        for match in self._begin(serialization):
            if isinstance(match, SerializedMatch) and self._state.is_new(*match[:4]):
                yield match
        self._end()

    def lines(self, *, record: bool = True) -> Iterator[bytes]:
        """`match.to_json_bytes()` of each match, without a line break; see `serialized`."""
        return (match.text for match in self.serialized(Serialization(record)))

    def _begin(self, serialization: Serialization | None) -> Iterator[_Found]:
        if not self._prepared:
            self.prepare()
        self._prepared = False
        return self._found(serialization)

    def _end(self) -> None:
        self._finished = True
        self._save(finished=self.config.follow is None)

    def _matches(self, found: Iterable[_Found]) -> Iterator[Match | None]:
        correlations = self._correlations
        if correlations is None:  # for mypy: `_begin` has created them
            return
        for each in found:
            if each is None and self._rounds is not None:
                yield from correlations.end_of_pass(drained=self._rounds.is_drained, idle=self._rounds.idle)
            elif each is None:
                yield from correlations.end_of_pass()
                yield None
            elif isinstance(each, MatchedRecord):
                yield from correlations.matches_of(each)
        yield from correlations.close()

    # --- the records that match -------------------------------------------------------------------------------

    def _found(self, serialization: Serialization | None) -> Iterator[_Found]:
        config = self.config
        batches = BatchConfig(
            self.rules, config.selection, config.limits, serialization, config.coverage, config.strict,
            self._reads_named_files, config.sessions, config.filter_counts,
        )  # fmt: skip
        checkpoint = self._checkpoint
        hooks = Hooks(
            save=self._save,
            is_save_due=lambda: checkpoint is not None and checkpoint.due,
            end_pass=self._end_pass,
            publish=self._publish,
            new_rules=self._swap_rules,
        )
        passes = Passes(
            self._state, self._queue, config, hooks, rounds=self._rounds, correlations=self._correlations,
            sessions=self._sessions, watcher=self._watcher, reads_named_files=self._reads_named_files,
        )  # fmt: skip
        return passes.run(batches)

    def _end_pass(self) -> None:
        self._publish()
        if self._callbacks.on_idle is not None:
            self._callbacks.on_idle()

    def _publish(self) -> None:
        if self._monitor is not None:
            around = surroundings(
                self.rules, self._rules_digest, self._state, self.config.follow, rounds=self._rounds, named=self._named,
                correlations=self._correlations, checkpoint=self._checkpoint,
            )  # fmt: skip
            self._monitor.publish(around)

    def _note_rules(self) -> None:
        """Note the digests of the rules that are used from now on."""
        if self._checkpoint is not None:
            self._checkpoint.note_rules(self.rules)
        if self._monitor is not None:
            self._rules_digest = set_digest(self.rules)

    def _swap_rules(self) -> RuleSet | None:
        """Take the rules that were reloaded, if there are any; called between two passes."""
        follow = self.config.follow
        reload = follow.reloader.take() if follow is not None and follow.reloader is not None else None
        if reload is None:
            return None
        if reload.loaded is not None:
            self.rules = reload.loaded.rules
            self._approving = Approving(reload.loaded.approvals, self._state.approvals)
            if self._correlations is not None:
                self._correlations.replace_rules(self.rules)
            self._note_rules()
        if self._callbacks.on_reload is not None:
            self._callbacks.on_reload(reload)
        return self.rules if reload.loaded is not None else None

    def _save(self, *, finished: bool = False) -> None:
        if self._checkpoint is not None:
            if self._correlations is not None:
                self._state.correlations = self._correlations.losses
            self._checkpoint.save(self._state, finished=finished)
        if self._monitor is not None:
            self._monitor.note_written()


def _new_sessions() -> Sessions:
    from cloudsigma.sessions import Sessions  # most scans link none

    return Sessions()

"""Reads and evaluates one batch of sources in this process, and records what was read and lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cloudsigma.engine.match import Match
from cloudsigma.origin import Origin
from cloudsigma.reading.account.ledger import Recorder
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.source_reader import SourceReader
from cloudsigma.reading.sources.interface import Source, Unreadable
from cloudsigma.rulesets.filter_counts import FilterCounts
from cloudsigma.rulesets.rule_set import RuleSet

if TYPE_CHECKING:
    from cloudsigma.reading.fast_path.probe import Probe
    from cloudsigma.sessions.issue import Issue

_TICK_EVERY = 10_000
"""Report progress after this many records of one file."""


class MatchedRecord(NamedTuple):
    """A record that matched."""

    rule_ids: tuple[str, ...]
    record: dict[str, Any]
    origin: Origin


class SerializedMatch(NamedTuple):
    """A match as JSON, with the keys for deduplication."""

    rule_id: str
    key: str
    event_id: str | None
    origin: Origin | None
    text: bytes
    """`Match.to_json_bytes()`."""


class Serialization(NamedTuple):
    """How a sink wants matches to be serialized."""

    record: bool = True
    """Whether the JSON includes the record."""

    def of(self, match: Match) -> SerializedMatch:
        """Serialize a match."""
        text = match.to_json_bytes(record=self.record)
        return SerializedMatch(match.rule_id, match.key, match.context.event_id, match.origin, text)


class BatchResult(NamedTuple):
    """The result of a batch."""

    found: Iterable[MatchedRecord | SerializedMatch]
    """Read lazily: the other fields are complete once it is exhausted."""
    recorder: Recorder
    suppressed: Counter[str]
    """Matches that were not serialized because only correlations show their rule, by rule ID."""
    issues: list[Issue]
    """The credentials that events of the batch issued; empty unless sessions are linked."""
    sources: Sequence[Source | Unreadable]
    filtered: Counter[str]
    """Matches that filters removed, by filter ID; empty unless they are counted."""


class BatchConfig(NamedTuple):
    """The settings for reading all batches; sent once to each worker."""

    rules: RuleSet
    selection: Selection
    limits: Limits
    serialization: Serialization | None
    """How to serialize matches; `None`: return the matched records instead."""
    coverage: bool
    """Whether to count all records by account, region and hour."""
    strict: bool
    """Whether to stop at the first loss."""
    references: bool
    """Whether to report files named in notifications."""
    sessions: bool = False
    """Whether to collect the events that issue credentials."""
    filter_counts: bool = False
    """Whether to count the matches that filters remove."""


Tick = Callable[[Recorder], None]
"""Called regularly while a file is read, with the recorder of its batch."""


class BatchReader:
    """Reads batches in this process."""

    def __init__(self, config: BatchConfig, tick: Tick | None = None) -> None:
        self.config = config
        self._filters = FilterCounts(config.rules) if config.filter_counts else None
        probe: Probe = self._filters.probe if self._filters is not None else config.rules.probe
        self._read_issues: Callable[[Mapping[str, Any]], tuple[Issue, ...]] | None = None
        if config.sessions:  # most scans link none
            from cloudsigma.scanning.issuing_probe import IssuingProbe
            from cloudsigma.sessions.issue import read_issues

            probe, self._read_issues = IssuingProbe(probe), read_issues
        self._reader = SourceReader(
            config.limits, config.selection, probe, coverage=config.coverage, strict=config.strict
        )
        self._tick = tick

    def read(self, batch: Sequence[Source | Unreadable]) -> BatchResult:
        """The result of a batch; iterating over its `found` reads the sources."""
        recorder = Recorder()
        recorder.references = [] if self.config.references else None
        if (tick := self._tick) is not None:
            recorder.watch = lambda: tick(recorder)
        result = BatchResult((), recorder, Counter(), [], batch, Counter())
        return result._replace(found=self._found(batch, result))

    def _found(
        self, batch: Iterable[Source | Unreadable], result: BatchResult
    ) -> Iterator[MatchedRecord | SerializedMatch]:
        recorder = result.recorder
        for source in batch:
            if self.config.strict and recorder.first_loss is not None:
                return
            if isinstance(source, Unreadable):
                recorder.lose(source.name, source.reason)
                continue
            try:
                yield from self._matched(source, result)
            except MemoryError:
                recorder.lose(source.name, "it needs more memory than there is; the rest of it was not read")

    def _matched(self, source: Source, result: BatchResult) -> Iterator[MatchedRecord | SerializedMatch]:
        verdicts, serialization = self.config.rules.verdicts, self.config.serialization
        read_issues, given = self._read_issues, 0
        for record, origin in self._reader.records(source, result.recorder):
            given += 1
            if given % _TICK_EVERY == 0 and self._tick is not None:
                self._tick(result.recorder)
            if read_issues is not None:
                result.issues.extend(read_issues(record))
            if self._filters is not None:
                result.filtered.update(filter_id for _, filter_id in self._filters.removed(record))
            rule_ids = verdicts(record)
            if not rule_ids:
                continue
            if serialization is None:
                yield MatchedRecord(rule_ids, record, origin)
            else:
                shown = self._shown(rule_ids, result.suppressed)
                for match in self.config.rules.matches_of(shown, record, origin):
                    yield serialization.of(match)

    def _shown(self, rule_ids: tuple[str, ...], suppressed: Counter[str]) -> tuple[str, ...]:
        """The rules whose matches are reported individually; the matches of the others are counted in `suppressed`."""
        hidden = self.config.rules.hidden
        if not hidden:
            return rule_ids
        suppressed.update(rule_id for rule_id in rule_ids if rule_id in hidden)
        return tuple(rule_id for rule_id in rule_ids if rule_id not in hidden)

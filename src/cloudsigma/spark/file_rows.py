"""The executor's part for files: each source through the project's reader, with its limits and reasons → rows."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

from cloudsigma.reading.account.ledger import Loss
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.sources.interface import Source, Unreadable
from cloudsigma.reading.sources.log_names import ending_of, is_log, packed
from cloudsigma.reading.sources.sniff import sniff
from cloudsigma.reading.sources.value import ContentSource
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.batch import BatchConfig, BatchReader, MatchedRecord
from cloudsigma.scanning.malloc import keep_freed_memory
from cloudsigma.spark.counts import counts_of
from cloudsigma.spark.listing import Listed, Task, own_path, source_of, sources_of
from cloudsigma.spark.portable_rules import PortableRules
from cloudsigma.spark.row_schema import FILE, LISTING, LOSS, MATCH, SUPPRESSED, Row, match_row, record_batches, row

if TYPE_CHECKING:
    import pyarrow as pa

Batches = Iterable["pa.RecordBatch"]
BatchFunction = Callable[[Batches], Iterator["pa.RecordBatch"]]
"""A function for `mapInArrow`."""


class Reading(msgspec.Struct, frozen=True):
    """How executors read: the rules, the records to select, the bounds."""

    rules: PortableRules
    selection: Selection = Selection()
    limits: Limits = Limits()


class SourceRows:
    """Reads sources in an executor's process."""

    def __init__(self, reading: Reading) -> None:
        keep_freed_memory()
        self._rules: RuleSet = reading.rules.load()
        self._digest = reading.rules.digest
        self._kinds = dict.fromkeys(self._rules.hidden, SUPPRESSED)
        self._reader = BatchReader(
            BatchConfig(
                self._rules, reading.selection, reading.limits, None, coverage=False, strict=False, references=False
            )
        )

    def rows(self, source: Source | Unreadable) -> Iterator[Row]:
        """The rows of one source: its matches, its losses, and itself."""
        if isinstance(source, Unreadable):
            yield row(LOSS, path=source.name, reason=source.reason, records=0, rules_digest=self._digest)
            return
        result = self._reader.read([source])
        given: Counter[str] = Counter()
        for found in result.found:
            if isinstance(found, MatchedRecord):
                for match in self._rules.matches_of(found.rule_ids, found.record, found.origin):
                    kind = self._kinds.get(match.rule_id, MATCH)
                    given[f"rows:{kind}"] += 1
                    yield match_row(match, kind, self._digest)
        recorder = result.recorder
        for loss in recorder.losses:
            yield loss_row(loss, self._digest)
        yield row(
            FILE,
            path=source.name,
            records=recorder.records,
            stored_bytes=recorder.bytes,
            rules_digest=self._digest,
            counts=counts_of(recorder) | given,
        )

    def listing_rows(self, task: Task) -> Iterator[Row]:
        """The account of the listing, if the task carries it."""
        if task.notes is None:
            return
        for path, reason in task.notes.lost:
            yield row(LOSS, path=path, reason=reason, records=0, rules_digest=self._digest)
        for path, counts in task.notes.counted.items():
            yield self.skipped(path, counts)

    def skipped(self, path: str, counts: dict[str, int]) -> Row:
        """The row of a listing, or of a file that does not look like a log."""
        return row(LISTING, path=path, records=0, stored_bytes=0, rules_digest=self._digest, counts=counts)


def loss_row(loss: Loss, digest: str) -> Row:
    """The row of a loss."""
    return row(
        LOSS, path=loss.path, reason=loss.reason, place=loss.position, records=loss.rescued, rules_digest=digest,
        counts={"places": loss.places} if loss.places > 1 else None,
    )  # fmt: skip


def listed_files(reading: Reading) -> BatchFunction:
    """The function for tasks, each in a column `task`."""

    def run(batches: Batches) -> Iterator[pa.RecordBatch]:
        reader = SourceRows(reading)

        def rows() -> Iterator[Row]:
            for batch in batches:
                for each in batch.column("task"):
                    task = msgspec.msgpack.decode(each.as_py(), type=Task)
                    yield from reader.listing_rows(task)
                    for source in sources_of(task):
                        yield from reader.rows(source)

        yield from record_batches(rows())

    return run


def handed_files(reading: Reading) -> BatchFunction:
    """The function for files as Spark hands them over: columns `path` and `content`, or `path` alone."""

    def run(batches: Batches) -> Iterator[pa.RecordBatch]:
        reader = SourceRows(reading)

        def rows() -> Iterator[Row]:
            for batch in batches:
                has_content = "content" in batch.schema.names
                contents: Iterable[Any] = batch.column("content") if has_content else ()
                paths = batch.column("path").to_pylist()
                if has_content:
                    for path, content in zip(paths, contents, strict=True):
                        yield from _of_content(reader, path, content.as_py())
                    continue
                for source in [_opened(path) for path in paths]:
                    yield from reader.rows(source)

        yield from record_batches(rows())

    return run


def _of_content(reader: SourceRows, path: str, content: bytes | None) -> Iterator[Row]:
    if content is None:
        yield from reader.rows(Unreadable(path, "Spark handed over no content"))
        return
    if packed(path) is not None or not is_log(path):  # as for files in folders
        found = sniff(io.BytesIO(content)) or packed(path)
        if found is None:
            yield reader.skipped(path, {f"not_looked_at:{ending_of(path) or 'no ending'}": 1})
            return
        if found != "log":
            yield from reader.rows(Unreadable(path, found))
            return
    yield from reader.rows(ContentSource(path, content))


def _opened(path: str) -> Source | Unreadable:
    own = own_path(path)
    if own is None:
        reason = "only Hadoop can read this scheme; keep the column content of the format binaryFile"
        return Unreadable(path, reason)
    name = own if own.startswith("s3:/") else unquote(own) if path.startswith("file:/") and "%" in path else own
    return source_of(Listed(name.encode(errors="surrogateescape"), None, None))

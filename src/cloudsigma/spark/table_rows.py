"""The executor's part for tables: each Arrow batch of lines through the project's reader, as a file of lines → rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cloudsigma.reading.sources.value import ContentSource
from cloudsigma.spark.file_rows import Batches, BatchFunction, Reading, SourceRows
from cloudsigma.spark.row_schema import Row, record_batches
from cloudsigma.spark.table_lines import LINE, PARTITION

if TYPE_CHECKING:
    import pyarrow as pa

_NO_VALUE = "recognized:row without a value"


def table_rows(reading: Reading, name: str) -> BatchFunction:
    """The function for lines; of Kafka's messages the `path` says topic, partition and first offset."""

    def run(batches: Batches) -> Iterator[pa.RecordBatch]:
        reader = SourceRows(reading)
        part = _part()

        def rows() -> Iterator[Row]:
            for number, batch in enumerate(batches):
                lines = batch.column(LINE).to_pylist()
                if PARTITION[0] in batch.schema.names:
                    runs = _runs(batch, lines)
                else:
                    runs = iter([(f"{name}/part-{part}/batch-{number}", lines)])
                for path, run_of_lines in runs:
                    yield from _of_lines(reader, path, run_of_lines)

        yield from record_batches(rows())

    return run


def _part() -> int:
    from pyspark import TaskContext

    context = TaskContext.get()
    return context.partitionId() if context is not None else 0


def _runs(batch: pa.RecordBatch, lines: list[str | None]) -> Iterator[tuple[str, list[str | None]]]:
    """Messages of one topic and partition that follow each other, with the name of their place."""
    topics, partitions, offsets = (batch.column(name).to_pylist() for name in PARTITION)
    for _, group in groupby(range(len(lines)), key=lambda at: (topics[at], partitions[at], offsets[at] - at)):
        places = list(group)
        first = places[0]
        yield f"{topics[first]}/{partitions[first]}@{offsets[first]}", [lines[at] for at in places]


def _of_lines(reader: SourceRows, path: str, lines: list[Any]) -> Iterator[Row]:
    texts = [text for text in lines if text is not None]
    if len(texts) < len(lines):
        yield reader.skipped(path, {_NO_VALUE: len(lines) - len(texts)})
    if not texts:
        return
    # A line break in JSON is white space, since strings have none; it would cut the record here.
    one_line = [text.replace("\r", " ").replace("\n", " ") if "\n" in text or "\r" in text else text for text in texts]
    yield from reader.rows(ContentSource(path, ("\n".join(one_line) + "\n").encode("utf-8", "surrogatepass")))

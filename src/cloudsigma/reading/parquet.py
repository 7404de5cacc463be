"""Parquet → rows: the only door to pyarrow, which comes with the extra `parquet`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from cloudsigma.reading.document import Document
from cloudsigma.reading.inflate import Damage
from cloudsigma.reading.limits import Limits

MAGIC = b"PAR1"
"""What the content begins and ends with."""
_ROWS = 1024
"""Rows that are made Python objects at a time."""


def rows(content: bytes, limits: Limits) -> Iterator[Document | Damage]:
    """The rows of a table, structs and maps as objects, times in UTC as CloudTrail writes them."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        yield Damage("reading Parquet needs pyarrow: python -m pip install 'cloudsigma-rules[parquet]'")
        return
    number = 0
    try:
        table = parquet.ParquetFile(pa.BufferReader(content), coerce_int96_timestamp_unit="us")
        groups = [table.metadata.row_group(index).total_byte_size for index in range(table.metadata.num_row_groups)]
        if max(groups, default=0) > limits.document:
            yield Damage(f"a part of the table is larger than {limits.said('document')}")
            return
        if sum(groups) > limits.inflated:
            yield Damage(f"the table inflates to more than {limits.said('inflated')}")
            return
        schema = pa.schema([field.with_type(_in_microseconds(field.type)) for field in table.schema_arrow])
        for batch in table.iter_batches(batch_size=_ROWS):
            for row in batch.cast(schema, safe=False).to_pylist():
                number += 1
                yield Document({name: _plain(value) for name, value in row.items()}, f"row {number}", "parquet")
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        yield Damage(f"the Parquet data is damaged ({said})", f"row {number + 1}" if number else None)


def _in_microseconds(kind: Any) -> Any:
    """A type with its times in microseconds, the finest that Python's own have."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    if types.is_struct(kind):
        return pa.struct([field.with_type(_in_microseconds(field.type)) for field in kind])
    if types.is_map(kind):
        return pa.map_(_in_microseconds(kind.key_type), _in_microseconds(kind.item_type))
    if types.is_list(kind):
        return pa.list_(_in_microseconds(kind.value_type))
    return kind


def _plain(value: Any) -> Any:
    """A value as JSON would have it."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(pair, tuple) for pair in value):  # a map
            return {str(key): _plain(inner) for key, inner in value}
        return [_plain(inner) for inner in value]
    if isinstance(value, dt.datetime):
        moment = value.replace(tzinfo=value.tzinfo or dt.UTC).astimezone(dt.UTC)
        return moment.isoformat().removesuffix("+00:00") + "Z"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    return str(value)

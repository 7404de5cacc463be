"""Parquet → rows, within bounds: the only module that imports pyarrow, which comes with the extra `parquet`."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from cloudsigma.reading.content.document import Document
from cloudsigma.reading.content.inflate import Damage
from cloudsigma.reading.content.missing_cells import is_missing
from cloudsigma.reading.content.parquet_pages import (
    DELTA_BYTE_ARRAY,
    DICTIONARY,
    PLAIN,
    PLAIN_DICTIONARY,
    pages_of,
)
from cloudsigma.reading.scope.limits import Limits

MAGIC = b"PAR1"
"""The first and last bytes of the content."""
_ROWS = 1024
"""Rows decoded at a time."""
_AT_ONCE = 16 << 20
"""Bytes of rows converted to Python objects at a time; a single row may be larger."""
_OF_A_NUMBER = 16
"""Most bytes of a value other than text, or of the offsets of a text."""
_BY_DICTIONARY = frozenset({PLAIN_DICTIONARY, DICTIONARY})
"""Encodings that store a repeated value once."""


def rows(content: bytes, limits: Limits) -> Iterator[Document | Damage]:
    """The rows of a table, structs and maps as objects, times in UTC as CloudTrail writes them."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        yield Damage("reading Parquet needs pyarrow: python -m pip install 'cloudsigma-rules[parquet]'")
        return
    number = inflated = 0
    try:
        table = parquet.ParquetFile(pa.BufferReader(content), coerce_int96_timestamp_unit="us")
        schema = pa.schema([field.with_type(_in_microseconds(field.type)) for field in table.schema_arrow])
        numbers = pa.schema([field.with_type(_as_numbers(field.type)) for field in schema])
        readers = {field.name: _reader(field.type) for field in schema}
        plan = _Plan(table, content, limits)
        if plan.refusal is not None:
            yield Damage(plan.refusal)
            return
        table = parquet.ParquetFile(
            pa.BufferReader(content), coerce_int96_timestamp_unit="us", read_dictionary=plan.dictionaries
        )
        batches = (
            table.iter_batches(batch_size=plan.rows, row_groups=[group])  # dictionaries of two groups cannot be joined
            for group in range(table.num_row_groups)
        )
        for batch in itertools.chain.from_iterable(batches):
            for part, size in _parts(batch, min(_AT_ONCE, limits.record)):
                inflated += size
                if (why := _too_much(inflated, content, limits)) is not None:
                    yield Damage(why, f"row {number + 1}")
                    return
                if size > limits.record:  # so it is one row
                    number += 1
                    yield Damage(f"the row has more bytes than {limits.said('record')}", f"row {number}")
                    continue
                for row in _objects(part, schema, numbers):
                    number += 1
                    if isinstance(row, dict):
                        cells = {name: _cell(read(row[name])) for name, read in readers.items()}
                        yield Document(cells, f"row {number}", "parquet")
                    else:
                        yield Damage(f"the row cannot be read ({_first_line(row)})", f"row {number}")
        if number != table.metadata.num_rows:
            yield Damage(f"the Parquet data is damaged (of {table.metadata.num_rows:,} rows {number:,} were found)")
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
        yield Damage(f"the Parquet data is damaged ({_first_line(error)})", f"row {number + 1}" if number else None)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _objects(part: Any, schema: Any, numbers: Any) -> Iterator[dict[str, Any] | Exception]:
    """The rows of a part as Python objects; for a row with a value that Python cannot hold, the exception.

    Args:
        part: The rows.
        schema: The types with times in microseconds.
        numbers: The same with times as numbers, so that a time beyond the year 9999 costs no row.
    """
    try:
        yield from part.cast(schema, safe=False).cast(numbers, safe=False).to_pylist()
    except (ValueError, OverflowError) as error:
        if part.num_rows == 1:
            yield error
            return
        half = part.num_rows // 2
        yield from _objects(part.slice(0, half), schema, numbers)
        yield from _objects(part.slice(half), schema, numbers)


def _cell(value: Any) -> Any:
    """The value of a cell; `None` for a text that means a missing value."""
    return None if isinstance(value, str) and is_missing(value) else value


class _Plan:
    """How to read a table in bounded memory, or why not to read it.

    Text is decoded to dictionaries if pyarrow supports it: each distinct value is held once, and the size of the rows
    is known before they are made. Other encodings may also expand a few bytes to many values; then the largest value
    has a bound, and fewer rows are decoded at a time.
    """

    def __init__(self, table: Any, content: bytes, limits: Limits) -> None:
        self.refusal: str | None = None
        """Why the table is not read."""
        columns = [table.schema.column(index) for index in range(len(table.schema))]
        groups = pages_of(content)
        if any(len(group) != len(columns) for group in groups):
            raise ValueError("a part of the table has other columns than the table")
        encodings = [set().union(*(pages.encodings for pages in column)) for column in zip(*groups, strict=True)]
        self.dictionaries = [
            column.path
            for column, found in zip(columns, encodings, strict=False)
            if column.physical_type == "BYTE_ARRAY" and found <= {PLAIN, *_BY_DICTIONARY}
        ]
        """Columns that are decoded to dictionaries."""
        at_once = 0
        for each in groups:
            if sum(pages.size for pages in each) > limits.document:
                self.refusal = f"a part of the table is larger than {limits.said('document')}"
                return
            of_row = 0
            for column, found, pages in zip(columns, encodings, each, strict=True):
                largest = _OF_A_NUMBER
                if column.path not in self.dictionaries and found & {DELTA_BYTE_ARRAY, *_BY_DICTIONARY}:
                    largest += pages.largest if column.physical_type.endswith("BYTE_ARRAY") else 0
                if not column.max_repetition_level:
                    of_row += largest
                elif pages.values * largest > limits.document:
                    self.refusal = f"the lists in column {column.path} may take up more than {limits.said('document')}"
                    return
            at_once = max(at_once, of_row)
        self.refusal = _too_much(sum(pages.size for each in groups for pages in each), content, limits)
        self.rows = max(1, min(_ROWS, limits.document // 4 // max(at_once, 1)))
        """Rows to decode at a time."""


def _too_much(inflated: int, content: bytes, limits: Limits) -> str | None:
    """The reason to refuse a table of this many bytes: the limit it exceeds, or `None`."""
    met = "inflated" if inflated > limits.inflated else "ratio"
    if met == "ratio" and not limits.inflates_too_much(inflated, len(content)):
        return None
    return f"the table inflates to more than {limits.said(met)}"


def _parts(batch: Any, most: int) -> Iterator[tuple[Any, int]]:
    """A batch in parts of no more bytes, or of one row, each with its size."""
    size = sum(_text_size(column) for column in batch.columns) + _OF_A_NUMBER * batch.num_rows
    if size <= most or batch.num_rows == 1:
        yield batch, size
        return
    half = batch.num_rows // 2
    yield from _parts(batch.slice(0, half), most)
    yield from _parts(batch.slice(half), most)


def _text_size(array: Any) -> int:
    """Bytes of the text in an array; repeated values count each time."""
    from pyarrow import compute, types

    kind = array.type
    if types.is_string_view(kind) or types.is_binary_view(kind):
        array = array.cast("large_binary")
        kind = array.type
    if types.is_dictionary(kind):
        lengths = compute.take(compute.binary_length(array.dictionary), array.indices)
        return compute.sum(lengths).as_py() or 0
    if types.is_struct(kind):
        return sum(map(_text_size, array.flatten()))
    if types.is_map(kind):
        first, last = (array.offsets[0].as_py(), array.offsets[-1].as_py()) if len(array) else (0, 0)
        return sum(_text_size(side.slice(first, last - first)) for side in (array.keys, array.items))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _text_size(array.flatten())
    if types.is_binary(kind) or types.is_string(kind) or types.is_large_binary(kind) or types.is_large_string(kind):
        return compute.sum(compute.binary_length(array)).as_py() or 0
    return 0


def _in_microseconds(kind: Any) -> Any:
    """A type with its times in microseconds, which Python's times have, and without views."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    if types.is_string_view(kind):
        return pa.string()
    if types.is_binary_view(kind):
        return pa.binary()
    if types.is_list_view(kind) or types.is_large_list_view(kind):
        return pa.list_(_in_microseconds(kind.value_type))
    return _with_members(kind, _in_microseconds)


def _as_numbers(kind: Any) -> Any:
    """A type with its times, which are in microseconds, as integers."""
    import pyarrow as pa
    from pyarrow import types

    return pa.int64() if types.is_timestamp(kind) else _with_members(kind, _as_numbers)


def _with_members(kind: Any, changed: Callable[[Any], Any]) -> Any:
    """A type whose members, items or elements have changed types."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_struct(kind):
        return pa.struct([field.with_type(changed(field.type)) for field in kind])
    if types.is_map(kind):
        return pa.map_(changed(kind.key_type), changed(kind.item_type))
    if types.is_large_list(kind):
        return pa.large_list(changed(kind.value_type))
    if types.is_fixed_size_list(kind):
        return pa.list_(changed(kind.value_type), kind.list_size)
    if types.is_list(kind):
        return pa.list_(changed(kind.value_type))
    return kind


def _reader(kind: Any) -> Callable[[Any], Any]:
    """A function from a value of a type, with times as numbers, to one that JSON has."""
    from pyarrow import types

    if types.is_struct(kind):
        members = {field.name: _reader(field.type) for field in kind}
        return lambda value: value and {name: read(value[name]) for name, read in members.items()}
    if types.is_map(kind):
        read = _reader(kind.item_type)
        return lambda value: None if value is None else {str(key): read(item) for key, item in value}
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        item = _reader(kind.value_type)
        return lambda value: value and [item(each) for each in value]
    if types.is_timestamp(kind):
        return _time
    return _scalar


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if value == value else None  # noqa: PLR0124  # NaN, which is no value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _time(microseconds: int | None) -> str | None:
    """A time in UTC as CloudTrail writes it; the number as text where no calendar has the time."""
    if microseconds is None:
        return None
    try:
        moment = _EPOCH + dt.timedelta(microseconds=microseconds)
    except OverflowError:
        return str(microseconds)
    return moment.isoformat().removesuffix("+00:00") + "Z"


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

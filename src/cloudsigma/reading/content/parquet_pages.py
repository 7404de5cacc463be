"""The decompressed sizes of the pages of a Parquet file, read before any page is decompressed.

The file's footer states sizes, too, but may be wrong. The header before each page decides: a reader allocates as many
bytes as it says. The footer is used only to find the pages; it is parsed here because pyarrow aborts the process if a
column in it is damaged. Source: the Parquet format, https://github.com/apache/parquet-format (`FileMetaData`,
`PageHeader`, in Thrift's compact protocol).
"""

from __future__ import annotations

from typing import Any

import msgspec

_DEEPEST = 8
_FOOTER = 8
"""Bytes at the end of a file: the length of the footer before them, and `PAR1`."""
PLAIN, PLAIN_DICTIONARY, DELTA_BYTE_ARRAY, DICTIONARY = 0, 2, 7, 8
"""Encodings by their numbers in the format."""
# Members of the footer, a row group, a column chunk, and what is said of it.
_GROUPS, _CHUNKS, _ABOUT = 4, 1, 3
_NUM_VALUES, _LENGTH, _FIRST_DATA, _FIRST_DICTIONARY = 5, 7, 9, 11
# Members of a page header, and of the headers of its kinds.
_UNCOMPRESSED, _COMPRESSED, _DATA, _DICTIONARY, _DATA_V2 = 2, 3, 5, 7, 8
_VALUES, _ENCODING, _ENCODING_V2 = 1, 2, 4


class ColumnPages(msgspec.Struct):
    """The pages of one column in one row group, once decompressed."""

    size: int = 0
    """Bytes of all pages, decompressed."""
    largest: int = 0
    """Bytes of the largest page: no value has more."""
    values: int = 0
    """Values in all data pages."""
    encodings: set[int] = msgspec.field(default_factory=set)
    """How the values of data pages are encoded, by numbers."""


def pages_of(content: bytes) -> list[list[ColumnPages]]:
    """The sizes of each column of each row group; raises `ValueError` if the file is damaged."""
    length = int.from_bytes(content[-_FOOTER:-4], "little")
    start = len(content) - _FOOTER - length
    if start < 0:
        raise ValueError("the footer is longer than the file")
    try:
        footer, _ = _struct(content, start, _DEEPEST)
    except IndexError:
        raise ValueError("the footer is cut off") from None
    groups = _member(footer, _GROUPS, list)
    return [[_chunk(content, chunk) for chunk in _member(group, _CHUNKS, list)] for group in groups]


def _chunk(content: bytes, chunk: Any) -> ColumnPages:
    about = _member(chunk, _ABOUT, dict)
    if _member(about, _NUM_VALUES, int) <= 0:  # then none of its pages is read
        return ColumnPages()
    start: int = _member(about, _FIRST_DATA, int)
    if about.get(_FIRST_DICTIONARY):
        start = min(start, _member(about, _FIRST_DICTIONARY, int))
    return column_pages(content, start, _member(about, _LENGTH, int))


def _member(value: Any, number: int, kind: type) -> Any:
    found = value.get(number) if isinstance(value, dict) else None
    if not isinstance(found, kind):
        raise ValueError("the footer makes no sense")  # noqa: TRY004  # damaged data, no wrong call
    return found


def column_pages(content: bytes, start: int, length: int) -> ColumnPages:
    """Read the page headers in a range of a file; raises `ValueError` if they are damaged."""
    found = ColumnPages()
    end = start + length
    if not 0 <= start <= end <= len(content):
        raise ValueError("a column is beyond the end of the file")
    at = start
    while at < end:
        try:
            header, at = _struct(content, at, _DEEPEST)
        except IndexError:
            raise ValueError("the header of a page is cut off") from None
        size, stored = header.get(_UNCOMPRESSED), header.get(_COMPRESSED)
        if not isinstance(size, int) or not isinstance(stored, int) or size < 0 or stored < 0:
            raise ValueError("a page does not say how large it is")
        at += stored
        found.size += size
        found.largest = max(found.largest, size)
        for kind, encoding in ((_DATA, _ENCODING), (_DATA_V2, _ENCODING_V2)):
            inner = header.get(kind)
            if isinstance(inner, dict):
                values = inner.get(_VALUES)
                found.values += values if isinstance(values, int) and values > 0 else 0
                found.encodings.add(inner.get(encoding, -1))
    return found


_NO_SENSE = "a header makes no sense"


# --- Thrift's compact protocol ------------------------------------------------------------------------------


def _struct(data: bytes, at: int, levels: int) -> tuple[dict[int, Any], int]:
    """The members of a struct by their numbers, and the place after it; bytes are `None`."""
    members: dict[int, Any] = {}
    number = 0
    while (head := data[at]) != 0:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _signed(data, at)
        members[number], at = _value(data, at, head & 15, levels)
    return members, at + 1


def _value(data: bytes, at: int, kind: int, levels: int) -> tuple[Any, int]:
    match kind:
        case 1 | 2:  # true and false
            return kind == 1, at
        case 3:
            return data[at], at + 1
        case 4 | 5 | 6:  # integers of 16, 32 and 64 bits
            return _signed(data, at)
        case 7:  # a floating-point number
            return None, at + 8
        case 8:  # bytes
            length, at = _number(data, at)
            return None, at + length
        case 9 | 10 if levels:  # lists and sets
            return _elements(data, at, levels - 1)
        case 12 if levels:
            return _struct(data, at, levels - 1)
    raise ValueError(_NO_SENSE)  # there are no maps


def _elements(data: bytes, at: int, levels: int) -> tuple[list[Any], int]:
    count, kind = data[at] >> 4, data[at] & 15
    at += 1
    if count == 15:
        count, at = _number(data, at)
    found = []
    for _ in range(count):
        if kind in {1, 2}:  # outside of lists its value is part of the type; in a list it is a byte
            value, at = data[at] == 1, at + 1
        else:
            value, at = _value(data, at, kind, levels)
        found.append(value)
    return found, at


def _number(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while shift < 64:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
    raise ValueError(_NO_SENSE)


def _signed(data: bytes, at: int) -> tuple[int, int]:
    number, at = _number(data, at)
    return (number >> 1) ^ -(number & 1), at

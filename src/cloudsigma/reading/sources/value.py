"""Values of a program as sources: the event of a Lambda function, a response of boto3, the bytes of a file."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO

from msgspec import UNSET

from cloudsigma.engine.python_values import read_value
from cloudsigma.errors import UsageError, WrongTypeError
from cloudsigma.reading.sources.interface import Source

Value = Mapping[str, Any] | list[Any] | tuple[Any, ...] | bytes | bytearray | memoryview | BinaryIO
"""Values of JSON types, with members of any type that `evaluate` accepts; or the content of a file, which may be
compressed, as bytes or a binary stream."""

_TEXT_ENDS = 10_000
"""Characters of a path that are checked for JSON."""


def as_source(value: Any, number: int) -> Source | None:
    """The source of a value, or `None` for anything else, such as a path; `number` numbers the values from 1.

    Raises:
        UsageError: The value has members that cannot be read, or it is JSON text instead of a path.
    """
    name = "<value>" if number == 1 else f"<value {number}>"
    if isinstance(value, str):
        if _is_json(value):
            raise UsageError(f"JSON text is no path ({value[:40]!r}…); to read it, give bytes: text.encode()")
        return None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return ContentSource(name, bytes(value))
    if isinstance(value, io.BytesIO):
        return ContentSource(name, value.getvalue())
    if isinstance(value, (Mapping, list, tuple)):
        return ContentSource(name, _written(value, name))
    if hasattr(value, "columns"):
        raise WrongTypeError("a path", value, 'its rows: df.to_dict("records") of pandas, df.to_dicts() of Polars')
    if callable(getattr(value, "read", None)):
        return StreamSource(name, value)
    return None


class ContentSource(Source):
    """Bytes."""

    def __init__(self, name: str, content: bytes) -> None:
        """`name` is `<value>`, or `<value 2>` for the second of several."""
        self.name = name
        self.size = len(content)
        self._content = content

    def open(self) -> AbstractContextManager[BinaryIO]:
        """A stream of the bytes."""
        return io.BytesIO(self._content)

    def read_whole(self, stream: BinaryIO, most: int) -> bytes | None:
        """All bytes, unless they are too many."""
        return stream.read() if len(self._content) < most else None


class StreamSource(Source):
    """An open stream, such as a file or the body of a boto3 response; read once, from its present position."""

    def __init__(self, name: str, stream: Any) -> None:
        """`name` is `<value>`, or `<value 2>` for the second of several."""
        self.name = name
        self._stream = stream
        self._used = False

    def open(self) -> AbstractContextManager[BinaryIO]:
        """The stream, which stays open afterwards."""
        if self._used:
            raise OSError("a stream can be read only once")
        self._used = True
        if isinstance(self._stream, io.TextIOBase):
            buffer = getattr(self._stream, "buffer", None)
            return nullcontext(buffer if buffer is not None else io.BytesIO(self._stream.read().encode()))
        return nullcontext(self._stream)


def is_path(value: Any) -> bool:
    """Whether a value can only be a path: text that is not JSON, or a path object."""
    return isinstance(value, os.PathLike) or (isinstance(value, str) and not _is_json(value))


def _is_json(text: str) -> bool:
    """Whether text passed as a path is JSON: it begins like JSON and contains a quoted name."""
    beginning = text[:_TEXT_ENDS].lstrip("\ufeff \t\r\n")
    return beginning.startswith(("{", "[")) and '"' in beginning


def _written(value: Any, name: str) -> bytes:
    try:
        return json.dumps(value, default=_as_json).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{name} cannot be read: it is no value that JSON has ({error})") from error


def _as_json(value: Any) -> Any:
    """Convert a value that JSON lacks to a JSON type; a missing value becomes NaN, as in files."""
    read = read_value(value)
    if read is UNSET:
        return float("nan")
    if isinstance(read, Mapping):
        return dict(read)
    if read is value:
        if hasattr(value, "is_finite"):  # a Decimal
            return int(value) if value == value.to_integral_value() else float(value)
        raise TypeError(f"a {type(value).__name__}")
    return read

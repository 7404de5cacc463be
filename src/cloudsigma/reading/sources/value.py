"""What a program holds already, as a source: the event of a function, the body of a message, the bytes of a file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, BinaryIO

from cloudsigma.errors import UsageError
from cloudsigma.reading.sources.interface import Source

Value = Mapping[str, Any] | list[Any] | bytes
"""A JSON value, or content as a file would have it, perhaps compressed."""


class ValueSource(Source):
    """A value; `name` is `<value>`, or `<value 2>` for the second of several."""

    def __init__(self, value: Value, number: int) -> None:
        """Raises `UsageError` where a value has parts that JSON lacks."""
        self.name = "<value>" if number == 1 else f"<value {number}>"
        if isinstance(value, bytes):
            self._content = value
        else:
            try:
                self._content = json.dumps(value, default=_as_dict).encode()
            except (TypeError, ValueError, RecursionError) as error:
                raise UsageError(f"{self.name} cannot be read: it is no value that JSON has ({error})") from error
        self.size = len(self._content)

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Its bytes."""
        return io.BytesIO(self._content)

    def read_whole(self, stream: BinaryIO, most: int) -> bytes | None:
        """All bytes, unless they are too many."""
        return stream.read() if len(self._content) < most else None


def _as_dict(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__}")

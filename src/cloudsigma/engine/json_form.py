"""Values in the forms that JSON has, and JSON that can be written anywhere."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

_UNSAFE = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that JSON allows raw and a terminal, a log shipper or UTF-8 does not: written as escapes."""
_MOST_BITS = 14_000
"""Python refuses to write the digits of somewhat larger integers."""
_MAX_DEPTH = 200
"""Deeper levels of a value are replaced by a text."""


def plain_json(value: Any) -> bytes:
    """One line of JSON for any value: the plain way, against which tests compare that of msgspec."""
    text = json.dumps(json_ready(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return safe(text.encode(errors="surrogatepass"))


def json_ready(value: Any, depth: int = 0) -> Any:
    """A value in the forms that JSON has; the same value gives the same form in any process.

    NaN and infinity become `None`; a decimal, and an integer of thousands of digits, a text; times are ISO 8601, bytes
    base64; a set is a sorted list. Anything else becomes its `str`, or its type's name if the `str` is an address.
    """
    if depth > _MAX_DEPTH:
        return f"nested deeper than {_MAX_DEPTH} levels"
    if isinstance(value, Mapping):
        return {str(key): json_ready(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(item, depth + 1) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((json_ready(item, depth + 1) for item in value), key=_order)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (dt.datetime, dt.date, dt.time, dt.timedelta, uuid.UUID, bytes)):
        return _written(value)
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return hex(value)
    if value is None or isinstance(value, (str, int)):
        return value
    kind: Any = type(value)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        return f"<{kind.__qualname__}>"
    return str(value)


def _written(value: Any) -> Any:
    try:
        return msgspec.to_builtins(value)
    except TypeError:  # a subclass, such as pandas' Timestamp
        pass
    if isinstance(value, dt.datetime) and value != value:  # noqa: PLR0124  # NaT, which equals nothing
        return None
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, dt.datetime) else str(value)


def _order(form: Any) -> str:
    return json.dumps(form, sort_keys=True)


def safe(data: bytes) -> bytes:
    """JSON in UTF-8, with escapes for what is not to be written raw."""
    if data.isascii() and b"\x7f" not in data:
        return data
    return _UNSAFE.sub(_escaped, data.decode(errors="surrogatepass")).encode()


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"

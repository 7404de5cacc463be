"""Values in the forms that JSON has, and JSON that can be written anywhere."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import math
import re
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET

from cloudsigma.engine.python_values import read_value

_UNSAFE = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that JSON allows raw but a terminal, a log shipper or UTF-8 does not: written as escapes."""
_MOST_BITS = 14_000
"""Python refuses to write the digits of somewhat larger integers."""
_MAX_DEPTH = 200
"""Deeper levels of a value are replaced by a text."""


def plain_json(value: Any) -> bytes:
    """One line of JSON for any value: the plain encoder, with which tests compare msgspec's."""
    text = json.dumps(json_ready(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return safe(text.encode(errors="surrogatepass"))


def json_ready(value: Any, depth: int = 0) -> Any:
    """A value converted to JSON types; the same value gives the same result in any process.

    NaN and infinity become `None`; a decimal, and an integer of thousands of digits, a text; times are ISO 8601, bytes
    base64; a set is a sorted list; NumPy's and pandas' values are what `python_values` reads. Anything else becomes its
    `str`, or its type's name if the `str` is an address.
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
    if isinstance(value, Decimal):
        return str(value)
    return _foreign(value, depth)


def json_values(value: Any) -> Any:
    """`json_ready`, and every text can be written in UTF-8: a lone half of a character becomes its escape.

    For values that a program hands to an encoder of its own, such as a web framework's.
    """
    return _encodable(json_ready(value))


def _encodable(form: Any) -> Any:
    if isinstance(form, str):
        return form if form.isascii() else form.encode("utf-8", "backslashreplace").decode()
    if isinstance(form, dict):
        return {_encodable(key): _encodable(item) for key, item in form.items()}
    return list(map(_encodable, form)) if isinstance(form, list) else form


def _written(value: Any) -> Any:
    try:
        return msgspec.to_builtins(value)
    except Exception:  # noqa: BLE001  # a subclass, such as pandas' Timestamp, whose methods run here
        return _foreign(value, 0)


def _foreign(value: Any, depth: int) -> Any:
    """The JSON form of a value of a foreign class, whose methods may fail."""
    read = read_value(value)
    if read is UNSET:
        return None
    if read is not value:
        return json_ready(read, depth + 1)
    kind: Any = type(value)
    if kind.__str__ is not object.__str__ or kind.__repr__ is not object.__repr__:
        with contextlib.suppress(Exception):
            return str(value)
    return f"<{kind.__qualname__}>"


def _order(form: Any) -> str:
    return json.dumps(form, sort_keys=True)


def safe(data: bytes) -> bytes:
    """JSON in UTF-8, with escapes for characters that are not safe raw."""
    if data.isascii() and b"\x7f" not in data:
        return data
    return _UNSAFE.sub(_escaped, data.decode(errors="surrogatepass")).encode()


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"

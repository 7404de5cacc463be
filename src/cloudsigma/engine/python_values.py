"""Python values that JSON does not have → text, numbers, objects: the one definition, for rules, context and output.

Records that a program made hold more kinds than JSON: numbers and arrays of NumPy, pandas' `Timestamp`, `Decimal`,
`UUID`. Neither NumPy nor pandas is imported; their values are recognized by what they can do. NaN, NaT and pandas' NA
say that a value is missing. `docs/how-to/pandas.md` has the table of all kinds.
"""

from __future__ import annotations

import base64
import datetime as dt
import enum
import gc
import ipaddress
import os
import uuid
from collections import deque
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from msgspec import UNSET

JSON_SCALARS = frozenset({str, int, bool, type(None)})
"""Types whose values need no reading. `float` is not among them, since NaN is missing."""
JSON_TYPES = JSON_SCALARS | {dict, list}
_TO_TEXT = (uuid.UUID, os.PathLike, ipaddress.IPv4Address, ipaddress.IPv6Address, dt.timedelta)
_LISTED: tuple[type[Collection[Any]], ...] = (deque, type({}.keys()), type({}.values()))
"""Collections of Python that are as finite as a list."""
_MISSING_TYPES = frozenset({"NAType", "NaTType"})
"""Names of the types of pandas' NA and NaT."""
_DEEPEST = 200


def read_value(value: Any) -> Any:
    """The value as a JSON type, objects and arrays with unconverted members; `UNSET` for a missing value.

    A `Decimal` stays one, for its digits. A value of any other kind is returned unchanged, and `None` for one whose own
    methods fail. Never raises.
    """
    if type(value) in JSON_TYPES:
        return value
    try:
        return _read(value)
    except Exception:  # noqa: BLE001  # methods of foreign classes run here
        return None


def _read(value: Any) -> Any:
    if isinstance(value, float):
        return float(value) if value == value else UNSET  # noqa: PLR0124  # NaN equals nothing
    if isinstance(value, (Mapping, list, tuple)):
        return value
    if isinstance(value, enum.Enum):
        return read_value(value.value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Decimal):
        return UNSET if value.is_nan() else value
    if type(value).__name__ in _MISSING_TYPES:
        return UNSET
    if isinstance(value, dt.datetime):
        return time_text(value) if value == value else UNSET  # noqa: PLR0124  # values like NaT equal nothing
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes_text(bytes(value))
    if isinstance(value, _TO_TEXT):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    if isinstance(value, _LISTED):
        return list(value)
    return _read_foreign(value)


def _read_foreign(value: Any) -> Any:
    """A value of a library for tables or arrays."""
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        if hasattr(value, "to_dict"):  # a Series of pandas: a row, or a column
            return value.to_dict()
        if getattr(value.dtype, "kind", "") in ("M", "m"):  # as Python's own times, which have microseconds
            value = value.astype(f"{value.dtype.kind}8[us]")
        made = value.tolist()
        return UNSET if made is None else read_value(made)
    if hasattr(value, "as_py"):  # a scalar of Arrow
        return read_value(value.as_py())
    return value


def time_text(value: dt.datetime) -> str:
    """A time as CloudTrail writes it, in UTC; one without a time zone is in UTC.

    Raises:
        OverflowError, ValueError, TypeError: The time has no form in UTC.
    """
    # Piece by piece: a subclass may override methods.
    plain = dt.datetime(
        value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond,
        value.tzinfo or dt.UTC, fold=value.fold,
    )  # fmt: skip
    return plain.astimezone(dt.UTC).isoformat().removesuffix("+00:00") + "Z"


def bytes_text(value: bytes) -> str:
    """The text that bytes are in UTF-8, or else their base64."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def plain_record(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record with all values converted and missing members left out; itself if it has only JSON's types.

    A record that nests too deep is returned unchanged.
    """
    try:
        return record if _is_plain(record) else _plain_object(record, 0)
    except RecursionError:
        return record


def _is_plain(value: Any) -> bool:
    """Whether a value has only JSON's types; checked level by level, which is the fastest way."""
    if type(value) is not dict:
        return False
    members = gc.get_referents(value)  # of objects and arrays: values and elements, and keys that may not be text
    while members:
        kinds = set(map(type, members))
        if not kinds <= JSON_TYPES and (
            not kinds <= _WITH_FLOAT or any(member != member for member in members)  # noqa: PLR0124  # NaN
        ):
            return False
        members = gc.get_referents(*members)  # scalars have none
    return True


_WITH_FLOAT = JSON_TYPES | {float}


def _plain_object(node: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    made = {}
    for name, member in node.items():
        value = _plain(member, depth + 1)
        if value is not UNSET:
            made[name if type(name) is str else str(name)] = value
    return made


def _plain(value: Any, depth: int) -> Any:
    value = read_value(value)
    if depth > _DEEPEST:
        return value
    if isinstance(value, Mapping):
        return _plain_object(value, depth)
    if isinstance(value, (list, tuple)):
        read = (_plain(element, depth + 1) for element in value)
        return [None if element is UNSET else element for element in read]
    return value

"""One JSON text → value, or an error in plain words."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec

from cloudsigma.reading.scope.limits import Limits

RECORDS_KEYS = ("Records", "records", "RECORDS")
"""Keys under which one document may hold several lists of records: none of them is lost."""
VALIDATION = "CloudTrail validation message"
"""The beginning of the text that CloudTrail sends to test a topic; it is not JSON."""
LISTS = (*RECORDS_KEYS, "Events", "events", "logEvents", "Messages", "results", "QueryResultRows")
"""Keys of lists of records. If one is repeated in the outermost object, the lists are joined."""
_LONG = 4000


def _integer(digits: str) -> int | Decimal:
    """An integer of any length: Python refuses to make an `int` of very many digits, which takes it too long."""
    return int(digits) if len(digits) < _LONG else Decimal(digits)


def _constant(name: str) -> Any:
    return _MISSING if name == "NaN" else float(name)


_MISSING: Any = object()
"""Marks NaN, which Python programs write for a missing value."""
DECODER = json.JSONDecoder(parse_constant=_constant)
"""The usual decoder; its values must go through `without_missing`."""
TOLERANT = json.JSONDecoder(parse_int=_integer, parse_constant=_constant)
"""Slower; accepts integers of any length."""


class Document(msgspec.Struct, frozen=True):
    """One document of a file: a JSON value, or the row of a table."""

    value: Any
    position: str | None
    """Its position, if the file has several."""
    form: str
    """`whole`, `lines`, `objects`, `log_lines`, `csv`, `parquet`; `rescued` if its document is damaged."""
    size: int | None = None
    """Upper bound of the bytes of its text; `None`: unknown."""
    deep: bool = True
    """Whether a record in it may nest too deep, judged by its text alone."""


def loads(text: str | bytes) -> Any:
    """One JSON document; raises `ValueError` if it is damaged and `RecursionError` if it nests too deep.

    A member whose value is NaN is missing, so it is left out.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    text = text.removeprefix("\ufeff")
    try:
        value = DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        value = TOLERANT.decode(text)
    return with_every_list(without_missing(value, text), text)


def without_missing(value: Any, text: str) -> Any:
    """The value that `DECODER` gave for a text, without members that are NaN; elements of arrays become null."""
    return _without_missing(value) if "NaN" in text else value


def _without_missing(value: Any) -> Any:
    if type(value) is dict:
        return {name: _without_missing(inner) for name, inner in value.items() if inner is not _MISSING}
    if type(value) is list:
        return list(map(_without_missing, value))
    return None if value is _MISSING else value


def with_every_list(value: Any, text: str | bytes) -> Any:
    """The value of a text, with lists of records under a repeated key joined.

    A decoder alone would keep only the last of them.
    """
    if type(value) is not dict or value.keys().isdisjoint(LISTS):
        return value
    # Repeated keys inside a record keep their last value, as in any decoder.
    keys = [key for key in (RECORDS_KEYS[:1] if "eventName" in value else LISTS) if key in value]
    text = text if isinstance(text, str) else text.decode("utf-8-sig", "replace")
    if all(text.count(f'"{key}"') < 2 for key in keys):
        return value
    outermost: list[tuple[str, Any]] = []

    def seen(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal outermost
        outermost = pairs  # the object that ends last encloses all others
        return dict(pairs)

    json.JSONDecoder(
        object_pairs_hook=seen, parse_int=_integer, parse_constant=lambda name: None if name == "NaN" else float(name)
    ).decode(text)
    times = Counter(key for key, _ in outermost)
    held: dict[str, list[Any]] = {key: [] for key in keys if times[key] > 1}
    for key, inner in outermost:
        if key in held:
            held[key] += inner if isinstance(inner, list) else [inner]
    return {**value, **held}


def reason(error: Exception, limits: Limits) -> str:
    """A decoder's exception as a message for people."""
    if isinstance(error, RecursionError):
        return limits.too_deep  # decoders accept more levels than any limit allows
    if isinstance(error, json.JSONDecodeError):
        return f"the JSON is damaged ({error.msg[:1].lower()}{error.msg[1:]})"
    return f"the JSON cannot be read ({str(error).split(';')[0]})"

"""Times in records: the one grammar, and the one reader, of `eventTime` and of every other value that is a time.

Context, the modifiers `minute` to `year`, `since` and `until`, coverage and correlations all read times here.

A time is one of:

- text `YYYY-MM-DDThh:mm:ss`, with a space for the `T`, a fraction of a second, and `Z` or an offset (`+02:00`,
  `+0200`) if need be. Without one it is UTC. Digits beyond microseconds are dropped;
- a `datetime`, or an instance of a subclass such as pandas' `Timestamp`; without a time zone it is UTC;
- a number of seconds since 1970; above 10^12, of milliseconds.

Everything else (a date alone, digits as text, a boolean, NaN, NaT) is not a time.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

EVENT_TIME = "eventTime"
"""The field of a CloudTrail record that says when the call was completed."""

_TEXT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_USUAL_LENGTH = len("2025-03-04T10:15:30Z")
_MILLISECONDS_FROM = 10**12
"""A number above this counts milliseconds since 1970, one below seconds."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

_SECONDS = {f"{second:02}Z": second for second in range(60)}
_MINUTES_KEPT = 10_000
_minutes: dict[str, int] = {}
"""The first 17 characters of a parsed time → the start of its minute. Bounded; keeps nothing else of a record."""


def read_time(value: Any) -> dt.datetime | None:
    """The time in a value, in UTC, as a plain `datetime`; `None` where the value is not a time. Never raises."""
    try:
        if isinstance(value, str):
            return _read_text(value)
        if isinstance(value, dt.datetime):
            return _read_datetime(value)
        if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            return _read_number(value)
    except (ValueError, OverflowError, ArithmeticError, TypeError):  # no such date; NaT's year is a float
        pass
    return None


def event_time(record: Mapping[str, Any]) -> int | float | None:
    """When a record's event happened, in seconds since 1970: whole ones as `int`, others with microseconds.

    Nearly all times are `YYYY-MM-DDTHH:MM:SSZ`. Once `read_time` has parsed one, two look-ups give every other second
    of its minute.
    """
    value = record.get(EVENT_TIME)
    if type(value) is str:
        try:
            return _minutes[value[:17]] + _SECONDS[value[17:]]
        except KeyError:
            pass
    when = read_time(value)
    if when is None:
        return None
    microseconds = (when - _EPOCH) // _MICROSECOND
    seconds, fraction = divmod(microseconds, 1_000_000)
    if fraction:
        return microseconds / 1_000_000
    if isinstance(value, str) and value[17:] in _SECONDS:
        if len(_minutes) >= _MINUTES_KEPT:
            _minutes.clear()
        _minutes[str(value[:17])] = seconds - _SECONDS[value[17:]]
    return seconds


def _read_text(value: str) -> dt.datetime | None:
    # Of this length and with these characters, `fromisoformat` accepts no other form of ISO 8601.
    if (
        len(value) == _USUAL_LENGTH
        and value[19] == "Z"
        and value[10] == "T"
        and value[7] == "-"
        and value[13:17:3] == "::"
    ):
        return dt.datetime.fromisoformat(value)
    found = _TEXT.fullmatch(value)
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    if fraction:
        clock = f"{clock}.{fraction.ljust(6, '0')}"
    when = dt.datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in (None, 'Z') else zone}")
    return when.astimezone(dt.UTC)


def _read_datetime(value: dt.datetime) -> dt.datetime:
    # Piece by piece: methods and comparisons of a subclass may fail.
    plain = dt.datetime(
        value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond,
        value.tzinfo or dt.UTC, fold=value.fold,
    )  # fmt: skip
    return plain.astimezone(dt.UTC)


def _read_number(value: int | float | Decimal) -> dt.datetime:
    exact = float(value) if isinstance(value, Decimal) else value
    if exact > _MILLISECONDS_FROM:
        return _EPOCH + dt.timedelta(milliseconds=exact)
    return _EPOCH + dt.timedelta(seconds=exact)

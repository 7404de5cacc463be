"""When an event happened: `eventTime` in whole seconds since 1970."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudsigma.engine.evaluate import operators

_SECONDS = {f"{second:02}Z": second for second in range(60)}
_MINUTES_KEPT = 10_000

_minutes: dict[str, int] = {}
"""The first 17 characters of a time that has been read → the start of its minute."""


def event_time(record: Mapping[str, Any]) -> int | None:
    """The `eventTime` of a record in seconds since 1970, without what is below a second; only text counts as one.

    Nearly all times are `YYYY-MM-DDTHH:MM:SSZ`. Whatever `operators.moment` has read once in this form, it would read
    alike for the other seconds of the minute: two look-ups do.
    """
    value = record.get("eventTime")
    if type(value) is not str:
        return _read(value) if isinstance(value, str) else None
    try:
        return _minutes[value[:17]] + _SECONDS[value[17:]]
    except KeyError:
        return _read(value)


def _read(value: str) -> int | None:
    when = operators.moment(value)
    if when is None:
        return None
    seconds = int(when.timestamp())  # exact: no format has a part of a second
    if value[17:] in _SECONDS:
        if len(_minutes) >= _MINUTES_KEPT:
            _minutes.clear()
        _minutes[str(value[:17])] = seconds - _SECONDS[value[17:]]
    return seconds

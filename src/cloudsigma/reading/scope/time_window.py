"""Parses `since` and `until` to a time window in UTC.

A time is absolute (a date, or a date and time; UTC unless it has an offset) or relative (a number of minutes, hours,
days or weeks before now). Anything else is refused before any work is done.
"""

from __future__ import annotations

import datetime as dt
import re

import msgspec

from cloudsigma.engine.context.event_time import read_time
from cloudsigma.errors import UsageError, WrongTypeError

FORMS = (
    "a date (2025-03-04), a time (2025-03-04T10:15, 2025-03-04T10:15:30Z, 2025-03-04T10:15:30+02:00), "
    "or 90m, 24h, 7d or 2w for so long before now"
)
"""The accepted forms, for messages."""

Moment = str | dt.datetime | dt.date
"""Accepted types of `since` and `until`; a `datetime` without a zone is in UTC, a `date` means its first moment."""

_SHORT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?")
"""Forms shorter than those in records: a date, or a time without seconds."""
_RELATIVE = re.compile(r"([0-9]{1,9})([mhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"([0-9]{1,7})([smhd])", re.ASCII)
SPANS = "90s, 15m, 1h or 2d"
"""The forms of a length of time, for messages."""


class TimeWindow(msgspec.Struct, frozen=True):
    """A time window in UTC; `None` leaves an end open."""

    since: dt.datetime | None = None
    """Its beginning, inclusive."""
    until: dt.datetime | None = None
    """Its end, exclusive."""

    @property
    def bounded(self) -> bool:
        """Whether it has a beginning or an end."""
        return self.since is not None or self.until is not None

    def holds(self, when: dt.datetime) -> bool:
        """Whether a time is within the window."""
        return (self.since is None or when >= self.since) and (self.until is None or when < self.until)

    def meets(self, first: dt.datetime, end: dt.datetime, *, early: dt.timedelta, late: dt.timedelta) -> bool:
        """Whether it overlaps the period from `first` to before `end`, with slack.

        The period is extended by `late` at its beginning and by `early` at its end: an event may have happened up to
        `late` before its stamp and, since clocks differ, up to `early` after it.
        """
        return (self.since is None or _shifted(end, early) > self.since) and (
            self.until is None or _shifted(first, -late) < self.until
        )


def time_window(since: Moment | None, until: Moment | None, *, now: dt.datetime | None = None) -> TimeWindow:
    """The time window from `since` (inclusive) to `until` (exclusive).

    Args:
        since: A time in one of the `FORMS`; `None`: no beginning.
        until: A time in one of the `FORMS`; `None`: no end.
        now: The reference for relative times; default: the current time.

    Raises:
        UsageError: A text has none of the forms, or the window is empty.
    """
    now = now or dt.datetime.now(dt.UTC)
    window = TimeWindow(_moment("since", since, now), _moment("until", until, now))
    if window.since is not None and window.until is not None and window.since >= window.until:
        raise UsageError(
            f"since ({_shown(window.since)}) is not before until ({_shown(window.until)}), so no time is left; "
            "until itself does not belong to the time that is asked for"
        )
    return window


def read_span(text: str) -> dt.timedelta | None:
    """A length of time in one of the `SPANS`; `None` for any other text."""
    found = _SPAN.fullmatch(text)
    return dt.timedelta(**{_UNITS[found[2]]: int(found[1])}) if found is not None else None


def _moment(name: str, value: Moment | None, now: dt.datetime) -> dt.datetime | None:
    if value is None:
        return None
    if isinstance(value, dt.datetime):
        if (when := read_time(value)) is None:
            raise UsageError(f"{name} {value!s} cannot be read as a time; give {FORMS}")
        return when
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    if not isinstance(value, str):
        raise WrongTypeError(name, value, FORMS)
    try:
        if (time := read_time(value)) is not None:
            return time
        if _SHORT.fullmatch(value):
            when = dt.datetime.fromisoformat(value)
            return when.replace(tzinfo=when.tzinfo or dt.UTC).astimezone(dt.UTC)
        if found := _RELATIVE.fullmatch(value):
            return now - dt.timedelta(**{_UNITS[found[2]]: int(found[1])})
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{name} {value!r} is not a valid time ({error}); give {FORMS}") from error
    raise UsageError(f"{name} {value!r} cannot be understood; give {FORMS}")


def _shown(when: dt.datetime) -> str:
    return when.isoformat().replace("+00:00", "Z")


def _shifted(when: dt.datetime, by: dt.timedelta) -> dt.datetime:
    try:
        return when + by
    except OverflowError:
        latest, earliest = dt.datetime.max.replace(tzinfo=dt.UTC), dt.datetime.min.replace(tzinfo=dt.UTC)
        return latest if by > dt.timedelta(0) else earliest

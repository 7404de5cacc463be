"""From when to when: the texts of `since` and `until` → a stretch of time in UTC.

A time is absolute (a date, or a date and time; UTC unless it has an offset) or relative: so many minutes, hours, days
or weeks before now. Anything else is refused before any work is done.
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
"""What is accepted, for messages."""

Moment = str | dt.datetime | dt.date
"""What `since` and `until` may be given as; a `datetime` without a zone is UTC, a `date` is its first moment."""

_SHORT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?")
"""Shorter than records have them: a date, or a time without seconds."""
_RELATIVE = re.compile(r"([0-9]{1,9})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class TimeWindow(msgspec.Struct, frozen=True):
    """A stretch of time; `None` leaves an end open."""

    since: dt.datetime | None = None
    """The first moment that belongs to it."""
    until: dt.datetime | None = None
    """The first moment that does not belong to it any more."""

    @property
    def bounded(self) -> bool:
        """Whether there is any bound."""
        return self.since is not None or self.until is not None

    def holds(self, when: dt.datetime) -> bool:
        """Whether a moment lies in it."""
        return (self.since is None or when >= self.since) and (self.until is None or when < self.until)

    def meets(self, first: dt.datetime, end: dt.datetime, *, early: dt.timedelta, late: dt.timedelta) -> bool:
        """Whether it has a moment in common with the stretch from `first` to before `end`, with slack.

        The stretch is taken to begin `late` sooner, and to end `early` later, than it says: what is stamped with a time
        happened up to `late` before it and, by a clock that differs, up to `early` after it.
        """
        return (self.since is None or _shifted(end, early) > self.since) and (
            self.until is None or _shifted(first, -late) < self.until
        )


def time_window(since: Moment | None, until: Moment | None, *, now: dt.datetime | None = None) -> TimeWindow:
    """The stretch of time from `since` (included) to `until` (not included).

    Args:
        since: See `FORMS`; `None`: from the beginning.
        until: The same; `None`: to the end.
        now: What relative times count from; default: the clock.

    Raises:
        UsageError: A text has none of the forms, or the stretch is empty.
    """
    now = now or dt.datetime.now(dt.UTC)
    window = TimeWindow(_moment("since", since, now), _moment("until", until, now))
    if window.since is not None and window.until is not None and window.since >= window.until:
        raise UsageError(
            f"since ({_shown(window.since)}) is not before until ({_shown(window.until)}), so no time is left; "
            "until itself does not belong to the time that is asked for"
        )
    return window


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

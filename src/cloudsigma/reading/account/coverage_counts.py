"""Counts the coverage of a trail by record or by column, in bounded memory."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

import msgspec

from cloudsigma.engine.context.event_time import read_time
from cloudsigma.reading.account.coverage import HOUR, Coverage, Covered, EventCount, Gap
from cloudsigma.reading.scope.selection import Selection, account_of

FIELDS = ("recipientAccountId", "userIdentity.accountId", "awsRegion", "eventTime", "eventSource", "eventName")
"""The fields that coverage needs."""
CELLS = 1_000_000
"""Most combinations of account, region and hour; records beyond them are only counted."""
EVENTS = 100_000
"""Most pairs of event source and name; beyond them, `Coverage.silent` is unknown."""

HELD = 64 << 20
"""Most characters of names (accounts, regions, event sources, event names) in memory; further names are only counted.
With `CELLS` and `EVENTS` this bounds the memory of the counts to about 400 MB."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_Text = str | None
_Cell = tuple[_Text, _Text, int]
"""Account, region, hours since 1970; `None` if absent from the records."""
Row = tuple[Any, Any, Any]
"""Account, region, time, as recorded."""


class CoverageForm(msgspec.Struct, frozen=True):
    """The counts as a value that can be serialized."""

    cells: list[tuple[str | None, str | None, int, int]]
    """Account, region, hours since 1970, records."""
    events: list[tuple[str | None, str | None, int]]
    """Event source, event name, records."""
    undated: int
    beyond: int
    events_known: bool


class CoverageCounts:
    """Counts records by account, region and hour, and events; in bounded memory."""

    def __init__(self) -> None:
        self.cells: Counter[_Cell] = Counter()
        self.events: Counter[tuple[_Text, _Text]] = Counter()
        self._held = 0
        self.undated = 0
        self.beyond = 0
        self.events_known = True
        """Whether `events` is complete; false also after an event whose name or source is not text."""

    def add_rows(self, rows: Iterable[Row], events: Iterable[tuple[Any, Any]], selection: Selection) -> None:
        """Count the selected records of one file; `rows` and `events` have one item for each record."""
        if not selection.everything:
            kept = [pair for pair in zip(rows, events, strict=True) if _asked_for(pair[0], selection)]
            rows, events = map(itemgetter(0), kept), map(itemgetter(1), kept)
        for (account, region, time), count in Counter(rows).items():
            self._place(_text(account), _text(region), _hour(time), count)
        for (source, name), count in Counter(events).items():
            self._occur((_text(source), _text(name)), count)

    def add_record(self, record: Mapping[str, Any], selection: Selection) -> None:
        """Count one record if it is selected."""
        row = (account_of(record), _text(record.get("awsRegion")), _text(record.get("eventTime")))
        if selection.everything or _asked_for(row, selection):
            self._place(row[0], row[1], _hour(row[2]), 1)
            source, name = record.get("eventSource"), record.get("eventName")
            if all(value is None or isinstance(value, str) for value in (source, name)):
                self._occur((source, name), 1)
            else:
                self.events_known = False

    def _place(self, account: _Text, region: _Text, hour: int | None, count: int) -> None:
        if hour is None:
            self.undated += count
        elif (cell := (account, region, hour)) in self.cells or (
            len(self.cells) < CELLS and self._hold(account, region)
        ):
            self.cells[cell] += count
        else:
            self.beyond += count

    def _hold(self, *names: _Text) -> bool:
        """Whether names fit within `HELD`, the bound on text from records; if so, count their characters."""
        size = sum(len(name) for name in names if name is not None)
        if self._held + size > HELD:
            return False
        self._held += size
        return True

    def _occur(self, event: tuple[_Text, _Text], count: int) -> None:
        if event in self.events or (len(self.events) < EVENTS and self._hold(*event)):
            self.events[event] += count
        else:
            self.events_known = False

    def add(self, other: CoverageCounts) -> None:
        """Add the counts of another."""
        for cell, count in other.cells.items():
            self._place(*cell, count)
        for event, count in other.events.items():
            self._occur(event, count)
        self.undated += other.undated
        self.beyond += other.beyond
        self.events_known = self.events_known and other.events_known

    def to_form(self) -> CoverageForm:
        """The counts as a value."""
        return CoverageForm(
            [(*cell, count) for cell, count in self.cells.items()],
            [(*event, count) for event, count in self.events.items()],
            self.undated,
            self.beyond,
            self.events_known,
        )

    @classmethod
    def of_form(cls, form: CoverageForm) -> CoverageCounts:
        """Restore counts from a value."""
        made = cls()
        made.cells = Counter({(account, region, hour): count for account, region, hour, count in form.cells})
        made.events = Counter({(source, name): count for source, name, count in form.events})
        made.undated, made.beyond, made.events_known = form.undated, form.beyond, form.events_known
        return made

    @property
    def coverage(self) -> Coverage:
        """The coverage computed from the counts."""
        accounts: dict[_Text, Counter[int]] = {}
        regions: dict[tuple[_Text, _Text], Counter[int]] = {}
        for (account, region, hour), count in self.cells.items():
            accounts.setdefault(account, Counter())[hour] += count
            regions.setdefault((account, region), Counter())[hour] += count
        return Coverage(
            accounts=tuple(_covered(account, None, accounts[account]) for account in sorted(accounts, key=_last)),
            regions=tuple(
                _covered(account, region, regions[account, region], all_regions=False)
                for account, region in sorted(regions, key=lambda pair: (_last(pair[0]), _last(pair[1])))
            ),
            events=tuple(
                EventCount(source, name, count)
                for (source, name), count in sorted(
                    self.events.items(), key=lambda item: (-item[1], _last(item[0][0]), _last(item[0][1]))
                )
            ),
            undated=self.undated,
            beyond=self.beyond,
        )


def _covered(account: _Text, region: _Text, by_hour: Counter[int], *, all_regions: bool = True) -> Covered:
    hours = sorted(by_hour)
    return Covered(
        account,
        region,
        all_regions,
        records=by_hour.total(),
        hours=len(hours),
        first=_moment(hours[0]),
        end=_moment(hours[-1] + 1),
        gaps=tuple(_gaps(hours)),
    )


def _gaps(hours: list[int]) -> Iterator[Gap]:
    for before, after in itertools.pairwise(hours):
        if after > before + 1:
            yield Gap(_moment(before + 1), _moment(after))


def _moment(hour: int) -> dt.datetime:
    try:
        return _EPOCH + hour * HOUR
    except OverflowError:  # the end of the year 9999
        return dt.datetime.max.replace(microsecond=0, tzinfo=dt.UTC)


def _last(value: _Text) -> tuple[bool, str]:
    """A sort key that places unknown names last."""
    return value is None, value or ""


def _text(value: Any) -> _Text:
    return value if isinstance(value, str) else None


def _asked_for(row: Row, selection: Selection) -> bool:
    """Whether a record is selected; as in `RecordFilter`, a record without the deciding field is."""
    account, region, time = row
    if selection.accounts and isinstance(account, str) and account not in selection.accounts:
        return False
    if selection.regions and isinstance(region, str) and region not in selection.regions:
        return False
    when = read_time(time) if selection.window.bounded else None
    return when is None or selection.window.holds(when)


class _Hours(dict[str, int | None]):
    """A cache: the beginning of a time, such as `2025-03-04T10` → hours since 1970."""

    def __missing__(self, beginning: str) -> int | None:
        if len(self) > CELLS:
            self.clear()
        when = read_time(f"{beginning}:00:00Z")
        self[beginning] = hour = None if when is None else (when - _EPOCH) // HOUR
        return hour


_hours = _Hours()
_BEGINNING = len("2025-03-04T10")
_LENGTH = len("2025-03-04T10:15:30Z")
_beginning = itemgetter(slice(_BEGINNING))


def hours_of(times: list[Any]) -> list[Any]:
    """Convert times in CloudTrail's format to hours since 1970; if one has another format, return the times."""
    try:
        joined = "".join(times)
    except TypeError:  # null or absent
        return times
    usual = (
        len(joined) == len(times) * _LENGTH
        and joined[_BEGINNING::_LENGTH] == ":" * len(times)
        and joined[_LENGTH - 1 :: _LENGTH] == "Z" * len(times)
        and set(map(len, times)) == {_LENGTH}
    )
    return list(map(_hours.__getitem__, map(_beginning, times))) if usual else times


def _hour(time: Any) -> int | None:
    """Hours since 1970; `None` if the time is missing or malformed."""
    if isinstance(time, int):
        return time
    if not isinstance(time, str):
        return None
    if len(time) == _LENGTH and time[_BEGINNING] == ":" and time[-1] == "Z":
        return _hours[time[:_BEGINNING]]
    when = read_time(time)
    return None if when is None else (when - _EPOCH) // HOUR

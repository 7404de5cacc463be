"""The table's layouts: two lines a match below 110 columns, one line from 110, one line with the rule's title from 180.

Every line fits the width of the terminal, from 30 columns; below 60, a match takes a line for each value. Without a
width (a pipe, a file, `--wide`) nothing is cut.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from cloudsigma.sinks.middle_cut import MiddleCut
from cloudsigma.sinks.table_row import Row

_TWO_LINES, _ONE_LINE, _WITH_TITLE = 60, 110, 180
"""Terminal widths from which a match takes two lines, one line, and one line with the title."""
_SHORTEST = 6
"""Columns of a cut name."""
_NAMES = 24
"""Columns for principal and resource together below which one line is too narrow for both."""
_TIME, _LEVEL, _OUTCOME, _ACCOUNT = 15, 6, 7, 12
_EVENT, _ADDRESS, _REGION = 22, 15, 14
"""Maximum widths of these columns; they shrink to their widest cell."""
_LEVELS = {"informational": "INFO", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "critical": "CRIT"}


class Cell(NamedTuple):
    """A text with the name of its style (`level`, `outcome`, `title`, `note`, or an empty name)."""

    text: str
    style: str = ""


Line = list[Cell]


@dataclass(slots=True)
class Folded:
    """A row, and the number and times of later rows that equal it."""

    row: Row
    count: int = 1
    last: dt.datetime | None = None


def fold(rows: Iterable[Row]) -> list[Folded]:
    """Merge rows that differ only in their time, each at the place of the first."""
    found: dict[Row, Folded] = {}
    for row in rows:
        known = found.get(row)
        if known is None:
            found[row] = Folded(row, last=row.time)
        else:
            known.count += 1
            if row.time is not None and (known.last is None or row.time > known.last):
                known.last = row.time
    return list(found.values())


class Layout:
    """Lays out rows for a width; no two names are cut to the same text, over all its rows."""

    def __init__(self, width: int | None) -> None:
        """`width`: columns of the terminal; `None`: cut nothing."""
        self.width = width
        self._heading: tuple[str, str] | None = None
        self._cuts: dict[tuple[str, int], MiddleCut] = {}
        self._widths: dict[str, int] = {}

    def lines(self, rows: Sequence[Row], *, accounts: bool) -> Iterator[Line]:
        """The lines of rows; with `accounts`, the account is shown."""
        if self.width is None:  # the output of a pipe or file: one line for every match
            yield from self._uncut([Folded(row) for row in rows])
            return
        folded = fold(rows)
        for name, most in (("event", _EVENT), ("address", _ADDRESS), ("region", _REGION)):
            needed = max(cell_len(getattr(each.row, name)) for each in folded)
            self._widths[name] = max(self._widths.get(name, 0), min(needed, most))
        for each in folded:
            row = each.row
            if self.width < _WITH_TITLE and (row.level, row.title) != self._heading:
                self._heading = (row.level, row.title)
                yield [Cell(self._cut("heading", row.title, self.width), "title")]
            yield from self._cut_lines(each, accounts=accounts)
            if row.note:
                yield [Cell("     "), Cell(self._cut("note", row.note, self.width - 7), "note")]

    def _cut_lines(self, folded: Folded, *, accounts: bool) -> Iterator[Line]:
        width, row = self.width or 0, folded.row
        repeats = _repeats(folded)
        start = [Cell(_padded(_time(row.time, year=width >= _WITH_TITLE), _TIME + (5 if width >= _WITH_TITLE else 0))),
                 Cell(_padded(_level(row.level), _LEVEL), "level")]  # fmt: skip
        account = [self._cell("account", row.account, _ACCOUNT)] if accounts else []
        outcome = Cell(_padded(row.outcome, _OUTCOME), "outcome")
        event, address_width, region_width = (self._widths[name] for name in ("event", "address", "region"))
        region = Cell(self._cut("region", row.region, region_width))
        address = self._cell("address", row.address, address_width)
        fixed = (
            len(start[0].text) + _LEVEL + _OUTCOME + address_width + region_width + (_ACCOUNT + 1 if accounts else 0)
        )
        title = 36 if width >= _WITH_TITLE else 0
        names = width - fixed - event - (title + 1 if title else 0) - 7
        if width < _TWO_LINES:
            yield [*start, outcome]
            yield [Cell(" "), Cell(self._cut("event", row.event, width - 2))]
            yield [Cell(" "), Cell(self._cut("who", row.who, width - 2))]
            yield [Cell(" "), Cell(self._resource(row, repeats, width - 2))]
            place = " ".join((row.address, *([row.account] if accounts else []), row.region))
            yield [Cell(" "), Cell(self._cut("place", place, width - 2))]
            return
        if width < _ONE_LINE or names < _NAMES:
            room = width - _TIME - _LEVEL - event - _OUTCOME - 4
            yield [*start, self._cell("event", row.event, event), outcome, Cell(self._cut("who", row.who, room))]
            room = width - 6 - address_width - region_width - (_ACCOUNT + 1 if accounts else 0) - 3
            resource = Cell(_padded(self._resource(row, repeats, room), room))
            yield [Cell("     "), resource, address, *account, region]
            return
        who = names * 46 // 100
        yield [
            *start,
            *([self._cell("title", row.title, title)] if title else []),
            self._cell("event", row.event, event),
            outcome,
            self._cell("who", row.who, who),
            Cell(_padded(self._resource(row, repeats, names - who), names - who)),
            address,
            *account,
            region,
        ]

    def _uncut(self, folded: Sequence[Folded]) -> Iterator[Line]:
        """One line a row, each column as wide as its widest cell."""
        texts = [_whole(each) for each in folded]
        styles = ("", "level", "", "", "outcome", "", "", "", "", "", "note")
        widths = [max(map(cell_len, column)) for column in zip(*texts, strict=True)]
        widths[-1] = 0  # no blanks at the end of a line
        for row in texts:
            cells = zip(row, widths, styles, strict=True)
            yield [Cell(f"{text}{' ' * (width - cell_len(text))}", style) for text, width, style in cells]

    def _cell(self, name: str, text: str, width: int) -> Cell:
        return Cell(_padded(self._cut(name, text, width), width))

    def _cut(self, name: str, text: str, width: int) -> str:
        cut = self._cuts.get((name, width))
        if cut is None:
            cut = self._cuts[name, width] = MiddleCut(width)
        return cut(text)

    def _resource(self, row: Row, repeats: str, width: int) -> str:
        """The resource with the count of repeats, which is never cut; without their times where there is no room."""
        if width - len(repeats) < _SHORTEST:
            repeats = repeats[: repeats.find(" ", 1)] if " " in repeats[1:] else repeats
        return self._cut("resource", row.resource, width - len(repeats)) + repeats


def _whole(folded: Folded) -> tuple[str, ...]:
    """The cells of a row with every value in full."""
    row = folded.row
    resource = f"{row.full_resource}{_repeats(folded)}"
    return (
        _time(row.time, year=True), row.level.upper(), row.title, row.event, row.outcome, row.principal, resource,
        row.address, row.account, row.region, row.note,
    )  # fmt: skip


def _padded(text: str, width: int) -> str:
    return set_cell_size(text, width) if cell_len(text) < width else text


def _time(when: dt.datetime | None, *, year: bool) -> str:
    return "-" if when is None else when.strftime("%Y-%m-%d %H:%M:%SZ" if year else "%m-%d %H:%M:%SZ")


def _level(level: str) -> str:
    return _LEVELS.get(level, level.upper()[:_LEVEL])


def _repeats(folded: Folded) -> str:
    if folded.count == 1:
        return ""
    first, last = folded.row.time, folded.last
    if first is None or last is None or first == last:
        return f" ×{folded.count:,}"
    form = "%H:%M" if first.date() == last.date() else "%m-%d %H:%M"
    return f" ×{folded.count:,} {first.strftime(form)}–{last.strftime(form)}"  # count, first and last time

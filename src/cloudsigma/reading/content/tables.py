"""CSV → rows: results of Athena, CloudTrail Lake and Logs Insights, exports of Splunk.

The names in its first line identify a table. Rows are streamed; a damaged row is a loss, and the others are read.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

import msgspec

from cloudsigma.reading.content.document import Document
from cloudsigma.reading.content.inflate import Damage
from cloudsigma.reading.content.lines import split_lines
from cloudsigma.reading.content.missing_cells import is_missing
from cloudsigma.reading.scope.limits import Limits

_UTF8 = b"\xef\xbb\xbf"
_DELIMITERS = (",", ";", "\t", "|")
_ANNOUNCED = re.compile(rb'\s*"?sep=([^\s"])"?[ \t]*\r?\n|\s*"?sep=(\t)"?[ \t]*\r?\n', re.IGNORECASE)
"""A line above the column names that tells Excel the delimiter."""
_TYPED = re.compile(rb'\s*"?#TYPE [^\r\n]{1,500}\r?\n')
"""A line above the column names in which PowerShell 5.1 (`Export-Csv`) states the type of the rows."""
_RULE = frozenset("-+=: ")
"""Characters of the rules drawn between the column names and the rows."""
_TELLING = frozenset(
    {
        *("_raw", "@message", "eventjson", "cloudtrailevent", "cloud_trail_event", "eventname", "event_name"),
        *("event.original", "event.action", "p_log_type", "class_uid"),
    }
)
"""Columns that hold records or parts of them, in lower case."""
_LOOKED_FOR = "eventName, eventJson, CloudTrailEvent, @message, event.original, _raw"
_DISPLAYED = frozenset({"event name", "event time"})
"""Columns of the table that the console shows of the event history."""
_LONGEST_NAME = 200
_LONGEST_CELL = 64 << 20
"""Longest cell, in characters. A record has at most 256 KB; the default of `csv` is 128 KB."""
_BROKEN_BYTES = re.compile("[\udc80-\udcff]")


class Layout(msgspec.Struct, frozen=True):
    """How a table is written."""

    names: tuple[str, ...]
    delimiter: str
    above: int = 1
    """Rows above the table's own: the column names, and perhaps a line that states the delimiter."""

    @property
    def known(self) -> bool:
        """Whether one of its columns is named for records or parts of them."""
        return not (_TELLING | _DISPLAYED).isdisjoint(name.strip().lower() for name in self.names)

    @property
    def drawn(self) -> bool:
        """Whether it is drawn for people, with blanks around the cells."""
        return self.delimiter == "|" and any(name != name.strip() for name in self.names)


def layout(head: bytes) -> Layout | None:
    """The layout of the table in a file, from its first line; `None` if the file does not look like a table."""
    head = head.removeprefix(_UTF8)
    told = _ANNOUNCED.match(head)
    delimiters = ((told[1] or told[2]).decode("latin-1"),) if told else _DELIMITERS
    first = told or _TYPED.match(head)
    lines = (line for line in head[first.end() if first else 0 :].splitlines() if line.strip())
    line, below = next(lines, b""), next(lines, b"")
    if line.lstrip()[:1] in (b"{", b"[", b"<") or len(line) > 100 * _LONGEST_NAME:
        return None
    try:
        text = line.decode().strip("\r")
    except UnicodeDecodeError:
        return None
    tables = [Layout(_cells(text, delimiter), delimiter, 2 if first else 1) for delimiter in delimiters]
    for table in tables:
        if {name.strip().lower() for name in table.names} & (_TELLING | _DISPLAYED):
            return table
    return next((table for table in tables if _is_table(table, below.decode("utf-8", "replace"), head)), None)


def _is_table(table: Layout, below: str, head: bytes) -> bool:
    """Whether a file without a known record column is still a table, so that this is reported."""
    if not all(name.strip() and len(name) <= _LONGEST_NAME and not re.search(r"[{}:=]", name) for name in table.names):
        return False
    alike = table.delimiter == _DELIMITERS[0] or len(_cells(below, table.delimiter)) == len(table.names)
    return len(table.names) > 1 and alike and b"\n" in head


def _cells(text: str, delimiter: str) -> tuple[str, ...]:
    try:
        return tuple(next(csv.reader([text], delimiter=delimiter, strict=True), ()))
    except csv.Error:
        return ()


def rows(table: Layout, chunks: Iterator[bytes], limits: Limits) -> Iterator[Document | Damage]:
    """The rows below the first line, each as an object of column and text; a cell without a value is left out."""
    names = {name.strip().lower() for name in table.names}
    if not names & _TELLING:
        if names & _DISPLAYED:
            yield Damage(
                "this is the table of the console's event history, which lacks the parameters of the calls; "
                "download it as JSON instead"
            )
        else:
            shown = ", ".join(name.strip() for name in table.names[:5])
            yield Damage(
                f"a table without a column that holds CloudTrail records (it has {shown}); looked for: {_LOOKED_FOR}"
            )
        return
    if csv.field_size_limit() < _LONGEST_CELL:
        csv.field_size_limit(_LONGEST_CELL)  # csv has only this process-wide limit; never lower it
    lines = _Lines(split_lines(chunks, limits.document))
    columns = tuple(name.strip() for name in table.names)
    above = table.above
    while True:
        lines.keep_from_here()
        try:
            # One reader per row: after an error a reader would resume in the middle of a cell.
            cells = next(csv.reader(lines, delimiter=table.delimiter, strict=True), None)
        except csv.Error as error:
            yield Damage(f"the row is damaged ({error})", lines.position)
            lines.go_back()
            continue
        if cells is None:
            break
        if not cells or cells == [""]:
            continue
        if above:
            above -= 1
            if lines.broken_off:
                yield Damage("the table ends in its first line")
            continue
        if table.drawn:
            cells = [cell.strip() for cell in cells]
            if _RULE.issuperset("".join(cells)):
                continue
        if len(cells) != len(columns):
            yield Damage(f"the row has {len(cells):,} cells, and there are {len(columns):,} columns", lines.position)
            if lines.several:  # a quote that was left open, or one too many, has swallowed the rows below
                lines.go_back()
        elif any(_BROKEN_BYTES.search(cell) for cell in cells if not cell.isascii()):
            yield Damage("the text is not UTF-8", lines.position)
        else:
            row = {name: cell for name, cell in zip(columns, cells, strict=True) if not is_missing(cell)}
            yield Document(row, lines.position, "csv")
            if lines.broken_off and lines.ends_with(table.delimiter):
                yield Damage("the table ends without an end of line, perhaps in the middle of this row", lines.position)
    if lines.cut:
        yield Damage(f"the line is longer than {limits.said('document')}; the rest is not read", lines.position)


class _Lines:
    """Lines as text; can be rewound to the first line kept."""

    def __init__(self, lines: Iterator[bytes | None]) -> None:
        self._lines = lines
        self._waiting: list[str] = []  # last first
        self._kept: list[str] = []
        self._number = 0  # number of the first line kept
        first = next(lines, None)
        self._ahead = (first or b"").removeprefix(_UTF8)
        self.cut = self._over = first is None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._waiting:
            line = self._waiting.pop()
        else:
            if self._over:
                raise StopIteration
            line = self._ahead.decode("utf-8", "surrogateescape") + "\n"
            self._step()
        self._kept.append(line)
        return line

    @property
    def position(self) -> str:
        """The first line kept."""
        return f"line {self._number + 1}"

    def _step(self) -> None:
        try:
            ahead = next(self._lines)
        except StopIteration:
            self._over = True
            return
        self.cut = self._over = ahead is None
        self._ahead = ahead or b""

    @property
    def broken_off(self) -> bool:
        """Whether the file's last line was read and lacks a line ending."""
        return self._over and not self.cut and not self._waiting

    def ends_with(self, delimiter: str) -> bool:
        """Whether that line has a delimiter at its end."""
        return self._kept[-1].endswith(delimiter + "\n")

    @property
    def several(self) -> bool:
        """Whether the row spans several lines."""
        return len(self._kept) > 1

    def keep_from_here(self) -> None:
        """A row begins."""
        self._number += len(self._kept)
        self._kept = []

    def go_back(self) -> None:
        """Rewind: yield all kept lines but the first again."""
        self._waiting += reversed(self._kept[1:])
        del self._kept[1:]

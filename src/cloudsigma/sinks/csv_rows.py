"""CSV with a row for each match, safe to open in a spreadsheet and to print to a terminal.

A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@` as a formula, and an attacker chooses the texts of a
record. Such cells get an apostrophe in front, as OWASP recommends ("CSV Injection"), and so do cells with blanks,
no-break spaces or a line break before the character. Control characters and direction marks are escaped.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import ClassVar

from cloudsigma.engine.match import Match
from cloudsigma.engine.match_row import COLUMNS, Cell
from cloudsigma.escaping import printable, printable_lines
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.sinks.interface import Sink
from cloudsigma.sinks.output import LineOutput

_END = "\r\n"
_FORMULA = frozenset("=+-@")
_INVISIBLE = "\x00\ufeff\u200b\u200c\u200d\u2060"


class CsvSink(Sink):
    """Writes a header and a row for each match; with `raw`, cells are not escaped."""

    resumable: ClassVar[bool] = True

    def __init__(self, stream: LineOutput, *, raw: bool = False, terminal: bool = False) -> None:
        """`terminal`: escape every unprintable character, and end each row with a line feed alone."""
        self._stream = stream
        self._raw = raw
        self._terminal = terminal

    def begin(self, rules: RuleSet) -> None:  # noqa: ARG002  # the interface of sinks
        """Write the header, unless a scan resumes."""
        if self._stream.is_empty:
            self._write(header())

    def write(self, match: Match) -> None:
        """Write one row."""
        self._write(row(match, raw=self._raw))

    def _write(self, line: str) -> None:
        self._stream.write(f"{printable(line.removesuffix(_END))}\n" if self._terminal else line)

    def flush(self) -> None:
        """Write the rows that the stream holds."""
        self._stream.flush()


def header() -> str:
    """The header line: the names of the columns."""
    return _line(COLUMNS)


def row(match: Match, *, raw: bool = False) -> str:
    """The line for a match (RFC 4180, ends with CRLF).

    Args:
        match: The match.
        raw: Do not escape cells. For programs: a spreadsheet may run such cells as formulas.
    """
    cells = match.to_row().values()
    return _line(map(_text, cells) if raw else map(safe_cell, cells))


def safe_cell(value: Cell) -> str:
    """Escape a cell: no spreadsheet runs it as a formula, and no terminal obeys its control characters.

    Text that could be a formula gets an apostrophe in front. Unprintable characters, such as control characters and
    direction marks, are escaped as in Python; line feeds are kept, since CSV quotes them. Numbers and booleans are
    written unchanged.
    """
    text = _text(value)
    if not isinstance(value, str):
        return text
    shown = printable_lines(text)
    # Check each line of a cell before and after escaping: some programs split cells at line breaks, and some skip
    # invisible characters.
    starts = {line.lstrip().lstrip(_INVISIBLE).lstrip()[:1] for form in (text, shown) for line in form.splitlines()}
    if starts & _FORMULA or text[:1] in {"\t", "\r", "\n", "'"}:
        return f"'{shown}"
    return shown


def _text(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).replace("\x00", "\\0")


def _line(cells: Iterable[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator=_END).writerow(cells)
    return written.getvalue().encode("utf-8", "backslashreplace").decode()

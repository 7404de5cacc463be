"""CSV with a row for each match, safe to open in a spreadsheet.

A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@` as a formula, and an attacker chooses the texts of a
record. Such cells get an apostrophe in front, as OWASP recommends ("CSV Injection"), and so do cells with blanks,
no-break spaces or a line break before the character.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import ClassVar

from cloudsigma.engine.match import Match
from cloudsigma.engine.match_row import COLUMNS, Cell
from cloudsigma.escaping import printable
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.sinks.interface import Sink
from cloudsigma.sinks.output import LineOutput

_END = "\r\n"
_FORMULA = frozenset("=+-@")
_INVISIBLE = "\x00\ufeff\u200b\u200c\u200d\u2060"


class CsvSink(Sink):
    """Writes a header and a row for each match; with `raw`, cells stay as they are."""

    resumable: ClassVar[bool] = True

    def __init__(self, stream: LineOutput, *, raw: bool = False, terminal: bool = False) -> None:
        """`terminal`: escape what is not printable, and end lines as a terminal does."""
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
    """The line with the names of the columns."""
    return _line(COLUMNS)


def row(match: Match, *, raw: bool = False) -> str:
    """The line of a match (RFC 4180, ended by CRLF).

    Args:
        match: The match.
        raw: Write cells as they are, for programs: a spreadsheet may run them as formulas.
    """
    cells = match.to_row().values()
    return _line(map(_text, cells) if raw else map(safe_cell, cells))


def safe_cell(value: Cell) -> str:
    """The text of a cell that no spreadsheet takes for a formula; numbers, booleans and times stay as they are."""
    text = _text(value)
    if not isinstance(value, str):
        return text
    # Each line of a cell is checked: some programs split cells at line breaks.
    starts = {line.lstrip().lstrip(_INVISIBLE).lstrip()[:1] for line in text.splitlines()}
    if starts & _FORMULA or text[:1] in {"\t", "\r", "\n", "'"}:
        return f"'{text}"
    return text


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

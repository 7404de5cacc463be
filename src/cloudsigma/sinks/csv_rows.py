"""CSV with a row for each match, safe to open in a spreadsheet.

A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@` as a formula, and an attacker chooses the texts of a
record. Such cells get an apostrophe in front, as OWASP recommends ("CSV Injection"), and so do cells with blanks,
no-break spaces or a line break before the character.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from cloudsigma.engine.match import Match
from cloudsigma.engine.match_row import COLUMNS, Cell

_FORMULA = frozenset("=+-@")
_INVISIBLE = "\x00\ufeff\u200b\u200c\u200d\u2060"


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
    csv.writer(written, lineterminator="\r\n").writerow(cells)
    return written.getvalue().encode("utf-8", "backslashreplace").decode()

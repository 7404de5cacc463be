"""The texts by which tables say that a cell has no value."""

from __future__ import annotations

_MISSING = frozenset(
    {
        *("", "-"),
        *("null", "(null)", "[null]", "<null>", "\\n", "nil", '""', "''"),  # SQL clients; Hive and PostgreSQL write \N
        *("none", "nan", "-nan", "nat", "<na>", "na", "n/a", "#n/a"),  # Python, pandas, R, spreadsheets
        "undefined",  # JavaScript
    }
)
_LONGEST = max(map(len, _MISSING))


def is_missing(cell: str) -> bool:
    r"""Whether the text of a cell marks a missing value, in any letter case: `NULL`, `\N`, `None`, `nan`, `-`.

    This holds for whole cells. A text inside the JSON of a cell is a value, whatever it says.
    """
    return len(cell) <= _LONGEST and cell.strip(" \t\r\n").lower() in _MISSING

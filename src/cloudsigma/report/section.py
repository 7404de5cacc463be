"""Sections that other rooms add to a page: a heading with lines, tables and trees of plain text.

To show more in the report, make a `Section` of plain texts. The page escapes and shortens them, shows at most `ROWS`
rows of a table, and counts the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

ROWS = 500
"""Rows of a table that are shown."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts."""

    heads: Sequence[str]
    """The heads of the columns."""
    rows: Sequence[Sequence[str]]
    title: str = ""
    """A heading above the table."""
    left_out: int = 0
    """Rows that exist and are not in `rows`."""

    @property
    def shown(self) -> Sequence[Sequence[str]]:
        """The rows that are shown."""
        return self.rows[:ROWS]

    @property
    def more(self) -> int:
        """Rows that are not shown."""
        return self.left_out + len(self.rows) - len(self.shown)


@dataclass(slots=True)
class Node:
    """A node of a tree: a text, and the nodes below it."""

    text: str
    children: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a page."""

    anchor: str
    """The part's name in links, unique in the page: letters and hyphens, never text of a record."""
    title: str
    lines: Sequence[str] = ()
    """Paragraphs below the title."""
    trees: Sequence[Node] = ()
    tables: Sequence[Table] = ()

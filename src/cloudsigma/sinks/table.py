"""A table: time, level, rule, principal, resource and region of each match."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, cast

from cloudsigma.engine.match import Match
from cloudsigma.escaping import printable
from cloudsigma.sinks.interface import Sink
from cloudsigma.sinks.output import LineOutput

if TYPE_CHECKING:
    from rich.console import Console

_BATCH = 1000
"""Rows that are laid out together, so that memory is bounded."""
_COLUMNS = ("Time (UTC)", "Level", "Rule", "Principal", "Resource", "Region")
_NARROW = frozenset({"Time (UTC)", "Level", "Region"})
_SHORT = 20
"""Widest cell, in terminal columns, that is kept on one line."""
_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}
_WIDE = 130
"""Columns of a terminal that is wide enough for a table."""
_UNBOUNDED = 100_000
"""The width of output that is not a terminal: no value is wrapped or cut."""


class TableSink(Sink):
    """Draws a table: in color and as wide as the screen on a terminal (stacked on a narrow one), plain elsewhere."""

    def __init__(self, stream: LineOutput, *, terminal: bool) -> None:
        self._stream = stream
        self._terminal = terminal
        self._rows: list[tuple[str, ...]] = []

    def write(self, match: Match) -> None:
        """Hold one row until the batch is full."""
        context = match.context
        when = context.time.strftime("%Y-%m-%d %H:%M:%S") if context.time else "-"
        shown = (when, match.rule.level, match.rule.title, context.principal, context.resource, context.region)
        self._rows.append(tuple("-" if value is None else printable(str(value)) for value in shown))
        if len(self._rows) >= _BATCH:
            self.close()

    def flush(self) -> None:
        """Draw the rows that are held, and let them be seen."""
        self.close()
        self._stream.flush()

    def close(self) -> None:
        """Draw the rows that are held."""
        if not self._rows:
            return
        from rich.console import Console

        console = Console(
            file=cast("IO[str]", self._stream),
            force_terminal=self._terminal,
            width=None if self._terminal else _UNBOUNDED,
            highlight=False,
        )
        if console.width < _WIDE:
            self._draw_stacked(console)
        else:
            self._draw_table(console)
        self._rows.clear()

    def _draw_table(self, console: Console) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.cells import cell_len
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for at, name in enumerate(_COLUMNS):
            # Short columns stay on one line, unless a record has a long value there, which would push out the others.
            narrow = name in _NARROW and all(cell_len(row[at]) <= _SHORT for row in self._rows)
            table.add_column(name, overflow="fold", no_wrap=narrow or not self._terminal)
        for row in self._rows:
            style = _STYLES.get(row[1], "")
            table.add_row(*(Text(value, style=style if at == 1 else "") for at, value in enumerate(row)))
        console.print(table)

    def _draw_stacked(self, console: Console) -> None:
        """Three lines a match, where ARNs side by side would be cut into slivers."""
        from rich.text import Text

        for when, level, title, principal, resource, region in self._rows:
            line = Text.assemble(f"{when}  ", (f"{level:<8}", _STYLES.get(level, "")), f"  {region}\n")
            line.append(f"  {title}\n", style="bold")
            line.append(f"  by {principal}\n  on {resource}\n")
            console.print(line, soft_wrap=True)  # the terminal wraps, so that an ARN can be copied whole

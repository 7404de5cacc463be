"""A table for people that fits any width of terminal."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, cast

from cloudsigma.engine.match import Match
from cloudsigma.escaping import printable
from cloudsigma.scanning.outcome import ScanOutcome
from cloudsigma.sinks.interface import Sink
from cloudsigma.sinks.output import LineOutput
from cloudsigma.sinks.table_row import Row, make_row

if TYPE_CHECKING:
    from rich.text import Text

    from cloudsigma.sinks.table_layout import Layout, Line

_BATCH = 1000
"""Rows laid out together, which bounds memory; similar rows are folded only within a batch."""
_LEVEL_STYLES = {"CRIT": "bold red", "CRITICAL": "bold red", "HIGH": "red", "MEDIUM": "yellow", "LOW": "cyan"}
_OUTCOME_STYLES = {"DENIED": "bold magenta", "FAILED": "bold yellow", "ok": "green"}
_UNBOUNDED = 100_000


class TableSink(Sink):
    """Draws a table: colored and as wide as the screen on a terminal; elsewhere plain, with every value in full."""

    def __init__(
        self,
        stream: LineOutput,
        *,
        terminal: bool,
        wide: bool = False,
        show_approved: bool = False,
        color: bool | None = None,
    ) -> None:
        """Draw to a stream.

        Args:
            stream: The output.
            terminal: Whether a person reads it on a terminal.
            wide: Show every value in full, even on a terminal.
            show_approved: Show approved matches, too.
            color: Whether to use colors; `None`: on a terminal, unless NO_COLOR is set.
        """
        self._color = color
        self._stream = stream
        self._terminal = terminal
        self._wide = wide
        self._show_approved = show_approved
        self._rows: list[Row] = []
        self._accounts: set[str] = set()
        self._layout: Layout | None = None

    def write(self, match: Match) -> None:
        """Hold one row until the batch is full; approved matches are counted at the end."""
        if not self._show_approved and match.approval is not None and match.approval.approved:
            return
        row = make_row(match)
        self._rows.append(row)
        if len(self._accounts) < 2:
            self._accounts.add(row.account)
        if len(self._rows) >= _BATCH:
            self.close()

    def finish(self, outcome: ScanOutcome) -> None:
        """Draw the held rows, and the number of approved matches below them."""
        self.close()
        approvals = outcome.approvals
        if approvals is not None and approvals.approved:
            self._stream.write(f"{printable(str(approvals))}\n")

    def flush(self) -> None:
        """Draw the held rows and flush the output."""
        self.close()
        self._stream.flush()

    def close(self) -> None:
        """Draw the held rows."""
        if not self._rows:
            return
        from rich.console import Console

        from cloudsigma.sinks.table_layout import Layout

        console = Console(
            file=cast("IO[str]", self._stream),
            force_terminal=self._terminal if self._color is None else self._color,
            color_system="standard" if self._color and not self._terminal else "auto",
            no_color=None if self._color is None else not self._color,
            width=None if self._terminal else _UNBOUNDED,
            highlight=False,
        )
        if self._layout is None:
            self._layout = Layout(console.width if self._terminal and not self._wide else None)
        for line in self._layout.lines(self._rows, accounts=len(self._accounts) > 1):
            console.print(_text(line), soft_wrap=True)
        self._rows.clear()


def _text(line: Line) -> Text:
    from rich.text import Text

    text = Text(end="")
    for at, cell in enumerate(line):
        text.append((" " if at else "") + cell.text, style=_style(cell.style, cell.text))
    text.rstrip()
    return text


def _style(name: str, text: str) -> str:
    if name == "outcome":
        return _OUTCOME_STYLES.get(text.strip(), "")
    if name in {"title", "note"}:
        return "bold" if name == "title" else "italic"
    return _LEVEL_STYLES.get(text.strip(), "") if name == "level" else ""

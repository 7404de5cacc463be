"""The progress of a command on standard error: a bar on a terminal, and with `--verbose` a line for each stage.

A bar is shown only for work that takes a while. It never mixes with the output: on the same terminal, it is cleared
before each write, and at the end nothing of it is left.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cloudsigma.cli.screen import Screen, screen
from cloudsigma.reading.account.progress import Progress, Watcher

_PATIENCE = 1.0
"""Seconds before a bar appears, or reappears."""
_RECENT = 10.0
"""Seconds over which the rate is measured."""
_UPDATES = 0.1
"""Seconds between two updates."""
_UNITS = ("B", "kB", "MB", "GB", "TB")
_THINGS = {"listing": "files", "linking": "matches", "writing": "matches"}
"""Stage → the things that are counted in it; records are counted in all others."""


@contextmanager
def progress_bar(*, wanted: bool = True) -> Iterator[Bar | None]:
    """A bar, or `None` if nobody sees it: standard error is not a terminal, or the command is quiet."""
    chosen = screen()
    drawn = sys.stderr is not None and sys.stderr.isatty() and not chosen.quiet
    if not wanted or not (drawn or chosen.verbose):
        yield None
        return
    bar = Bar(chosen, drawn=drawn)
    try:
        yield bar
    finally:
        bar.close()


@contextmanager
def watching() -> Iterator[Watcher | None]:
    """The watcher of a reading that shows its progress; `None` if nobody sees it."""
    with progress_bar() as bar:
        yield bar.watcher if bar is not None else None


@contextmanager
def progress_line(text: str) -> Iterator[Callable[..., None] | None]:
    """Shows a line of numbers, or gives `None` if standard error is not a terminal.

    Args:
        text: The line, with a `{}` for each number that the function is called with.
    """
    error = sys.stderr
    if error is None or not error.isatty():
        yield None
        return
    updated = time.monotonic() + _PATIENCE - _UPDATES
    shown = False

    def show(*numbers: int) -> None:
        nonlocal updated, shown
        now = time.monotonic()
        if now - updated >= _UPDATES:
            updated, shown = now, True
            error.write("\r\x1b[2K" + text.format(*(f"{number:,}" for number in numbers)))
            error.flush()

    try:
        yield show
    finally:
        if shown:
            error.write("\r\x1b[2K")
            error.flush()


class Rate:
    """Things a second, over the last few seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque([(clock(), 0)])

    def note(self, count: int) -> float:
        """Take the number of things so far; gives the rate."""
        now = self._clock()
        self._seen.append((now, count))
        while len(self._seen) > 2 and now - self._seen[1][0] >= _RECENT:
            self._seen.popleft()
        since, before = self._seen[0]
        return (count - before) / (now - since) if now > since else 0.0


class Bar:
    """Shows the stage, its progress, rate and remaining time; imports rich only once the work has taken a while."""

    def __init__(self, chosen: Screen, *, drawn: bool) -> None:
        """`drawn`: whether standard error is a terminal."""
        self._screen = chosen
        self._drawn = drawn
        self._quiet_since = time.monotonic()
        self._updated = 0.0
        self._progress: Any = None
        self._task: Any = None
        self._stage = ""
        self._began = self._quiet_since
        self._counted = ""
        self._rate = Rate()

    @property
    def watcher(self) -> Watcher:
        """Calls this bar."""
        return Watcher(self.advance, self.stage)

    def stage(self, name: str, done: int, total: int | None) -> None:
        """Enter a stage, or take the progress within it."""
        if name != self._stage:
            self._enter(name)
        of = f"{done:,}/{total:,}" if total is not None else f"{done:,}"
        things = _THINGS.get(name, "records")
        self._show(done, things, done, total, f"{of} {things}" if done or total else "")

    def advance(self, state: Progress) -> None:
        """Take the progress of reading."""
        done = f"{state.files_done:,}/{state.files_total:,} files  {state.records:,} records"
        text = f"{_size(state.bytes_done, state.bytes_total)}  {done}"
        self._show(state.records, "records", state.bytes_done, state.bytes_total, text)

    def _enter(self, name: str) -> None:
        self._leave()
        self._stage, self._began, self._counted = name, time.monotonic(), ""
        self._rate = Rate()

    def _leave(self) -> None:
        if self._stage and self._screen.verbose:
            seconds = time.monotonic() - self._began
            self.hide()
            self._screen.tell(f"{self._stage}: {self._counted}{seconds:.2f} s")

    def _show(self, count: int, things: str, done: int, total: int | None, text: str) -> None:
        self._counted = f"{count:,} {things}, " if count else self._counted
        now = time.monotonic()
        if not self._drawn or now - self._updated < _UPDATES:
            return
        self._updated = now
        rate = self._rate.note(count)
        if self._progress is None:
            if now - self._quiet_since < _PATIENCE:
                return
            self._draw()
        self._progress.update(
            self._task,
            completed=done,
            total=total,
            stage=self._stage,
            text=text,
            rate=f"{rate:,.0f} {things}/s",
            refresh=True,
        )

    def _draw(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Drawing

        self._progress = Drawing(
            TextColumn("{task.fields[stage]}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[text]}"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True, no_color=self._screen.color is False or None),
            transient=True,
            auto_refresh=False,  # rich's refresh thread would draw into other output
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("", total=None, stage="", text="", rate="")
        self._progress.start()

    def hide(self) -> None:
        """Clear the bar off the screen; it comes back if the work goes on for a while."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            self._quiet_since = time.monotonic()

    def close(self) -> None:
        """Clear the bar, and report the last stage."""
        self.hide()
        self._leave()
        self._stage = ""


def _size(done: int, total: int | None) -> str:
    """Bytes in the unit of the larger number: `1.2/3.4 MB`."""
    power = min((len(str(total or done)) - 1) // 3, len(_UNITS) - 1)
    shown = [f"{count / 1000**power:.1f}" if power else str(count) for count in (done, total) if count is not None]
    return f"{'/'.join(shown)} {_UNITS[power]}"

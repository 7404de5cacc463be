"""A progress bar on standard error, on a terminal only, and only for work that takes a while.

It never mixes with the output: on the same terminal, the bar is cleared before each write.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_PATIENCE = 1.0
"""Seconds before a bar appears, or reappears."""
_RECENT = 10.0
"""Seconds over which the rate is measured."""
_UPDATES = 0.1
"""Seconds between two updates."""


@contextmanager
def progress_bar(*, wanted: bool = True) -> Iterator[Bar | None]:
    """A bar, or `None` if standard error is not a terminal."""
    if not wanted or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    bar = Bar()
    try:
        yield bar
    finally:
        bar.hide()


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
    """Records a second, over the last few seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque([(clock(), 0)])

    def note(self, records: int) -> float:
        """Take the number of records so far; gives the rate."""
        now = self._clock()
        self._seen.append((now, records))
        while len(self._seen) > 2 and now - self._seen[1][0] >= _RECENT:
            self._seen.popleft()
        since, before = self._seen[0]
        return (records - before) / (now - since) if now > since else 0.0


class Bar:
    """Shows the progress of a reading; loads rich only once the work has taken longer than `_PATIENCE`."""

    def __init__(self) -> None:
        self._quiet_since = time.monotonic()
        self._updated = 0.0
        self._rate = Rate()
        self._progress: Any = None
        self._task: Any = None

    def advance(self, state: Any) -> None:
        """Take a `cloudsigma.reading.Progress`."""
        now = time.monotonic()
        if now - self._updated < _UPDATES:
            return
        self._updated = now
        rate = self._rate.note(state.records)
        if self._progress is None:
            if now - self._quiet_since < _PATIENCE:
                return
            self._show()
        self._progress.update(
            self._task,
            completed=state.bytes_done,
            total=state.bytes_total,
            files=f"{state.files_done:,}/{state.files_total:,} files",
            records=f"{state.records:,} records",
            rate=f"{rate:,.0f} records/s",
            refresh=True,
        )

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            BarColumn(bar_width=20),
            DownloadColumn(),
            TextColumn("{task.fields[files]}"),
            TextColumn("{task.fields[records]}"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            auto_refresh=False,  # rich's refresh thread would draw into other output
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("reading", total=None, files="", records="", rate="")
        self._progress.start()

    def hide(self) -> None:
        """Clear the bar off the screen; it comes back if the work goes on for a while."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            self._quiet_since = time.monotonic()

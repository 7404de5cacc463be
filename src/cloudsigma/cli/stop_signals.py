"""Ctrl-C and SIGTERM: what is being done ends cleanly, and the exit code says which of them it was."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from cloudsigma.cli import exit_codes


class Terminated(KeyboardInterrupt):
    """SIGTERM: what Ctrl-C is for whoever is not at the keyboard."""


class StopSignals:
    """What has been asked for so far."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        """Set by the first signal, where that is only to end what is being done."""
        self.patient = False
        """Whether the first signal sets `stopping` and no more; the second always raises."""
        self.exit_code = exit_codes.INTERRUPTED
        """That of the latest signal."""

    def take(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  # as `signal` calls it
        """Take a signal."""
        terminated = number == signal.SIGTERM
        self.exit_code = exit_codes.TERMINATED if terminated else exit_codes.INTERRUPTED
        if self.patient and not self.stopping.is_set():
            self.stopping.set()
            return
        raise Terminated if terminated else KeyboardInterrupt


@contextmanager
def stop_signals() -> Iterator[StopSignals]:
    """Take the signals meanwhile; one that was ignored before stays so, as `nohup` and background jobs have it."""
    taken = StopSignals()
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) in {signal.default_int_handler, signal.SIG_DFL}:
                before[number] = signal.signal(number, taken.take)
    try:
        yield taken
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_code_of(error: BaseException) -> int:
    """The exit code after an interruption, which click wraps."""
    found = error.__cause__ if isinstance(error, click.Abort) else error
    return exit_codes.TERMINATED if isinstance(found, Terminated) else exit_codes.INTERRUPTED

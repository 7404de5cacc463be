"""Ctrl-C, SIGTERM and SIGHUP: what is being done ends cleanly, and the exit code says which of them it was.

The first signal raises, once, and everything is put in order on the way out: lines that were begun are finished, worker
processes are ended, the account is told. Others that come meanwhile do not break into that; where it takes more than a
second, they end the process.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

import click

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is not on Windows
_PATIENCE = 1.0
"""Seconds that putting things in order may take before a further signal ends the process."""
_AGAIN = 0.05
"""Seconds after which a signal is sent again that was raised where Python lets no exception out."""


class Stopped(KeyboardInterrupt):
    """What Ctrl-C is, for signals of whoever is not at the keyboard."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class StopSignals:
    """What has been asked for so far."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        """Set by the first signal, where that is only to end what is being done."""
        self.patient = False
        """Whether the first signal sets `stopping` and no more; the second always raises."""
        self.exit_code = 128 + signal.SIGINT
        """That of the latest signal."""
        self.raised: float | None = None
        """When a signal raised."""
        self.closed = False
        """Whether everything is in order, and there is nothing left that could be broken off."""

    def take(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  # as `signal` calls it
        """Take a signal."""
        self.exit_code = 128 + number
        if self.closed:
            os._exit(self.exit_code)
        if self.raised is not None:
            if time.monotonic() - self.raised > _PATIENCE:
                os._exit(self.exit_code)
            return
        if self.patient and not self.stopping.is_set():
            self.stopping.set()
            return
        self.raised = time.monotonic()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Stopped(number)

    def take_lost(self, told: Any, otherwise: Callable[[Any], object]) -> None:
        """Take an exception that Python lets out nowhere: if it is ours, the signal comes once more, elsewhere."""
        if not issubclass(told.exc_type, KeyboardInterrupt):
            otherwise(told)
            return
        self.raised = None
        again = threading.Timer(_AGAIN, os.kill, (os.getpid(), self.exit_code - 128))
        again.daemon = True
        again.start()


_kept: dict[signal.Signals, Any] = {}
"""Handlers from before, of signals that are still taken after an interruption."""


@contextmanager
def stop_signals() -> Iterator[StopSignals]:
    """Take the signals meanwhile; one that was ignored before stays so, as `nohup` and background jobs have it.

    After an interruption they are taken on, until `release_signals`: the next ends the process.
    """
    taken = StopSignals()
    before: dict[signal.Signals, Any] = {}
    hook = sys.unraisablehook
    if threading.current_thread() is threading.main_thread():
        for number in (signal.Signals[name] for name in _NAMES if hasattr(signal, name)):
            if signal.getsignal(number) in {signal.default_int_handler, signal.SIG_DFL}:
                before[number] = signal.signal(number, taken.take)
        sys.unraisablehook = lambda told: taken.take_lost(told, hook)
    try:
        yield taken
    finally:
        taken.closed = True
        sys.unraisablehook = hook
        if taken.raised is None:
            _restore(before)
        else:
            _kept.update(before)


def release_signals() -> None:
    """Give the signals back to whoever had them before."""
    _restore(_kept)
    _kept.clear()


def leave(code: int) -> NoReturn:
    """End the process after an interruption: no signal breaks into that, and requests on their way are not awaited."""
    for name in _NAMES:
        if hasattr(signal, name):
            signal.signal(signal.Signals[name], signal.SIG_IGN)
    atexit._run_exitfuncs()  # noqa: SLF001  # what would be done without the waiting for threads, which has no other name
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # nobody is there any more, or it was closed
            stream.flush()
    os._exit(code)


def _restore(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def exit_code_of(error: BaseException) -> int:
    """The exit code after an interruption, which click wraps."""
    found = error.__cause__ if isinstance(error, click.Abort) else error
    return 128 + (found.number if isinstance(found, Stopped) else signal.SIGINT)

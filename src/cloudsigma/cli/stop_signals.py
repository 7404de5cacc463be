"""Ctrl-C, SIGTERM and SIGHUP end a command cleanly, and the exit code says which signal it was.

The first signal raises, once, and the stack unwinds: lines in progress are finished, workers are stopped, the summary
is written. Further signals do not interrupt that, unless it takes more than a second: then they end the process.
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
"""Seconds that the cleanup may take before a further signal ends the process."""
_AGAIN = 0.05
"""Seconds after which a signal is resent that was raised where Python swallows exceptions."""


class Stopped(KeyboardInterrupt):
    """Raised for SIGTERM and SIGHUP; handled like Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class StopSignals:
    """The signals so far."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        """Set by the first signal, if `patient`."""
        self.patient = False
        """Whether the first signal sets `stopping` and no more; the second always raises."""
        self.exit_code = 128 + signal.SIGINT
        """The number of the latest signal."""
        self.raised: float | None = None
        """The time at which a signal raised."""
        self.closed = False
        """Whether the cleanup is done, so that the process can end at once."""

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
        """Resend the signal: an exception in `__del__` is swallowed."""
        if not issubclass(told.exc_type, KeyboardInterrupt):
            otherwise(told)
            return
        self.raised = None
        again = threading.Timer(_AGAIN, os.kill, (os.getpid(), self.exit_code - 128))
        again.daemon = True
        again.start()


_kept: dict[signal.Signals, Any] = {}
"""The previous handlers of signals that are still handled after an interruption."""


@contextmanager
def stop_signals() -> Iterator[StopSignals]:
    """Handle the signals in this context; one that was ignored before stays ignored, as under `nohup`.

    After an interruption they are handled until `release_signals`: the next one ends the process.
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
    """Restore the previous handlers."""
    _restore(_kept)
    _kept.clear()


def leave(code: int) -> NoReturn:
    """End the process after an interruption, without waiting for threads; no signal interrupts that."""
    for name in _NAMES:
        if hasattr(signal, name):
            signal.signal(signal.Signals[name], signal.SIG_IGN)
    atexit._run_exitfuncs()  # noqa: SLF001  # as the interpreter does, but without waiting for threads
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # the reader has gone, or it is closed
            stream.flush()
    os._exit(code)


def _restore(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def exit_code_of(error: BaseException) -> int:
    """The exit code after an interruption, which click wraps."""
    found = error.__cause__ if isinstance(error, click.Abort) else error
    return 128 + (found.number if isinstance(found, Stopped) else signal.SIGINT)

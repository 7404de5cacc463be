"""Asking again: how often, and how long to wait between, the same for every client and request.

The waits grow twofold and are drawn at random between nothing and that (full jitter), so that many threads that were
told to slow down do not all come back at once.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import TypeVar

import msgspec

from cloudsigma.reading.sources.s3.object_store import Fault

_log = logging.getLogger("cloudsigma")
_Result = TypeVar("_Result")


class Patience(msgspec.Struct, frozen=True):
    """How long S3 is asked for one thing."""

    attempts: int = 8
    """Requests at most, the first included."""
    first_wait: float = 0.2
    """Seconds that the first wait may last."""
    longest_wait: float = 20.0
    """Seconds that no wait exceeds."""


class Retry:
    """Makes attempts until one succeeds, the patience ends, or `stop` is called; from several threads."""

    def __init__(
        self,
        patience: Patience,
        *,
        wait: Callable[[float], object] | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._patience = patience
        self._stopped = threading.Event()
        self._wait = wait or self._stopped.wait
        self._draw = draw

    def stop(self) -> None:
        """Let no attempt follow another any more: nobody needs the results."""
        self._stopped.set()

    def __call__(self, attempt: Callable[[], _Result], name: str) -> _Result:
        """What an attempt gives; raises the `Fault` of the last one. `name` is for the log."""
        wait = self._patience.first_wait
        for number in range(1, self._patience.attempts + 1):
            try:
                return attempt()
            except Fault as fault:
                if fault.kind != "transient" or number == self._patience.attempts or self._stopped.is_set():
                    raise
                pause = self._draw() * min(wait, self._patience.longest_wait)
                _log.debug("%s: %s at attempt %d; again in %.2f s", name, fault.said, number, pause)
                self._wait(pause)
                wait *= 2
        raise AssertionError("there is at least one attempt")

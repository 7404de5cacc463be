"""Retries requests with exponential backoff, for all clients.

The longest wait doubles with each attempt, and the wait is drawn at random below it (full jitter), so that throttled
threads do not all retry at the same time.
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
    """Bounds on the attempts of one request."""

    attempts: int = 8
    """Most attempts, including the first."""
    first_wait: float = 0.2
    """Longest first wait, in seconds."""
    longest_wait: float = 20.0
    """Longest wait of all, in seconds."""


class Retry:
    """Makes attempts until one succeeds, their number is reached, or `stop` is called. Thread-safe."""

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
        """Stop retrying, since the results are no longer needed."""
        self._stopped.set()

    def __call__(self, attempt: Callable[[], _Result], name: str) -> _Result:
        """Return the result of the first successful attempt, else raise the last `Fault`. `name` is for the log."""
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

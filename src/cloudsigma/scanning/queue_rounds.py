"""The rounds of a scan that reads a queue: receive, read, write and save, then settle the messages."""

from __future__ import annotations

import time

from cloudsigma.reading.sources.register import Register
from cloudsigma.reading.sources.sqs.location import QueueLocation
from cloudsigma.reading.sources.sqs.message_queue import MessageQueue
from cloudsigma.scanning.config import Follow

KEPT = 30 * 86_400.0
"""Seconds for which a file is remembered: 14 days in the queue, 14 among the dead letters, and some."""
_FORGET_EVERY = 3600.0


class QueueRounds:
    """The queue of a scan, and the end of each round.

    Raises:
        CloudSigmaError: The queue does not exist, or may not be received from.
    """

    def __init__(self, location: QueueLocation, follow: Follow, register: Register) -> None:
        """`register`: the files that were read."""
        self.messages = MessageQueue(location, follow.queue)
        self._follow = follow
        self._options = follow.queue
        self._register = register
        self._forgets_at = 0.0

    @property
    def is_drained(self) -> bool:
        """Whether the last poll found nothing, and no message is in work or put back."""
        return self.messages.is_drained

    @property
    def idle(self) -> float:
        """Seconds without messages that count as time passed; 0 unless that was asked for."""
        return self.messages.idle if self._options.idle_close else 0.0

    def end_round(self) -> bool:
        """Settle the messages of a round, which must be saved; returns whether it was the last."""
        stop = self._follow.stop
        self.messages.settle(self._register.named_state, stopping=stop.is_set())
        if time.monotonic() >= self._forgets_at:
            self._register.forget(KEPT)
            self._forgets_at = time.monotonic() + _FORGET_EVERY
        waits = self._options.idle_close and self.idle <= self._follow.lateness.total_seconds()
        return stop.is_set() or (self._options.once and self.is_drained and not waits)

    def close(self) -> None:
        """Stop receiving; messages in work become visible at once."""
        self.messages.close()

"""Keeps messages invisible while they are in work, by a thread that extends their visibility at half time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable

from cloudsigma.reading.sources.s3.object_store import Fault
from cloudsigma.reading.sources.sqs.client import GONE, Message, QueueClient

_log = logging.getLogger("cloudsigma")

LONGEST = 11 * 3600.0
"""Seconds after a receive up to which visibility is extended; SQS allows 12 hours in all."""


class InWork:
    """The messages in work; used from two threads.

    Args:
        client: The queue.
        visibility: Seconds for which a received message is hidden.
    """

    def __init__(self, client: QueueClient, visibility: float) -> None:
        self._client = client
        self._visibility = visibility
        self._messages: dict[str, tuple[Message, float]] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, messages: Iterable[Message]) -> None:
        """Begin work on received messages."""
        now = time.monotonic()
        with self._lock:
            self._messages.update((message.id, (message, now)) for message in messages)
        if self._thread is None:
            self._thread = threading.Thread(target=self._extend_regularly, name="cloudsigma-visibility", daemon=True)
            self._thread.start()

    def remove(self, messages: Iterable[Message]) -> None:
        """End work on messages."""
        with self._lock:
            for message in messages:
                self._messages.pop(message.id, None)

    def close(self) -> None:
        """Stop extending."""
        self._ended.set()

    def _extend_regularly(self) -> None:
        while not self._ended.wait(max(self._visibility / 2, 0.5)):
            self.extend()

    def extend(self) -> None:
        """Hide the messages for another visibility timeout."""
        now = time.monotonic()
        with self._lock:
            messages = [message for message, since in self._messages.values() if now - since < LONGEST]
        if not messages:
            return
        try:
            failed = self._client.set_visibility(messages, self._visibility)
        except Fault as fault:
            _log.warning("the visibility of messages in work cannot be extended (%s); they may come again", fault.said)
            return
        gone = [message for message in messages if failed.get(message.id) == GONE]
        if gone:
            _log.warning("%d messages in work have become visible again; they will come again", len(gone))
            self.remove(gone)

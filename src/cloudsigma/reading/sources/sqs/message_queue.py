"""Receives messages as sources, and decides for each what becomes of it once its files are read.

A message is deleted when the files that it names are read and their matches are written. If a file cannot be read now,
the message is put back for a while. A message with something that never can be read is left to the queue's redrive
policy or, without one, written to a file of dead messages.
"""

from __future__ import annotations

import json
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue

from cloudsigma.errors import CloudSigmaError
from cloudsigma.reading.sources.interface import Source
from cloudsigma.reading.sources.register import NamedState
from cloudsigma.reading.sources.s3.key_layout import Location
from cloudsigma.reading.sources.s3.object_store import Fault
from cloudsigma.reading.sources.sqs.client import BATCH, GONE, Message, QueueClient
from cloudsigma.reading.sources.sqs.in_work import InWork
from cloudsigma.reading.sources.sqs.location import QueueLocation
from cloudsigma.reading.sources.sqs.options import MessageCounts, QueueOptions
from cloudsigma.reading.sources.value import ContentSource

_log = logging.getLogger("cloudsigma")

DEAD_AFTER = 5
"""Without a redrive policy, receives after which a message that cannot be read is written to the dead messages."""
_FIRST_PAUSE, _LONGEST_PAUSE = 60.0, 900.0
"""Seconds for which a message is put back: the first time, and at most."""
_LONGEST_FAULT = 60.0
"""Longest wait in seconds after a failed receive."""
_COUNT_EVERY = 60.0
"""Seconds between two looks at the number of messages in the queue."""
_SLICE = 0.2
"""Seconds between two looks at the stop event during a long poll."""


class MessageSource(ContentSource):
    """The body of a message."""

    def __init__(self, queue: QueueLocation, message: Message) -> None:
        """`message` is one received from `queue`."""
        super().__init__(f"{queue}/{message.id}", message.body.encode(errors="surrogatepass"))
        self.message = message
        self.names: tuple[str, ...] = ()
        """The URLs of the files that it names, once it is read."""
        self.damaged = False
        """Whether it cannot be read, at least in part."""
        self.is_read = False


class MessageQueue:
    """The messages of one queue.

    Raises:
        CloudSigmaError: The queue does not exist, or may not be received from.
    """

    def __init__(
        self,
        location: QueueLocation,
        options: QueueOptions | None = None,
        *,
        client: QueueClient | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.location = location
        self.options = options or QueueOptions()
        try:
            self._client = client or QueueClient(location)
            facts = self._client.facts()
        except Fault as fault:
            raise CloudSigmaError(f"the queue {location} cannot be used: {queue_reason(fault)}") from None
        self._redrives = facts.redrives
        if not self._redrives and self.options.dead is None:
            _log.warning(
                "%s has no redrive policy: messages that cannot be read come again until they expire; give it one, or "
                "--dead FILE",
                location,
            )
        self._in_work = InWork(self._client, facts.visibility)
        self._draw = draw
        self._sources: list[MessageSource] = []
        self._polled: SimpleQueue[list[Message] | Fault] = SimpleQueue()
        self._polling = False
        self._stopped = False
        self._waiting: dict[str, float] = {}
        """Messages that were put back, and when they become visible again."""
        self._faults = 0
        self.is_drained = False
        """Whether the last poll found nothing, and no message is in work or put back."""
        self._empty_since: float | None = None
        self.counts = MessageCounts(waiting=facts.waiting, in_flight=facts.in_flight)
        """What became of the messages."""
        self._counted_at = time.monotonic()
        self.received_at = time.monotonic()
        """When the last poll ended."""
        self.has_received = False
        """Whether the last poll succeeded, with or without messages."""

    @property
    def idle(self) -> float:
        """Seconds for which the queue has been drained."""
        return time.monotonic() - self._empty_since if self.is_drained and self._empty_since is not None else 0.0

    # --- receiving --------------------------------------------------------------------------------------------

    def receive(self, stop: threading.Event) -> Iterator[MessageSource]:
        """The messages of one long poll; none if the queue is empty or `stop` is set."""
        self._sources = []
        messages = self._poll(stop)
        self.received_at = time.monotonic()
        self.counts.received += len(messages)
        for message in messages:
            self._waiting.pop(message.id, None)
        self._in_work.add(messages)
        self._sources = [MessageSource(self.location, message) for message in messages]
        self._note_drained()
        yield from self._sources

    def _note_drained(self) -> None:
        now = time.monotonic()
        self._waiting = {name: when for name, when in self._waiting.items() if when > now - _LONGEST_PAUSE}
        self.is_drained = not self._sources and not self._waiting and not self._faults
        if not self.is_drained:
            self._empty_since = None
        elif self._empty_since is None:
            self._empty_since = now

    def _poll(self, stop: threading.Event) -> list[Message]:
        """The messages of one request, which runs in a thread: a stop need not wait for it."""
        if not self._polling:
            self._polling = True
            threading.Thread(target=self._ask, name="cloudsigma-poll", daemon=True).start()
        while not stop.is_set():
            try:
                answer = self._polled.get(timeout=_SLICE)
            except Empty:
                continue
            self._polling = False
            if not isinstance(answer, Fault):
                self._faults, self.has_received = 0, True
                return answer
            self._faults, self.has_received = self._faults + 1, False
            if self._faults == 1:
                _log.warning("%s cannot be received from: %s; it is tried again", self.location, queue_reason(answer))
            stop.wait(min(self._pause(self._faults) / 10, _LONGEST_FAULT))
            return []
        return []

    def _ask(self) -> None:
        try:
            messages = self._client.receive(BATCH, self.options.poll)
            if time.monotonic() - self._counted_at >= _COUNT_EVERY:
                self._count()
        except Fault as fault:
            self._polled.put(fault)
            return
        if self._stopped:  # nobody waits for them any more
            self._put_back(messages, 0)
        else:
            self._polled.put(messages)

    def _count(self) -> None:
        self._counted_at = time.monotonic()
        try:
            facts = self._client.facts()
        except Fault:  # the next receive reports lasting ones
            self.counts.waiting = self.counts.in_flight = None
            return
        self.counts.waiting, self.counts.in_flight = facts.waiting, facts.in_flight

    def note_read(self, source: Source, references: Sequence[tuple[str, str]], *, damaged: bool) -> None:
        """Note that a message has been read: bucket and key of each file that it names, and whether it is damaged."""
        if isinstance(source, MessageSource):
            source.names = tuple(str(Location(bucket, key)) for bucket, key in references)
            source.damaged, source.is_read = damaged, True

    # --- settling ---------------------------------------------------------------------------------------------

    def settle(self, state_of: Callable[[str], NamedState], *, stopping: bool) -> None:
        """Delete, put back or leave the messages of the last `receive`; all that came of them must be saved.

        `state_of` returns what became of a named file, given its URL. When `stopping`, messages that wait are put back
        at once, for another consumer.
        """
        done: list[Message] = []
        for source in self._sources:
            message = source.message
            states = {state_of(name) for name in source.names}
            if not source.is_read:
                self._put_back([message], 0)
            elif "waits" in states:
                self._put_back([message], 0 if stopping else self._pause(message.receives))
            elif source.damaged or "damaged" in states:
                if self._is_dead(source):
                    done.append(message)
            else:
                done.append(message)
        self._delete(done)
        self._in_work.remove(source.message for source in self._sources)
        self._sources = []

    def _pause(self, times: int) -> float:
        longest: float = min(_FIRST_PAUSE * 2.0 ** min(times - 1, 10), _LONGEST_PAUSE)
        return longest * (0.75 + 0.25 * self._draw())

    def _put_back(self, messages: Sequence[Message], seconds: float) -> None:
        self._in_work.remove(messages)
        self.counts.returned += len(messages)
        now = time.monotonic()
        self._waiting.update((message.id, now + seconds) for message in messages)
        try:
            self._client.set_visibility(messages, seconds)
        except Fault as fault:  # they become visible when their time ends
            _log.warning("messages cannot be put back (%s)", fault.said)

    def _is_dead(self, source: MessageSource) -> bool:
        """Whether a message that cannot be read is kept in the file of dead messages, and can be deleted."""
        if self._redrives or self.options.dead is None or source.message.receives < DEAD_AFTER:
            return False
        line = {
            "queue": str(self.location),
            "message_id": source.message.id,
            "receives": source.message.receives,
            "reason": "the message" if source.damaged else "a file that it names",
            "body": source.message.body,
        }
        try:
            with self.options.dead.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            _log.warning("%s cannot be written (%s); the message comes again", self.options.dead, error.strerror)
            return False
        self.counts.dead += 1
        return True

    def _delete(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        try:
            failed = self._client.delete(messages)
        except Fault as fault:  # they come again, and their files are known to be read
            _log.warning("messages cannot be deleted (%s); they come again", fault.said)
            return
        self.counts.deleted += len(messages) - len(failed)
        lasting = [code for code in failed.values() if code != GONE]
        if lasting:
            _log.warning("%d messages were not deleted (%s); they come again", len(lasting), lasting[0])

    def close(self) -> None:
        """Stop receiving; messages in work become visible at once."""
        self._stopped = True
        rest = [source.message for source in self._sources]
        self._sources = []
        try:
            while True:
                answer = self._polled.get_nowait()
                rest += answer if not isinstance(answer, Fault) else []
        except Empty:
            pass
        if rest:
            self._put_back(rest, 0)
        self._in_work.close()


def queue_reason(fault: Fault) -> str:
    """Why a queue cannot be used, and what to do."""
    if "NonExistentQueue" in fault.said or "QueueDoesNotExist" in fault.said:
        return f"there is no such queue ({fault.said}); check the name, AWS_PROFILE and AWS_REGION"
    match fault.kind:
        case "denied":
            return (
                f"access is denied ({fault.said}); sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility, "
                "sqs:GetQueueAttributes and, for sqs://NAME, sqs:GetQueueUrl are needed"
            )
        case "kms":
            return f"it is encrypted with a KMS key that may not be used ({fault.said}); kms:Decrypt is needed"
        case "credentials":
            return f"the AWS credentials cannot be used ({fault.said}); sign in, or set AWS_PROFILE"
        case _:
            return fault.said

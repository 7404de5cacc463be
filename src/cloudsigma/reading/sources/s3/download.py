"""Fetches objects ahead of their reader: in parallel, in reading order, in bounded memory.

A truncated or corrupted response is requested again as a whole. Large objects are not held in memory: they are read in
parts, and each part is retried separately.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
import weakref
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from cloudsigma.reading.sources.s3.object_store import Body, Fault, ObjectStore, reason
from cloudsigma.reading.sources.s3.options import S3Options
from cloudsigma.reading.sources.s3.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_AHEAD = 4
"""Most objects fetched ahead for each thread; more would only occupy memory."""
_NO_BYTES = "InvalidRange"
"""The error code for a range request on an empty object."""


def fetch_whole(store: ObjectStore, key: str, retry: Retry) -> bytes:
    """Fetch an object with retries; raises `Fault`."""

    def attempt() -> bytes:
        body = store.fetch(key)
        _verify(body)
        return body.data

    return retry(attempt, f"s3://{store.bucket}/{key}")


def fetch_unlisted(store: ObjectStore, key: str, retry: Retry, most: int) -> bytes | None:
    """Fetch an object of unknown size; `None` if it has more than `most` bytes. Raises `Fault`."""

    def attempt() -> bytes | None:
        body = store.fetch(key, span=(0, most))
        _verify(body)
        return body.data if len(body.data) == body.size else None

    try:
        return retry(attempt, f"s3://{store.bucket}/{key}")
    except Fault as fault:
        if fault.said == _NO_BYTES:
            return b""
        raise


def _verify(body: Body) -> None:
    if body.md5 is not None and hashlib.md5(body.data, usedforsecurity=False).hexdigest() != body.md5:
        raise Fault("transient", "the content was corrupted in transit")


class PartStream(io.RawIOBase):
    """Reads an object in parts, on demand; all parts are of the same version."""

    def __init__(self, store: ObjectStore, key: str, retry: Retry, part: int) -> None:
        self._store = store
        self._key = key
        self._retry = retry
        self._part = part
        self.size = 0
        """Size of the whole object in bytes."""
        self._etag: str | None = None
        self._at = 0
        self._held = memoryview(b"")
        self._held = self._next()  # so that opening fails if reading would

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the type that callers pass
        """Fill a buffer; raises `OSError` if a part cannot be fetched."""
        if not self._held and self._at < self.size:
            try:
                self._held = self._next()
            except Fault as fault:
                raise OSError(reason(fault, "read")) from None
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def _next(self) -> memoryview:
        span = (self._at, self._at + self._part)
        name = f"s3://{self._store.bucket}/{self._key}"
        try:
            body = self._retry(lambda: self._store.fetch(self._key, span=span, etag=self._etag), name)
        except Fault as fault:
            if fault.said == _NO_BYTES and not self._at:
                return memoryview(b"")
            raise
        if not body.data and self._at < body.size:
            raise Fault("other", "a part of it was empty")
        self._etag, self.size = body.etag, body.size
        self._at += len(body.data)
        return memoryview(body.data)


class Ticket:
    """An object offered for fetching, and later its content."""

    def __init__(self, key: str, size: int, *, listed: bool) -> None:
        self.key = key
        self.size = size
        """Bytes of memory reserved for it."""
        self.listed = listed
        """Whether a listing gave this size."""
        self.future: Future[bytes | None] | None = None
        self.done = False
        """Whether its reader no longer needs it."""

    @property
    def started(self) -> bool:
        """Whether fetching has started or finished."""
        return self.future is not None


class ReadAhead:
    """Fetches objects in the order in which they are offered, within a bound on memory."""

    def __init__(self, store: ObjectStore, options: S3Options, retry: Retry) -> None:
        self.process = os.getpid()
        """The process that owns its threads."""
        self.store = store
        self.retry = retry
        self._options = options
        self._pool = ThreadPoolExecutor(options.threads, thread_name_prefix="cloudsigma-s3-get")
        self._lock = threading.Lock()
        self._waiting: deque[Ticket] = deque()
        self._abandoned: deque[Ticket] = deque()
        self._objects = 0
        self._bytes = 0
        weakref.finalize(self, _end, self._pool, retry, store.close)

    @property
    def full(self) -> bool:
        """Whether the next offered object would have to wait."""
        self._top_up()
        return bool(self._waiting)

    def offer(self, key: str, size: int | None) -> Ticket:
        """Offer an object for fetching; `size` is in bytes, `None` if unknown."""
        ticket = Ticket(key, self._options.unlisted if size is None else size, listed=size is not None)
        with self._lock:
            self._waiting.append(ticket)
        self._top_up()
        return ticket

    def take(self, ticket: Ticket) -> bytes | None:
        """Wait for an object; `None` if it has proved to be large. Raises `Fault`."""
        with self._lock:
            if ticket.future is None:  # taken out of order: fetch it now
                self._start(ticket)
            future = ticket.future
        assert future is not None  # noqa: S101  # for the type checker
        try:
            return future.result()
        finally:
            del future  # breaks the reference cycle of fault, traceback and frame

    def release(self, ticket: Ticket) -> None:
        """Free the memory of an object that has been taken."""
        with self._lock:
            self._forget(ticket)
        self._top_up()

    def abandon(self, ticket: Ticket) -> None:
        """Cancel an object that nobody will take. The garbage collector may call this, so it takes no lock."""
        self._abandoned.append(ticket)

    def _forget(self, ticket: Ticket) -> None:
        if ticket.future is not None and not ticket.done:
            self._objects -= 1
            self._bytes -= ticket.size
        ticket.done = True
        ticket.future = None

    def _top_up(self) -> None:
        with self._lock:
            while self._abandoned:
                self._forget(self._abandoned.popleft())
            while self._waiting:
                ticket = self._waiting[0]
                if ticket.future is None and not ticket.done:
                    room = self._bytes + ticket.size <= self._options.ahead or not self._objects
                    if not room or self._objects >= _MOST_AHEAD * self._options.threads:
                        return
                    self._start(ticket)
                self._waiting.popleft()

    def _start(self, ticket: Ticket) -> None:
        self._objects += 1
        self._bytes += ticket.size
        # Pass no reference to `self`: the threads must not keep it alive.
        ticket.future = (
            self._pool.submit(fetch_whole, self.store, ticket.key, self.retry)
            if ticket.listed
            else self._pool.submit(fetch_unlisted, self.store, ticket.key, self.retry, ticket.size)
        )


def _end(pool: ThreadPoolExecutor, retry: Retry, close: Callable[[], None]) -> None:
    retry.stop()
    pool.shutdown(wait=False, cancel_futures=True)
    close()

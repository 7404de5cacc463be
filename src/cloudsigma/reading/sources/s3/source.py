"""S3 objects as sources of records."""

from __future__ import annotations

import io
import os
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, BinaryIO, cast

from cloudsigma.reading.account.ledger import Recorder
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.sources.interface import Source, Unreadable
from cloudsigma.reading.sources.s3 import options as chosen
from cloudsigma.reading.sources.s3.clients import open_store, shared_store
from cloudsigma.reading.sources.s3.download import PartStream, ReadAhead, Ticket, fetch_whole
from cloudsigma.reading.sources.s3.key_layout import Location, parse_location
from cloudsigma.reading.sources.s3.listing import Listing
from cloudsigma.reading.sources.s3.object_store import Fault, ListedObject, ObjectStore, failure_kind, reason
from cloudsigma.reading.sources.s3.options import S3Options
from cloudsigma.reading.sources.s3.retry import Retry

_BUCKETS = 8
"""Most buckets from which named objects are fetched at the same time; the names come from untrusted data."""
_NAMED_AHEAD = 4
"""Most named objects fetched ahead, for each thread."""


class S3Source(Source):
    """One object.

    If it has been fetched or is being fetched, it pickles with its bytes. Else it pickles as its name, and the
    receiving process fetches it ahead with its own client; that process should be spawned, not forked.
    """

    def __init__(
        self, bucket: str, listed: ListedObject, options: S3Options, outcome: bytes | Unreadable | None = None
    ) -> None:
        """`outcome`: the result of fetching it in another process."""
        self.bucket = bucket
        self.listed = listed
        self.options = options
        self.name = str(Location(bucket, listed.key))
        self.size = listed.size
        self.version = listed.etag
        self._outcome = outcome
        self._ahead: ReadAhead | None = None
        self._ticket: Ticket | None = None

    def fetch_ahead(self, ahead: ReadAhead) -> None:
        """Fetch it ahead, unless it is known to be large."""
        self._ahead = ahead
        if self.listed.size is None or self.listed.size < self.options.streamed:
            self._ticket = ahead.offer(self.listed.key, self.listed.size)
            weakref.finalize(self, ahead.abandon, self._ticket).atexit = False  # in case nobody reads it

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open its bytes; raises `Unreadable`, and `OSError` if a later part of a large object fails."""
        ahead = self._ahead if self._ahead is not None and self._ahead.process == os.getpid() else None
        ticket = self._ticket
        if isinstance(self._outcome, Unreadable):
            raise self._outcome
        try:
            try:
                if self._outcome is not None:
                    stream: BinaryIO = io.BytesIO(self._outcome)
                elif (
                    ahead is not None
                    and ticket is not None
                    and not ticket.done
                    and (content := ahead.take(ticket)) is not None
                ):
                    stream = io.BytesIO(content)
                elif ahead is not None:
                    stream = self._opened(ahead.store, ahead.retry)
                else:
                    stream = self._opened(shared_store(self.bucket, self.options), Retry(self.options.patience))
            except Fault as fault:
                raise self._unreadable(fault) from None
            yield stream
        finally:
            if ahead is not None and ticket is not None:
                ahead.release(ticket)

    def read_whole(self, stream: BinaryIO, most: int) -> bytes | None:
        """All bytes of the object, unless it is too large."""
        if isinstance(stream, io.BytesIO):
            size: int | None = stream.getbuffer().nbytes
        else:
            parts = stream.raw if isinstance(stream, io.BufferedReader) else None
            size = parts.size if isinstance(parts, PartStream) else None
        return stream.read() if size is not None and size < most else None

    def _opened(self, store: ObjectStore, retry: Retry) -> BinaryIO:
        if self.listed.size is not None and self.listed.size < self.options.streamed:
            return io.BytesIO(fetch_whole(store, self.listed.key, retry))
        parts = PartStream(store, self.listed.key, retry, self.options.part)
        return cast("BinaryIO", io.BufferedReader(parts, 1 << 20))

    def _unreadable(self, fault: Fault) -> Unreadable:
        return Unreadable(self.name, f"it cannot be read: {reason(fault, 'read')}", failure_kind(fault))

    def __reduce__(self) -> tuple[Any, ...]:
        outcome, ahead, ticket = self._outcome, self._ahead, self._ticket
        if ahead is not None and ticket is not None and ahead.process == os.getpid():
            if ticket.started:
                try:
                    outcome = ahead.take(ticket)
                except Fault as fault:
                    outcome = self._unreadable(fault)
            ahead.release(ticket)
        return object_ahead, (self.bucket, self.listed, self.options, outcome)


def object_ahead(
    bucket: str, listed: ListedObject, options: S3Options, outcome: bytes | Unreadable | None = None
) -> S3Source:
    """A listed object, fetched ahead with those before it; `outcome`: the result of fetching it in another process."""
    source = S3Source(bucket, listed, options, outcome)
    if outcome is None:
        with suppress(Fault):  # opening it will raise
            source.fetch_ahead(_shared_ahead(bucket, options, os.getpid()))
    return source


@lru_cache(maxsize=16)
def _shared_ahead(bucket: str, options: S3Options, process: int) -> ReadAhead:  # noqa: ARG001  # the key of the cache
    return ReadAhead(shared_store(bucket, options), options, Retry(options.patience))


class OpenBuckets:
    """The clients and threads of the buckets used last, for several calls of `named_objects`.

    A client takes a quarter of a second of computing to make, and then keeps its connections. It finds region and
    credentials once; drop it to find them again.
    """

    def __init__(self) -> None:
        self._opened: OrderedDict[str, ReadAhead] = OrderedDict()

    def ahead(self, bucket: str, options: S3Options) -> ReadAhead:
        """What fetches the objects of a bucket in this process; raises `Fault` if no client can be made."""
        ahead = self._opened.get(bucket)
        if ahead is None or ahead.process != os.getpid():
            store = open_store(bucket, options)
            ahead = self._opened[bucket] = ReadAhead(store, options, Retry(options.patience))
        self._opened.move_to_end(bucket)
        if len(self._opened) > _BUCKETS:
            self._opened.popitem(last=False)
        return ahead

    def drop(self, bucket: str) -> None:
        """Drop the client of a bucket; it closes once its sources have been read."""
        self._opened.pop(bucket, None)

    def close(self) -> None:
        """Drop all clients."""
        self._opened.clear()


def named_objects(
    urls: Iterable[str],
    options: S3Options | None = None,
    *,
    wanted: Callable[[Source], bool] | None = None,
    buckets: OpenBuckets | None = None,
) -> Iterator[Source]:
    """The objects with the given names (`s3://bucket/key`), in this order, fetched ahead.

    For an object that cannot be fetched, `open` raises the reason. `buckets` keeps the clients for the next call.
    """
    options, buckets = options or chosen.DEFAULT, buckets or OpenBuckets()
    ready: deque[Source] = deque()
    for url in urls:
        location = parse_location(url)
        source = S3Source(location.bucket, ListedObject(location.prefix, None), options)
        if wanted is not None and not wanted(source):
            continue
        ready.append(source)
        full = len(ready) >= options.threads * _NAMED_AHEAD
        with suppress(Fault):  # opening it raises the reason
            ahead = buckets.ahead(location.bucket, options)
            source.fetch_ahead(ahead)
            full = ahead.full or full
            del ahead  # the client of a bucket that is dropped closes with its last source
        if full:
            yield ready.popleft()
    while ready:
        yield ready.popleft()


def find_objects(
    url: str,
    recorder: Recorder,
    selection: Selection,
    options: S3Options | None = None,
    *,
    wanted: Callable[[Source], bool] | None = None,
) -> Iterator[Source | Unreadable]:
    """The selected (and `wanted`) objects below `s3://bucket/prefix`, in the order of keys, fetched ahead."""
    options = options or chosen.DEFAULT
    location = parse_location(url)
    try:
        store = open_store(location.bucket, options)
    except Fault as fault:
        yield Unreadable(url, f"it cannot be listed: {reason(fault, 'list')}")
        return
    retry = Retry(options.patience)
    ahead = ReadAhead(store, options, retry)
    ready: deque[Source | Unreadable] = deque()
    try:
        for found in Listing(store, location, selection, recorder, options, retry):
            if isinstance(found, ListedObject):
                source = S3Source(location.bucket, found, options)
                if wanted is not None and not wanted(source):
                    continue
                source.fetch_ahead(ahead)
                ready.append(source)
            else:
                ready.append(found)
            if ahead.full:
                yield ready.popleft()
        while ready:
            yield ready.popleft()
    except GeneratorExit:  # the caller stops reading
        retry.stop()
        raise

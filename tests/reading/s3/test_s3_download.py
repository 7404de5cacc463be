"""How objects are fetched: trying again, ahead of their turn and in parts, over a bucket in memory."""

from __future__ import annotations

import gc
import pickle
import sqlite3
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_store import QUICK, MemoryStore

from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.sources.interface import FailureKind, Unreadable
from cloudsigma.reading.sources.named_files import NamedFiles
from cloudsigma.reading.sources.register import Register
from cloudsigma.reading.sources.s3 import source as module
from cloudsigma.reading.sources.s3.download import PartStream, ReadAhead, fetch_whole
from cloudsigma.reading.sources.s3.object_store import Body, Fault, ListedObject, fault_of, reason
from cloudsigma.reading.sources.s3.options import S3Options
from cloudsigma.reading.sources.s3.retry import Patience, Retry
from cloudsigma.reading.sources.s3.source import S3Source

# --- trying again -------------------------------------------------------------------------------------------


def failing(times: int, fault: Fault) -> Any:
    calls = iter(range(times + 1))

    def attempt() -> str:
        if next(calls) < times:
            raise fault
        return "done"

    return attempt


def test_waits_grow_twofold_up_to_the_longest_and_are_drawn() -> None:
    waits: list[float] = []
    retry = Retry(Patience(attempts=8, first_wait=1.0, longest_wait=10.0), wait=waits.append, draw=lambda: 0.5)
    assert retry(failing(7, Fault("transient", "SlowDown")), "x") == "done"
    assert waits == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


def test_the_last_fault_is_told_when_patience_ends() -> None:
    waits: list[float] = []
    with pytest.raises(Fault, match="SlowDown"):
        Retry(Patience(attempts=3), wait=waits.append)(failing(3, Fault("transient", "SlowDown")), "x")
    assert len(waits) == 2


def test_only_what_may_pass_is_tried_again() -> None:
    waits: list[float] = []
    with pytest.raises(Fault, match="AccessDenied"):
        Retry(Patience(), wait=waits.append)(failing(1, Fault("denied", "AccessDenied")), "x")
    assert waits == []


def test_nobody_waits_once_it_is_stopped() -> None:
    retry = Retry(Patience(first_wait=1000.0, longest_wait=1000.0))
    threading.Timer(0.1, retry.stop).start()
    started = time.monotonic()
    with pytest.raises(Fault):
        retry(failing(9, Fault("transient", "SlowDown")), "x")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("code", "status", "message", "kind"),
    [
        ("SlowDown", 503, "", "transient"), ("", 503, "", "transient"), ("503", 503, "", "transient"),
        ("InternalError", 500, "", "transient"), ("RequestTimeout", 400, "", "transient"),
        ("AccessDenied", 403, "", "denied"), ("403", 403, "", "denied"), ("", 403, "", "denied"),
        ("AccessDenied", 403, "not authorized to perform: kms:Decrypt on", "kms"),
        ("KMS.DisabledException", 400, "", "kms"), ("NoSuchKey", 404, "", "key"), ("404", 404, "", "key"),
        ("NoSuchBucket", 404, "", "bucket"), ("InvalidObjectState", 403, "", "archived"),
        ("InvalidRequest", 400, "stored using a form of Server Side Encryption", "key needed"),
        ("InvalidRequest", 400, "", "other"), ("ExpiredToken", 400, "", "credentials"), ("", 301, "", "region"),
        ("Whatever", 418, "", "other"), ("", None, "", "other"),
    ],
)  # fmt: skip
def test_what_an_answer_stands_for(code: str, status: int | None, message: str, kind: str) -> None:
    fault = fault_of(code, status, message)
    assert fault.kind == kind
    for doing in ("list", "read"):
        text = reason(fault, doing)  # type: ignore[arg-type]  # of a tuple
        assert fault.said in text
        assert "None" not in text


# --- fetching -----------------------------------------------------------------------------------------------


class CountingStore(MemoryStore):
    """Notices how many bytes have been handed out and not been let go of."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__(objects)
        self.running = self.most_running = 0

    def fetch(self, key: str, *, span: tuple[int, int] | None = None, etag: str | None = None) -> Body:
        with self.lock:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        time.sleep(0.001)
        body = super().fetch(key, span=span, etag=etag)
        with self.lock:
            self.running -= 1
        return body


def test_memory_and_requests_are_bounded() -> None:
    size, count = 1000, 200
    store = CountingStore({f"{n:04}": b"x" * size for n in range(count)})
    ahead = ReadAhead(store, S3Options(threads=4, ahead=10 * size), Retry(QUICK))
    tickets = [ahead.offer(name, size) for name in sorted(store.objects)]
    assert ahead.full
    for at, ticket in enumerate(tickets):
        assert len(ahead.take(ticket)) == size
        assert len(store.fetched) <= at + 10
        ahead.release(ticket)
    assert sorted(store.fetched) == sorted(store.objects)  # each once
    assert 1 < store.most_running <= 4
    assert not ahead.full


def test_an_object_larger_than_the_bound_is_fetched_alone() -> None:
    store = MemoryStore({"a": b"x" * 10, "b": b"x" * 1000, "c": b"x" * 10})
    ahead = ReadAhead(store, S3Options(threads=2, ahead=100), Retry(QUICK))
    tickets = [ahead.offer(name, len(data)) for name, data in store.objects.items()]
    for ticket in tickets:
        ahead.take(ticket)
        ahead.release(ticket)
    assert store.fetched == ["a", "b", "c"]


def test_out_of_turn_works_too() -> None:
    store = MemoryStore({str(n): b"x" for n in range(9)})
    ahead = ReadAhead(store, S3Options(threads=1, ahead=2), Retry(QUICK))
    tickets = [ahead.offer(str(n), 1) for n in range(9)]
    for ticket in reversed(tickets):
        assert ahead.take(ticket) == b"x"
        ahead.release(ticket)
        ahead.release(ticket)  # twice does no harm
    assert sorted(store.fetched) == [str(n) for n in range(9)]


def test_its_threads_and_connections_end_with_it() -> None:
    """At once, also after a fault: nothing waits for the garbage collector."""

    class Denied(MemoryStore):
        def fetch(self, key: str, *, span: tuple[int, int] | None = None, etag: str | None = None) -> Body:
            if key == "denied":
                raise Fault("denied", "AccessDenied")
            return super().fetch(key)

    store = Denied({"a": b"x"})
    ahead = ReadAhead(store, S3Options(threads=2), Retry(QUICK))
    gc.disable()
    try:
        ahead.take(ahead.offer("a", 1))
        ticket = ahead.offer("denied", 1)
        with suppress(Fault):
            ahead.take(ticket)
        ahead.release(ticket)
        del ahead
        assert store.closed
    finally:
        gc.enable()
    deadline = time.monotonic() + 5
    while any(thread.name.startswith("cloudsigma-s3-get") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_changed_content_is_asked_for_again() -> None:
    class Changed(MemoryStore):
        def fetch(self, key: str, *, span: tuple[int, int] | None = None, etag: str | None = None) -> Body:
            super().fetch(key)
            return Body(b"right" if len(self.fetched) > 1 else b"wrong", 5, None, "7c4f29407893c334a6cb7a87bf045c0d")

    store = Changed({"a": b""})
    assert fetch_whole(store, "a", Retry(QUICK)) == b"right"
    assert len(store.fetched) == 2


@given(st.binary(max_size=300), st.integers(1, 64), st.lists(st.integers(0, 90), max_size=20))
def test_parts_come_to_the_whole(data: bytes, part: int, sizes: list[int]) -> None:
    stream = PartStream(MemoryStore({"a": data}), "a", Retry(QUICK), part)
    assert stream.size == len(data)
    pieces = [stream.read(size) or b"" for size in sizes]
    assert b"".join([*pieces, stream.readall() or b""]) == data


def test_a_source_pickles_with_its_bytes_or_as_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was fetched ahead goes along; what was not is fetched ahead where it arrives, and once."""
    names = [f"{n}.json" for n in range(40)]
    here, there = (MemoryStore({name: name.encode() for name in names}) for _ in range(2))
    monkeypatch.setattr(module, "shared_store", lambda _bucket, _options: there)
    options = S3Options(threads=2)
    ahead = ReadAhead(here, options, Retry(QUICK))
    sources = [S3Source("trails", ListedObject(name, len(name)), options) for name in names]
    for source in sources:
        source.fetch_ahead(ahead)
    arrived = pickle.loads(pickle.dumps(sources))  # noqa: S301  # our own
    assert [source.name for source in arrived] == [f"s3://trails/{name}" for name in names]
    assert [source.size for source in arrived] == [len(name) for name in names]
    for source, name in zip(arrived, names, strict=True):
        with source.open() as stream:
            assert stream.read() == name.encode()
    assert sorted(here.fetched + there.fetched) == sorted(names)
    assert len(here.fetched) >= 8
    with sources[0].open() as stream:  # the process that it came from can read it, too
        assert stream.read() == b"0.json"


def test_a_fault_pickles_too() -> None:
    class Denied(MemoryStore):
        def fetch(self, key: str, *, span: tuple[int, int] | None = None, etag: str | None = None) -> Body:
            raise Fault("denied", "AccessDenied")

    source = S3Source("trails", ListedObject("a.json", 7), S3Options())
    source.fetch_ahead(ReadAhead(Denied([]), S3Options(), Retry(QUICK)))
    again = pickle.loads(pickle.dumps(source))  # noqa: S301  # our own
    with pytest.raises(Unreadable, match="s3:GetObject"), again.open():
        pass


def test_named_objects_of_many_buckets_are_fetched_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many buckets are named, few are open, and few objects wait for their turn."""
    opened: list[MemoryStore] = []

    def open_memory(bucket: str, options: S3Options) -> MemoryStore:
        if bucket == "denied":
            raise Fault("credentials", "none were found")
        opened.append(MemoryStore({"key": bucket.encode()}))
        return opened[-1]

    monkeypatch.setattr(module, "open_store", open_memory)
    asked: list[str] = []

    def urls() -> Iterable[str]:
        for n in range(300):
            asked.append(f"s3://{'denied' if n % 3 == 0 else f'bucket-{n}'}/key")
            yield asked[-1]

    for number, source in enumerate(module.named_objects(urls(), S3Options(threads=2))):
        assert source.name == asked[number]
        assert len(asked) - number <= 9
        if "denied" not in source.name:
            with source.open() as stream:
                assert stream.read() == source.name.split("/")[2].encode()
        del source
        assert sum(not store.closed for store in opened) <= 2 * 9
    assert number == 299


def test_clients_are_kept_from_one_call_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[MemoryStore] = []

    def open_memory(bucket: str, options: S3Options) -> MemoryStore:
        opened.append(MemoryStore({"key": bucket.encode()}))
        return opened[-1]

    monkeypatch.setattr(module, "open_store", open_memory)
    buckets = module.OpenBuckets()

    def read() -> None:
        for source in module.named_objects(["s3://one/key", "s3://two/key"], S3Options(threads=2), buckets=buckets):
            with source.open() as stream:
                assert stream.read() == source.name.split("/")[2].encode()

    for _ in range(3):
        read()
    assert [len(store.fetched) for store in opened] == [3, 3]
    buckets.drop("one")
    gc.collect()
    assert [store.closed for store in opened] == [True, False]
    read()
    assert [len(store.fetched) for store in opened] == [3, 4, 1]
    buckets.close()
    gc.collect()
    assert all(store.closed for store in opened)


def test_a_client_of_another_process_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "open_store", lambda _bucket, _options: MemoryStore([]))
    buckets, options = module.OpenBuckets(), S3Options(threads=1)
    ahead = buckets.ahead("one", options)
    assert buckets.ahead("one", options) is ahead
    ahead.process += 1  # as if this process had been forked from it
    assert buckets.ahead("one", options) is not ahead


@pytest.mark.parametrize(
    ("failure", "clients"), [(None, 1), ("lasting", 1), ("passing", 2), ("denied", 2)]
)  # a new client finds credentials that were changed in the meantime
def test_a_new_client_is_made_after_a_failure_that_it_may_mend(
    failure: FailureKind | None, clients: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def open_memory(bucket: str, options: S3Options) -> MemoryStore:
        opened.append(bucket)
        return MemoryStore({"a.json": b"[]", "b.json": b"[]"})

    monkeypatch.setattr(module, "open_store", open_memory)
    register = Register(sqlite3.connect(":memory:"))
    named = NamedFiles(register, Selection())
    for key in ("a.json", "b.json"):
        register.is_first_named(f"s3://one/{key}")
        register.await_named(f"s3://one/{key}")
        for source in named.sources(lambda _: True):
            named.note_attempt(source, failure if key == "a.json" else None)
            register.note(source)
    assert opened == ["one"] * clients
    named.close()


def test_a_source_that_nobody_reads_makes_room() -> None:
    store = MemoryStore({f"{n}": b"x" for n in range(9)})
    options = S3Options(threads=1, ahead=1)
    ahead = ReadAhead(store, options, Retry(QUICK))
    for n in range(9):
        S3Source("trails", ListedObject(f"{n}", 1), options).fetch_ahead(ahead)
    gc.collect()
    assert not ahead.full

"""The parts of reading S3, each alone, over a bucket in memory: layout, listing, fetching ahead, trying again."""

from __future__ import annotations

import datetime as dt
import gc
import pickle
import threading
import time
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudsigma.errors import UsageError
from cloudsigma.reading.delivery import Delivery
from cloudsigma.reading.ledger import Recorder
from cloudsigma.reading.selection import Selection, select
from cloudsigma.reading.sources.interface import Unreadable
from cloudsigma.reading.sources.s3 import source as module
from cloudsigma.reading.sources.s3.download import PartStream, ReadAhead, fetch_whole
from cloudsigma.reading.sources.s3.key_layout import Location, TrailPrefix, parse_location, trail_prefix
from cloudsigma.reading.sources.s3.listing import Listing
from cloudsigma.reading.sources.s3.object_store import Body, Fault, ListedObject, ObjectStore, Page, fault_of, reason
from cloudsigma.reading.sources.s3.options import S3Options
from cloudsigma.reading.sources.s3.retry import Patience, Retry
from cloudsigma.reading.sources.s3.source import S3Source

A, B, C = "111122223333", "444455556666", "777788889999"
QUICK = Patience(attempts=3, first_wait=0.0)


class MemoryStore(ObjectStore):
    """A bucket in memory that answers as S3 does, with pages of a few keys."""

    bucket = "trails"

    def __init__(self, objects: dict[str, bytes] | Iterable[str], page_size: int = 3) -> None:
        self.objects = dict(objects) if isinstance(objects, dict) else dict.fromkeys(objects, b"{}")
        self.page_size = page_size
        self.listed: list[str] = []
        self.fetched: list[str] = []
        self.denied: tuple[str, ...] = ()
        self.closed = False
        self.lock = threading.Lock()

    def page(self, prefix: str, *, to_slash: bool, following: str | None = None) -> Page:
        with self.lock:
            self.listed.append(prefix)
        if prefix.startswith(self.denied or "\0"):
            raise Fault("denied", "AccessDenied")
        groups: dict[str, int | None] = {}
        for key in sorted(self.objects):
            if key.startswith(prefix):
                head, slash, _ = key[len(prefix) :].partition("/")
                groups[prefix + head + "/" if to_slash and slash else key] = None if to_slash and slash else 1
        names = [name for name in sorted(groups) if following is None or name > following]
        here, more = names[: self.page_size], len(names) > self.page_size
        return Page(
            tuple(ListedObject(name, len(self.objects[name])) for name in here if groups[name]),
            tuple(name for name in here if not groups[name]),
            here[-1] if more else None,
        )

    def fetch(self, key: str, *, span: tuple[int, int] | None = None, etag: str | None = None) -> Body:
        with self.lock:
            self.fetched.append(key)
        data = self.objects[key]
        return Body(data[span[0] : span[1]] if span else data, len(data), "etag")

    def close(self) -> None:
        self.closed = True


def listing(
    store: MemoryStore, prefix: str = "", selection: Selection | None = None
) -> tuple[list[str], list[Unreadable], Recorder]:
    recorder = Recorder()
    options = S3Options(threads=3, listed=10)
    found = list(Listing(store, Location("trails", prefix), selection or Selection(), recorder, options, Retry(QUICK)))
    keys = [item.key for item in found if isinstance(item, ListedObject)]
    return keys, [item for item in found if isinstance(item, Unreadable)], recorder


# --- key_layout ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "stage", "delivery"),
    [
        ("AWSLogs/", "logs", Delivery()),
        ("AWSLogs/o-exampleorg1/", "organization", Delivery()),
        (f"AWSLogs/{A}/", "account", Delivery(A)),
        (f"AWSLogs/o-exampleorg1/{A}/", "account", Delivery(A)),
        (f"some/prefix//AWSLogs/{A}/CloudTrail/", "trail", Delivery(A)),
        (f"AWSLogs/{A}/CloudTrail/us-gov-west-1/", "region", Delivery(A, "us-gov-west-1")),
        (f"AWSLogs/{A}/Config/", "service", Delivery(A)),
        (f"AWSLogs/{A}/CloudTrail-Digest/us-east-1/2025/", "service", Delivery(A)),
        (
            f"AWSLogs/{A}/CloudTrail/us-east-1/2024/",
            "year",
            Delivery(A, "us-east-1", dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2025, 1, 1, tzinfo=dt.UTC)),
        ),
        (
            f"AWSLogs/{A}/CloudTrail/us-east-1/2024/02/",
            "month",
            Delivery(A, "us-east-1", dt.datetime(2024, 2, 1, tzinfo=dt.UTC), dt.datetime(2024, 3, 1, tzinfo=dt.UTC)),
        ),
        (
            f"AWSLogs/AWSLogs/{A}/CloudTrail/us-east-1/2024/02/29/",
            "day",
            Delivery(A, "us-east-1", dt.datetime(2024, 2, 29, tzinfo=dt.UTC), dt.datetime(2024, 3, 1, tzinfo=dt.UTC)),
        ),
        (f"AWSLogs/{A}/CloudTrail/us-east-1/2025/02/30/", "day", Delivery(A, "us-east-1")),
        (f"AWSLogs/{A}/CloudTrail/us-east-1/9999/", "year", Delivery(A, "us-east-1")),
    ],
)
def test_what_a_prefix_stands_for(prefix: str, stage: str, delivery: Delivery) -> None:
    found = trail_prefix(prefix)
    assert found is not None
    assert (found.stage, found.delivery) == (stage, delivery)


@pytest.mark.parametrize(
    "prefix",
    ["", "logs/", "AWSLogs", f"{A}/", "AWSLogs/12/", f"AWSLogs/o-exampleorg1/x/{A}/", f"AWSLogs/{A}/CloudTrail/x/",
     f"AWSLogs/{A}/CloudTrail/us-east-1/25/", f"AWSLogs/{A}/CloudTrail/us-east-1/2025/01/02/03/"],
)  # fmt: skip
def test_what_is_none_of_the_layout(prefix: str) -> None:
    assert trail_prefix(prefix) is None


@given(st.text(alphabet="AWSLogs/o-1234CloudTrail.é", max_size=60))
def test_any_prefix_has_an_answer(prefix: str) -> None:
    assert trail_prefix(prefix) is None or isinstance(trail_prefix(prefix), TrailPrefix)


@pytest.mark.parametrize(
    "url", ["s3://", "s3:///x", "s3:/bucket/x", "s3://a", "s3://b ucket", "s3://buc\nket/x", "s3://é"]
)
def test_a_place_that_names_no_bucket(url: str) -> None:
    with pytest.raises(UsageError, match="names no bucket; write s3://BUCKET"):
        parse_location(url)


# --- listing ------------------------------------------------------------------------------------------------


def key(account: str, region: str, day: str, n: int = 0, head: str = "AWSLogs/o-exampleorg1/") -> str:
    stamp = day.replace("/", "")
    return (
        f"{head}{account}/CloudTrail/{region}/{day}/{account}_CloudTrail_{region}_{stamp}T{n % 24:02}00Z_x{n}.json.gz"
    )


DAYS = ["2024/12/31", "2025/01/01", "2025/01/15", "2025/02/01", "2025/02/02", "2025/02/03"]
TRAIL = [key(a, r, d, n) for a in (A, B) for r in ("eu-west-1", "us-east-1") for d in DAYS for n in range(2)]


def test_all_keys_come_in_their_order() -> None:
    keys, lost, recorder = listing(MemoryStore(TRAIL))
    assert keys == sorted(TRAIL)
    assert (lost, recorder.left_out) == ([], {})


def test_only_what_is_asked_for_is_listed() -> None:
    store = MemoryStore(TRAIL)
    keys, lost, recorder = listing(store, selection=select("2025-02-02T12:00", "2025-02-02T13:00", B, "us-east-1"))
    # The file of the second at 00:00 and 01:00 was delivered too early, those of the third may hold late events.
    assert keys == [key(B, "us-east-1", "2025/02/03", n) for n in range(2)]
    assert lost == []
    assert recorder.left_out == {
        "prefixes of other accounts": 1,
        "prefixes of other regions": 1,
        "prefixes outside the time": 3,  # 2024, 2025/01, 2025/02/01
        "files outside the time": 2,
    }
    wrong = [prefix for prefix in store.listed if A in prefix or "eu-west-1" in prefix or "2024" in prefix]
    assert wrong == []
    assert not any(prefix.endswith(("2025/01/", "2025/02/01/")) for prefix in store.listed)


def test_a_month_that_is_wanted_whole_is_listed_at_once() -> None:
    store = MemoryStore(TRAIL, page_size=1000)
    listing(store, selection=select("2024-12-01", "2025-06-01"))
    assert not any(prefix.count("/") > 7 for prefix in store.listed)


def test_other_prefixes_of_an_account_are_counted() -> None:
    others = [
        f"AWSLogs/{A}/{s}/x.json.gz" for s in ("CloudTrail-Digest", "CloudTrail-Insight", "Config", "vpcflowlogs")
    ]
    store = MemoryStore([*TRAIL, *others])
    keys, lost, recorder = listing(store)
    assert keys == sorted(TRAIL)
    assert recorder.recognized == {"digest prefix": 1, "Insights prefix": 1}
    assert recorder.not_looked_at == {"prefix Config/": 1, "prefix vpcflowlogs/": 1}
    assert lost == []


def test_another_prefix_is_read_where_it_is_named() -> None:
    name = f"AWSLogs/{A}/Config/us-east-1/x.json.gz"
    for prefix in (f"AWSLogs/{A}/Config/", f"AWSLogs/{A}/Config"):
        assert listing(MemoryStore([name]), prefix)[0] == [name]


def test_s24_what_has_no_date_is_listed_whatever_is_asked() -> None:
    undated = ["exports/a.json", "exports/deep/er/and/deeper/b.jsonl", f"AWSLogs/{A}/CloudTrail/us-east-1/by-hand.json",
               f"AWSLogs/{A}/CloudTrail/us-east-1/kept/c.json", "d"]  # fmt: skip
    keys, lost, _ = listing(MemoryStore([*TRAIL, *undated]), selection=select("2030-01-01"))
    assert keys == sorted(undated)
    assert lost == []


def test_keys_are_chosen_by_their_endings_as_files_are() -> None:
    store = MemoryStore(["x/a.json", "x/b.txt", "x/c.PARQUET", "x/folder/", "x/no_ending", "x/z.zip"])
    keys, _, recorder = listing(store)
    assert keys == ["x/a.json", "x/c.PARQUET", "x/no_ending"]
    assert recorder.not_looked_at == {".txt": 1, ".zip": 1, "folder marker": 1}
    assert listing(store, "x/b.txt")[0] == ["x/b.txt"]  # named, so it is read


@pytest.mark.parametrize("page_size", [1, 2, 1000])
def test_a_prefix_without_slash_is_a_folder_or_object_where_there_is_one(page_size: int) -> None:
    store = MemoryStore(
        ["logs", "logs-old/a.json", "logs.json", "logs/b.json", "logs/c/d.json", "logs2/e.json"], page_size
    )
    assert listing(store, "logs")[0] == ["logs", "logs/b.json", "logs/c/d.json"]
    assert listing(store, "logs-o")[0] == ["logs-old/a.json"]
    assert listing(store, "log")[0] == sorted(store.objects)
    assert listing(store, "logs.json")[0] == ["logs.json"]


def test_nothing_there_is_said() -> None:
    keys, lost, _ = listing(MemoryStore(["a/b.json"]), "c/")
    assert keys == []
    assert [str(item.reason) for item in lost] == ["there are no objects under this prefix"]


def test_accounts_that_are_not_there_are_said() -> None:
    _, lost, recorder = listing(MemoryStore(TRAIL), selection=select(accounts=C))
    assert [item.reason for item in lost] == [f"all logs here are of other accounts: {A}, {B}"]
    assert recorder.left_out == {"prefixes of other accounts": 2}
    assert listing(MemoryStore(TRAIL), selection=select(accounts=[A, C]))[1] == []


def test_a_denied_prefix_is_named_and_its_neighbours_are_listed() -> None:
    store = MemoryStore(TRAIL)
    store.denied = (f"AWSLogs/o-exampleorg1/{A}/CloudTrail/us-east-1/",)
    keys, lost, _ = listing(store)
    assert keys == [k for k in sorted(TRAIL) if not k.startswith(store.denied)]
    assert [(item.name, item.reason) for item in lost] == [
        (
            f"s3://trails/{store.denied[0]}",
            "it cannot be listed: access is denied (AccessDenied); s3:ListBucket on the bucket is needed",
        )
    ]


def test_where_listing_is_denied_the_object_itself_may_still_be_read() -> None:
    store = MemoryStore(["x/a.json"])
    store.denied = ("x",)
    assert listing(store, "x/a.json")[0] == ["x/a.json"]


def test_many_prefixes_side_by_side_are_listed_flat() -> None:
    store = MemoryStore([f"x/{n:04}/{m}.json" for n in range(300) for m in range(2)], page_size=1000)
    assert listing(store, "x/")[0] == sorted(store.objects)
    assert store.listed == ["x/", "x/"]


def test_few_objects_are_listed_before_their_turn() -> None:
    store = MemoryStore(
        [f"AWSLogs/{A}/CloudTrail/us-east-1/2025/{m:02}/01/{n}.json" for m in range(1, 13) for n in range(40)]
    )
    found = iter(
        Listing(store, Location("trails"), Selection(), Recorder(), S3Options(threads=3, listed=10), Retry(QUICK))
    )
    next(found)
    time.sleep(0.05)
    pages_of_objects = [prefix for prefix in store.listed if prefix.count("/") == 6]
    assert 1 <= len(pages_of_objects) < 12  # of 160
    assert len(list(found)) == 12 * 40 - 1


_parts = st.sampled_from(
    ["AWSLogs", A, B, "o-exampleorg1", "CloudTrail", "us-east-1", "2025", "01", "31", "a", "b", "a-", "Z"]
)
_names = st.sampled_from(["x.json", "y.gz", "z", "1.json"])


@given(
    keys=st.sets(
        st.builds(lambda parts, name: "/".join([*parts, name]), st.lists(_parts, max_size=9), _names), max_size=40
    ),
    page_size=st.integers(1, 7),
)
@settings(max_examples=300, deadline=None)
def test_any_bucket_is_listed_in_order_and_whole(keys: set[str], page_size: int) -> None:
    def counted(key: str) -> bool:
        parts = key.split("/")
        above = (trail_prefix("/".join(parts[:n]) + "/") for n in range(1, len(parts)))
        return any(here is not None and here.stage == "service" for here in above)

    skipped = set(filter(counted, keys))
    found, lost, _ = listing(MemoryStore(keys, page_size))
    assert found == sorted(found)
    assert keys - skipped <= set(found) <= keys  # too deep for the layout to be looked for, they are read
    assert len(lost) == (0 if keys else 1)


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
    store = MemoryStore({"a": b"x"})
    ahead = ReadAhead(store, S3Options(threads=2), Retry(QUICK))
    ahead.take(ahead.offer("a", 1))
    del ahead
    gc.collect()
    assert store.closed
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


def test_a_source_that_nobody_reads_makes_room() -> None:
    store = MemoryStore({f"{n}": b"x" for n in range(9)})
    options = S3Options(threads=1, ahead=1)
    ahead = ReadAhead(store, options, Retry(QUICK))
    for n in range(9):
        S3Source("trails", ListedObject(f"{n}", 1), options).fetch_ahead(ahead)
    gc.collect()
    assert not ahead.full

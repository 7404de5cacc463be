"""Which objects of a bucket are read: its layout and its listing, over a bucket in memory."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st
from memory_store import QUICK, MemoryStore

from cloudsigma.errors import UsageError
from cloudsigma.reading.account.ledger import Recorder
from cloudsigma.reading.scope.file_name_facts import FileNameFacts
from cloudsigma.reading.scope.selection import Selection, select
from cloudsigma.reading.sources.interface import Unreadable
from cloudsigma.reading.sources.s3.key_layout import Location, TrailPrefix, parse_location, trail_prefix
from cloudsigma.reading.sources.s3.listing import Listing
from cloudsigma.reading.sources.s3.object_store import ListedObject
from cloudsigma.reading.sources.s3.options import S3Options
from cloudsigma.reading.sources.s3.retry import Retry

A, B, C = "111122223333", "444455556666", "777788889999"


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
        ("AWSLogs/", "logs", FileNameFacts()),
        ("AWSLogs/o-exampleorg1/", "organization", FileNameFacts()),
        (f"AWSLogs/{A}/", "account", FileNameFacts(A)),
        (f"AWSLogs/o-exampleorg1/{A}/", "account", FileNameFacts(A)),
        (f"some/prefix//AWSLogs/{A}/CloudTrail/", "trail", FileNameFacts(A)),
        (f"AWSLogs/{A}/CloudTrail/us-gov-west-1/", "region", FileNameFacts(A, "us-gov-west-1")),
        (f"AWSLogs/{A}/Config/", "service", FileNameFacts(A)),
        (f"AWSLogs/{A}/CloudTrail-Digest/us-east-1/2025/", "service", FileNameFacts(A)),
        (
            f"AWSLogs/{A}/CloudTrail/us-east-1/2024/",
            "year",
            FileNameFacts(
                A, "us-east-1", dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
            ),
        ),
        (
            f"AWSLogs/{A}/CloudTrail/us-east-1/2024/02/",
            "month",
            FileNameFacts(
                A, "us-east-1", dt.datetime(2024, 2, 1, tzinfo=dt.UTC), dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
            ),
        ),
        (
            f"AWSLogs/AWSLogs/{A}/CloudTrail/us-east-1/2024/02/29/",
            "day",
            FileNameFacts(
                A, "us-east-1", dt.datetime(2024, 2, 29, tzinfo=dt.UTC), dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
            ),
        ),
        (f"AWSLogs/{A}/CloudTrail/us-east-1/2025/02/30/", "day", FileNameFacts(A, "us-east-1")),
        (f"AWSLogs/{A}/CloudTrail/us-east-1/9999/", "year", FileNameFacts(A, "us-east-1")),
    ],
)
def test_what_a_prefix_stands_for(prefix: str, stage: str, delivery: FileNameFacts) -> None:
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
    keys, lost, recorder = listing(store)
    assert keys == ["x/a.json", "x/c.PARQUET", "x/no_ending"]
    assert [each.name for each in lost] == ["s3://trails/x/z.zip"]
    assert recorder.not_looked_at == {".txt": 1, "folder marker": 1}
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


def test_logs_that_are_packed_are_losses_and_rotated_ones_are_read() -> None:
    keys, lost, recorder = listing(MemoryStore(["a/x.json.xz", "a/cloudtrail.log.1", "a/y.zip", "a/z.json.gzip"]), "a/")
    assert keys == ["a/cloudtrail.log.1", "a/z.json.gzip"]
    assert [(each.name, each.reason.partition(":")[0]) for each in lost] == [
        ("s3://trails/a/x.json.xz", "it is compressed with xz, which is not read"),
        ("s3://trails/a/y.zip", "it is a zip archive, which is not read"),
    ]
    assert recorder.not_looked_at == {}


def test_patterns_are_none_in_s3() -> None:
    _, (lost,), _ = listing(MemoryStore({"a/b/c.json": b""}), "a/*/c.json")
    assert lost.reason.startswith("there are no objects under this prefix; in S3 * and ? are ordinary characters")
    assert listing(MemoryStore({"a/*/c.json": b""}), "a/*/")[0] == ["a/*/c.json"]


def test_the_marker_of_an_empty_folder_is_nothing() -> None:
    keys, (lost,), recorder = listing(MemoryStore({"a/": b""}), "a/")
    assert (keys, lost.reason) == ([], "there are no objects under this prefix")
    assert recorder.not_looked_at == {"folder marker": 1}


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
@fuzz(60)
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

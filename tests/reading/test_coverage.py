"""Coverage: accounts, regions and hours, the gaps between, and the rules whose events never occurred."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.reading.account import coverage_counts
from cloudsigma.reading.account.coverage import Coverage, EventCount, Gap, SilentRule
from cloudsigma.reading.account.coverage_counts import CoverageCounts, hours_of
from cloudsigma.reading.scope.selection import Selection, select

FORMS = Path(__file__).parent / "forms"


def call(time: str | None, account: str = "111122223333", region: str = "us-east-1", **changes: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.11",
        "eventType": "AwsApiCall",
        "eventTime": time,
        "eventSource": "iam.amazonaws.com",
        "eventName": "ListGroups",
        "awsRegion": region,
        "recipientAccountId": account,
        "userIdentity": {"type": "IAMUser", "accountId": "999999999999"},
        **changes,
    }


def at(hour: int, day: int = 4) -> dt.datetime:
    return dt.datetime(2025, 3, day, hour, tzinfo=dt.UTC)


def write(path: Path, *records: dict[str, Any], form: str = "log_file") -> None:
    lines = "\n".join(map(json.dumps, records))
    text = lines if form == "lines" else json.dumps({"Records": records} if form == "log_file" else records)
    path.write_bytes(gzip.compress(text.encode()))


def covered(path: Path, **options: Any) -> Coverage:
    found = cloudsigma.scan(path, coverage=True, **options)
    list(found)
    assert found.ledger.coverage is not None
    return found.ledger.coverage


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """One account with a gap in one region, one whose regions fill each other's gaps."""
    write(tmp_path / "a", *(call(f"2025-03-04T{hour:02}:59:59Z") for hour in (8, 9, 9, 13)))
    write(tmp_path / "b", *(call(f"2025-03-04T{hour:02}:00:00Z", "444455556666") for hour in (8, 11)), form="lines")
    write(
        tmp_path / "c",
        *(call(f"2025-03-04T{hour:02}:30:00Z", "444455556666", "eu-west-1") for hour in (9, 10)),
        form="array",
    )
    return tmp_path


@pytest.mark.parametrize("jobs", [1, 2])
def test_gaps_are_named_by_account_and_region(trail: Path, jobs: int) -> None:
    found = covered(trail, jobs=jobs)
    assert [(each.account, each.records, each.hours, each.gaps) for each in found.accounts] == [
        ("111122223333", 4, 3, (Gap(at(10), at(13)),)),
        ("444455556666", 4, 4, ()),
    ]
    assert [(each.account, each.region, each.first, each.end, each.gaps) for each in found.regions] == [
        ("111122223333", "us-east-1", at(8), at(14), (Gap(at(10), at(13)),)),
        ("444455556666", "eu-west-1", at(9), at(11), ()),
        ("444455556666", "us-east-1", at(8), at(12), (Gap(at(9), at(11)),)),
    ]
    assert found.events == (EventCount("iam.amazonaws.com", "ListGroups", 8),)
    text = str(found)
    assert "2 accounts, 2 regions, 2025-03-04 08:00 to 2025-03-04 13:59 UTC" in text
    assert "4 records in 3 of 6 hours; no records: 2025-03-04 10:00 to 12:59 (3 hours)" in text
    assert "lost" not in text
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["regions"][2]["gaps"] == [{"start": "2025-03-04T09:00:00Z", "end": "2025-03-04T11:00:00Z", "hours": 2}]


def test_nothing_is_counted_that_was_not_asked_for(trail: Path) -> None:
    found = cloudsigma.scan(trail)
    list(found)
    assert found.ledger.coverage is None
    assert found.to_dict()["ledger"]["coverage"] is None


def test_rules_whose_event_never_occurred_are_named(tmp_path: Path) -> None:
    """Name and source count together: another service's CreateGroup is none of IAM's."""
    write(tmp_path / "a", call("2025-03-04T08:00:00Z"))
    silent = covered(tmp_path).silent
    assert silent is not None
    assert {rule.events for rule in silent} == {
        ("CreateGroup",),
        ("DeleteGroup",),
        ("CreateProfile",),
        ("CreateTrustAnchor",),
    }
    write(tmp_path / "b", call("2025-03-04T08:00:00Z", eventName="CreateGroup", eventSource="quicksight.amazonaws.com"))
    assert len(covered(tmp_path).silent or ()) == 4
    write(tmp_path / "c", call("2025-03-04T08:00:00Z", eventName="CREATEgroup", errorCode="AccessDenied"))
    found = covered(tmp_path)
    assert SilentRule("aa459000-af6c-425c-acc2-07c64acfaa76", "IAM Group Created", ("CreateGroup",)) not in (
        found.silent or ()
    )
    assert len(found.silent or ()) == 3
    assert "rules that could not match, since their event never occurred: 3\n" in str(found)
    assert "  IAM Group Deleted (DeleteGroup)" in str(found)


def test_insights_events_are_no_calls(tmp_path: Path) -> None:
    insight = {
        "eventVersion": "1.07", "eventType": "AwsCloudTrailInsight", "eventTime": "2025-03-04T20:00:00Z",
        "awsRegion": "us-east-1", "recipientAccountId": "111122223333",
    }  # fmt: skip
    for form in ("log_file", "lines", "array"):
        write(tmp_path / "a", call("2025-03-04T08:00:00Z"), insight, call("2025-03-04T08:10:00Z"), form=form)
        found = covered(tmp_path)
        assert [each.records for each in found.regions] == [2]
        assert sum(event.records for event in found.events) == 2


def test_what_records_do_not_say(tmp_path: Path) -> None:
    """The account is the recipient's, else the caller's; without a time a record is counted apart."""
    records = [
        call("2025-03-04T08:00:00Z", recipientAccountId=None),
        call("2025-03-04T08:00:00Z", recipientAccountId=None, userIdentity={}),
        call("2025-03-04T08:00:00Z", awsRegion=None),
        call(None),
        call("yesterday"),
        call("2025-03-04T09:00:00+01:00"),
        call("2025-13-04T09:00:00Z"),
    ]
    del records[1]["recipientAccountId"]
    for form in ("log_file", "lines", "array"):
        write(tmp_path / "a", *records, form=form)
        found = covered(tmp_path)
        assert {(each.account, each.region, each.records, each.hours) for each in found.regions} == {
            ("999999999999", "us-east-1", 1, 1),
            (None, "us-east-1", 1, 1),
            ("111122223333", None, 1, 1),
            ("111122223333", "us-east-1", 1, 1),
        }
        assert found.undated == 3
        assert "  3 records without a time" in str(found)
        assert "  no account, us-east-1: 1 record" in str(found)


def test_only_what_was_asked_for_is_covered(trail: Path) -> None:
    for form in ("log_file", "lines", "array"):
        write(trail / "d", call(None), call("2025-03-04T09:10:00Z", region="us-west-2"), form=form)
        found = covered(trail, since="2025-03-04T09:30", until="2025-03-04T13:59:59", accounts="111122223333")
        assert {(each.account, each.region): each.records for each in found.regions} == {
            ("111122223333", "us-east-1"): 2
        }
        assert found.undated == 1
        found = covered(trail, regions=["eu-west-1", "us-west-2"])
        assert {each.region: each.records for each in found.regions} == {"eu-west-1": 2, "us-west-2": 1}


@pytest.mark.parametrize("name", sorted(path.name for path in FORMS.iterdir() if path.suffix in {".json", ".jsonl"}))
def test_every_form_is_covered_as_it_is_read(name: str) -> None:
    """Whatever a record came in, coverage counts it: as many as the ledger has."""
    found = cloudsigma.scan(FORMS / name, coverage=True)
    list(found)
    ledger = found.ledger
    assert ledger.coverage is not None
    assert sum(each.records for each in ledger.coverage.regions) + ledger.coverage.undated == ledger.records
    assert sum(event.records for event in ledger.coverage.events) == ledger.records


texts = st.sampled_from([None, "111122223333", "444455556666", "", "x"])
times = st.sampled_from(
    [None, "", "2025-03-04T08:00:00Z", "2025-03-04T08:59:59Z", "2025-03-04T09:00:00Z", "2025-03-05T00:00:00Z",
     "2025-03-04T09:00:00+01:00", "2025-03-04", "2025-02-30T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:00:00Z",
     "2025-03-04T08:00:0٣Z", "2025-03-04T08:00:00.5Z"],
)  # fmt: skip


@fuzz(60)
@given(st.lists(st.tuples(texts, texts, times, texts, st.booleans()), min_size=1, max_size=12), st.booleans())
def test_both_ways_come_to_the_same(tmp_path_factory: pytest.TempPathFactory, rows: list[Any], chosen: bool) -> None:
    """The fast way, by columns, and the plain one, record by record; and both to a definition in a few lines."""
    records = []
    for account, caller, time, region, has_both in rows:
        record = call(time, account=account, region=region, userIdentity={"accountId": caller} if caller else {})  # type: ignore[arg-type]  # some are null
        if not has_both:
            del record["recipientAccountId"]
        records.append(record)
    path = tmp_path_factory.mktemp("a") / "x.json"
    path.write_text(json.dumps({"Records": records}))
    options: dict[str, Any] = {"since": "2025-03-04T08:30", "accounts": ["111122223333"]} if chosen else {}
    fast = covered(path, **options)
    with path.open("rb") as stream:
        plain = covered("-", stdin=stream, **options)  # type: ignore[arg-type]
    assert fast == plain
    if not chosen:
        hours: Counter[Any] = Counter()
        for record in records:
            account = record.get("recipientAccountId")
            account = record["userIdentity"].get("accountId") if account is None else account
            try:
                text = record["eventTime"]
                when = dt.datetime.fromisoformat(f"{text[:13]}:00:00Z" if len(text) == 20 else text)
            except (ValueError, TypeError):
                continue
            if len(text) > 10:  # a day is no time
                hour = when.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
                hours[account, record["awsRegion"], hour] += 1
        assert fast.undated == len(records) - hours.total()
        assert sum(each.hours for each in fast.regions) == len(hours)
        for each in fast.regions:
            own = {hour for account, region, hour in hours if (account, region) == (each.account, each.region)}
            assert each.first == min(own)
            missing = {
                each.first + n * dt.timedelta(hours=1)
                for gap in each.gaps
                for n in [(gap.start - each.first) // dt.timedelta(hours=1)]
            }
            assert not missing & own
            assert (
                each.hours + sum(gap.hours for gap in each.gaps) == (each.end - each.first) // dt.timedelta(hours=1)
                or each.end.year == 9999
            )


def test_hours_are_taken_from_times_as_cloudtrail_writes_them() -> None:
    usual = ["2025-03-04T08:00:00Z", "2025-03-04T08:59:59Z"]
    hour = dt.datetime(2025, 3, 4, 8, tzinfo=dt.UTC).timestamp() // 3600
    assert hours_of(usual) == [hour, hour]
    for other in (None, "2025-03-04T08:00:00+", "", "x" * 40):
        assert hours_of([*usual, other]) == [*usual, other]
    assert hours_of(["2025-03-04T08:00:00Z2", "025-03-04T08:00:00Z"]) != [hour, hour]  # together as long as two


def test_memory_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage_counts, "CELLS", 10)
    monkeypatch.setattr(coverage_counts, "EVENTS", 10)
    counts = CoverageCounts()
    for number in range(25):
        counts.add_record(call(f"2025-03-{number + 1:02}T00:00:00Z", eventName=f"E{number}"), Selection())
    assert (len(counts.cells), counts.beyond, len(counts.events), counts.events_known) == (10, 15, 10, False)
    more = CoverageCounts()
    more.add(counts)
    assert more.coverage == counts.coverage
    assert "15 records beyond the limit of accounts, regions and hours" in str(counts.coverage)
    assert counts.coverage.silent is None


def test_an_event_whose_name_is_no_text_is_a_loss_and_counts_for_no_rule(tmp_path: Path) -> None:
    write(tmp_path / "a", call("2025-03-04T08:00:00Z", eventName=["CreateGroup"]))
    scan = cloudsigma.scan(tmp_path, coverage=True)
    assert list(scan) == []
    assert [loss.path for loss in scan.ledger.losses] == [str(tmp_path / "a")]
    assert scan.ledger.coverage is not None
    assert scan.ledger.coverage.events == ()


def test_counts_pickle() -> None:
    counts = CoverageCounts()
    counts.add_record(call("2025-03-04T08:00:00Z"), select())
    again = pickle.loads(pickle.dumps(counts))  # noqa: S301  # our own
    assert again.coverage == counts.coverage


def test_people_are_shown_a_part_of_what_is_much(tmp_path: Path) -> None:
    hours = [
        call(f"2025-03-{day:02}T{hour:02}:00:00Z", region=f"r-{n}")
        for n in range(60)
        for day in (1, 2)
        for hour in (0, 5, 9)
    ]
    write(tmp_path / "a", *hours)
    write(tmp_path / "b", *(call(f"2025-03-04T{n % 24:02}:00:00Z", f"{n:012}") for n in range(100)))
    write(tmp_path / "c", *(call(f"2025-{m:02}-01T00:00:00Z", "777788889999") for m in range(1, 13)))
    found = covered(tmp_path)
    text = str(found)
    assert len(text.splitlines()) < 60
    assert "  000000000007, us-east-1: 1 record in 1 of 1 hour\n" in text
    assert "and 121 more accounts and regions, in the JSON of the ledger" in text
    assert len(found.regions) == 161
    assert "and 20 more regions" in str(covered(tmp_path / "a"))
    alone = covered(tmp_path / "c")
    assert "; and 1 more gap" in str(alone)
    assert len(alone.regions[0].gaps) == 11


def test_names_that_are_held_have_a_bound_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts, regions and event names are others' data, of any length."""
    monkeypatch.setattr("cloudsigma.reading.account.coverage_counts.HELD", 10_000)
    counts = CoverageCounts()
    for number in range(100):
        name = f"{number:04}" * 250
        counts.add_record({"awsRegion": name, "eventTime": "2025-03-04T10:15:30Z", "eventName": name}, Selection())
    assert counts.beyond == 95
    assert not counts.events_known

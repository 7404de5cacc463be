"""Times that are asked for: read, refused early, and never a reason to lose what has no time."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.errors import UsageError
from cloudsigma.reading import read_records
from cloudsigma.reading.scope.file_name_facts import FileNameFacts, facts_of
from cloudsigma.reading.scope.selection import EARLY, LATE, select
from cloudsigma.reading.scope.time_window import TimeWindow, time_window

NOW = dt.datetime(2025, 3, 10, 12, 0, tzinfo=dt.UTC)


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[arg-type,misc]  # year, month, day at least


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2025-03-04", utc(2025, 3, 4)),
        ("2025-03-04T10:15", utc(2025, 3, 4, 10, 15)),
        ("2025-03-04 10:15", utc(2025, 3, 4, 10, 15)),
        ("2025-03-04T10:15:30", utc(2025, 3, 4, 10, 15, 30)),
        ("2025-03-04T10:15:30Z", utc(2025, 3, 4, 10, 15, 30)),
        ("2025-03-04T10:15:30.5Z", utc(2025, 3, 4, 10, 15, 30, 500_000)),
        ("2025-03-04T10:15:30+02:00", utc(2025, 3, 4, 8, 15, 30)),
        ("2025-03-04T10:15-0530", utc(2025, 3, 4, 15, 45)),
        ("90m", utc(2025, 3, 10, 10, 30)),
        ("24h", utc(2025, 3, 9, 12)),
        ("7d", utc(2025, 3, 3, 12)),
        ("2w", utc(2025, 2, 24, 12)),
        (dt.date(2025, 3, 4), utc(2025, 3, 4)),
        (dt.datetime(2025, 3, 4, 10), utc(2025, 3, 4, 10)),  # noqa: DTZ001  # without a zone: UTC
        (dt.datetime(2025, 3, 4, 10, tzinfo=dt.timezone(dt.timedelta(hours=1))), utc(2025, 3, 4, 9)),
    ],
    ids=str,
)
def test_forms_of_a_time(text: Any, when: dt.datetime) -> None:
    assert time_window(text, None, now=NOW) == TimeWindow(when, None)
    assert time_window(None, text, now=NOW) == TimeWindow(None, when)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "2025-03-04 ", " 2025-03-04", "2025-03-04\n", "2025-02-30", "2025-13-01", "2025-03-04T25:00",
        "20250304", "2025-W10-2", "2025-3-4", "04.03.2025", "yesterday", "24", "h", "-24h", "1.5h", "24 h",
        "24H", "24hours", "24s",
        "24h é", "２４h", "2025-03-04T10", "2025-03-04Z", "2025-03-04T10:15+99:00",
        "999999999w", "0000-01-01", 1741083330, True, b"24h",
    ],
    ids=repr,
)  # fmt: skip
def test_s10_what_is_no_time_is_refused_with_the_forms_that_are(text: Any) -> None:
    for since, until in [(text, None), (None, text)]:
        with pytest.raises(UsageError, match=r"give a date \(2025-03-04\).* 24h"):
            time_window(since, until, now=NOW)


@pytest.mark.parametrize(
    ("since", "until"), [("2025-03-04", "2025-03-04"), ("2025-03-05", "2025-03-04"), ("1h", "24h"), ("1h", "60m")]
)
def test_s10_an_empty_stretch_is_refused(since: str, until: str) -> None:
    with pytest.raises(UsageError, match="is not before until"):
        time_window(since, until, now=NOW)


def test_the_end_does_not_belong_to_it() -> None:
    window = time_window("2025-03-04", "2025-03-05")
    assert [window.holds(utc(2025, 3, d)) for d in (3, 4, 5)] == [False, True, False]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"accounts": "12345"}, "'12345' is not an account ID"),
        ({"accounts": ["１11122223333"]}, "is not an account ID"),
        ({"accounts": [111122223333]}, "one of accounts is 111122223333"),
        ({"regions": ["us-east-1", "useast1"]}, "'useast1' is not a region"),
        ({"since": "soon"}, "since 'soon' cannot be understood"),
    ],
)
def test_wrong_filters_are_refused_before_anything_is_read(options: dict[str, Any], said: str) -> None:
    for function in (read_records, cloudsigma.scan):
        with pytest.raises(UsageError, match=said):
            function("/there/is/no/such/place", **options)


# --- names of files -----------------------------------------------------------------------------------------

NAME = "111122223333_CloudTrail_us-east-1_20250304T1015Z_AbCdEfGhIjKlMnOp.json.gz"


@pytest.mark.parametrize(
    "folder", ["", "trail/", "AWSLogs/111122223333/CloudTrail/us-east-1/2025/03/04/", "C:\\trail\\"]
)
def test_what_a_name_tells(folder: str) -> None:
    assert facts_of(folder + NAME) == FileNameFacts(
        "111122223333", "us-east-1", utc(2025, 3, 4, 10, 15), utc(2025, 3, 4, 10, 16)
    )


@pytest.mark.parametrize(
    "name",
    [
        "trail.json",
        f"x{NAME}",
        NAME.replace("CloudTrail", "CloudTrail-Digest"),
        f"{NAME}.bak",
        NAME.replace("Z_", "_"),
        "",
    ],
)
def test_s24_a_name_that_tells_nothing(name: str) -> None:
    assert facts_of(name) is None


def test_s24_a_name_with_an_impossible_time_is_read() -> None:
    delivery = facts_of(NAME.replace("20250304", "20251304"))
    assert delivery == FileNameFacts("111122223333", "us-east-1")
    assert select(since="2025-03-04").leaves_out(delivery) is None


@given(
    event=st.datetimes(dt.datetime(2025, 1, 1), dt.datetime(2025, 12, 31), timezones=st.just(dt.UTC)),  # noqa: DTZ001
    delay=st.timedeltas(-EARLY, LATE - dt.timedelta(minutes=1)),
    before=st.timedeltas(dt.timedelta(0), dt.timedelta(days=40)),
    after=st.timedeltas(dt.timedelta(microseconds=1), dt.timedelta(days=40)),
)
def test_no_file_is_left_out_that_may_hold_an_event_of_the_time(
    event: dt.datetime, delay: dt.timedelta, before: dt.timedelta, after: dt.timedelta
) -> None:
    stamp = (event + delay).strftime("%Y%m%dT%H%M")
    delivery = facts_of(f"111122223333_CloudTrail_us-east-1_{stamp}Z_x.json.gz")
    assert delivery is not None
    selection = select(event - before, event + after)
    assert selection.window.holds(event)
    assert selection.leaves_out(delivery) is None


# --- records ------------------------------------------------------------------------------------------------


def record(number: int, **changes: Any) -> dict[str, Any]:
    made = {
        "eventVersion": "1.11",
        "eventTime": f"2025-03-0{number}T10:00:00Z",
        "eventID": f"e{number}",
        "eventName": "CreateGroup",
        "eventSource": "iam.amazonaws.com",
        "eventType": "AwsApiCall",
        "awsRegion": "us-east-1",
        "recipientAccountId": "111122223333",
    } | changes
    return {name: value for name, value in made.items() if value is not ...}


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Records of five days, and some that do not say when, where or of whom they are; in two forms."""
    folder = tmp_path / "trail"
    folder.mkdir()
    days = [record(n) for n in range(1, 6)]
    odd = [
        record(3, eventID="no time", eventTime=...),
        record(3, eventID="null", eventTime=None),
        record(3, eventID="number", eventTime="1741083330"),
        record(3, eventID="bad", eventTime="soon"),
        record(3, eventID="offset", eventTime="2025-03-04T00:30:00+02:00"),
        record(3, eventID="other account", recipientAccountId="444455556666"),
        record(3, eventID="caller", recipientAccountId=..., userIdentity={"accountId": "444455556666"}),
        record(3, eventID="no account", recipientAccountId=..., userIdentity=None),
        record(3, eventID="other region", awsRegion="eu-west-1"),
        record(3, eventID="no region", awsRegion=...),
    ]
    (folder / "a.json").write_text(json.dumps({"Records": days}))
    (folder / "b.json").write_text("".join(json.dumps(r) + "\n" for r in odd))
    return folder


def ids(reader: Any) -> list[str]:
    return [record["eventID"] for record in reader]


UNDATED = ["no time", "null", "number", "bad"]
REST = ["offset", "other account", "caller", "no account", "other region", "no region"]


def test_records_are_chosen_by_their_time(trail: Path) -> None:
    reader = read_records(trail, since="2025-03-02T10:00:00Z", until="2025-03-04T10:00:00Z")
    assert ids(reader) == ["e2", "e3", *UNDATED, *REST]
    assert reader.ledger.left_out == {"records outside the time": 3}
    assert reader.ledger.kept == {"records without a time": 4}
    assert reader.ledger.records == 15
    assert "left out, as asked: records outside the time 3" in str(reader.ledger)
    assert "not left out, since they do not say: records without a time 4" in str(reader.ledger)


def test_a_number_is_a_time_and_fractions_of_a_second_count() -> None:
    records = [record(4, eventTime=1741082400.25), record(4, eventTime="2025-03-04T10:00:00.5Z")]
    assert len(ids(read_records({"Records": records}, since="2025-03-04T10:00:00.25Z"))) == 2
    assert len(ids(read_records({"Records": records}, since="2025-03-04T10:00:00.3Z"))) == 1
    assert ids(read_records({"Records": records}, until="2025-03-04T10:00:00.25Z")) == []


def test_an_offset_is_understood(trail: Path) -> None:
    assert "offset" in ids(read_records(trail, since="2025-03-03T22:30:00Z"))
    assert "offset" not in ids(read_records(trail, since="2025-03-03T22:30:01Z"))


def test_records_are_chosen_by_account_and_region(trail: Path) -> None:
    reader = read_records(trail, accounts="444455556666")
    assert ids(reader) == ["other account", "caller", "no account"]
    assert reader.ledger.left_out == {"records of other accounts": 12}
    assert reader.ledger.kept == {"records without an account": 1}
    reader = read_records(trail, regions=["eu-west-1", "eu-west-2"])
    assert ids(reader) == ["other region", "no region"]
    assert reader.ledger.kept == {"records without a region": 1}


def test_without_a_filter_nothing_is_counted(trail: Path) -> None:
    reader = read_records(trail)
    assert len(ids(reader)) == 15
    assert (reader.ledger.left_out, reader.ledger.kept) == ({}, {})


def test_matches_are_those_of_the_chosen_records(trail: Path) -> None:
    """Of the fast way, which sees only the records that could match."""
    chosen = {"since": "2025-03-02", "until": "2025-03-04", "accounts": ["111122223333"]}
    expected = [m.key for m in cloudsigma.evaluate(read_records(trail, **chosen))]
    scan = cloudsigma.scan(trail, **chosen)
    assert [match.key for match in scan] == expected
    assert len(expected) == 10
    assert scan.ledger.left_out["records (of those that could match) outside the time"] >= 3
    assert scan.ledger.records == 15


def test_s24_a_file_is_left_out_by_its_name_and_only_so(tmp_path: Path) -> None:
    def name(day: str, account: str = "111122223333", region: str = "us-east-1") -> Path:
        return tmp_path / f"{account}_CloudTrail_{region}_{day}T1000Z_x.json"

    for path, number in [(name("20250301"), 1), (name("20250303"), 3), (tmp_path / "undated.json", 3)]:
        path.write_text(json.dumps({"Records": [record(number, eventID=path.name)]}))
    name("20250303", "444455556666").write_text("never opened")
    name("20250303", region="eu-west-1").write_text("never opened")
    reader = read_records(tmp_path, since="2025-03-03", accounts="111122223333", regions="us-east-1")
    assert ids(reader) == [name("20250303").name, "undated.json"]
    assert reader.ledger.left_out == {
        "files outside the time": 1,
        "files of other accounts": 1,
        "files of other regions": 1,
    }
    assert reader.ledger.losses == ()


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloudsigma", "scan", *arguments],
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )


def test_the_options_of_the_command(trail: Path) -> None:
    run = command(
        "--format", "ids", "--since", "2025-03-02", "--until", "2025-03-04", "--account", "111122223333", "--region",
        "us-east-1", "--rule-id", "aws_cloudtrail_iam_group_created", str(trail),
    )  # fmt: skip
    assert [line.split("\t")[1] for line in run.stdout.splitlines()] == [
        "e2", "e3", *UNDATED, "offset", "no account", "no region",
    ]  # fmt: skip
    assert "left out, as asked: records (of those that could match) of other accounts 2" in run.stderr
    assert run.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "soon"], "since 'soon' cannot be understood; give a date (2025-03-04)"),
        (["--since", ""], "since '' cannot be understood; give a date (2025-03-04)"),
        (["--until", "2025-03-04 "], "until '2025-03-04 ' cannot be understood; give a date (2025-03-04)"),
        (["--until", "24h é"], "until '24h é' cannot be understood; give a date (2025-03-04)"),
        (["--since", "1h", "--until", "2h"], "is not before until"),
        (["--account", "1"], "give 12 digits"),
        (["--region", "mars"], "give a name such as us-east-1"),
    ],
)
def test_s10_the_command_refuses_before_it_touches_anything(tmp_path: Path, arguments: list[str], said: str) -> None:
    output = tmp_path / "matches.jsonl"
    output.write_text("from yesterday")
    run = command(*arguments, "--output", str(output), str(tmp_path / "logs"))
    assert run.returncode == 2
    assert said in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr
    assert output.read_text() == "from yesterday"

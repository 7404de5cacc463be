"""`cloudsigma summary`: what the library counts, laid out for people and as JSON; losses are told."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from cloudsigma.activity import summarize
from cloudsigma.activity.summary import Activity
from cloudsigma.cli import exit_codes, main
from cloudsigma.cli.activity_text import call_text, listed, span_text, summary_text


@pytest.fixture
def trail(root: Path) -> Path:
    return root / "examples" / "trail"


def record(**changes: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.08",
        "eventTime": "2026-11-17T12:00:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstances",
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "203.0.113.7",
        "eventType": "AwsApiCall",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice"},
        **changes,
    }


def written(folder: Path, *records: dict[str, Any]) -> Path:
    path = folder / "log.json"
    path.write_text(json.dumps({"Records": list(records)}), encoding="utf-8")
    return path


def test_the_json_is_that_of_the_library(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "--format", "json", "--top", "4", str(trail)]) == exit_codes.DONE
    out, err = capsys.readouterr()
    assert json.loads(out) == {"complete": True, **summarize(trail)[0].to_dict(4)}
    assert "341 records" in err


def test_one_field(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "--format", "json", "--by", "awsRegion", str(trail)]) == exit_codes.DONE
    made = json.loads(capsys.readouterr().out)
    assert made["top"] == {"eu-central-1": 275, "us-east-1": 66}
    assert (made["field"], made["events"], made["distinct"]) == ("awsRegion", 341, 2)


def test_one_field_as_text(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["summary", "--by", "eventName", "--top", "1", str(trail)])
    assert capsys.readouterr().out.splitlines() == [
        "eventName",
        "        24  GetCallerIdentity",
        "       317  in 38 more",
    ]


def test_a_field_that_no_event_has_gets_the_nearest_name(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["summary", "--by", "eventNam", str(trail)])
    assert "no event holds a text in eventNam; did you mean eventName?" in capsys.readouterr().err


@pytest.mark.parametrize("field", ["a.b.c", "", "a b", "$.x", "a."])
def test_what_is_no_field_is_wrong_usage(trail: Path, field: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "--by", field, str(trail)]) == exit_codes.USAGE
    assert "is not a field of records" in capsys.readouterr().err


def test_only_the_selected_events_count(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "--account",
        "444455556666",
        "--region",
        "us-east-1",
        "--since",
        "2026-11-17T13:00",
        "--until",
        "2026-11-17T14:00",
    ]
    main(["summary", "--format", "json", *options, str(trail)])
    made = json.loads(capsys.readouterr().out)
    assert 0 < made["total"]["events"] < 66
    assert list(made["total"]["regions"]["top"]) == ["us-east-1"]
    assert "2026-11-17T13" <= made["total"]["first"] <= made["total"]["last"] < "2026-11-17T14"
    assert main(["summary", "--since", "someday", str(trail)]) == exit_codes.USAGE


def test_a_loss_is_told_and_in_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, record())
    (tmp_path / "bad.json.gz").write_bytes(gzip.compress(b'{"Records": [')[:-9])
    assert main(["summary", "--format", "json", str(tmp_path)]) == exit_codes.INPUT_LOST
    out, err = capsys.readouterr()
    made = json.loads(out)
    assert (made["complete"], made["total"]["events"]) == (False, 1)
    assert "NOT READ" in err
    assert "bad.json.gz" in err


def test_limits_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, record(), record())
    assert main(["summary", "--max-records", "1", str(path)]) == exit_codes.INPUT_LOST
    assert "NOT READ" in capsys.readouterr().err


def test_no_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", str(written(tmp_path))]) == exit_codes.DONE
    assert capsys.readouterr().out == "no events\n"


@pytest.mark.parametrize("width", [80, 120, 160])
def test_lists_keep_to_the_width(trail: Path, width: int) -> None:
    text = summary_text(summarize(trail)[0], 10, width)
    # An ARN, a value that stands alone and a heading are never cut: a terminal wraps them, so that they can be copied.
    long = [line for line in text.splitlines() if cell_len(line) > width and "arn:" not in line and ", " in line]
    assert [line for line in long if not line.startswith("341 events")] == []
    assert ("Errors " in text) is (width >= 120)  # lists stand side by side


def test_all_values_are_there_where_no_terminal_is(trail: Path) -> None:
    text = summary_text(summarize(trail)[0], 100, None)
    assert " more" not in text
    assert "Errors\n" in text


def test_text_of_records_is_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b[31mred\u202e\nforged"
    identity = {"type": hostile, "arn": hostile}
    written(tmp_path, record(eventName=hostile, userIdentity=identity, sourceIPAddress=hostile, eventTime=hostile))
    main(["summary", str(tmp_path)])
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert "\nforged" not in out


def test_many_days_are_shown_by_month(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    days = [f"2026-{month:02}-{day:02}T00:00:00Z" for month in (1, 2, 3) for day in range(1, 29)]
    written(tmp_path, *(record(eventTime=day) for day in days))
    main(["summary", str(tmp_path)])
    out = capsys.readouterr().out
    assert "Months" in out
    assert [line.split()[:2] for line in out.splitlines() if line.startswith("2026-")] == [
        ["2026-01", "28"],
        ["2026-02", "28"],
        ["2026-03", "28"],
    ]


def test_lists_say_how_many_they_leave_out() -> None:
    counts = Counter({"a": 3, "b": 2, "c": 1})
    assert listed(counts, 3, None) == "a ×3, b ×2, c ×1"
    assert listed(counts, 2, None) == "a ×3, b ×2 and 1 more"
    assert listed(counts, 3, 16) == "a ×3 and 2 more"
    assert listed(counts, 3, 1) == "a ×3 and 2 more"


def test_names_of_services_and_times_are_short() -> None:
    assert call_text("sts.amazonaws.com AssumeRole") == "sts:AssumeRole"
    assert call_text("sts.amazonaws.com") == "sts"
    assert call_text("sts.amazonaws.com.cn AssumeRole") == "sts.amazonaws.com.cn AssumeRole"
    assert span_text("2026-11-17T12:00:00Z", "2026-11-18T12:00:00Z") == "2026-11-17 12:00:00 – 2026-11-18 12:00:00"
    assert span_text(None, None) == "without a time"
    assert Activity().denied_share == 0.0

"""`cloudsigma timeline`: all events that were asked for, by time; marks, folds, and the time around a match."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from cloudsigma import read_records, scan
from cloudsigma.cli import exit_codes, main


@pytest.fixture
def trail(root: Path) -> Path:
    return root / "examples" / "trail"


def entries(capsys: pytest.CaptureFixture[str], *args: str, code: int = exit_codes.DONE) -> list[dict[str, Any]]:
    assert main(["timeline", "--format", "jsonl", *args]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_all_events_by_time(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = entries(capsys, str(trail))
    assert sorted(each["event_id"] for each in made) == sorted(record["eventID"] for record in read_records(trail))
    times = [each["time"] for each in made]
    assert times == sorted(times)


def test_the_marks_are_the_matches_of_a_scan_and_the_issued_credentials(
    trail: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = entries(capsys, str(trail))
    marked = {each["event_id"]: [rule["title"] for rule in each["rules"]] for each in made if each["rules"]}
    assert marked == {match.context.event_id: [match.rule.title] for match in scan(trail)}
    assert {each["event_name"] for each in made if each["issued"]} == {"AssumeRole", "ConsoleLogin"}


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        (["--ip", "198.51.100.77"], "source_ip", "198.51.100.77"),
        (["--principal", "jordan"], "principal", "arn:aws:iam::111122223333:user/jordan"),
        (["--key", "AKIAIOSFODNN7EXAMPLE"], "principal", "arn:aws:iam::111122223333:user/jordan"),
    ],
)
def test_only_calls_of_one(
    trail: Path, options: list[str], field: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = [each["event_id"] for each in entries(capsys, str(trail)) if each[field] == value]
    assert wanted
    assert [each["event_id"] for each in entries(capsys, *options, str(trail))] == wanted


def test_options_narrow_together(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = entries(capsys, "--principal", "jordan", "--ip", "198.51.100.77", str(trail))
    assert len(made) == 7
    assert entries(capsys, "--principal", "jordan", "--key", "AKIAI44QH8DHBEXAMPLE", str(trail)) == []


def test_only_calls_on_one_resource(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = entries(capsys, "--resource", "incident-responders", str(trail))
    assert [each["event_name"] for each in made][-3:] == ["DeleteGroup", "RemoveUserFromGroup", "DeleteGroup"]


@pytest.mark.parametrize("form", ["key:2m", "event:2m", "key within"])
def test_around_a_match(trail: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    (match,) = (match for match in scan(trail) if match.context.event_name == "CreateTrustAnchor")
    name = match.context.event_id if form.startswith("event") else match.key
    options = [f"--around={name}", "--within=2m"] if form == "key within" else [f"--around={name}:2m"]
    made = entries(capsys, *options, str(trail))
    assert [each["time"] for each in made if each["around"] != "chain"] == [
        each["time"] for each in entries(capsys, str(trail)) if "T13:29:44" <= each["time"][10:] <= "T13:33:44Z"
    ]
    assert match.context.event_id in {each["event_id"] for each in made}


@pytest.mark.parametrize(("within", "inside"), [("2m", False), ("30m", True)])
def test_the_match_and_its_chain_are_marked(
    trail: Path, within: str, inside: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    (match,) = (match for match in scan(trail) if match.context.event_name == "CreateTrustAnchor")
    made = entries(capsys, f"--around={match.key}:{within}", str(trail))
    marked = {each["event_name"]: each for each in made if each["around"] is not None}
    assert {name: each["around"] for name, each in marked.items()} == {
        "AssumeRole": "chain",
        "CreateTrustAnchor": "match",
    }
    step = marked["AssumeRole"]
    assert step["principal"] == "arn:aws:iam::111122223333:user/jordan"
    assert step["issued"] == ["arn:aws:sts::111122223333:assumed-role/PlatformAdmin/jordan-maintenance"]
    assert (step["region"] is not None) == inside  # outside of the time, the link alone tells of it
    assert main(["timeline", f"--around={match.key}:{within}", str(trail)]) == exit_codes.DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition("<< ")[2] for line in lines if "<< " in line] == ["its chain", "this match"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--around", "nothing:2m"], "no match has the key or event ID 'nothing'"),
        (["--within", "2m"], "--within needs --around"),
        (["--around", "x:2m", "--within", "3m"], "Give the time once"),
        (["--around", "x", "--within", "soon"], "is not a time such as 30m"),
        (["--key", " "], "--key: the name is empty"),
    ],
)
def test_wrong_usage(trail: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["timeline", *options, str(trail)]) == exit_codes.USAGE
    assert message in capsys.readouterr().err


def record(number: int, second: int, event: str = "DescribeInstances", **more: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.08",
        "eventID": f"{number}",
        "eventTime": f"2026-11-17T12:{second // 60:02}:{second % 60:02}Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": event,
        "eventType": "AwsApiCall",
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "203.0.113.7",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice", "userName": "alice"},
        **more,
    }


def written(folder: Path, records: list[dict[str, Any]]) -> str:
    path = folder / "log.json"
    path.write_text(json.dumps({"Records": records}), encoding="utf-8")
    return str(path)


def test_repeats_are_folded_and_all_events_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = [record(number, 60 + 3 * number) for number in range(43)]
    records += [record(50, 300, "RunInstances"), record(51, 301), record(52, 302, errorCode="AccessDenied")]
    random.Random(3).shuffle(records)  # noqa: S311  # no secrets
    assert main(["timeline", written(tmp_path, records)]) == exit_codes.DONE
    behind = "by arn:aws:iam::111122223333:user/alice  203.0.113.7  eu-central-1"
    assert capsys.readouterr().out.splitlines() == [
        f"2026-11-17 12:01:00  ok      ec2:DescribeInstances ×43 12:01–12:03  {behind}",
        f"2026-11-17 12:05:00  ok      ec2:RunInstances  {behind}",
        f"2026-11-17 12:05:01  ok      ec2:DescribeInstances  {behind}",
        f"2026-11-17 12:05:02  DENIED  ec2:DescribeInstances  {behind}",
    ]


def test_events_without_a_time_come_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, [record(1, 0, eventTime="soon"), record(2, 0)])
    assert [each["event_id"] for each in entries(capsys, path)] == ["2", "1"]


def test_a_loss_is_in_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, [record(1, 0)])
    (tmp_path / "bad.json").write_text('{"Records": [', encoding="utf-8")
    assert len(entries(capsys, str(tmp_path), code=exit_codes.INPUT_LOST)) == 1


def test_text_of_records_is_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b[31mred\u202e\nforged"
    path = written(tmp_path, [record(1, 0, hostile, sourceIPAddress=hostile, awsRegion=hostile, eventSource=hostile)])
    for form in ("text", "jsonl"):
        main(["timeline", "--format", form, path])
        out = capsys.readouterr().out
        assert out.count("\n") == 1
        assert out.rstrip("\n").isprintable()

"""`cloudsigma who`: the answer of the library as text and JSON, with the matches of rules; losses are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudsigma.cli import exit_codes, main


@pytest.fixture
def trail(root: Path) -> Path:
    return root / "examples" / "trail"


def answer(capsys: pytest.CaptureFixture[str], *args: str, code: int = exit_codes.DONE) -> dict[str, Any]:
    assert main(["who", "--format", "json", *args]) == code
    made: dict[str, Any] = json.loads(capsys.readouterr().out)
    return made


def test_a_stolen_key_leads_to_the_trust_anchor_and_beyond(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = answer(capsys, "198.51.100.77", str(trail))
    assert made["target"] == {"text": "198.51.100.77", "kind": "address"}
    assert (made["complete"], made["events"], made["new"]) == (True, 14, None)
    assert [chain["root"] for chain in made["chains"]] == [
        "arn:aws:iam::111122223333:user/jordan",
        "arn:aws:iam::111122223333:user/jordan",
        "rolesanywhere.amazonaws.com",
        "rolesanywhere.amazonaws.com",
    ]
    assert [each["event_name"] for each in made["persistence"]["events"]][-2:] == ["CreateTrustAnchor", "CreateProfile"]
    assert list(made["rules"]) == [
        "AWS IAM Roles Anywhere Profile Created",
        "AWS IAM Roles Anywhere Trust Anchor Created with External CA",
        "IAM Group Created",
        "IAM Group Deleted",
    ]


def test_the_text_has_the_answers_of_an_analyst(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["who", "jordan", str(trail)]) == exit_codes.DONE
    out, err = capsys.readouterr()
    for line in (
        "2026-11-17 12:00:00 – 14:46:03: 47 own events",
        "2026-11-17 13:28:55 – 13:33:10: 3 events of sessions that descend from it",
        "direct calls: 48 ok, 2 FAILED",
        "  arn:aws:iam::111122223333:user/jordan ×47",
        "      HIGH AWS IAM Roles Anywhere Trust Anchor Created with External CA",
        "  2026-11-17 12:55:13  FAILED  iam:CreateGroup",
    ):
        assert line in out.splitlines()
    assert "341 records" in err


def test_own_rules_match(trail: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = tmp_path / "own.yml"
    rule.write_text(
        "title: Own\nid: 6b0e0d4c-7f0c-4a51-9c3f-2f0a6a9be001\nstatus: test\nlevel: low\n"
        "logsource: {product: aws, service: cloudtrail}\n"
        "detection: {it: {eventName: GetBucketPolicy}, condition: it}\n",
        encoding="utf-8",
    )
    made = answer(capsys, "--rules", str(rule), "--no-bundled", "jordan", str(trail))
    assert {title: each["events"] for title, each in made["rules"].items()} == {"Own": 16}
    assert made["matches"]["count"] == 16


def test_what_is_new_since_a_time(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = answer(capsys, "--baseline", "2026-11-17T13:00", "jordan", str(trail))
    assert list(made["new"]["addresses"]) == ["198.51.100.77"]
    assert list(made["new"]["services"]) == ["rolesanywhere.amazonaws.com"]


def test_what_is_new_against_other_logs(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = answer(capsys, "--baseline", str(trail), "jordan", str(trail))
    assert made["new"] == {"addresses": {}, "regions": {}, "services": {}, "agents": {}}
    main(["who", "--baseline", str(trail), "jordan", str(trail)])
    assert "New addresses: none" in capsys.readouterr().out


def test_a_baseline_that_is_neither_is_wrong_usage(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["who", "--baseline", "yesterdy", "jordan", str(trail)]) == exit_codes.USAGE
    assert "there is no file or folder 'yesterdy', and it is no time" in capsys.readouterr().err


@pytest.mark.parametrize("args", [["jordan", "-"], ["--baseline", "-", "jordan", "."]])
def test_standard_input_cannot_be_read_twice(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["who", *args]) == exit_codes.USAGE
    assert "read twice" in capsys.readouterr().err


def test_an_empty_name_is_wrong_usage(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["who", " ", str(trail)]) == exit_codes.USAGE
    assert "the name is empty" in capsys.readouterr().err


def test_an_unknown_name_has_no_events(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["who", "nobody", str(trail)]) == exit_codes.DONE
    assert "no event of it" in capsys.readouterr().out


def test_a_loss_is_told_and_in_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.json").write_text('{"Records": [{"eventName": ', encoding="utf-8")
    assert answer(capsys, "jordan", str(tmp_path), code=exit_codes.INPUT_LOST)["complete"] is False
    assert main(["who", "--baseline", str(tmp_path), "x", str(Path(__file__).parent)]) == exit_codes.INPUT_LOST
    assert "NOT READ, of the baseline" in capsys.readouterr().err


def test_text_of_records_is_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b[31mred\u202e\nforged"
    record = {
        "eventVersion": "1.08",
        "eventTime": "2026-11-17T12:00:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "eventType": "AwsApiCall",
        "awsRegion": hostile,
        "userAgent": hostile,
        "sourceIPAddress": hostile,
        "requestParameters": {"bucketName": hostile, "key": hostile},
        "userIdentity": {
            "type": "AssumedRole",
            "arn": hostile,
            "principalId": f"AROAEXAMPLE000000000:{hostile}",
            "accessKeyId": f"AKIA{hostile}",
        },
    }
    (tmp_path / "log.json").write_text(json.dumps({"Records": [record]}), encoding="utf-8")
    assert main(["who", "AROAEXAMPLE000000000", str(tmp_path)]) == exit_codes.DONE
    out = capsys.readouterr().out
    assert "1 own event\n" in out
    assert out.replace("\n", "").isprintable()
    assert "\nforged" not in out

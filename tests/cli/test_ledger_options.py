"""`--ledger`, `--coverage` and the options of limits, as the command has them."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "cloudsigma", "scan", "--format", "ids"]
CALL = {
    "eventVersion": "1.11", "eventType": "AwsApiCall", "eventTime": "2025-03-04T08:15:30Z", "eventID": "e1",
    "eventSource": "iam.amazonaws.com", "eventName": "CreateGroup", "awsRegion": "us-east-1",
    "recipientAccountId": "111122223333",
}  # fmt: skip


def run(*arguments: str | Path, code: int, stdin: bytes = b"") -> Any:
    done = subprocess.run(
        [*COMMAND, *map(os.fspath, arguments)], input=stdin, capture_output=True, check=False, timeout=60
    )
    told = done.stderr.decode()
    assert "Traceback" not in told
    assert done.returncode == code, told
    return done.stdout.decode(), told


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    folder = tmp_path / "trail"
    folder.mkdir()
    later = {**CALL, "eventID": "e2", "eventTime": "2025-03-04T11:00:00Z"}
    (folder / "a.json.gz").write_bytes(gzip.compress(json.dumps({"Records": [CALL, later]}).encode()))
    (folder / "b.json").write_text(json.dumps(CALL))
    return folder


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_ledger_is_written(trail: Path, tmp_path: Path, jobs: str) -> None:
    file = tmp_path / "ledger.json"
    file.write_text("what stood there before, and is longer than what comes, " * 1000)
    output, told = run(trail, "--ledger", file, "--coverage", "--jobs", jobs, code=1)
    assert len(output.splitlines()) == 2
    found = json.loads(file.read_text())
    assert found["repeated"] == 1
    assert list(found["matches"].values()) == [2]
    ledger = found["ledger"]
    assert (ledger["files"], ledger["records"], ledger["losses"]) == (2, 3, [])
    assert ledger["files_by_form"] == {"log_file": 1, "record": 1}
    assert [place["position"] for place in ledger["repeats"]["events"][0]["places"]] == [0, 0]
    (region,) = ledger["coverage"]["regions"]
    assert region["gaps"] == [{"start": "2025-03-04T09:00:00Z", "end": "2025-03-04T11:00:00Z", "hours": 2}]
    assert len(ledger["coverage"]["silent"]) == 3
    assert "no records: 2025-03-04 09:00 to 10:59 (2 hours)" in told


def test_the_ledger_may_go_where_the_matches_do_not(trail: Path, tmp_path: Path) -> None:
    output, _ = run(trail, "--ledger", "-", "--output", tmp_path / "out", code=1)
    assert json.loads(output)["repeated"] == 1
    assert len((tmp_path / "out").read_text().splitlines()) == 2
    output, told = run(trail, "--ledger", "-", code=2)
    assert output == ""
    assert "--ledger - needs --output FILE" in told


def test_a_ledger_that_cannot_be_written_is_told_before_anything_is_read(trail: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "ledger.json", tmp_path):
        output, told = run(trail, "--ledger", path, code=5)
        assert output == ""
        assert "cannot be written" in told


def test_a_ledger_in_the_folder_that_is_read_is_no_log_file(trail: Path) -> None:
    for _ in range(2):
        _, told = run(trail, "--ledger", trail / "ledger.json", code=1)
        assert "NOT READ" not in told
        assert json.loads((trail / "ledger.json").read_text())["ledger"]["files"] == 2


def test_losses_stand_in_it(trail: Path, tmp_path: Path) -> None:
    (trail / "c.json").write_text("{damaged")
    run(trail, "--ledger", tmp_path / "l", code=4)
    (loss,) = json.loads((tmp_path / "l").read_text())["ledger"]["losses"]
    assert loss["path"] == str(trail / "c.json")
    assert loss["position"] == "line 1, column 2"


def test_ctrl_c_leaves_a_ledger(trail: Path, tmp_path: Path) -> None:
    """What was read until then."""
    with subprocess.Popen(
        [*COMMAND, trail, "-", "--ledger", tmp_path / "l"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        deadline = time.monotonic() + 30
        while not (tmp_path / "l").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1.5)  # the folder is read by now, and standard input is waited for
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
    assert json.loads((tmp_path / "l").read_text())["ledger"]["files"] == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--max-inflated", "100"], "100 bytes (the limit 'inflated'; --max-inflated changes it)"),
        (["--max-document", "0.1kB"], "100 bytes (the limit 'document'; --max-document changes it)"),
        (["--max-record", "100"], "100 bytes (the limit 'record'; --max-record changes it)"),
        (["--max-depth", "2"], "2 (the limit 'depth'; --max-depth changes it)"),
        (["--max-records", "1"], "1 (the limit 'records'; --max-records changes it)"),
    ],
)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_limit_by_its_option(tmp_path: Path, options: list[str], said: str, jobs: str) -> None:
    record = {**CALL, "requestParameters": {"tags": [1]}}
    (tmp_path / "a.json").write_text(json.dumps({"Records": [record, {**record, "eventID": "e2"}]}))
    _, told = run(tmp_path, *options, "--jobs", jobs, code=4)
    assert said in told
    if options[0] != "--max-records":
        explained = subprocess.run(
            [sys.executable, "-m", "cloudsigma", "explain", "aa459000-af6c-425c-acc2-07c64acfaa76", "--record",
             tmp_path / "a.json", *options],
            capture_output=True, check=False, text=True,
        )  # fmt: skip
        assert explained.returncode == 4
        assert said in explained.stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [("inflated", "2x"), ("document", ""), ("record", "-1"), ("payload", "1e9"), ("depth", "501"), ("depth", "0"),
     ("records", "1MB"), ("losses", "x"), ("ratio", "1.5"), ("envelopes", "-")],
)  # fmt: skip
def test_a_limit_that_is_none_is_wrong_usage(trail: Path, option: str, value: str) -> None:
    _, told = run(trail, f"--max-{option}={value}", code=2)
    assert f"--max-{option}" in told

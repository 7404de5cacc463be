"""`scan(...).to_html(path)` and its like: the files are those of the command, whatever the format."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from commands import run
from group_calls import create_group

import cloudsigma
from cloudsigma.cli import exit_codes
from cloudsigma.sinks import FORMATS

METHODS = ("jsonl", "csv", "markdown", "html", "ocsf", "asff", "timesketch")


@pytest.fixture(autouse=True)
def _one_time_of_creation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1796083200")


@pytest.mark.parametrize("form", METHODS)
def test_the_file_is_that_of_the_command(root: Path, tmp_path: Path, form: str) -> None:
    trail = root / "examples" / "trail"
    ours, theirs = tmp_path / "ours.out", tmp_path / "theirs.out"
    outcome = getattr(cloudsigma.scan(trail), f"to_{form}")(ours)
    assert (outcome.total, outcome.complete, outcome.not_written) == (4, True, ())
    run("scan", trail, "--format", form, "--output", theirs)
    assert ours.read_bytes() == theirs.read_bytes() != b""


def test_every_format_of_files_has_a_method() -> None:
    assert {name for name in FORMATS if hasattr(cloudsigma.Scan, f"to_{name}")} == {*FORMATS} - {"table", "ids"}


def test_several_files_are_written_in_one_run(root: Path, tmp_path: Path) -> None:
    names = [tmp_path / f"m{FORMATS[form].endings[0]}" for form in METHODS]
    outcome = cloudsigma.scan(root / "examples" / "trail").write(*names)
    assert outcome.ledger.files == 24
    assert all(name.stat().st_size for name in names)
    assert "arn:aws:iam::111122223333:user/jordan" in (tmp_path / "m.csv").read_text()
    assert json.loads((tmp_path / "m.jsonl").read_text().splitlines()[0])["session"]["root"] is not None


def test_a_stream_takes_a_format_that_is_named(root: Path) -> None:
    stream = io.BytesIO()
    scan = cloudsigma.scan(root / "examples" / "trail")
    assert scan.to_csv(stream).complete
    assert stream.getvalue().startswith(b"time,level,title,")
    assert isinstance(scan, cloudsigma.Scan)
    with pytest.raises(cloudsigma.UsageError, match="a stream has no ending"):
        scan.write(stream)


def test_formats_keep_their_options(tmp_path: Path) -> None:
    record = create_group("a") | {"userAgent": "=1"}
    cloudsigma.scan(record).to_csv(tmp_path / "safe.csv")
    cloudsigma.scan(record).to_csv(tmp_path / "raw.csv", raw=True)
    cloudsigma.scan(record).to_jsonl(tmp_path / "m.jsonl", record=False)
    assert [("'=1" in (tmp_path / name).read_text()) for name in ("safe.csv", "raw.csv")] == [True, False]
    assert "record" not in json.loads((tmp_path / "m.jsonl").read_text())


def test_a_match_that_a_format_cannot_hold_is_told(tmp_path: Path) -> None:
    record = create_group("a") | {"recipientAccountId": None, "userIdentity": {"type": "Unknown"}}
    outcome = cloudsigma.scan(record).to_asff(tmp_path / "m.json")
    assert outcome.total == 1
    assert [reason.rpartition("; ")[2] for reason in outcome.not_written] == ["ASFF requires one"]
    assert not outcome.complete
    assert outcome.to_dict()["not_written"] == list(outcome.not_written)


def test_the_ledger_of_the_command_names_them_too(tmp_path: Path) -> None:
    record = create_group("a") | {"recipientAccountId": None, "userIdentity": {"type": "Unknown"}}
    (tmp_path / "log.json").write_text(json.dumps(record))
    done = run(
        "scan", tmp_path / "log.json", "-o", tmp_path / "m.asff.json", "--ledger", tmp_path / "ledger.json", "-q"
    )
    assert done.returncode == exit_codes.INPUT_LOST
    [told] = json.loads((tmp_path / "ledger.json").read_text())["not_written"]
    assert done.stderr.rstrip("\n").endswith(f"NOT WRITTEN: {told}")


def test_a_file_that_is_read_is_not_overwritten(tmp_path: Path) -> None:
    log = tmp_path / "trail.json"
    log.write_text(json.dumps(create_group("a")))
    for path in (log, tmp_path):
        with pytest.raises(cloudsigma.UsageError, match=r"trail\.json"):
            cloudsigma.scan(path).to_jsonl(log)
    assert json.loads(log.read_text())["eventID"] == "a"


def test_a_file_beside_the_logs_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "trail.json").write_text(json.dumps(create_group("a")))
    for _ in range(2):
        outcome = cloudsigma.scan(tmp_path).to_jsonl(tmp_path / "m.jsonl")
        assert (outcome.ledger.files, outcome.total) == (1, 1)


def test_a_wrong_file_is_an_error_that_says_so(tmp_path: Path) -> None:
    scan = cloudsigma.scan(create_group("a"))
    with pytest.raises(cloudsigma.FileAccessError):
        scan.to_csv(tmp_path / "missing" / "m.csv")
    with pytest.raises(cloudsigma.UsageError, match="has none of the endings"):
        scan.write(tmp_path / "m.xyz")
    with pytest.raises(cloudsigma.UsageError, match="there is no format 'pdf'"):
        scan.write(tmp_path / "m.pdf", form="pdf")
    with pytest.raises(cloudsigma.UsageError, match="NUL"):
        scan.to_csv("a\0b.csv")
    with pytest.raises(cloudsigma.WrongTypeError):
        scan.to_csv(7)  # type: ignore[arg-type]  # what a wrong argument raises


def test_nothing_is_truncated_where_a_file_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("time,level,title,kept")
    with pytest.raises(cloudsigma.FileAccessError):
        cloudsigma.scan(create_group("a")).write(tmp_path / "m.csv", tmp_path / "missing" / "m.md")
    assert (tmp_path / "m.csv").read_text() == "time,level,title,kept"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")  # noqa: PTH110
def test_a_full_disk_is_an_error_that_names_the_file() -> None:
    with pytest.raises(cloudsigma.FileAccessError, match="/dev/full"):
        cloudsigma.scan(create_group("a")).to_csv("/dev/full")

"""Folders of files with other names than logs have: content decides, and no file is passed over without a word."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cloudsigma.reading import Limits, read_records

RECORD: dict[str, Any] = {
    "eventVersion": "1.08",
    "eventSource": "iam.amazonaws.com",
    "eventName": "CreateGroup",
    "eventType": "AwsApiCall",
    "awsRegion": "us-east-1",
}
LOG = json.dumps({"Records": [RECORD]}).encode()


@pytest.mark.parametrize(
    "name",
    [
        "trail.json.gz.bak",
        "trail.json (1)",
        "trail.json.gz.old",
        "export.txt",
        "trail.json.1234567890",
        "a.b.c-1-2025-03-04",
    ],
)
@pytest.mark.parametrize("content", [LOG, gzip.compress(LOG), b"eventname,eventsource\nA,b.amazonaws.com\n"])
def test_a_log_under_another_name_is_read(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    reader = read_records(tmp_path)
    assert len(list(reader)) == 1
    assert reader.ledger.complete


def test_archives_are_losses_whatever_they_hold(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_bytes(LOG)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(tmp_path / "log.json")
    for name in ("x.tgz", "evidence.backup"):
        with tarfile.open(tmp_path / name, "w:gz") as packed:
            packed.add(tmp_path / "log.json")
    reader = read_records(tmp_path)
    assert len(list(reader)) == 1
    assert sorted(Path(loss.path).name for loss in reader.ledger.losses) == ["evidence.backup", "x.tgz", "x.zip"]


def test_other_files_are_listed_by_name(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"note-{number:02}.md").write_text("nothing of interest")
    (tmp_path / "CheckFile").touch()
    (tmp_path / "log.json").write_bytes(LOG)
    reader = read_records(tmp_path)
    assert len(list(reader)) == 1
    assert reader.ledger.complete
    assert reader.ledger.not_looked_at == {".md": 30, "empty": 1}
    assert len(reader.ledger.not_looked_at_names) == 20
    text = str(reader.ledger)
    assert str(tmp_path / "note-00.md") in text
    assert "and 11 more" in text
    assert "to read one, name the file itself" in text


def test_a_copy_of_a_log_bucket_has_no_false_losses(tmp_path: Path) -> None:
    account = tmp_path / "AWSLogs" / "111122223333"
    for name, content in {
        "CloudTrail/us-east-1/2025/03/04/a.json.gz": gzip.compress(LOG),
        "Config/ConfigWritabilityCheckFile": b"",
        "Config/us-east-1/2025/3/4/x.json.gz": gzip.compress(b'{"fileVersion": "1.0"}'),
        "vpcflowlogs/us-east-1/2025/03/04/x.log.gz": gzip.compress(b"version account-id"),
        "GuardDuty/us-east-1/2025/03/04/x.jsonl.gz": gzip.compress(b'{"schemaVersion": "2.0"}'),
        "CloudTrail-Lake/Query/2025/03/04/q/result_sign.json": json.dumps(
            {"version": "1.0", "files": [], "queryCompleteTime": "2025-03-04T10:15:30Z", "hashSignature": "x"}
        ).encode(),
        "../sns.json": b"CloudTrail validation message.",
    }.items():
        path = account / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    reader = read_records(tmp_path)
    assert len(list(reader)) == 1
    assert reader.ledger.complete, reader.ledger
    assert reader.ledger.recognized == {"signature of query results": 1, "SNS message": 1}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_file_made_to_fill_memory_costs_itself_alone(jobs: str, shared: Path, tmp_path: Path) -> None:
    """100 KB that would become 1.6 GB of objects, beside 200 good files, in bounded address space."""
    (tmp_path / "bomb.json.gz").write_bytes((shared / "cases" / "hostile" / "membomb.json.gz").read_bytes())
    for number in range(200):
        (tmp_path / f"good-{number:03}.json").write_bytes(LOG.replace(b'"1.08"', f'"1.{number}"'.encode()))
    command = (
        f"ulimit -v 900000; exec {sys.executable} -m cloudsigma scan {tmp_path} --format ids --jobs {jobs} --no-dedup"
    )
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    assert len(done.stdout.splitlines()) == 200
    assert "NOT READ, 1 place:" in done.stderr


@pytest.mark.parametrize("inner", ["{}", "[]", "0", '{"a":1}', '"ab"'])
def test_the_values_of_a_record_have_a_limit(inner: str) -> None:
    """The record is one named loss; those beside it are read."""
    bomb = json.dumps(RECORD)[:-1] + ', "x": [' + ",".join([inner] * 300_000) + "]}"
    good = json.dumps(RECORD)
    for text in (f'{{"Records": [{good}, {bomb}, {good}]}}', f"{good}\n{bomb}\n{good}\n"):
        reader = read_records(text.encode())
        assert len(list(reader)) == 2
        (loss,) = reader.ledger.losses
        assert "(the limit 'values'; --max-values changes it)" in loss.reason
        assert len(list(read_records(text.encode(), limits=Limits(values=1_000_000)))) == 3

"""Files that messages name: read where that is asked for, each once, and what becomes of each name is told."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from looks import Looks

import cloudsigma
from cloudsigma.errors import InputLostError, UsageError
from cloudsigma.reading import read_records
from cloudsigma.reading.sources.s3 import clients
from cloudsigma.reading.sources.s3.options import S3Options
from cloudsigma.scanning.checkpoint import Checkpoint
from cloudsigma.scanning.config import Follow, ScanCallbacks, ScanConfig
from cloudsigma.scanning.scan import Scan

Put = Callable[[dict[str, bytes]], str]
LogFile = Callable[..., bytes]

HEAD = "AWSLogs/111122223333"
DAY = f"{HEAD}/CloudTrail/us-east-1/2025/03/01/111122223333_CloudTrail_us-east-1_20250301T1000Z"
FIRST, SECOND, MESSAGES = f"{DAY}_first.json.gz", f"{DAY}_second.json.gz", "inner/messages.json"
EARLIER = DAY.replace("20250301", "20250220") + "_earlier.json.gz"
ODD = "odd name+ä.json"


def stored(bucket: str, key: str) -> dict[str, Any]:
    """S3's own notification."""
    return {
        "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventVersion": "2.1",
        "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 10}},
    }  # fmt: skip


def queued(*bodies: Any) -> dict[str, Any]:
    """What `receive-message` prints."""
    return {"Messages": [{"MessageId": "1", "ReceiptHandle": "A", "Body": json.dumps(body)} for body in bodies]}


def published(message: Any) -> dict[str, Any]:
    return {"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": json.dumps(message)}


def created(bucket: str, key: str) -> dict[str, Any]:
    """EventBridge's event."""
    detail = {"bucket": {"name": bucket}, "object": {"key": key}}
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}


@pytest.fixture
def bucket(put: Put, log_file: LogFile) -> str:
    return put({
        FIRST: log_file("first"), SECOND: log_file("second"), EARLIER: log_file("earlier"), ODD: log_file("odd"),
        MESSAGES: json.dumps(queued({"Records": [stored("trails", "never-read.json")]})).encode(),
    })  # fmt: skip


@pytest.fixture
def messages(bucket: str, tmp_path: Path) -> Path:
    """A folder of messages that name all sorts of files."""
    folder = tmp_path / "messages"
    folder.mkdir()
    delivery = {"s3Bucket": bucket, "s3ObjectKey": [FIRST, EARLIER]}
    names = ["odd+name%2B%C3%A4.json", f"{HEAD}/CloudTrail-Digest/us-east-1/2025/03/01/d.json.gz",
        f"{HEAD}/vpcflowlogs/us-east-1/2025/03/01/f.log.gz", "notes.txt", "folder/", MESSAGES, "gone.json", "%FF.json",
        "x" * 1025, ""]  # fmt: skip
    (folder / "a.json").write_text(json.dumps(queued(published({"Records": [stored(bucket, FIRST)]}))))
    (folder / "b.json").write_text(json.dumps(created(bucket, SECOND)) + json.dumps(published(delivery)))
    (folder / "c.json").write_text(json.dumps({"Records": [stored(bucket, name) for name in names]}))
    (folder / "d.json").write_text(json.dumps({"Records": [stored("no bucket/at all", "a.json")]}))
    return folder


LOST = {
    "gone.json": "there is no such object",
    "\\udcff.json": "an S3 key cannot have this name",
    "x" * 1025: "an S3 key cannot have this name",
}


def check_ledger(ledger: Any, bucket: str) -> None:
    assert ledger.named_files == 16
    assert ledger.named_files_read == 5
    assert ledger.files == 4 + 5
    assert ledger.recognized["digest"] == 1
    assert ledger.not_looked_at == {"file of vpcflowlogs": 1, ".txt": 1, "folder marker": 1}
    told = {loss.path: loss.reason for loss in ledger.losses}
    assert len(told) == len(ledger.losses) == 5
    for key, reason in LOST.items():
        assert reason in told[f"s3://{bucket}/{key}"]
    assert "an S3 key cannot have this name" in told["s3://no bucket/at all/a.json"]
    assert "an S3 key cannot have this name" in told[f"s3://{bucket}/"]


def test_files_that_messages_name_are_read_once_each(
    messages: Path, bucket: str, proxy: Any, client: S3Options
) -> None:
    """In the order of the names, after what was listed; what such a file names in its turn is only counted."""
    reader = read_records(messages, named_files=True)
    found = [(record["eventID"], origin.path) for record, origin in reader.with_origin()]
    order = [(FIRST, "first"), (SECOND, "second"), (EARLIER, "earlier"), (ODD, "odd")]
    assert found == [(f"{name}#{n}", f"s3://{bucket}/{key}") for key, name in order for n in (0, 1)]
    check_ledger(reader.ledger, bucket)
    fetched = Counter(request.key for request in proxy.requests if request.key)
    assert fetched == Counter([FIRST, SECOND, EARLIER, ODD, MESSAGES, "gone.json"])


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_scan_reads_them_too(messages: Path, bucket: str, proxy: Any, client: S3Options, jobs: int) -> None:
    scan = cloudsigma.scan(messages, named_files=True, jobs=jobs)
    assert [match.context.event_id for match in scan] == [f"{name}#0" for name in ("first", "second", "earlier", "odd")]
    check_ledger(scan.ledger, bucket)
    assert list(scan.lines()) == [match.to_json_bytes() for match in scan] != []  # again, from the beginning


def test_they_are_only_counted_where_nobody_asks(messages: Path, bucket: str, proxy: Any, client: S3Options) -> None:
    scan = cloudsigma.scan(messages)
    assert list(scan) == []
    assert scan.ledger.named_files == 15
    assert scan.ledger.complete
    assert "files in S3 that these name: 15, none of them read" in str(scan.ledger)
    command = [sys.executable, "-m", "cloudsigma", "scan", str(messages)]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    assert told.endswith("none of them read\nfiles that messages name are read with --named-files\n")
    assert proxy.requests == []


def test_what_is_not_asked_for_is_not_fetched(messages: Path, bucket: str, proxy: Any, client: S3Options) -> None:
    scan = cloudsigma.scan(messages, named_files=True, since="2025-02-27")
    assert [match.context.event_id for match in scan] == ["first#0", "second#0", "odd#0"]
    assert scan.ledger.left_out["files outside the time"] == 1
    assert EARLIER not in {request.key for request in proxy.requests}
    assert list(cloudsigma.scan(messages, named_files=True, accounts="999988887777")) == []


def test_what_a_path_leads_to_is_not_read_again(messages: Path, bucket: str, proxy: Any, client: S3Options) -> None:
    for result in (
        read_records(messages, f"s3://{bucket}/AWSLogs/", named_files=True),
        cloudsigma.scan(f"s3://{bucket}/AWSLogs/", messages, named_files=True),
    ):
        proxy.forget()
        list(result)
        assert result.ledger.records == 8
        assert result.ledger.named_files_read == 2  # the odd name, and the messages inside
        assert max(Counter(request.key for request in proxy.requests if request.key).values()) == 1


def test_a_large_one_is_read_in_parts(put: Put, tmp_path: Path, proxy: Any, client: S3Options) -> None:
    call = {"eventName": "CreateGroup", "eventSource": "iam.amazonaws.com", "eventVersion": "1.11"}
    data = "".join(json.dumps({**call, "eventID": f"{n}", "x": "y" * 1000}) + "\n" for n in range(5000)).encode()
    assert len(data) > client.unlisted
    bucket = put({"large.json": data, "bomb.json.gz": gzip.compress(bytes(100_000_000), 9)})
    (tmp_path / "m.json").write_text(
        json.dumps({"Records": [stored(bucket, "large.json"), stored(bucket, "bomb.json.gz")]})
    )
    scan = cloudsigma.scan(tmp_path, named_files=True)
    assert sum(1 for _ in scan) == 5000
    (loss,) = scan.ledger.losses
    assert "the limit 'ratio'" in loss.reason


def test_strict_stops_at_the_first_that_cannot_be_read(
    messages: Path, bucket: str, proxy: Any, client: S3Options
) -> None:
    (messages / "c.json").unlink()
    (messages / "e.json").write_text(json.dumps({"Records": [stored(bucket, "gone.json")]}))
    with pytest.raises(InputLostError, match="no bucket/at all"):
        list(cloudsigma.scan(messages, named_files=True, strict=True))
    (messages / "d.json").unlink()
    with pytest.raises(InputLostError, match=r"gone\.json"):
        list(cloudsigma.scan(messages, named_files=True, strict=True))


@pytest.mark.parametrize("read", [read_records, cloudsigma.scan])
def test_what_reads_s3_must_be_installed(
    read: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="pip install"):
        read(tmp_path, named_files=True)


@pytest.mark.parametrize("read", [read_records, cloudsigma.scan])
def test_an_iteration_may_go_on_in_another_thread(
    read: Callable[..., Any], messages: Path, bucket: str, proxy: Any, client: S3Options
) -> None:
    going = iter(read(messages, named_files=True))
    next(going)
    with ThreadPoolExecutor(1) as pool:
        assert len(pool.submit(list, going).result()) >= 3


# --- long work ----------------------------------------------------------------------------------------------


def test_names_outlive_a_scan_that_is_gone_on_with(
    messages: Path, bucket: str, proxy: Any, client: S3Options, tmp_path: Path
) -> None:
    """A scan that ends between a message and its file reads the file when it is gone on with, and once."""

    def scan(most: int | None) -> tuple[list[str | None], Scan]:
        kept = Checkpoint(tmp_path / "db", {"rules": "the bundled ones"})
        going = Scan((messages,), cloudsigma.bundled_rules(), ScanConfig(named_files=True), checkpoint=kept)
        found: list[str | None] = []
        for match in going:
            found.append(match.context.event_id)
            if len(found) == most:
                kept.save(going._state)  # everything given so far was written
                break
        kept.close()
        return found, going

    proxy.fault = lambda request: "denied" if request.key == SECOND else None
    assert scan(1)[0] == ["first#0"]
    assert scan(None)[0] == ["earlier#0", "odd#0"]
    proxy.forget()
    found, last = scan(None)
    assert found == ["second#0"]
    check_ledger(last.ledger, bucket)
    assert {request.key for request in proxy.requests if request.key} == {SECOND, "gone.json"}


def test_messages_that_come_are_followed_to_their_files(
    bucket: str, admin: Any, log_file: LogFile, tmp_path: Path, proxy: Any, client: S3Options
) -> None:
    """At the look that finds the message; a file that cannot be read yet is tried again at later ones."""

    def message(name: str, key: str) -> None:
        path = tmp_path / "new" / f"{name}.json"
        path.write_text(json.dumps({"Records": [stored(bucket, key)]}))
        os.utime(path, (0, 0))  # nobody is at it any more

    (tmp_path / "new").mkdir()
    rounds: list[Callable[[], object]] = [
        lambda: message("a", FIRST),
        lambda: message("b", "late.json.gz"),
        lambda: message("c", FIRST),
        lambda: admin.put_object(Bucket=bucket, Key="late.json.gz", Body=log_file("late")),
        lambda: threading.Event().wait(0.2),
    ]
    told: list[Any] = []
    follow = Follow(Looks(rounds), 0.01, dt.timedelta(hours=1))
    config, callbacks = ScanConfig(follow=follow, named_files=True), ScanCallbacks(on_loss=told.append)
    scan = Scan((tmp_path / "new",), cloudsigma.bundled_rules(), config, callbacks=callbacks)
    assert [match.context.event_id for match in scan] == ["first#0", "late#0"]
    assert [loss.path for loss in told] == [f"s3://{bucket}/late.json.gz"]
    assert scan.ledger.complete
    assert scan.ledger.named_files == 3
    assert scan.ledger.named_files_read == 2
    assert sum(request.key == FIRST for request in proxy.requests) == 1

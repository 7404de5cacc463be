"""Scans of S3 that are killed and gone on with, and prefixes that are followed."""

from __future__ import annotations

import datetime as dt
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from looks import Looks

import cloudsigma
from cloudsigma.reading.sources.s3.options import S3Options
from cloudsigma.scanning.checkpoint import Checkpoint
from cloudsigma.scanning.config import Follow, ScanCallbacks, ScanConfig
from cloudsigma.scanning.scan import Scan
from cloudsigma.sinks.output import LineOutput, open_output

PROGRAM = (
    "import sys, cloudsigma.scanning.checkpoint as checkpoint; checkpoint.EVERY = checkpoint._SHARE = 0;"
    "from cloudsigma.cli import main; sys.exit(main(sys.argv[1:]))"
)


def scanned(url: str, output: Path, checkpoint: Path) -> Scan:
    """A scan with a checkpoint, whole."""
    kept = Checkpoint(checkpoint, {"rules": "the bundled ones"})
    scan = Scan((url,), cloudsigma.bundled_rules(), checkpoint=kept)
    with open_output(output, keep=True) as file:
        lines = LineOutput(file)
        kept.attach([lines])
        for line in scan.lines():
            lines.write_line(line)
        lines.close()
    kept.close()
    return scan


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize("named", [False, True], ids=["listed", "named"])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_killed_scan_of_s3_goes_on(trail: Any, proxy: Any, tmp_path: Path, jobs: str, named: bool) -> None:
    """Of objects that are listed, and of objects that messages name, each message twice."""
    paths = [trail.url]
    if named:
        paths = [str(tmp_path / "messages"), "--named-files"]
        (tmp_path / "messages").mkdir()
        for n, key in enumerate([*trail.records, *trail.records]):
            message = {"s3Bucket": trail.bucket, "s3ObjectKey": [key]}
            (tmp_path / "messages" / f"{n:04}.json").write_text(json.dumps(message))

    def command(name: str) -> list[str]:
        return [sys.executable, "-c", PROGRAM, "scan", *paths, "--jobs", jobs,
            "--output", str(tmp_path / name), "--checkpoint", str(tmp_path / f"{name}.db")]  # fmt: skip

    subprocess.run(command("whole"), check=False, capture_output=True)
    expected = (tmp_path / "whole").read_bytes()
    assert expected.count(b"\n") == len(trail.records)
    choice = random.Random(f"s3 {jobs} {named}")  # noqa: S311  # which moments, not which secrets
    for _ in range(2):
        process = subprocess.Popen(command("killed"), stderr=subprocess.DEVNULL)
        try:
            process.wait(choice.uniform(0.5, 3))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    last = subprocess.run(command("killed"), check=False, capture_output=True, text=True)
    assert last.returncode == 1
    assert (tmp_path / "killed").read_bytes() == expected
    assert f"read {(3 if named else 1) * len(trail.records):,} files" in last.stderr
    if named:
        total = len(trail.records)
        assert f"files in S3 that these name: {2 * total:,}, {total:,} of them read" in last.stderr


def test_objects_that_are_done_are_not_fetched_again(
    admin: Any, put: Callable[[dict[str, bytes]], str], log_file: Callable[..., bytes], proxy: Any, client: S3Options,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Only what is new, has another ETag, or could not be read before is fetched."""
    bucket = put({f"a/{n}.json.gz": log_file(f"n{n}") for n in range(20)})
    url, output, checkpoint = f"s3://{bucket}/a/", tmp_path / "out", tmp_path / "db"
    proxy.fault = lambda request: "denied" if request.key == "a/7.json.gz" else None
    first = scanned(url, output, checkpoint)
    assert [loss.path for loss in first.ledger.losses] == [f"s3://{bucket}/a/7.json.gz"]
    proxy.forget()
    admin.put_object(Bucket=bucket, Key="a/30.json.gz", Body=log_file("n30"))
    admin.put_object(Bucket=bucket, Key="a/3.json.gz", Body=log_file("other"))
    admin.put_object(Bucket=bucket, Key="a/4.json.gz", Body=log_file("n4"))  # the same bytes, so the same ETag
    second = scanned(url, output, checkpoint)
    assert {request.key for request in proxy.requests if request.key} == {"a/3.json.gz", "a/30.json.gz", "a/7.json.gz"}
    assert second.ledger.complete
    assert second.outcome.read_again == 1
    assert second.ledger.files == 22
    found = [line.partition('"event_id":"')[2].partition('"')[0] for line in output.read_text().splitlines()]
    assert sorted(found) == sorted([f"n{n}#0" for n in [*range(20), 30]] + ["other#0"])


def test_a_prefix_is_followed(
    admin: Any, put: Callable[[dict[str, bytes]], str], log_file: Callable[..., bytes], proxy: Any, client: S3Options
) -> None:
    """New objects are given at the next look, each object is fetched once, and a listing that fails is made good."""
    bucket = put({"a/1.json.gz": log_file("n1")})

    def add(number: int) -> Callable[[], None]:
        return lambda: admin.put_object(Bucket=bucket, Key=f"a/{number}.json.gz", Body=log_file(f"n{number}"))

    def deny() -> None:
        proxy.fault = lambda request: "denied" if request.listed is not None else None
        add(4)()

    rounds = [add(2), add(3), deny, proxy.forget]
    told: list[Any] = []
    follow = Follow(Looks(rounds), 0.01, dt.timedelta(hours=1))
    config, callbacks = ScanConfig(follow=follow), ScanCallbacks(on_loss=told.append)
    scan = Scan((f"s3://{bucket}/a/",), cloudsigma.bundled_rules(), config, callbacks=callbacks)
    assert [match.record["eventID"] for match in scan] == ["n1#0", "n2#0", "n3#0", "n4#0"]
    assert [loss.path for loss in told] == [f"s3://{bucket}/a/"]
    assert scan.ledger.complete
    assert scan.ledger.files == 4

"""Paths that are watched: what comes is read once, whole, and given at once; what is not whole waits."""

from __future__ import annotations

import contextlib
import datetime as dt
import gc
import gzip
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from group_calls import create_group as record

import cloudsigma
from cloudsigma.cli import exit_codes
from cloudsigma.reading.account.ledger import Loss, Recorder
from cloudsigma.reading.source_reader import SourceReader
from cloudsigma.reading.sources.files import find_sources
from cloudsigma.reading.sources.interface import Source
from cloudsigma.reading.sources.register import Register
from cloudsigma.scanning.config import Follow, ScanCallbacks, ScanConfig
from cloudsigma.scanning.scan import Scan

COMMAND = [sys.executable, "-m", "cloudsigma", "scan", "--follow", "--interval", "0.1"]


def packed(*records: dict[str, Any]) -> bytes:
    return gzip.compress(json.dumps({"Records": records}).encode())


def until(met: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Running:
    """The command at work."""

    def __init__(self, arguments: tuple[str | Path, ...]) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *map(os.fspath, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self.told: list[str] = []
        self.threads = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.lines)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.told)),
        ]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _read(stream: Any, lines: list[str]) -> None:
        for line in stream:
            lines.append(line)  # noqa: PERF402  # each as it comes

    @property
    def ids(self) -> list[str]:
        return [json.loads(line)["context"]["event_id"] for line in self.lines]

    def stop(self, number: int = signal.SIGINT) -> str:
        """End it; gives what it told."""
        self.process.send_signal(number)
        self.process.wait(20)
        for thread in self.threads:
            thread.join(20)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        told = "".join(self.told)
        assert "Traceback" not in told
        return told


@pytest.fixture
def follow() -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def start(*arguments: str | Path) -> Running:
        running.append(Running(arguments))
        return running[-1]

    yield start
    for each in running:
        with contextlib.suppress(ProcessLookupError):
            each.process.kill()


# --- the command --------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"])
def test_r31_new_files_are_given_as_they_come_and_a_signal_ends_it_cleanly(
    tmp_path: Path, follow: Callable[..., Running], number: int, code: int
) -> None:
    trail = tmp_path / "trail"
    trail.mkdir()
    (trail / "a.json.gz").write_bytes(packed(record("a0"), record("other", eventName="ListGroups")))
    running = follow(trail)
    until(lambda: running.ids == ["a0"])
    (trail / "deep").mkdir()
    (trail / "deep" / "b.json").write_text(json.dumps([record("b0"), record("b1")]))
    until(lambda: running.ids == ["a0", "b0", "b1"])
    (trail / "c.json.gz").write_bytes(packed(record("a0"), record("c0")))
    until(lambda: running.ids == ["a0", "b0", "b1", "c0"])
    told = running.stop(number)
    assert running.process.returncode == code
    assert told.startswith("stopped; until then:\n4 matches (1 repeated left out)\n")
    assert "read 3 files" in told
    assert "6 records" in told


SESSION = {
    "type": "AssumedRole",
    "arn": "arn:aws:sts::111122223333:assumed-role/Admin/work",
    "principalId": "AROAEXAMPLE:work",
    "accessKeyId": "ASIAEXAMPLEWORK00001",
    "sessionContext": {"attributes": {"creationDate": "2025-03-04T10:00:00Z"}},
}
ISSUER = record(
    "issuer",
    eventName="AssumeRole",
    eventSource="sts.amazonaws.com",
    eventTime="2025-03-04T10:00:00Z",
    responseElements={
        "credentials": {"accessKeyId": "ASIAEXAMPLEWORK00001"},
        "assumedRoleUser": {"arn": SESSION["arn"], "assumedRoleId": "AROAEXAMPLE:work"},
    },
)


def test_a_stream_holds_matches_until_their_issuer_can_have_come(
    tmp_path: Path, follow: Callable[..., Running]
) -> None:
    (tmp_path / "use.json").write_text(json.dumps([record("use", userIdentity=SESSION)]))
    running = follow(tmp_path, "--sort", "time", "--lateness", "2s")
    time.sleep(0.7)
    assert running.ids == []
    (tmp_path / "issuer.json").write_text(json.dumps([ISSUER]))
    until(lambda: running.ids == ["use"])
    assert json.loads(running.lines[0])["session"]["root"] == "arn:aws:iam::111122223333:user/alice"
    (tmp_path / "last.json").write_text(json.dumps([record("last", userIdentity=SESSION)]))
    until(lambda: "last" in (tmp_path / "last.json").read_text())
    time.sleep(0.5)
    assert running.stop().startswith("stopped; until then:\n2 matches\n")  # nothing that was held is lost
    assert running.ids == ["use", "last"]


def test_deliveries_end_the_wait_before_the_clock_does(tmp_path: Path, follow: Callable[..., Running]) -> None:
    day = tmp_path / "AWSLogs" / "111122223333" / "CloudTrail" / "us-east-1" / "2025" / "03" / "04"
    day.mkdir(parents=True)
    for number, (minute, records) in enumerate(
        {"1000": [ISSUER], "1015": [record("use", userIdentity=SESSION)]}.items()
    ):
        name = f"111122223333_CloudTrail_us-east-1_20250304T{minute}Z_abcdefghijklmno{number}.json.gz"
        (day / name).write_bytes(packed(*records))
    running = follow(tmp_path, "--sort", "time", "--lateness", "1h")
    time.sleep(0.7)
    assert running.ids == []
    for hour in (13, 14):
        late = f"111122223333_CloudTrail_us-east-1_20250304T{hour}00Z_abcdefghijklmnop.json.gz"
        (day / late).write_bytes(packed(record("quiet", eventName="ListGroups")))
    until(lambda: running.ids == ["use"])
    assert json.loads(running.lines[0])["session"]["certainty"] == "certain"
    running.stop()


def test_a_file_that_is_being_written_is_not_read_half(tmp_path: Path, follow: Callable[..., Running]) -> None:
    (tmp_path / "first.json").write_text(json.dumps([record("first")]))
    running = follow(tmp_path)
    until(lambda: running.ids == ["first"])
    data = packed(*(record(f"g{n}", requestParameters={"groupName": os.urandom(200).hex()}) for n in range(60)))
    with (tmp_path / "grows.json.gz").open("wb") as file:
        for at in range(0, len(data), 2000):
            file.write(data[at : at + 2000])
            file.flush()
            time.sleep(0.04)
    until(lambda: len(running.ids) == 61)
    assert "NOT READ" not in running.stop()


def test_a_file_that_grows_after_it_was_read_gives_what_is_new(tmp_path: Path, follow: Callable[..., Running]) -> None:
    """Also where what was read ended in the midst of a line: that loss is told, and forgotten once it is mended."""
    lines = [json.dumps(record(f"g{n}")) for n in range(3)]
    grows = tmp_path / "grows.jsonl"
    grows.write_text(lines[0] + "\n" + lines[1][:100])
    running = follow(tmp_path)
    until(lambda: running.ids == ["g0"])
    until(lambda: any(line.startswith(f"NOT READ: {grows}: ") for line in running.told))
    with grows.open("a") as file:
        file.write(lines[1][100:] + "\n" + lines[2] + "\n")
    until(lambda: running.ids == ["g0", "g1", "g2"])
    told = running.stop()
    _, _, account = told.partition("stopped; until then:")
    assert "NOT READ" not in account
    assert "repeated" not in account
    assert "read again, since they had changed: 1" in account


def test_losses_are_told_once_as_they_come(tmp_path: Path, follow: Callable[..., Running]) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("no JSON")
    running = follow(tmp_path, tmp_path / "missing")
    until(lambda: len(running.told) == 2)
    (tmp_path / "good.json").write_text(json.dumps([record("good")]))
    until(lambda: running.ids == ["good"])
    time.sleep(0.5)
    assert sorted(line.split(": ")[:2] for line in running.told) == [
        ["NOT READ", str(bad)],
        ["NOT READ", f"{tmp_path / 'missing'}"],
    ]
    told = running.stop()
    assert "NOT READ, 2 places:" in told


def test_an_empty_folder_is_watched_without_a_word(tmp_path: Path, follow: Callable[..., Running]) -> None:
    running = follow(tmp_path)
    time.sleep(1)
    (tmp_path / "a.json").write_text(json.dumps([record("a")]))
    until(lambda: running.ids == ["a"])
    assert running.stop().startswith("stopped; until then:\n1 match\n")


def test_its_own_files_are_none_of_those_it_watches(tmp_path: Path, follow: Callable[..., Running]) -> None:
    (tmp_path / "a.json").write_text(json.dumps([record("a")]))
    running = follow(tmp_path, "--output", tmp_path / "out.jsonl", "--checkpoint", tmp_path / "db.log")
    until(lambda: (tmp_path / "out.jsonl").stat().st_size > 0 if (tmp_path / "out.jsonl").exists() else False)
    time.sleep(1)
    assert "read 1 file " in running.stop()


def test_a_checkpoint_remembers_what_was_read_before(tmp_path: Path, follow: Callable[..., Running]) -> None:
    """Stopped, or killed: what came meanwhile is given, and nothing twice."""
    trail, output = tmp_path / "trail", tmp_path / "out"
    trail.mkdir()

    def ids() -> list[str]:
        text = output.read_text() if output.exists() else ""
        return [json.loads(line)["context"]["event_id"] for line in text.splitlines()]

    expected = []
    for at, end in enumerate((signal.SIGINT, signal.SIGKILL, signal.SIGTERM)):
        (trail / f"{at}.json").write_text(json.dumps([record(f"e{at}")]))
        running = follow(trail, "--output", output, "--checkpoint", tmp_path / "db")
        expected.append(f"e{at}")
        until(lambda: ids() == expected)
        (trail / f"{at}a.json").write_text(json.dumps([record(f"e{at}a")]))
        expected.append(f"e{at}a")
        until(lambda: ids() == expected)
        told = running.stop(end)
        assert ("files are done, the scan goes on" in told) is (at > 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--follow", "-"], "--follow needs files, folders or S3"),
        (["x", "--interval", "3"], "--interval is for --follow"),
        (["x", "--lateness", "3m"], "--lateness is for --follow"),
        (["--follow", "x", "--lateness", "soon"], "'soon' is not a length of time; give 90s, 15m, 1h or 2d"),
        (["--follow", "x", "--interval", "0"], "0 is not in the range"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cloudsigma", "scan", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == exit_codes.USAGE
    assert message in done.stderr


# --- the scan, round by round -------------------------------------------------------------------------------

RULES = """
title: Two in a row
id: 5d2cbd0a-6a2c-4d4b-8d2c-9f3f0a1b2c3d
correlation:
    type: event_count
    rules: [create]
    group-by: [userIdentity.arn]
    timespan: 10m
    condition: {gte: 2}
---
title: Create
id: 6d2cbd0a-6a2c-4d4b-8d2c-9f3f0a1b2c3d
name: create
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: CreateGroup}, condition: s}
"""


class Rounds(threading.Event):
    """Puts files down between the looks of a scan, and ends it after the last."""

    def __init__(self, folder: Path, rounds: list[dict[str, bytes]]) -> None:
        super().__init__()
        self.folder, self.rounds = folder, iter(rounds)
        self.marks: list[int] = []
        self.given: list[Any] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.marks.append(len(self.given))
        for name, data in (found := next(self.rounds, {})).items():
            (self.folder / name).write_bytes(data)
            os.utime(self.folder / name, (time.time() - 3600,) * 2)  # written long ago: read at the next look
        return not found


def rounds_of(folder: Path, files: list[dict[str, bytes]], lateness: dt.timedelta, **options: Any) -> tuple[Scan, Any]:
    """The scan, and the event IDs of the records of correlation matches given in each round, and at the end."""
    stopping = Rounds(folder, files)
    rules = cloudsigma.compile_text(RULES)
    scan = Scan((folder,), rules, ScanConfig(follow=Follow(stopping, 1.0, lateness)), **options)
    for match in scan:
        stopping.given.append([each["eventID"] for each in match.records])
    marks = [0, *stopping.marks, len(stopping.given)]
    return scan, [stopping.given[start:end] for start, end in itertools.pairwise(marks)]


def at(minute: int, name: str) -> dict[str, Any]:
    return record(name, eventTime=f"2025-03-04T{10 + minute // 60}:{minute % 60:02}:00Z")


def test_correlations_are_given_once_nothing_can_change_them(tmp_path: Path) -> None:
    """The order of files within a round does not count; what comes too late is left out."""
    _, given = rounds_of(
        tmp_path,
        [
            {"a.json": packed(at(5, "a5")), "b.json": packed(at(0, "b0"))},
            {"c.json": packed(at(26, "c26"))},  # by now nothing from before 10:11 is awaited
            {"d.json": packed(at(2, "too late"))},
            {"e.json": packed(at(27, "e27"))},
        ],
        dt.timedelta(minutes=15),
    )
    assert given == [[], [], [["b0", "a5"]], [], [], [["c26", "e27"]]]


def test_deliveries_move_time_on_where_nothing_matches(tmp_path: Path) -> None:
    """The name of CloudTrail's files tells when they were delivered: a frame is closed though nothing else matches."""
    name = "111122223333_CloudTrail_us-east-1_20250304T1045Z_abcdefgh.json.gz"
    _, given = rounds_of(
        tmp_path,
        [
            {"a.json": packed(at(0, "a0"), at(5, "a5"))},
            {name: packed(record("x", eventName="ListGroups"))},
            {"z.json": packed(record("y", eventName="ListGroups"))},
        ],
        dt.timedelta(minutes=15),
    )
    assert given[2] == [["a0", "a5"]]


def test_open_frames_are_given_at_the_end_unless_a_checkpoint_keeps_them(tmp_path: Path) -> None:
    _, given = rounds_of(tmp_path, [{"a.json": packed(at(0, "a0"), at(5, "a5"))}], dt.timedelta(hours=1))
    assert given == [[], [], [["a0", "a5"]]]


def test_a_restart_keeps_open_frames(tmp_path: Path) -> None:
    from cloudsigma.scanning.checkpoint import Checkpoint

    trail = tmp_path / "trail"
    trail.mkdir()
    parts = []
    for files in (
        [{"a.json": packed(at(0, "a0"))}],
        [{"b.json": packed(at(5, "b5"))}],
        [{"c.json": packed(at(58, "c58"))}, {"d.json": packed(at(59, "d59"))}],
    ):
        checkpoint = Checkpoint(tmp_path / "db", {"rules": "the same"})
        _, given = rounds_of(trail, files, dt.timedelta(minutes=15), checkpoint=checkpoint)
        checkpoint.close()
        parts.append([match for each in given for match in each])
    assert parts == [[], [], [["a0", "b5"]]]


def test_a_file_that_fails_is_tried_again_later_and_later(tmp_path: Path) -> None:
    """What fails for a while is not lost for good, and what fails for ever is not read at every look."""
    now = 1_000_000.0
    register = Register(sqlite3.connect(":memory:"), pause=10.0, clock=lambda: now)
    (tmp_path / "a.json").write_bytes(b"no JSON")
    (source,) = find_sources(str(tmp_path / "a.json"), Counter())
    assert isinstance(source, Source)
    tries = []
    for look in range(2000):
        if register.standing(source) in {"new", "failed"}:
            register.note(source, failed=True)
            tries.append(look * 10)
        now += 10
    assert tries[:9] == [0, 10, 30, 70, 150, 310, 630, 1270, 2550]
    assert {later - before for before, later in itertools.pairwise(tries[9:])} == {3600}
    register.note(source)
    assert register.standing(source) == "read"


def test_a_loss_of_a_file_that_is_tried_again_is_told_and_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.json").write_bytes(b"no JSON")
    os.utime(tmp_path / "a.json", (1, 1))
    told: list[Loss] = []
    reads: list[str] = []
    looks = 0

    class Looks(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            nonlocal looks
            time.sleep(0.05)
            looks += 1
            return looks == 20

    records = SourceReader.records

    def counted(self: SourceReader, source: Source, recorder: Recorder) -> Any:
        reads.append(source.name)
        return records(self, source, recorder)

    monkeypatch.setattr(SourceReader, "records", counted)

    follow = Follow(Looks(), 0.01, dt.timedelta(0))
    config, callbacks = ScanConfig(follow=follow), ScanCallbacks(on_loss=told.append)
    scan = Scan((tmp_path,), cloudsigma.bundled_rules(), config, callbacks=callbacks)
    assert list(scan) == []
    assert 3 <= len(reads) < 20
    assert (scan.ledger.files, scan.ledger.bytes) == (0, 0)
    assert len(told) == len(scan.ledger.losses) == 1


def test_memory_does_not_grow_with_the_looks(tmp_path: Path) -> None:
    """Files that were read, and folders that cannot be read, are held in no list."""
    for number in range(50):
        (tmp_path / f"{number}.json").write_bytes(packed(record(str(number), eventName="ListGroups")))
        os.utime(tmp_path / f"{number}.json", (1, 1))
    sizes = []

    class Looks(threading.Event):
        looks = 0

        def wait(self, timeout: float | None = None) -> bool:
            self.looks += 1
            if self.looks in {50, 350}:
                gc.collect()
                ours = tracemalloc.take_snapshot().filter_traces(
                    [tracemalloc.Filter(inclusive=True, filename_pattern="*cloudsigma*")]
                )
                sizes.append(sum(trace.size for trace in ours.traces))
            return self.looks == 350

    follow = Follow(Looks(), 0, dt.timedelta(0))
    scan = Scan((tmp_path, tmp_path / "missing"), cloudsigma.bundled_rules(), ScanConfig(follow=follow))
    tracemalloc.start()
    try:
        assert list(scan) == []
    finally:
        tracemalloc.stop()
    assert scan.ledger.files == 50
    assert len(scan.ledger.losses) == 1
    assert sizes[1] - sizes[0] < 20_000

"""Several processes find what one finds, in the same order, and whatever becomes of a worker nothing is lost."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from process_groups import lives

import cloudsigma
from cloudsigma.reading.account import progress as scan_progress
from cloudsigma.scanning import workers
from cloudsigma.scanning.scan import Scan

FILES = 40


def record(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/u{number % 7}"},
        "eventTime": f"2025-03-04T10:{number % 60:02}:30Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateGroup" if number % 3 == 0 else "ListGroups",
        "awsRegion": "us-east-1",
        "eventID": f"e{number}",
        "requestParameters": {"groupName": f"g{number}"},
        "recipientAccountId": "111122223333",
        **changes,
    }


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of several kinds: some delivered twice, some damaged, some of a form that only the plain way reads."""
    folder = tmp_path_factory.mktemp("trail")
    for at in range(FILES):
        records = [record(at * 10 + position) for position in range(10)]
        data = json.dumps({"Records": records}).encode()
        if at % 10 == 3:
            data = data[:-200]
        if at % 10 == 5:
            data = b"\n".join(json.dumps(each).encode() for each in records)
        name = f"{at:03}.json.gz"
        (folder / name).write_bytes(gzip.compress(data) if at % 10 != 7 else gzip.compress(data)[:-30])
    (folder / "900.json.gz").write_bytes((folder / "000.json.gz").read_bytes())
    (folder / "901.json").write_text("no JSON")
    (folder / "902.json").symlink_to(folder / "nowhere.json")
    return folder


@pytest.fixture(scope="module", params=[False, True], ids=["detections", "correlations"])
def rules(request: pytest.FixtureRequest) -> cloudsigma.RuleSet:
    rules = cloudsigma.bundled_rules()
    if not request.param:
        return rules
    correlation = cloudsigma.compile_text(
        "title: Many\nid: 5d2cbd0a-6a2c-4d4b-8d2c-9f3f0a1b2c3d\ncorrelation: {type: event_count, rules: "
        f"[{rules.rules[0].id}], group-by: [userIdentity.arn], timespan: 10m, condition: {{gte: 3}}, "
        "generate: true}\n",
        bundled=True,
    )
    assert len(correlation) == 5
    return correlation


def everything(scan: Scan) -> tuple[Any, ...]:
    matches = [match.to_json_bytes() for match in scan]
    return matches, scan.counts, scan.repeated, scan.ledger


@pytest.mark.parametrize("batch", [1, 3])
def test_the_same_matches_in_the_same_order(
    trail: Path, rules: cloudsigma.RuleSet, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_BATCH_FILES", batch)
    one = everything(cloudsigma.scan(trail, rules=rules))
    assert len(one[0]) > FILES
    assert one[2] > 0
    assert len(one[3].losses) == 10
    assert everything(cloudsigma.scan(trail, rules=rules, jobs=2)) == one
    scan = cloudsigma.scan(trail, rules=rules, jobs=3)
    assert list(scan.lines()) == one[0]
    assert (scan.counts, scan.repeated, scan.ledger) == one[1:]


def test_lines_are_the_json_of_the_matches(trail: Path) -> None:
    for jobs in (1, 2):
        scan = cloudsigma.scan(trail, jobs=jobs)
        assert list(scan.lines(record=False)) == [match.to_json_bytes(record=False) for match in scan]


def test_the_same_on_made_trails_and_real_records(shared_corpus: Path) -> None:
    rules = cloudsigma.compile_rules(shared_corpus / "sigmahq_rules", shared_corpus / "suzaku_rules", on_error="skip")
    for folder in ("invictus", "stratus"):
        one = everything(cloudsigma.scan(shared_corpus / folder, rules=rules))
        assert len(one[0]) > 100
        assert everything(cloudsigma.scan(shared_corpus / folder, rules=rules, jobs=2)) == one


def test_large_files_and_standard_input_stay_with_the_parent(trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_LARGE", 100)  # of the parent's alone: workers never see these files
    stdin = json.dumps(record(0, eventID="in")).encode()
    found = {}
    for jobs in (1, 2):
        found[jobs] = everything(cloudsigma.scan(trail, "-", jobs=jobs, stdin=io.BytesIO(stdin)))
    assert found[2] == found[1]
    assert b'"in"' in found[2][0][-1]


def test_a_worker_that_dies_loses_nothing(
    trail: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = everything(cloudsigma.scan(trail))
    monkeypatch.setattr(workers, "_BATCH_FILES", 1)
    scan = cloudsigma.scan(trail, jobs=2)
    matches = iter(scan)
    found = [next(matches).to_json_bytes()]
    for child in Path("/proc/self/task").glob("*/children"):
        for process in child.read_text().split():
            if b"spawn_main" in Path(f"/proc/{process}/cmdline").read_bytes():
                os.kill(int(process), signal.SIGKILL)
    found += [match.to_json_bytes() for match in matches]
    assert (found, scan.counts, scan.repeated, scan.ledger) == one


def test_who_stops_early_is_told_what_was_read(trail: Path) -> None:
    scan = cloudsigma.scan(trail, jobs=2)
    matches = iter(scan)
    next(matches)
    matches.close()  # type: ignore[attr-defined]  # a generator
    assert 0 < scan.ledger.files < FILES


def test_little_to_read_starts_no_workers(trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_workers(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(workers, "_read_on_workers", no_workers)
    assert len(list(cloudsigma.scan(trail, jobs=None))) > FILES


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_workers_end_where_sigterm_is_ignored(trail: Path) -> None:
    """A process hands on what it ignores; workers end all the same, and at once."""
    command = f"trap '' TERM; exec {sys.executable} -m cloudsigma scan --jobs 2 --format ids {trail}"
    began = time.monotonic()
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, start_new_session=True)
    assert len(done.stdout.splitlines()) > FILES
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("jobs", [0, -1])
def test_jobs_must_be_at_least_one(trail: Path, jobs: int) -> None:
    with pytest.raises(cloudsigma.UsageError, match="give 1 or more"):
        cloudsigma.scan(trail, jobs=jobs)


def test_progress_ends_with_everything(trail: Path) -> None:
    for jobs in (1, 2):
        seen: list[Any] = []
        scan = cloudsigma.scan(trail, jobs=jobs, progress=seen.append)
        list(scan)
        assert seen[-1].files_done == seen[-1].files_total == FILES + 3
        assert seen[-1].records == scan.ledger.records
        assert [state.records for state in seen] == sorted(state.records for state in seen)


def test_reading_begins_before_everything_is_found(trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many files the first are read while the others are looked for; sizes are told once all are found."""
    monkeypatch.setattr(scan_progress, "_FOUND_FIRST", 5)
    seen: list[Any] = []
    scan = cloudsigma.scan(trail, progress=seen.append)
    plain = cloudsigma.scan(trail)
    assert [match.key for match in scan] == [match.key for match in plain]
    assert scan.ledger == plain.ledger
    assert [state.files_total for state in seen[:7]] == [5, 5, 5, 5, 5, 6, 7]
    assert seen[0].bytes_total is None
    assert seen[-1].files_done == seen[-1].files_total == FILES + 3
    assert seen[-1].bytes_total == seen[-1].bytes_done >= scan.ledger.bytes


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize(
    ("number", "times", "gap"),
    [(signal.SIGINT, 1, 0), (signal.SIGINT, 2, 0.005), (signal.SIGINT, 2, 0.04), (signal.SIGINT, 20, 0.02),
     (signal.SIGTERM, 2, 0.01), (signal.SIGHUP, 1, 0)],
)  # fmt: skip
def test_a_signal_ends_the_command_and_its_workers(
    tmp_path: Path, trail: Path, number: int, times: int, gap: float
) -> None:
    """However often it comes: with its account, without a trace, and nobody is left behind."""
    for at in range(300):
        data = json.dumps({"Records": [record(at * 1000 + position) for position in range(1000)]}).encode()
        (tmp_path / f"{at}.json").write_bytes(data)
    command = [sys.executable, "-m", "cloudsigma", "scan", str(tmp_path), "--jobs", "2", "-o", str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True, text=True)
    deadline = time.monotonic() + 30
    while not (tmp_path / "out").exists() or (tmp_path / "out").stat().st_size == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for _ in range(times):
        os.killpg(process.pid, number)
        time.sleep(gap)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "interrupted; until then:" in told
    for word in ("Traceback", "leaked", "ignored"):
        assert word not in told
    while lives(process.pid):  # each worker ends the files that it is at
        assert time.monotonic() < deadline + 30
        time.sleep(0.05)

"""Stopped, broken off, full: what the command says then, what it leaves behind, and its exit code."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from group_calls import create_group as record
from process_groups import lives

import cloudsigma
from cloudsigma.cli import exit_codes
from cloudsigma.cli.progress import Rate
from cloudsigma.scanning import workers
from cloudsigma.sinks.output import LineOutput

COMMAND = [sys.executable, "-m", "cloudsigma", "scan"]
RECORDS = 200


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Twenty files with 200 matches each."""
    folder = tmp_path / "trail"
    folder.mkdir()
    for at in range(20):
        records = [record(f"{at}-{position}") for position in range(RECORDS)]
        (folder / f"{at:02}.json").write_text(json.dumps({"Records": records}))
    return folder


def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *map(os.fspath, arguments)], capture_output=True, text=True, check=False, timeout=60, **options
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done


def whole_lines(output: Path) -> list[dict[str, Any]]:
    """The matches in a file, every line of which is whole."""
    data = output.read_bytes()
    assert data == b"" or data.endswith(b"\n")
    return [json.loads(line) for line in data.splitlines()]


# --- an output that cannot be written -----------------------------------------------------------------------


def test_s06_an_output_that_cannot_be_opened_stops_before_anything_is_read(trail: Path, tmp_path: Path) -> None:
    for output, reason in (
        (tmp_path / "no" / "such", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (Path("/proc/self/mem/x"), "Not a directory"),
    ):
        done = run(trail, "--output", output)
        assert done.returncode == exit_codes.NOT_DONE
        assert done.stderr == f"Error: {output} cannot be written ({reason}).\n"


def test_an_output_that_is_the_input_is_refused(trail: Path) -> None:
    file = trail / "00.json"
    before = file.read_bytes()
    done = run(file, "--output", trail / ".." / "trail" / "00.json")
    assert done.returncode == exit_codes.USAGE
    assert f"--output names what is to be read: {file}" in done.stderr
    assert file.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="limits are those of POSIX")
@pytest.mark.parametrize(
    ("jobs", "size"), [("1", 0), ("1", 1), ("1", 100_000), ("1", 1_000_001), ("2", 100_000), ("2", 1_000_001)]
)
def test_s06_a_file_that_grows_too_large_holds_whole_lines(trail: Path, tmp_path: Path, jobs: str, size: int) -> None:
    output = tmp_path / "out"
    done = run(
        trail, "--output", output, "--jobs", jobs,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )  # fmt: skip
    assert done.returncode == exit_codes.NOT_DONE
    written = whole_lines(output)
    expected = [f"{at}-{position}" for at in range(20) for position in range(RECORDS)]
    assert [match["context"]["event_id"] for match in written] == expected[: len(written)]
    assert output.stat().st_size + 4000 > size  # as many lines as there is room for
    counted = f"; {len(written):,} whole lines were written before" if written else ""
    assert f"Error: {output} cannot be written (File too large){counted}." in done.stderr
    assert done.stderr.startswith("stopped; until then:")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KB; `/dev/full` cannot show what is left on one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here; the limit on the size of files is tested all the same")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_s06_a_full_disk(trail: Path, small_disk: Path, tmp_path: Path) -> None:
    output = small_disk / "out"
    done = run(trail, "--output", output)
    assert done.returncode == exit_codes.NOT_DONE
    assert f"{output} cannot be written (No space left on device); {len(whole_lines(output))} whole" in done.stderr
    # with a checkpoint there, too: it goes on once there is room
    output.unlink()
    full = run(trail, "--output", output, "--checkpoint", small_disk / "db")
    assert full.returncode == exit_codes.NOT_DONE
    whole_lines(output)
    with output.open("ab") as file, contextlib.suppress(OSError):
        file.write(b"x" * 300_000)
    again = run(trail, "--output", output, "--checkpoint", small_disk / "db")
    assert again.returncode == exit_codes.NOT_DONE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("form", ["jsonl", "ids", "table"])
def test_standard_output_that_is_full(trail: Path, form: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, trail, "--format", form], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == exit_codes.NOT_DONE
    assert "Error: standard output cannot be written (No space left on device)." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_any_command_whose_output_is_full() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cloudsigma", "rules"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == exit_codes.NOT_DONE
    assert "cloudsigma: the output cannot be written (No space left on device)" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize("form", ["jsonl", "table", "ids"])
def test_a_reader_that_goes_away_is_no_trouble(trail: Path, form: str) -> None:
    process = subprocess.Popen(
        [*COMMAND, trail, trail, "--no-dedup", "--format", form], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(1)
    process.stdout.close()
    told = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(30) == exit_codes.NOT_DONE
    assert "Traceback" not in told
    assert "Exception ignored" not in told


def test_standard_output_that_is_closed(trail: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m cloudsigma scan {trail} >&-"], capture_output=True, text=True, check=False
    )
    assert done.returncode == exit_codes.NOT_DONE
    assert "Traceback" not in done.stderr


def test_s17_no_match_leaves_an_empty_output(tmp_path: Path) -> None:
    """Zero matches: the output is there and empty, which is valid as JSON lines; an older one is not left standing."""
    (tmp_path / "a.json").write_text(json.dumps([record("a", eventName="ListGroups")]))
    output = tmp_path / "out"
    output.write_text("of yesterday")
    done = run(tmp_path / "a.json", "--output", output)
    assert done.returncode == exit_codes.DONE
    assert output.read_bytes() == b""
    assert done.stdout == ""


class Broken:
    """A file of which a write is broken off in the midst of a line."""

    def __init__(self, file: Any, size: int, error: BaseException) -> None:
        self._file, self._size, self._error = file, size, error

    def write(self, data: bytes) -> int:
        if self._size < len(data):
            self._file.write(data[: self._size])
            self._size = 1 << 60
            raise self._error
        return int(self._file.write(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.mark.parametrize("size", [0, 5, 6, 7, 11, 12, 13, 17])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")], ids=["ctrl-c", "full"])
def test_a_write_that_is_broken_off_leaves_whole_lines_and_loses_none(
    tmp_path: Path, size: int, error: BaseException
) -> None:
    with (tmp_path / "out").open("w+b", buffering=0) as file:
        output = LineOutput(Broken(file, size, error))  # type: ignore[arg-type]
        for line in (b"first", b"other", b"third"):
            output.write_line(line)
        with pytest.raises(type(error)):
            output.flush()
        assert (tmp_path / "out").read_bytes() == b"first\nother\nthird\n"[: size // 6 * 6]
        assert output.lines == size // 6
        output.close()
    assert (tmp_path / "out").read_bytes() == b"first\nother\nthird\n"


# --- stopped ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"])
def test_r31_a_signal_ends_a_scan_with_what_was_done(
    tmp_path: Path, trail: Path, number: int, code: int, jobs: str
) -> None:
    """The account is told, the output holds whole lines, and a checkpoint goes on from there to the same end."""
    for at in range(20, 120):
        shutil.copy(trail / "00.json", trail / f"{at}.json")
    arguments = ["--no-dedup", "--jobs", jobs, "--output", tmp_path / "out", "--checkpoint", tmp_path / "db"]
    process = subprocess.Popen([*COMMAND, trail, *map(os.fspath, arguments)], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not (tmp_path / "out").exists() or not (tmp_path / "out").stat().st_size:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert process.returncode == code
    assert told.startswith("interrupted; until then:\n")
    assert "Traceback" not in told
    assert "Exception ignored" not in told
    done = len(whole_lines(tmp_path / "out"))
    assert 0 < done < 120 * RECORDS
    last = run(trail, *arguments)
    assert last.returncode == exit_codes.FOUND
    assert len(whole_lines(tmp_path / "out")) == 120 * RECORDS


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"])
def test_r31_a_signal_during_the_start_is_clean(trail: Path, number: int, code: int) -> None:
    """At any moment of the start: once Python itself has started, there is an exit code and no traceback."""
    program = (
        "import os, signal, sys; import cloudsigma.cli.rule_options as options\n"
        f"options.Choice.load = lambda self: os.kill(os.getpid(), {int(number)}) or __import__('time').sleep(5)\n"
        "from cloudsigma.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "scan", trail], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == code
    assert done.stderr.strip() == "interrupted"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_workers_end_when_their_parent_is_killed(tmp_path: Path, trail: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, *[trail] * 40, "--no-dedup", "--jobs", "2", "--output", tmp_path / "out"],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "out").exists() or not (tmp_path / "out").stat().st_size:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    while lives(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


# --- strict -------------------------------------------------------------------------------------------------


def damage(trail: Path) -> dict[str, str]:
    """Files that are damaged in some way, by name, with what is said of each."""
    damaged = {
        "05a.json": (b"no JSON", "the text is not JSON"),
        "05b.json": ((trail / "05.json").read_bytes()[:-20_000], "the JSON is damaged"),
        "05c.json.gz": (gzip.compress((trail / "05.json").read_bytes())[:-30], "the gzip data is cut off"),
        "05d.jsonl": (
            b"\n".join([json.dumps(record("d0")).encode(), b"{", json.dumps(record("d1")).encode()]),
            "line 2",
        ),
    }
    for name, (data, _) in damaged.items():
        (trail / name).write_bytes(data)
    return {name: said for name, (_, said) in damaged.items()}


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("name", ["05a.json", "05b.json", "05c.json.gz", "05d.jsonl", "05e.json"])
def test_s04_strict_stops_at_the_first_loss(trail: Path, tmp_path: Path, name: str, jobs: str) -> None:
    """The file and the reason are named, what was found before is given, and nothing after it is read."""
    said = damage(trail) | {"05e.json": "no such file or directory"}
    (trail / "05e.json").symlink_to(trail / "nowhere")
    for other in said:
        if other < name:
            (trail / other).unlink()
    output = tmp_path / "out"
    done = run(trail, "--strict", "--jobs", jobs, "--output", output)
    assert done.returncode == exit_codes.INPUT_LOST
    first, *_ = done.stderr.splitlines()
    assert first.startswith(f"stopped at the first loss: {trail / name}: ")
    assert said[name] in done.stderr
    assert "Nothing after it was read. Until then:" in first
    assert "NOT READ, 1 place:" in done.stderr
    found = [match["origin"]["path"] for match in whole_lines(output)]
    assert found[: 6 * RECORDS] == [f"{trail}/{at:02}.json" for at in range(6) for _ in range(RECORDS)]
    assert set(found[6 * RECORDS :]) <= {str(trail / name)}
    assert "d1" not in {match["context"]["event_id"] for match in whole_lines(output)}


def test_strict_without_a_loss_changes_nothing(trail: Path, tmp_path: Path) -> None:
    strict = run(trail, "--strict", "--output", tmp_path / "one")
    plain = run(trail, "--output", tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (strict.stderr, strict.returncode) == (plain.stderr, plain.returncode)


def test_strict_takes_what_is_not_there_for_a_loss(trail: Path, tmp_path: Path) -> None:
    done = run(tmp_path / "missing", trail, "--strict")
    assert done.returncode == exit_codes.INPUT_LOST
    assert f"{tmp_path / 'missing'}: there is no such file or folder. Nothing after it was read." in done.stderr
    assert done.stdout == ""


def test_strict_with_a_checkpoint_goes_on_at_the_mended_file(trail: Path, tmp_path: Path) -> None:
    (trail / "05a.json").write_bytes(b"no JSON")
    arguments = [trail, "--output", tmp_path / "out", "--checkpoint", tmp_path / "db"]
    assert run(*arguments, "--strict").returncode == exit_codes.INPUT_LOST
    (trail / "05a.json").write_text(json.dumps([record("mended")]))
    done = run(*arguments, "--strict")
    assert done.returncode == exit_codes.FOUND
    ids = [match["context"]["event_id"] for match in whole_lines(tmp_path / "out")]
    assert ids.index("mended") == 6 * RECORDS
    assert len(ids) == len(set(ids)) == 20 * RECORDS + 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_strict_raises_a_named_exception(trail: Path, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_BATCH_FILES", 4)
    (trail / "05a.json").write_bytes(b"no JSON")
    scan = cloudsigma.scan(trail, strict=True, jobs=jobs)
    found = []
    with pytest.raises(cloudsigma.InputLostError) as raised:
        found.extend(scan)
    assert len(found) == 6 * RECORDS
    assert raised.value.path == str(trail / "05a.json")
    assert raised.value.reason == "the text is not JSON"
    assert isinstance(raised.value, cloudsigma.CloudSigmaError)
    assert scan.ledger.files == 6
    assert len(scan.ledger.losses) == 1


# --- progress -----------------------------------------------------------------------------------------------


def on_terminal(arguments: list[str], *, output: bool, program: str = "") -> tuple[str, str, int]:
    """What the command writes to a terminal (standard error, and with `output` the output too), and to a pipe."""
    ours, theirs = pty.openpty()
    start = [sys.executable, "-c", program, "scan"] if program else COMMAND
    process = subprocess.Popen(
        [*start, *arguments], stderr=theirs, stdout=theirs if output else subprocess.PIPE,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "150", "NO_COLOR": "1"},
    )  # fmt: skip
    os.close(theirs)
    shown, piped = b"", b""
    streams = [ours, *([process.stdout.fileno()] if process.stdout is not None else [])]
    while streams:
        for stream in select.select(streams, [], [], 60)[0]:
            try:
                data = os.read(stream, 1 << 16)
            except OSError:  # the terminal's end
                data = b""
            if not data:
                streams.remove(stream)
            elif stream == ours:
                shown += data
            else:
                piped += data
    os.close(ours)
    if process.stdout is not None:
        process.stdout.close()
    return shown.decode(), piped.decode(), process.wait(30)


IMPATIENT = (
    "import sys; import cloudsigma.cli.progress as progress; progress._PATIENCE = progress._UPDATES = 0\n"
    "from cloudsigma.cli import main; sys.exit(main(sys.argv[1:]))"
)


def test_progress_shows_rate_and_size_and_never_mixes_with_the_output(trail: Path) -> None:
    shown, piped, code = on_terminal([str(trail)], output=False, program=IMPATIENT)
    assert code == exit_codes.FOUND
    assert "/20 files" in shown
    assert re.search(r"[\d,]+ records/s", shown)
    assert re.search(r"[\d.]+/[\d.]+ [kM]B", shown)
    assert len([json.loads(line) for line in piped.splitlines()]) == 20 * RECORDS
    assert "files" not in piped


def test_progress_goes_away_before_matches_are_written_to_the_same_terminal(trail: Path) -> None:
    """Every match stands on a line of its own, whole."""
    shown, _, _ = on_terminal([str(trail), "--format", "ids"], output=True, program=IMPATIENT)
    assert "records/s" in shown
    cleared = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r\n", "\n")
    lines = [line.rpartition("\r")[2] for line in cleared.split("\n")]
    assert len([line for line in lines if re.fullmatch(r"[0-9a-f-]{36}\t\d+-\d+", line)]) == 20 * RECORDS


def test_there_is_no_progress_where_nobody_watches(trail: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPATIENT, "scan", trail, "--format", "ids"], capture_output=True, text=True, check=False
    )
    assert "records/s" not in done.stderr
    assert "\x1b" not in done.stderr


def test_the_rate_is_that_of_the_last_seconds() -> None:
    now = 0.0
    rate = Rate(lambda: now)
    assert rate.note(0) == 0
    found = []
    for second in range(1, 41):
        now = float(second)
        found.append(rate.note(1000 * second if second <= 20 else 20_000 + 10 * (second - 20)))
    assert found[:20] == [1000.0] * 20
    assert found[-1] == 10.0
    assert 10 < found[24] < 1000


def test_progress_counts_bytes_also_within_a_large_file(tmp_path: Path) -> None:
    line = json.dumps(record("x", eventName="ListGroups")).encode() + b"\n"
    file = tmp_path / "large.jsonl"
    file.write_bytes(line * 60_000)
    seen: list[Any] = []
    scan = cloudsigma.scan(file, tmp_path / "missing", progress=seen.append)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cloudsigma.reading.source_reader.MOST", 1000)  # a file of gigabytes is streamed
        list(scan)
    size = file.stat().st_size
    assert {state.bytes_total for state in seen} == {size}
    done = [state.bytes_done for state in seen]
    assert done == sorted(done)
    assert len({count for count in done if 0 < count < size}) >= 3
    assert done[-1] == size
    assert seen[-1].records == 60_000

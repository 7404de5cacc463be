"""A scan that is killed, stopped or goes on later: nothing is lost, nothing comes twice, and the order is the same.

`CLOUDSIGMA_FUZZ` multiplies the number of runs that are killed with SIGKILL at random moments (8).
"""

from __future__ import annotations

import gzip
import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from effort import effort

from cloudsigma.cli import exit_codes

KILLS = effort(8)
FILES, RECORDS = 90, 60
PROGRAM = (
    "import sys, cloudsigma.scanning.checkpoint as checkpoint; checkpoint.EVERY, checkpoint._SHARE = {every}, 0;"
    "from cloudsigma.cli import main; sys.exit(main(sys.argv[1:]))"
)


def record(number: int, **changes: Any) -> dict[str, Any]:
    """One call of many: some match alone, some together with others of the same user."""
    kinds = [
        ("iam.amazonaws.com", "CreateGroup", {"groupName": f"g{number % 50}"}),
        ("iam.amazonaws.com", "AttachGroupPolicy", {"groupName": f"g{number % 50}"}),
        ("iam.amazonaws.com", "AddUserToGroup", {"groupName": f"g{number % 50}", "userName": "u"}),
        ("rolesanywhere.amazonaws.com", "CreateTrustAnchor", {"source": {"sourceType": "CERTIFICATE_BUNDLE"}}),
        ("rolesanywhere.amazonaws.com", "CreateProfile", {"name": f"p{number}"}),
        ("s3.amazonaws.com", "GetObject", {"bucketName": "b"}),
        ("ec2.amazonaws.com", "DescribeInstances", None),
    ]
    source, name, parameters = kinds[number * 7919 % 31 % len(kinds)]
    made = {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/u{number % 40}"},
        "eventTime": f"2025-03-{1 + number % 28:02}T{number % 24:02}:{number % 60:02}:30Z",
        "eventSource": source,
        "eventName": name,
        "awsRegion": "us-east-1",
        "eventID": f"e{number}",
        "requestParameters": parameters,
        "recipientAccountId": "111122223333",
        **changes,
    }
    if number % 17 == 0:
        del made["eventID"]
    return made


def write(folder: Path, at: int, **changes: Any) -> Path:
    """One file of the trail: some in other forms, damaged, or delivered twice."""
    records = [record(at * RECORDS + position, **changes) for position in range(RECORDS)]
    data = json.dumps({"Records": records}).encode()
    if at % 10 == 3:
        data = data[:-200]
    if at % 10 == 5:
        data = b"\n".join(json.dumps(each).encode() for each in records)
    file = folder / f"{at:04}.json.gz"
    file.write_bytes(gzip.compress(data, 1))
    if at % 20 == 8:
        (folder / f"{at:04}-again.json.gz").write_bytes(file.read_bytes())
    return file


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trail")
    for at in range(FILES):
        write(folder, at)
    (folder / "9999.json").symlink_to(folder / "nowhere.json")
    return folder


def command(*arguments: str | Path, every: float = 0.0) -> list[str]:
    """The command, with a checkpoint written more often than it usually is."""
    return [sys.executable, "-c", PROGRAM.format(every=every), "scan", *map(os.fspath, arguments)]


def run(*arguments: str | Path, cwd: Path | None = None, every: float = 0.0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(*arguments, every=every), cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def account(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What is told at the end, less where the scan went on; losses in no order."""
    lines = [line for line in done.stderr.splitlines() if "the scan goes on" not in line]
    return sorted(lines)


# --- killed -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize("correlations", [False, True], ids=["detections", "correlations"])
@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.fuzz
def test_killed_runs_come_to_what_one_undisturbed_run_does(
    trail: Path, tmp_path: Path, jobs: str, correlations: bool
) -> None:
    options = [trail, "--jobs", jobs, *(["--correlations"] if correlations else [])]
    undisturbed, expected, took = {}, {}, 0.0
    for form in ("jsonl", "ids"):
        chosen = [*options, "--format", form]
        plain = run(*chosen)
        started = time.monotonic()
        undisturbed[form] = run(*chosen, "--output", tmp_path / form, "--checkpoint", tmp_path / f"{form}.db")
        took = max(took, time.monotonic() - started)
        expected[form] = (tmp_path / form).read_bytes()
        assert plain.stdout.encode() == expected[form]  # the same as without a checkpoint
    found = [json.loads(line) for line in expected["jsonl"].splitlines()]
    assert len(found) > 1000
    assert sum(bool(match["matches"]) for match in found) > (50 if correlations else -1)
    choice = random.Random(f"{jobs} {correlations}")  # noqa: S311  # which moments, not which secrets
    runs = kills = resumed = 0
    while runs < -(-KILLS // 4):  # of four parameter sets
        form = choice.choice(["jsonl", "jsonl", "ids"])
        output, checkpoint = tmp_path / "out", tmp_path / "out.db"
        arguments = [*options, "--format", form, "--output", output, "--checkpoint", checkpoint]
        killed = 0
        for _ in range(choice.randint(1, 3)):
            process = subprocess.Popen(command(*arguments), stderr=subprocess.DEVNULL)
            try:
                process.wait(choice.uniform(took / 5, took))
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
            process.wait()
        last = run(*arguments)
        assert output.read_bytes() == expected[form]
        assert last.returncode == exit_codes.INPUT_LOST
        if "was finished" not in last.stderr:
            assert account(last) == account(undisturbed[form])
        runs += killed > 0
        kills += killed
        resumed += "the scan goes on" in last.stderr
        output.unlink()
        checkpoint.unlink()
    print(f"{runs} runs killed {kills} times, {resumed} of them went on from a checkpoint")
    assert resumed or runs < 10


# --- gone on with -------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Path:
    folder = tmp_path / "trail"
    folder.mkdir()
    for at in range(3):
        write(folder, at)
    return folder


def event_ids(output: Path) -> list[str]:
    return [json.loads(line)["context"]["event_id"] for line in output.read_text().splitlines()]


def test_a_finished_scan_says_so_and_reads_only_what_is_new(small: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = [small, "--output", output, "--checkpoint", tmp_path / "db"]
    first = run(*arguments)
    before = output.read_bytes()
    again = run(*arguments)
    assert output.read_bytes() == before
    assert "3 files are done, the scan was finished; only new and changed files are read" in again.stderr
    assert again.stderr.splitlines()[1:] == first.stderr.splitlines()  # the account of the whole
    assert again.returncode == first.returncode == exit_codes.FOUND
    write(small, 1000)
    (small / "0000a.json").write_text(json.dumps([record(31, eventID="between")]))
    more = run(*arguments)
    assert output.read_bytes().startswith(before)
    new = event_ids(output)[len(before.splitlines()) :]
    assert new[0] == "between"
    assert len(new) > 10
    assert "read 5 files" in more.stderr


def test_a_file_that_has_changed_is_read_again_and_gives_what_is_new(small: Path, tmp_path: Path) -> None:
    """What a file held before is told by the keys of matches; without dedup it is not read again, and that is told."""
    grown = small / "grown.jsonl"
    lines = [json.dumps(record(31, eventID=f"line{n}")) + "\n" for n in range(4)]
    for options, code, ids in (
        ([], exit_codes.FOUND, ["line0", "line1", "line2", "line3"]),
        (["--no-dedup"], exit_codes.INPUT_LOST, ["line0", "line1"]),
    ):
        output = tmp_path / f"out{len(options)}"
        arguments = [small, "--output", output, "--checkpoint", tmp_path / f"db{len(options)}", *options]
        grown.write_text("".join(lines[:2]))
        run(*arguments)
        grown.write_text("".join(lines))
        done = run(*arguments)
        assert [name for name in event_ids(output) if name and name.startswith("line")] == ids
        assert done.returncode == code
        if options:
            assert f"{grown}: it has changed since it was read; without dedup its matches would be given twice" in (
                done.stderr
            )
        else:
            assert "read again, since they had changed: 1" in done.stderr
            assert "line0" not in done.stderr  # no other delivery of an event
        assert run(*arguments).returncode == code  # told, and not forgotten


def test_what_could_not_be_read_is_tried_again(small: Path, tmp_path: Path) -> None:
    """Files that were lost as a whole are read once they can be, and their losses are forgotten."""
    (small / "later.json").symlink_to(tmp_path / "later.json")
    fixed = small / "fixed.json"
    fixed.write_text("no JSON")
    output = tmp_path / "out"
    arguments = [small, "--output", output, "--checkpoint", tmp_path / "db"]
    first = run(*arguments)
    assert first.returncode == exit_codes.INPUT_LOST
    assert first.stderr.count(str(small)) == 2
    assert run(*arguments).returncode == exit_codes.INPUT_LOST
    for at, file in enumerate((tmp_path / "later.json", fixed)):
        file.write_text(json.dumps([record(31, eventID=f"late{at}")]))
    done = run(*arguments)
    assert done.returncode == exit_codes.FOUND
    assert sorted(event_ids(output)[-2:]) == ["late0", "late1"]
    assert "NOT READ" not in done.stderr


def test_what_cannot_be_read_is_counted_once_however_often_it_is_tried(small: Path, tmp_path: Path) -> None:
    """The account of a scan that is started again is that of one scan."""
    (small / "manifest.json").write_text('{"hello": 1}')
    (small / "cut.json.gz").write_bytes(gzip.compress(bytes(5000))[:20])
    (small / "both.json").write_text(json.dumps({"awsAccountId": "1", "digestS3Object": "x", "logFiles": []}) + "{bad")
    ledgers = []
    for _ in range(4):
        run(small, "-o", tmp_path / "out", "--checkpoint", tmp_path / "db", "--ledger", tmp_path / "l")
        ledgers.append(json.loads((tmp_path / "l").read_text()))
    assert all(ledger == ledgers[0] for ledger in ledgers)
    assert ledgers[0]["ledger"]["recognized"] == {"digest": 1}
    assert len(ledgers[0]["ledger"]["losses"]) == 3


def test_what_was_written_after_the_checkpoint_is_cut_off(small: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = [small, "--output", output, "--checkpoint", tmp_path / "db"]
    run(*arguments)
    whole = output.read_bytes()
    with output.open("ab") as file:
        file.write(b'{"rule_id": "half a ma')
    run(*arguments)
    assert output.read_bytes() == whole


def test_relative_times_are_those_of_the_first_start(small: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = [small, "--output", output, "--checkpoint", tmp_path / "db", "--since", "24h"]
    run(*arguments)
    with sqlite3.connect(tmp_path / "db") as database:
        (window,) = database.execute("SELECT value FROM scan WHERE name = 'window'").fetchone()
        time.sleep(1)
    database.close()
    run(*arguments)
    with sqlite3.connect(tmp_path / "db") as database:
        assert database.execute("SELECT value FROM scan WHERE name = 'window'").fetchone() == (window,)
    database.close()


def test_coverage_and_repeats_are_those_of_the_whole(trail: Path, tmp_path: Path) -> None:
    """The ledger of a scan that goes on is the one that an undisturbed run has."""
    folder = tmp_path / "trail"
    folder.mkdir()
    options = ["--coverage", "--output", tmp_path / "out", "--checkpoint", tmp_path / "db"]
    names = sorted(file.name for file in trail.iterdir())[:20]
    for name in names[:9]:
        (folder / name).write_bytes((trail / name).read_bytes())
    run(folder, *options)
    for name in names[9:]:
        (folder / name).write_bytes((trail / name).read_bytes())
    run(folder, *options, "--ledger", tmp_path / "two.json")
    for file in (tmp_path / "out", tmp_path / "db"):
        file.unlink()
    run(folder, *options, "--ledger", tmp_path / "one.json")
    one, two = (json.loads((tmp_path / name).read_text()) for name in ("one.json", "two.json"))
    assert one["repeated"] > 10
    assert two == one


# --- refused ------------------------------------------------------------------------------------------------


def test_a_checkpoint_of_another_scan_is_refused_and_says_what_differs(small: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = ["--output", output, "--checkpoint", tmp_path / "db"]
    rule = tmp_path / "own.yml"
    rule.write_text(
        "title: Own\nid: 11111111-1111-4111-8111-111111111111\nlogsource: {product: aws, service: cloudtrail}\n"
        "detection:\n    s: {eventName: CreateProfile}\n    condition: s\n"
    )
    run(small, *arguments, "--rules", rule, "--since", "2020-01-01")
    before = output.read_bytes()
    for paths, changes, told in (
        ([small], ["--since", "2020-01-01"], ["rules: Own (11111111-1111-4111-8111-111111111111) missing"]),
        ([small], ["--rules", rule], ["--since: 2020-01-01 then, not given now"]),
        ([small], ["--rules", rule, "--since", "2021-01-01"], ["--since: 2020-01-01 then, 2021-01-01 now"]),
        (
            [small / "0000.json.gz", small],
            ["--rules", rule, "--since", "2020-01-01", "--no-dedup", "--format", "ids"],
            [
                f"PATH: {small} then, {small / '0000.json.gz'} {small} now",
                "--no-dedup: not given then, given now",
                "--format: not given then, ids now",
            ],
        ),
        ([small], ["--rules", rule, "--since", "2020-01-01", "--max-depth", "50"], ["--max-depth: not given then, 50"]),
    ):
        done = run(*paths, *arguments, *changes)
        assert done.returncode == exit_codes.USAGE
        for text in told:
            assert text in done.stderr
        assert "belongs to a scan with other settings" in done.stderr
        assert output.read_bytes() == before
    other = run(small, "--output", tmp_path / "b", "--checkpoint", tmp_path / "db", "--rules", rule,
        "--since", "2020-01-01")  # fmt: skip
    assert f"--output: {output} then, {tmp_path / 'b'} now" in other.stderr
    rule.write_text(rule.read_text().replace("CreateProfile", "CreateProfil?"))
    changed = run(small, *arguments, "--rules", rule, "--since", "2020-01-01")
    assert "rules: Own (11111111-1111-4111-8111-111111111111) changed" in changed.stderr
    same = run(small, *arguments, "--rules", rule, "--since", "2020-01-01", "--jobs", "2", "--exit-zero")
    assert same.returncode == exit_codes.USAGE


def test_a_relative_path_from_another_folder_is_refused(small: Path, tmp_path: Path) -> None:
    arguments = ["trail", "--output", tmp_path / "out", "--checkpoint", tmp_path / "db"]
    assert run(*arguments, cwd=tmp_path).returncode == exit_codes.FOUND
    assert run(*arguments, cwd=tmp_path).returncode == exit_codes.FOUND
    (tmp_path / "other").mkdir()
    done = run(*arguments, cwd=tmp_path / "other")
    assert done.returncode == exit_codes.USAGE
    assert f"current folder: {tmp_path} then, {tmp_path / 'other'} now" in done.stderr


def test_another_output_is_refused(small: Path, tmp_path: Path) -> None:
    """An output that is gone, shorter or not the one that was written is left as it is."""
    output = tmp_path / "out"
    arguments = [small, "--output", output, "--checkpoint", tmp_path / "db"]
    run(*arguments)
    whole = output.read_bytes()
    for content in (b"", whole[:-20], whole[:-20] + b"x" * 20, whole[:-2] + b"?\n" + b"more" * 100):
        output.write_bytes(content)
        done = run(*arguments)
        assert done.returncode == exit_codes.USAGE
        assert "the output is not what the scan of the checkpoint" in done.stderr
        assert output.read_bytes() == content


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["x", "--checkpoint", "db"], "--checkpoint needs --output FILE"),
        (["x", "--checkpoint", "db", "-o", "out", "--format", "table"], "output in the format table cannot be resumed"),
        (["-", "--checkpoint", "db", "-o", "out"], "standard input can be read only once"),
        (["x", "--checkpoint", "same", "-o", "./same"], "--output and --checkpoint name one file"),
        (["x", "--checkpoint", "db", "-o", "/dev/null"], "needs a regular file as --output"),
    ],
)
def test_what_makes_no_sense_is_refused_early(tmp_path: Path, options: list[str], message: str) -> None:
    done = run(*options, cwd=tmp_path)
    assert done.returncode == exit_codes.USAGE
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_checkpoint_are_left_alone(small: Path, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("these are somebody's notes, long enough to be a database\n" * 20)
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as database:
        database.execute("CREATE TABLE photos (name TEXT)")
    database.close()
    for file, message in (
        (text, "is not a checkpoint"),
        (foreign, "is a database of another program"),
        (small, "is a folder"),
        (tmp_path / "no" / "such", "cannot be used (unable to open database file)"),
    ):
        before = file.read_bytes() if file.is_file() else None
        done = run(small, "--output", tmp_path / "out", "--checkpoint", file)
        assert done.returncode == exit_codes.NOT_DONE
        assert message in done.stderr
        assert (file.read_bytes() if file.is_file() else None) == before
        assert not (tmp_path / "out").exists()


def test_a_checkpoint_in_use_is_refused(small: Path, tmp_path: Path) -> None:
    """Also one that is new, and one whose scan waits for new files."""
    expected = run(small, "--format", "ids").stdout.count("\n")
    arguments = [small, "--follow", "--interval", "0.2", "--output", tmp_path / "out", "--checkpoint", tmp_path / "db"]
    for goes_on in (False, True):
        first = subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, text=True)
        assert first.stderr is not None
        try:
            if goes_on:
                assert "the scan goes on" in first.stderr.readline()
            else:
                deadline = time.monotonic() + 20
                while not (tmp_path / "out").exists() or (tmp_path / "out").read_bytes().count(b"\n") < expected:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            done = run(*arguments)
            assert done.returncode == exit_codes.NOT_DONE
            assert "is in use by another scan" in done.stderr
            assert (tmp_path / "out").read_bytes().count(b"\n") == expected
        finally:
            first.kill()
            first.wait()
            first.stderr.close()

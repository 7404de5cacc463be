"""What went wrong in systems like this one, as tests: the command, and what it says where something is missing.

Each is named after its line of the list; `test_written_output.py` has those about what is written.
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from group_calls import create_group as record

import cloudsigma
from cloudsigma.cli import exit_codes

COMMAND = [sys.executable, "-m", "cloudsigma"]
RULE = "title: Own\nname: own\nlogsource: {product: aws}\ndetection: {s: {eventName: CreateGroup}, condition: s}\n"


def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command, which never hangs and never shows a traceback."""
    done = subprocess.run(
        [*COMMAND, *map(os.fspath, arguments)], capture_output=True, text=True, check=False, timeout=30, **options
    )
    assert "Traceback" not in done.stderr
    return done


def ids(output: str) -> list[str]:
    return [line.split("\t")[1] for line in output.splitlines()]


def log_file(*names: str) -> bytes:
    return json.dumps({"Records": [record(name) for name in names]}).encode()


# --- input --------------------------------------------------------------------------------------------------

BAD = {
    "b-not-utf8.json": (b"\xff\xfe\xfd", "the text is not UTF-16-LE"),
    "c-latin.json": (log_file("x").replace(b"admins", b"\xe4dmins"), "bytes that are not UTF-8"),
    "d-cut.json": (log_file("d0", "d1")[:-40], "the JSON is damaged"),
    "e-cut.json.gz": (gzip.compress(log_file("x"))[:20], "the gzip data is cut off"),
    "f-damaged.json.gz": (b"\x1f\x8b\x08bad", "the gzip data is damaged"),
    "g-text.json": (b"hello", "the text is not JSON"),
    "h-empty.json": (b"", "the file is empty"),
}
"""Name: content, and what is said of it. `d-cut` holds one whole record."""


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_s03_s04_s06_without_strict_the_rest_is_read_and_every_loss_is_told(tmp_path: Path, jobs: str) -> None:
    """The count and the exit code say so too; matches do not hide it, nor does `--exit-zero`."""
    for name in ("a.json", "z.json"):
        (tmp_path / name).write_bytes(log_file(name))
    for name, (content, _) in BAD.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "i-gone.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "j-loop.json").symlink_to(tmp_path / "j-loop.json")
    said = {name: reason for name, (_, reason) in BAD.items()}
    said |= {"i-gone.json": "no such file or directory", "j-loop.json": "too many levels of symbolic links"}
    done = run("scan", tmp_path, "--jobs", jobs, "--format", "ids", "--exit-zero")
    assert ids(done.stdout) == ["a.json", "d0", "z.json"]
    assert done.returncode == exit_codes.INPUT_LOST
    assert f"NOT READ, {len(said)} places:\n" in done.stderr
    told = done.stderr.partition("NOT READ")[2].splitlines()[1:]
    assert len(told) == len(said)
    for line, (name, reason) in zip(told, said.items(), strict=True):
        assert line.startswith(f"  {tmp_path / name}: ")
        assert reason in line


@pytest.mark.parametrize("strict", [False, True])
def test_s05_a_file_cut_off_at_a_ceiling_is_no_success(tmp_path: Path, strict: bool) -> None:
    lines = b"".join(json.dumps(record(str(n))).encode() + b"\n" for n in range(20_000))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines))
    options = ["--max-inflated", "3MB", "--format", "ids", "--exit-zero", *(["--strict"] if strict else [])]
    done = run("scan", tmp_path, *options)
    found = ids(done.stdout)
    assert found == [str(n) for n in range(len(found))]
    assert 0 < len(found) < 20_000
    assert done.returncode == exit_codes.INPUT_LOST
    assert "it inflates to more than 3,000,000 bytes (the limit 'inflated'; --max-inflated changes it)" in done.stderr


PLACES = [
    (["scan", "?"], "missing", 4, "there is no such file or folder"),
    (["scan", "?"], "folder", 4, "there are no log files in this folder"),
    (["scan", "?"], "pipe", 4, "it is a named pipe, no regular file"),
    (["scan", "?"], "/dev/null", 4, "it is a device, no regular file"),
    (["scan", "a.json/b"], "a.json/b", 4, "not a directory"),
    (["scan", "a.json", "--rules", "?"], "folder", 3, "the folder holds no rule files"),
    (["scan", "a.json", "--rules", "?"], "with_pipe", 3, "with_pipe/r.yml: file error: it cannot be read"),
    (["scan", "a.json", "--placeholders", "?"], "folder", 5, "it cannot be read (Is a directory)"),
    (["scan", "a.json", "--compiled", "?"], "folder", 5, "cannot be read (Is a directory)"),
    (["scan", "a.json", "--compiled", "?"], "/dev/null", 5, "it is no compiled rule set"),
    (["scan", "a.json", "--pipeline", "?"], "folder", 5, "no pipeline 'folder'"),
    (["scan", "a.json", "--ledger", "?"], "missing/x", 5, "cannot be written (No such file or directory)"),
    (["scan", "a.json", "--ledger", "?"], "folder", 5, "cannot be written (Is a directory)"),
    (["scan", "a.json", "--checkpoint", "?", "-o", "o"], "missing/x", 5, "cannot be used (unable to open database"),
    (["scan", "a.json", "--checkpoint", "?", "-o", "o"], "folder", 5, "folder is a folder"),
    (["explain", "r.yml", "--record", "?"], "missing", 4, "there is no such file or folder"),
    (["explain", "r.yml", "--record", "?"], "pipe", 4, "it is a named pipe"),
    (["compile", "-o", "c", "?"], "missing", 5, "there is no such file or folder"),
    (["compile", "r.yml", "-o", "?"], "missing/x", 5, "cannot be written (No such file or directory)"),
    (["compile", "r.yml", "-o", "?"], "folder", 2, "is a directory"),
    (["test", "?"], "missing", 4, "there is no file or folder 'missing'"),
    (["test", "?"], "folder", 5, "there are neither rules nor cases"),
]


@pytest.mark.parametrize(
    ("arguments", "place", "code", "said"), PLACES, ids=[f"{' '.join(each[0])} {each[1]}" for each in PLACES]
)
def test_s06_s07_a_place_that_is_no_file_is_named(
    tmp_path: Path, arguments: list[str], place: str, code: int, said: str
) -> None:
    """Missing, a folder, a special file, wherever a file is asked for: one line, no traceback, no hanging."""
    (tmp_path / "a.json").write_bytes(log_file("e0"))
    (tmp_path / "r.yml").write_text(RULE)
    for name in ("folder", "with_pipe"):
        (tmp_path / name).mkdir()
    for pipe in ("pipe", "with_pipe/r.yml"):
        os.mkfifo(tmp_path / pipe)
    done = run(*(place if each == "?" else each for each in arguments), cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert done.returncode == code
    assert place in done.stderr
    assert said in done.stderr


def test_s07_rules_may_come_through_a_pipe_that_a_shell_has_opened(tmp_path: Path) -> None:
    """It is waited for, as shells pass the output of a command by `<(…)`."""
    (tmp_path / "a.json").write_bytes(log_file("e0"))
    reading, writing = os.pipe()
    writer = threading.Thread(target=lambda: (time.sleep(0.5), os.write(writing, RULE.encode()), os.close(writing)))
    writer.start()
    rules = f"/dev/fd/{reading}"
    done = run("scan", tmp_path / "a.json", "--rules", rules, "--no-bundled", "--format", "ids", pass_fds=(reading,))
    writer.join(10)
    os.close(reading)
    assert ids(done.stdout) == ["e0"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--logsource", "product"], "--logsource takes KEY=VALUE"),
        (["--mutate-fail-under", "most"], "--mutate-fail-under"),
        (["--json"], "--json"),
    ],
    ids=" ".join,
)
def test_s11_a_key_without_a_value_names_its_argument(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "r.yml").write_text(RULE)
    done = run("test", tmp_path / "r.yml", *arguments)
    assert done.returncode == exit_codes.USAGE
    assert said in done.stderr


def test_s11_a_regular_expression_that_is_none_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(log_file("e0"))
    (tmp_path / "r.yml").write_text(RULE.replace("eventName: CreateGroup", "eventName|re: '(a'"))
    done = run("scan", tmp_path / "a.json", "--rules", tmp_path / "r.yml", "--no-bundled")
    assert done.returncode == exit_codes.NOT_DONE
    assert f"{tmp_path / 'r.yml'}:4:" in done.stderr
    assert "(a" in done.stderr


# --- rules --------------------------------------------------------------------------------------------------

MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize("mark", [b"", MARK], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("name", ["r.yml", "r.yaml", "R.YML", "R.YAML", "r.Yml"])
@pytest.mark.parametrize("level", ["", "level: high\n"], ids=["no level", "level"])
def test_s25_rules_of_any_ending_without_a_level_are_loaded(tmp_path: Path, name: str, level: str, mark: bytes) -> None:
    (tmp_path / name).write_bytes(mark + RULE.encode() + level.encode())
    (rule,) = cloudsigma.compile_rules(tmp_path)
    assert (rule.title, rule.level) == ("Own", level.partition(": ")[2].strip() or None)


def test_s25_a_byte_order_mark_changes_nothing_in_any_file(tmp_path: Path) -> None:
    """Records, rules, values, pipelines, compiled rules, cases: all that people edit with tools that add one."""
    rule = RULE.replace("eventName: CreateGroup", "'eventName|expand': '%calls%', here: e0")
    pipeline = "name: p\npriority: 1\ntransformations: [{type: field_name_mapping, mapping: {here: eventID}}]\n"
    cases = "cases: [{name: one, reason: r, match: true, record: {eventName: CreateGroup, eventID: e0}}]\n"
    files = {"a.json": log_file("e0").decode(), "r.yml": rule, "v.yml": "calls: [CreateGroup]\n", "p.yml": pipeline}
    chosen = ["--placeholders", "v.yml", "--pipeline", "p.yml"]
    outputs = []
    for mark in (b"", MARK):
        for name, text in {**files, "r.cases.yml": cases}.items():
            (tmp_path / name).write_bytes(mark + text.encode())
        done = [run("scan", "a.json", "--rules", "r.yml", "--no-bundled", *chosen, "--format", "ids", cwd=tmp_path)]
        run("compile", "r.yml", *chosen, "-o", "c.json", cwd=tmp_path)
        (tmp_path / "c.json").write_bytes(mark + (tmp_path / "c.json").read_bytes())
        done.append(run("scan", "a.json", "--compiled", "c.json", "--format", "ids", cwd=tmp_path))
        done.append(run("explain", "r.yml", *chosen, "--record", "a.json", cwd=tmp_path))
        done.append(run("test", "r.yml", *chosen, cwd=tmp_path))
        assert ids(done[0].stdout) == ids(done[1].stdout) == ["e0"]
        assert "1 passed" in done[3].stdout
        outputs.append([(each.stdout.partition("\t")[2] or each.stdout, each.returncode) for each in done])
    assert [code for _, code in outputs[0]] == [code for _, code in outputs[1]]


# --- ended from outside -------------------------------------------------------------------------------------

MOMENTS = {
    "rules": "import cloudsigma.cli.rule_options as m; m.Choice.load = end",
    "checkpoint": "import cloudsigma.cli.checkpoint_options as m; m.LongWork.open_checkpoint = end",
    "output": "import cloudsigma.cli.checkpoint_options as m; m.LongWork.announce = end",
    "first file": "import cloudsigma.reading.sources.finder as m; m.SourceFinder.find = end",
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"])
def test_r31_a_signal_at_any_moment_of_the_start_leaves_a_scan_that_can_be_gone_on_with(
    tmp_path: Path, moment: str, number: int, code: int
) -> None:
    (tmp_path / "a.json").write_bytes(log_file("e0"))
    arguments: list[str | Path] = ["scan", tmp_path / "a.json", "--output", tmp_path / "out"]
    arguments += ["--checkpoint", tmp_path / "db"]
    program = (
        f"import os, sys, time\ndef end(*_, **__):\n    os.kill(os.getpid(), {int(number)}); time.sleep(5)\n"
        f"{MOMENTS[moment]}\nfrom cloudsigma.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == code
    assert done.stderr.strip().startswith("interrupted")
    assert "Traceback" not in done.stderr
    assert run(*arguments).returncode == exit_codes.FOUND
    (match,) = map(json.loads, (tmp_path / "out").read_text().splitlines())
    assert match["context"]["event_id"] == "e0"


def test_r31_a_source_that_ends_while_another_is_open(tmp_path: Path) -> None:
    """The scan waits for the other, and ends when that does; nothing of either is missing."""
    (tmp_path / "a.json").write_bytes(log_file("e0"))
    process = subprocess.Popen(
        [*COMMAND, "scan", tmp_path / "a.json", "-", "--format", "ids"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        time.sleep(1)
        assert process.poll() is None
        output, told = process.communicate(json.dumps(record("e1")), timeout=30)
    assert ids(output) == ["e0", "e1"]
    assert process.returncode == exit_codes.FOUND
    assert "read 2 files" in told


def test_r31_a_folder_that_goes_away_while_another_is_followed(tmp_path: Path) -> None:
    """It is told once; the other is followed on, and a signal ends it cleanly."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.json").write_bytes(log_file(name))
    arguments: list[str | Path] = ["scan", tmp_path / "one", tmp_path / "two", "--output", tmp_path / "out"]
    arguments += ["--checkpoint", tmp_path / "db"]

    def found() -> list[str]:
        text = (tmp_path / "out").read_text() if (tmp_path / "out").exists() else ""
        return [json.loads(line)["context"]["event_id"] for line in text.splitlines()]

    def until(wanted: list[str]) -> None:
        deadline = time.monotonic() + 20
        while found() != wanted:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    process = subprocess.Popen(
        [*COMMAND, *map(os.fspath, arguments), "--follow", "--interval", "0.1"], stderr=subprocess.PIPE, text=True
    )
    until(["one", "two"])
    (tmp_path / "one" / "a.json").unlink()
    (tmp_path / "one").rmdir()
    time.sleep(0.5)
    (tmp_path / "two" / "b.json").write_bytes(log_file("later"))
    until(["one", "two", "later"])
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=30)
    assert process.returncode == exit_codes.TERMINATED
    assert "Traceback" not in told
    assert told.count(f"NOT READ: {tmp_path / 'one'}: there is no such file or folder") == 1


# --- exported -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["a.yml", "a.yaml"], "a.cases.yml exists, so nothing was written"),
        (["a.yml"], "2 rules would share a.cases.yml"),
    ],
    ids=["two files", "one file"],
)
def test_r46_two_rules_with_one_title_never_overwrite_each_others_cases(
    tmp_path: Path, files: list[str], said: str
) -> None:
    texts = [RULE.replace("name: own\n", ""), RULE.replace("name: own\n", "").replace("CreateGroup", "DeleteGroup")]
    for name, text in zip(files, texts if len(files) > 1 else ["---\n".join(texts)], strict=True):
        (tmp_path / name).write_text(text)
    done = run("test", tmp_path, "--suggest")
    assert done.returncode == exit_codes.FOUND
    assert said in done.stderr
    written = [path.read_text() for path in tmp_path.glob("*.cases.yml")]
    assert len(written) == len(files) - 1
    assert all(text.count("template:") == 1 for text in written)


def test_r46_two_rules_with_one_title_are_both_given(tmp_path: Path) -> None:
    same = RULE.replace("name: own\n", "")
    (tmp_path / "r.yml").write_text(f"{same}---\n{same}description: another\n")
    (tmp_path / "a.json").write_bytes(log_file("e0"))
    arguments: list[str | Path] = ["--rules", tmp_path / "r.yml", "--no-bundled"]
    found = [json.loads(line) for line in run("scan", tmp_path / "a.json", *arguments).stdout.splitlines()]
    assert [match["rule"]["title"] for match in found] == ["Own", "Own"]
    assert len({match["rule_id"] for match in found}) == len({match["key"] for match in found}) == 2
    compiled = tmp_path / "compiled.json"
    assert run("compile", tmp_path / "r.yml", "-o", compiled).returncode == exit_codes.DONE
    assert len(cloudsigma.load_rules(compiled)) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scan", "--format", "text", "x"], "'text' is not one of"),
        (["rules", "--format", "table"], "'table' is not one of"),
        (["explain", "x", "--format", "ids"], "'ids' is not one of"),
        (
            ["scan", "--format", "table", "--checkpoint", "c", "-o", "o", "x"],
            "--checkpoint needs --format jsonl or ids",
        ),
    ],
)
def test_r46_a_format_that_a_command_cannot_give_is_refused(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == exit_codes.USAGE
    assert message in done.stderr

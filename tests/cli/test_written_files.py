"""No log is overwritten: what a scan writes is none of what it reads, by whatever way it gets there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from group_calls import create_group

LOG = (json.dumps({"Records": [create_group("one"), create_group("two")]}) + "\n").encode()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs" / "inner").mkdir(parents=True)
    for name in ("logs/a.json", "logs/inner/b.jsonl", "beside.json"):
        (tmp_path / name).write_bytes(LOG)
    (tmp_path / "link").symlink_to("logs", target_is_directory=True)
    (tmp_path / "linked.json").symlink_to("logs/a.json")
    os.link("beside.json", "hard.json")
    return tmp_path


def scan(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cloudsigma", "scan", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


REFUSED = [
    ("logs/a.json", "logs/a.json"),
    ("logs/a.json", "linked.json"),
    ("beside.json", "hard.json"),
    ("logs", "logs/a.json"),
    ("logs", "logs/inner/b.jsonl"),
    (".", "logs/inner/b.jsonl"),
    ("link", "logs/a.json"),
    ("logs", "link/a.json"),
    ("logs", "linked.json"),
    ("logs/**/*.jsonl", "logs/inner/b.jsonl"),
    ("l*s", "logs/a.json"),
]


@pytest.mark.parametrize("option", [["--output"], ["--ledger"], ["--checkpoint", "new.db", "--output"]], ids=str)
@pytest.mark.parametrize(("path", "file"), REFUSED)
def test_a_log_is_not_overwritten(option: list[str], path: str, file: str, folder: Path) -> None:
    done = scan(path, *option, file)
    assert done.returncode == 2
    assert f"{option[-1]} names what is to be read" in done.stderr or f"{option[-1]} would overwrite" in done.stderr
    assert (folder / file).read_bytes() == LOG


def test_output_of_its_own_is_written_anew_where_it_lies(folder: Path) -> None:
    """Again and again, in a folder that is read, and it is none of the logs."""
    for _ in range(2):
        done = scan("logs", "-o", "logs/found.jsonl", "--ledger", "logs/ledger.json")
        assert done.returncode == 1, done.stderr
        assert "read 2 files" in done.stderr
        assert len((folder / "logs/found.jsonl").read_text().splitlines()) == 2
        assert scan("logs", "-o", "logs/ids.log", "--format", "ids").returncode in {1, 4}
        (folder / "logs/ids.log").unlink()


def test_a_table_is_written_anew_too(folder: Path) -> None:
    for _ in range(2):
        assert scan("logs", "-o", "logs/table.log", "--format", "table").returncode == 1


@pytest.mark.parametrize("arguments", [["-o", "beside.jsonl", "?"], ["-o", "?", "logs"], ["--ledger", "?", "logs"]])
def test_a_name_that_is_too_long_is_told(folder: Path, arguments: list[str]) -> None:
    (folder / "beside.jsonl").write_text("{}")
    done = scan(*["a" * 300 if each == "?" else each for each in arguments])
    assert done.returncode in {4, 5}
    assert "file name too long" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_what_no_path_leads_to_may_be_overwritten(folder: Path) -> None:
    """And what is empty, or not there."""
    for file in ("beside.json", "logs/empty.json", "logs/new.json"):
        if "empty" in file:
            (folder / file).touch()
        assert scan("logs", "-o", file).returncode == 1
        assert (folder / file).read_text().startswith('{"rule_id":')
        if file != "beside.json":
            (folder / file).unlink()


# --- two outputs, standard input, rules ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-o", "x", "--ledger", "x"], "--output and --ledger name one file: x"),
        (["-o", "x", "-o", "./x"], "two --output options name one file"),
        (["-o", "x", "--checkpoint", "logs/../x"], "--output and --checkpoint name one file"),
        (["-o", "y", "--checkpoint", "x", "--ledger", "x"], "--ledger and --checkpoint name one file"),
        (["-o", "x-wal", "--checkpoint", "x"], "--output and --checkpoint name one file"),
        (["-o", "old", "--ledger", "to_old"], "--output and --ledger name one file"),
        (["-o", "old", "--ledger", "hard_old"], "--output and --ledger name one file"),
        (["-o", "nowhere", "--ledger", "to_nowhere"], "--output and --ledger name one file"),
    ],
    ids=" ".join,
)
def test_two_options_never_write_one_file(options: list[str], told: str, folder: Path) -> None:
    (folder / "old").write_text('{"rule_id":"of yesterday"}\n')
    (folder / "to_old").symlink_to("old")
    os.link("old", "hard_old")
    (folder / "to_nowhere").symlink_to("nowhere")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    done = scan("beside.json", *options)
    assert done.returncode == 2
    assert told in done.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_two_outputs_may_go_to_one_device(folder: Path) -> None:
    assert scan("beside.json", "-o", "/dev/null", "--ledger", "/dev/null").returncode == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
@pytest.mark.parametrize("option", ["-o", "--ledger"])
@pytest.mark.parametrize("file", ["beside.json", "hard.json", "to_beside"])
def test_what_standard_input_is_read_from_is_not_overwritten(option: str, file: str, folder: Path) -> None:
    (folder / "to_beside").symlink_to("beside.json")
    command = f"{sys.executable} -m cloudsigma scan - {option} {file} < beside.json"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "names the file that standard input is read from" in done.stderr
    assert (folder / "beside.json").read_bytes() == LOG


RULE = "title: Own\nlogsource: {product: aws}\ndetection: {s: {eventName: X}, condition: s}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["scan", "beside.json", "--rules", "rules/r.yml", "-o", "rules/r.yml"],
        ["scan", "beside.json", "--rules", "rules", "-o", "rules/r.yml"],
        ["scan", "beside.json", "--rules", "rules", "--ledger", "to_rule"],
        ["scan", "beside.json", "--rules", "rules", "--placeholders", "values.yml", "-o", "values.yml"],
        ["scan", "beside.json", "--compiled", "compiled.json", "-o", "compiled.json"],
        ["compile", "rules/r.yml", "-o", "rules/r.yml"],
        ["compile", "rules/r.yml", "-o", "hard_rule"],
        ["test", "rules/r.yml", "--junit", "rules/r.yml"],
        ["test", "rules", "--junit", "to_rule"],
        ["test", "rules", "--json", "rules/r.yml"],
        ["test", "rules", "--junit", "x", "--json", "x"],
        ["test", "rules", "--junit", "rules/notes.md"],
    ],
    ids=" ".join,
)
def test_rules_are_not_overwritten(arguments: list[str], folder: Path) -> None:
    (folder / "rules").mkdir()
    for name in ("rules/r.yml", "values.yml", "compiled.json", "rules/notes.md"):
        (folder / name).write_text(RULE)
    (folder / "to_rule").symlink_to("rules/r.yml")
    os.link("rules/r.yml", "hard_rule")
    done = subprocess.run([sys.executable, "-m", "cloudsigma", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert {
        (folder / name).read_text() for name in ("rules/r.yml", "values.yml", "compiled.json", "rules/notes.md")
    } == {RULE}


def test_reports_of_tests_are_written_anew_beside_rules(folder: Path) -> None:
    (folder / "rules").mkdir()
    (folder / "rules" / "r.yml").write_text(RULE)
    command = [sys.executable, "-m", "cloudsigma", "test", "rules"]
    for _ in range(2):
        done = subprocess.run(
            [*command, "--junit", "rules/junit.xml", "--json", "rules/tests.json"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode in {0, 1}, done.stderr
        assert (folder / "rules" / "junit.xml").stat().st_size

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

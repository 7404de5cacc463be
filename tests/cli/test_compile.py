"""`cloudsigma compile`, and the other commands with what it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cloudsigma

ROOT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, "-m", "cloudsigma"]


def run(*arguments: str | Path, **env: str) -> Any:
    done = subprocess.run(
        [*COMMAND, *map(os.fspath, arguments)], capture_output=True, check=False, timeout=60, text=True,
        env={**os.environ, **env},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    record = {"eventName": "CreateGroup", "eventSource": "iam.amazonaws.com", "eventID": "e1"}
    (tmp_path / "a.json").write_text(json.dumps({"Records": [record]}))
    return tmp_path / "a.json"


def test_rules_are_compiled_and_used(tmp_path: Path, trail: Path) -> None:
    compiled = tmp_path / "rules.json"
    made = run("compile", ROOT / "sigma_rules", "-o", compiled)
    assert (made.returncode, made.stdout, made.stderr) == (0, "", f"4 rules written to {compiled}\n")
    assert cloudsigma.load_rules(compiled) == cloudsigma.compile_rules(ROOT / "sigma_rules")
    scanned = run("scan", trail, "--compiled", compiled, "--format", "ids")
    assert scanned.stdout == run("scan", trail, "--format", "ids").stdout != ""


def test_without_rules_the_bundled_ones_are_written(tmp_path: Path) -> None:
    compiled = tmp_path / "rules.json"
    assert run("compile", "--correlations", "--level", "high", "-o", compiled).returncode == 0
    assert cloudsigma.load_rules(compiled) == cloudsigma.bundled_rules(correlations=True).where(level="high")


def test_bad_rules_are_told_and_the_good_ones_written(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text(
        "title: Bad\nlogsource: {product: aws}\ndetection: {s: {a|no: b}, condition: s}\n"
    )
    (tmp_path / "good.yml").write_text("title: Good\nlogsource: {product: aws}\ndetection: {s: {a: b}, condition: s}\n")
    made = run("compile", tmp_path, "-o", tmp_path / "rules.json")
    assert made.returncode == 3
    assert "there is no modifier 'no'" in made.stderr
    assert [rule.title for rule in cloudsigma.load_rules(tmp_path / "rules.json")] == ["Good"]


def test_no_rule_is_overwritten(tmp_path: Path) -> None:
    text = "title: Good\nlogsource: {product: aws}\ndetection: {s: {a: b}, condition: s}\n"
    (tmp_path / "good.yml").write_text(text)
    made = run("compile", tmp_path, "-o", tmp_path / "good.yml")
    assert made.returncode == 2
    assert "--output would overwrite" in made.stderr
    assert (tmp_path / "good.yml").read_text() == text


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["compile"], 2, "--output"),
        (["compile", "no such folder", "-o", "x.json"], 5, "no such file or folder"),
        (["compile", "-o", "missing/x.json"], 5, "missing/x.json cannot be written"),
        (["scan", ".", "--compiled", "missing.json"], 5, "missing.json cannot be read"),
        (["scan", ".", "--compiled", "empty.json"], 5, "is no compiled rule set. Make one: cloudsigma compile"),
        (["scan", ".", "--compiled", "empty.json", "--rules", "."], 2, "leave out the options that compile others"),
    ],
    ids=["no output", "no rules", "no folder", "no file", "no rule set", "both"],
)
def test_what_goes_wrong_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.json").touch()
    done = run(*arguments)
    assert said in done.stderr
    assert done.returncode == code


def test_commands_keep_compiled_rules_unless_told_not_to(tmp_path: Path, trail: Path) -> None:
    on = {"CLOUDSIGMA_CACHE_DIR": str(tmp_path / "cache"), "CLOUDSIGMA_NO_CACHE": ""}
    (tmp_path / "r.yml").write_text("title: R\nlogsource: {product: aws}\ndetection: {s: {a: b}, condition: s}\n")
    run("scan", trail, "--rules", tmp_path / "r.yml", "--no-cache", **on)
    assert not (tmp_path / "cache").exists()
    first, second = (run("scan", trail, "--rules", tmp_path / "r.yml", "--format", "ids", **on) for _ in range(2))
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert first.stdout == second.stdout
    assert first.stderr == second.stderr


def test_rules_say_which_are_evaluated_for_every_record(tmp_path: Path) -> None:
    (tmp_path / "k.yml").write_text("title: K\nlogsource: {product: aws}\ndetection: {k: [evil], condition: k}\n")
    listed = run("rules", "--rules", tmp_path / "k.yml")
    assert listed.stdout.count("evaluated for every record") == 1
    rows = map(json.loads, run("rules", "--rules", tmp_path / "k.yml", "--format", "jsonl").stdout.splitlines())
    assert [row["found_by"] for row in rows] == ["eventName"] * 4 + [None]

"""`cloudsigma link`: matches that were written as they were found get their sessions, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import run

import cloudsigma
from cloudsigma.cli import exit_codes, main


@pytest.fixture
def trail(root: Path) -> Path:
    return root / "examples" / "trail"


@pytest.fixture
def unlinked(trail: Path, tmp_path: Path) -> Path:
    path = tmp_path / "found.jsonl"
    cloudsigma.scan(trail, rules=cloudsigma.bundled_rules(correlations=True)).to_jsonl(path)
    return path


def forms(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_lines_are_those_of_a_scan_that_links(trail: Path, unlinked: Path, tmp_path: Path) -> None:
    linked, by_time = tmp_path / "linked.jsonl", tmp_path / "by_time.jsonl"
    assert main(["link", str(unlinked), str(trail), "--output", str(linked)]) == exit_codes.DONE
    main(["scan", "--correlations", "--sort", "time", "--output", str(by_time), str(trail)])
    assert sorted(linked.read_bytes().splitlines()) == sorted(by_time.read_bytes().splitlines())
    assert [form["session"] for form in forms(unlinked.read_text())] == [None] * 6
    assert all(each["session"] for form in forms(linked.read_text()) for each in [form, *form["matches"]])


def test_a_stream_is_linked_on_its_way(trail: Path, unlinked: Path) -> None:
    done = run("link", "-", trail, stdin=unlinked.read_bytes())
    assert done.returncode == exit_codes.DONE
    assert {form["session"]["certainty"] for form in forms(done.stdout)} == {"certain"}
    assert done.stderr.startswith("6 matches: 6 certain\nread 24 files")


def test_other_members_keep_every_byte(trail: Path, tmp_path: Path) -> None:
    line = b'{"rule_id":"r","key":"k","n":1.5,"big":123456789012345678901234567890,"t":"\\ud800\xc3\xa4","record":{}}'
    (tmp_path / "m.jsonl").write_bytes(line + b"\n")
    main(["link", str(tmp_path / "m.jsonl"), str(trail), "-o", str(tmp_path / "l.jsonl")])
    written, _, session = (tmp_path / "l.jsonl").read_bytes().rstrip(b"\n").partition(b',"session":')
    assert written + b"}" == line
    assert json.loads(session.removesuffix(b"}"))["certainty"] == "unknown"


def test_logs_without_the_issuer_say_where_the_chain_breaks(unlinked: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text('{"Records": []}')
    done = run("link", unlinked, tmp_path / "empty.json")
    whys = {form["session"]["why"].partition("/PlatformAdmin")[2] for form in forms(done.stdout)}
    assert any(why.endswith("is not in these logs") for why in whys)
    assert done.stderr.startswith("6 matches: ")
    assert "unknown" in done.stderr


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("not JSON", "NOT LINKED: line 1 of"),
        ("[1]", "NOT LINKED: line 1 of"),
        ('{"Records": []}', "NOT LINKED: line 1 of"),
        ('{"rule_id": "r", "key": "k", "matches": 7}', "1 without a record"),
        ('{"rule_id": "r", "key": "k"}', "1 without a record, which cannot be linked"),
        ('{"rule_id": "r", "key": "k", "record": "text"}', "1 without a record"),
    ],
)
def test_a_line_that_cannot_be_linked_is_told_and_kept(trail: Path, tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "m.jsonl").write_text(f"{line}\n\n")
    done = run("link", tmp_path / "m.jsonl", trail)
    assert done.returncode == exit_codes.INPUT_LOST
    assert told in done.stderr
    assert done.stdout.replace(" ", "") == f"{line}\n".replace(" ", "")


def test_matches_and_logs_are_not_overwritten(trail: Path, unlinked: Path, tmp_path: Path) -> None:
    assert main(["link", str(unlinked), str(trail), "--output", str(unlinked)]) == exit_codes.USAGE
    log = tmp_path / "log.json"
    log.write_text(json.dumps({"Records": [{"eventName": "x"}]}))
    assert main(["link", str(unlinked), str(log), "--output", str(log)]) == exit_codes.USAGE
    assert main(["link", "-", "-"]) == exit_codes.USAGE
    assert main(["link", str(tmp_path / "missing.jsonl"), str(trail)]) == exit_codes.USAGE
    assert len(forms(unlinked.read_text())) == 6

"""Several sinks of one scan: each sees the rules, every match and the outcome; serialized matches are a shared wish."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import run
from group_calls import create_group

import cloudsigma
from cloudsigma.cli import exit_codes
from cloudsigma.engine.match import Match
from cloudsigma.errors import InputLostError
from cloudsigma.scanning.batch import Serialization, SerializedMatch
from cloudsigma.scanning.config import ScanConfig
from cloudsigma.scanning.outcome import ScanOutcome
from cloudsigma.scanning.scan import Scan
from cloudsigma.sinks import FORMATS, Sink, format_of, write_matches


class Listing(Sink):
    """Notes what it is told."""

    def __init__(self, wish: Serialization | None = None) -> None:
        self._wish = wish
        self.calls: list[Any] = []

    @property
    def serialization(self) -> Serialization | None:
        return self._wish

    def begin(self, rules: cloudsigma.RuleSet) -> None:
        self.calls.append(("begin", len(rules)))

    def write(self, match: Match) -> None:
        self.calls.append(("match", match.context.event_id))

    def write_serialized(self, match: SerializedMatch) -> None:
        self.calls.append(("line", match.event_id, b'"record":' in match.text))

    def finish(self, outcome: ScanOutcome) -> None:
        self.calls.append(("finish", outcome.total, outcome.complete))


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    folder = tmp_path / "trail"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.json").write_text(json.dumps([create_group(name), create_group(f"{name}2")]))
    return folder


def scan(trail: Path, **settings: Any) -> Scan:
    return Scan((trail,), cloudsigma.bundled_rules(), ScanConfig(**settings))


def test_every_sink_sees_rules_matches_and_outcome(trail: Path) -> None:
    sinks = [Listing(), Listing()]
    write_matches(scan(trail), sinks)
    matches = [("match", name) for name in ("a", "a2", "b", "b2")]
    for sink in sinks:
        assert sink.calls == [("begin", 4), *matches, ("finish", 4, True)]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("wishes", "kind"),
    [
        ([Serialization(), Serialization()], "line"),
        ([Serialization(record=False)], "line"),
        ([Serialization(), Serialization(record=False)], "match"),
        ([Serialization(), None], "match"),
        ([None], "match"),
    ],
    ids=str,
)
def test_serialized_matches_need_the_wish_of_all_sinks(
    trail: Path, jobs: int, wishes: list[Serialization | None], kind: str
) -> None:
    sinks = [Listing(wish) for wish in wishes]
    write_matches(scan(trail, jobs=jobs), sinks)
    for sink in sinks:
        assert [call[0] for call in sink.calls] == ["begin", *[kind] * 4, "finish"]
        if kind == "line" and sink.serialization is not None:
            assert {call[2] for call in sink.calls[1:-1]} == {sink.serialization.record}


def test_a_scan_that_stops_at_a_loss_has_an_outcome_too(trail: Path) -> None:
    (trail / "aa.json").write_text("{")
    sink = Listing()
    with pytest.raises(InputLostError):
        write_matches(scan(trail, strict=True), [sink])
    assert sink.calls[-1] == ("finish", 2, False)


def test_formats_are_known_by_the_endings_of_files() -> None:
    found = {name: form.name if (form := format_of(name)) else None for name in ("a.JSONL", "a.txt", "b/a.ids", "a")}
    assert found == {"a.JSONL": "jsonl", "a.txt": "table", "b/a.ids": "ids", "a": None}
    endings = [ending for form in FORMATS.values() for ending in form.endings]
    assert len(endings) == len(set(endings))


# --- the command --------------------------------------------------------------------------------------------


def test_each_output_has_the_format_of_its_ending(trail: Path, tmp_path: Path) -> None:
    lines, table, ids, other = (tmp_path / name for name in ("m.jsonl", "m.txt", "m.ids", "m.out"))
    done = run("scan", trail, "-o", lines, "-o", table, "--output", ids, "-o", other)
    assert done.returncode == exit_codes.FOUND
    assert done.stdout == ""
    events = [json.loads(line)["context"]["event_id"] for line in lines.read_text().splitlines()]
    assert events == ["a", "a2", "b", "b2"]
    assert other.read_bytes() == lines.read_bytes()
    assert [line.partition("\t")[2] for line in ids.read_text().splitlines()] == events
    assert table.read_text().count("IAM Group Created") == 4


def test_a_format_that_is_named_wins(trail: Path, tmp_path: Path) -> None:
    run("scan", trail, "-o", tmp_path / "m.txt", "--format", "ids")
    assert (tmp_path / "m.txt").read_text().endswith("\tb2\n")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_several_outputs_are_resumed_together(trail: Path, tmp_path: Path, jobs: str) -> None:
    outputs = ["-o", tmp_path / "m.jsonl", "-o", tmp_path / "m.ids", "--checkpoint", tmp_path / "db", "--jobs", jobs]
    run("scan", trail, *outputs)
    before = [(tmp_path / name).read_bytes() for name in ("m.jsonl", "m.ids")]
    for name in ("m.jsonl", "m.ids"):  # as after a kill: more than the checkpoint knows of
        with (tmp_path / name).open("ab") as file:
            file.write(b"beyond\n")
    (trail / "c.json").write_text(json.dumps([create_group("c")]))
    run("scan", trail, *outputs)
    after = [(tmp_path / name).read_bytes() for name in ("m.jsonl", "m.ids")]
    for earlier, later in zip(before, after, strict=True):
        assert later.startswith(earlier)
        assert later[len(earlier) :].count(b"\n") == 1


def test_nothing_is_truncated_where_an_output_cannot_be_opened(trail: Path, tmp_path: Path) -> None:
    (tmp_path / "first").write_text("of yesterday")
    done = run("scan", trail, "-o", tmp_path / "first", "-o", tmp_path / "no" / "such")
    assert done.returncode == exit_codes.NOT_DONE
    assert "such cannot be written (No such file or directory)" in done.stderr
    assert (tmp_path / "first").read_text() == "of yesterday"


def damage_state(database: Any) -> None:
    database.execute("UPDATE scan SET value = '{\"counts\": 7}' WHERE name = 'state'")


def damage_ends(database: Any) -> None:
    database.execute("UPDATE scan SET value = 'no JSON' WHERE name = 'outputs'")


def damage_settings(database: Any) -> None:
    database.execute("UPDATE scan SET value = '[' WHERE name = 'settings'")


def damage_window(database: Any) -> None:
    database.execute("DELETE FROM scan WHERE name = 'window'")


def damage_entries(database: Any) -> None:
    (correlation,) = (rule for rule in cloudsigma.compile_text(CORRELATED) if rule.correlation is not None)
    database.execute("INSERT INTO entries VALUES (1, ?, ?, '[]', '{}')", (correlation.id, correlation.identity))


CORRELATED = """
title: A
name: a
logsource: {product: aws}
detection: {s: {eventName: CreateGroup}, condition: s}
---
title: C
correlation: {type: event_count, rules: [a], timespan: 5m, generate: true, condition: {gte: 2}}
"""


@pytest.mark.parametrize("damage", [damage_state, damage_ends, damage_settings, damage_window, damage_entries])
def test_a_damaged_checkpoint_cuts_no_output(trail: Path, tmp_path: Path, damage: Callable[[Any], None]) -> None:
    rules = tmp_path / "r.yml"
    rules.write_text(CORRELATED)
    output, checkpoint = tmp_path / "out.jsonl", tmp_path / "db"
    arguments = ["scan", trail, "--rules", rules, "-o", output, "--checkpoint", checkpoint]
    run(*arguments)
    with sqlite3.connect(checkpoint) as database:
        damage(database)
    database.close()
    with output.open("ab") as file:
        file.write(b"beyond\n")
    before = output.read_bytes()
    done = run(*arguments)
    assert done.returncode == exit_codes.NOT_DONE, done.stderr
    assert "is damaged" in done.stderr
    assert "name another file to start over" in done.stderr
    assert output.read_bytes() == before

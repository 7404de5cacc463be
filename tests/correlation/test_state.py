"""State of correlations in a file: a restart neither loses nor doubles a match; memory is bounded."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from effort import fuzz
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.correlation import Correlator
from cloudsigma.rulesets.rule_set import RuleSet

START = datetime(2025, 3, 4, 10, tzinfo=UTC)


def text_of(timespan: str = "10s") -> str:
    """Two rules, a correlation of each shape, and a chain."""
    rules: list[dict[str, Any]] = [
        {
            "title": name,
            "name": name,
            "logsource": {"product": "aws"},
            "detection": {"s": {"eventName": name}, "condition": "s"},
        }
        for name in ("a", "b")
    ]
    sections: dict[str, dict[str, Any]] = {
        "count": {"type": "event_count", "condition": {"gte": 2}},
        "few": {"type": "event_count", "condition": {"lt": 2}},
        "values": {"type": "value_count", "condition": {"gte": 2, "field": "n"}},
        "sum": {"type": "value_sum", "condition": {"gt": 3, "field": "n"}},
        "order": {"type": "temporal_ordered"},
        "chain": {"type": "event_count", "rules": ["count"], "timespan": "40s", "condition": {"gte": 2}},
    }
    for name, section in sections.items():
        whole = {"rules": ["a", "b"], "group-by": ["user"], "timespan": timespan, **section}
        rules.append({"title": name, "name": name, "correlation": whole})
    return "\n---\n".join(map(json.dumps, rules))


RULES = cloudsigma.compile_text(text_of())


def event(name: str, second: int, user: str, n: int, number: int) -> dict[str, Any]:
    when = (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"eventName": name, "eventTime": when, "user": user, "n": n, "eventID": str(number)}


def keys_of(matches: Any) -> list[tuple[str, str]]:
    return sorted((match.rule.title, match.key) for match in matches)


def expected(rules: RuleSet, records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return keys_of(match for match in rules.evaluate(records) if match.rule.correlation is not None)


events = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 60), st.sampled_from("uv"), st.integers(0, 4)), max_size=20
)


@fuzz(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=events, cuts=st.sets(st.integers(0, 20), max_size=3), lateness=st.sampled_from([None, 0, 20]))
def test_restart_neither_loses_nor_doubles(
    drawn: list[tuple[str, int, str, int]],
    cuts: set[int],
    lateness: int | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Correlators that follow each other over one state file give together what one gives undisturbed."""
    records = [event(*each, number) for number, each in enumerate(drawn)]
    records.sort(key=lambda record: record["eventTime"])
    late = timedelta(seconds=lateness) if lateness is not None else None
    state = tmp_path_factory.mktemp("state") / "state.sqlite"
    every = RULES.where(id=[rule.id for rule in RULES])
    found = []
    correlator = Correlator(every, lateness=late, state=state)
    for at, record in enumerate(records):
        if at in cuts:
            correlator.release()
            correlator = Correlator(every, lateness=late, state=state)  # as after a crash: nothing was closed
        found += correlator.feed(every.match(record))
    correlator.release()
    found += Correlator(every, lateness=late, state=state).close()
    shown = [match for match in found if match.rule_id not in every.hidden]
    assert keys_of(shown) == expected(every, records)


def test_restored_match_is_the_same(tmp_path: Path) -> None:
    """What is restored has context, evidence, origin and group as if it had never been away."""
    records = [event("a", 0, "u", 1, 1), event("b", 2, "u", 1, 2)]
    state = tmp_path / "state.sqlite"
    first, second = Correlator(RULES), Correlator(RULES, state=state)
    for record in records:
        matches = RULES.match(record, origin=cloudsigma.Origin("a.json", 3, "lines"))
        first.feed(matches)
        second.feed(matches)
    second.release()
    assert Correlator(RULES, state=state).close() == first.close()
    assert Correlator(RULES, state=state).close() == ()


def test_process_that_is_killed(tmp_path: Path) -> None:
    """A process that dies without closing anything leaves its state for the next."""
    state, rules = tmp_path / "state.sqlite", tmp_path / "rules.yml"
    rules.write_text(text_of())
    program = (
        "import os, json, cloudsigma\n"
        f"rules = cloudsigma.compile_rules({str(rules)!r})\n"
        f"correlator = cloudsigma.Correlator(rules, state={str(state)!r})\n"
        f"correlator.feed(rules.match(json.loads({json.dumps(event('a', 0, 'u', 1, 1))!r})))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    correlator = Correlator(RULES, state=state)
    correlator.feed(RULES.match(event("b", 1, "u", 1, 2)))
    assert "order" in {match.rule.title for match in correlator.close()}


def test_changed_correlation_starts_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Entries of a correlation that has changed since are left out, and the logger is told."""
    state = tmp_path / "state.sqlite"
    Correlator(RULES, state=state).feed(RULES.match(event("a", 0, "u", 1, 1)))
    changed = cloudsigma.compile_text(text_of("20s"))
    correlator = Correlator(changed, state=state)
    assert "has changed" in caplog.text
    correlator.feed(changed.match(event("b", 1, "u", 1, 2)))
    assert "order" not in {match.rule.title for match in correlator.close()}


def test_file_that_is_no_state(tmp_path: Path) -> None:
    """A file of another kind, or a folder, is refused by name and left alone."""
    file = tmp_path / "notes.txt"
    file.write_text("hello " * 100)
    for path in (file, tmp_path):
        with pytest.raises(cloudsigma.CloudSigmaError, match=r"not a state of correlations|is a folder"):
            Correlator(RULES, state=path)
    assert file.read_text() == "hello " * 100


def test_a_second_correlator_is_refused(tmp_path: Path) -> None:
    """Both would write, and entries of one would be lost; the file is free again once the first is gone."""
    state = tmp_path / "state.sqlite"
    first = Correlator(RULES, state=state)
    first.feed(RULES.match(event("a", 0, "u", 1, 1)))
    with pytest.raises(cloudsigma.CloudSigmaError, match="in use by another correlator"):
        Correlator(RULES, state=state)
    first.feed(RULES.match(event("b", 1, "u", 1, 2)))
    del first
    assert "order" in {match.rule.title for match in Correlator(RULES, state=state).close()}


@pytest.mark.parametrize(
    ("column", "content"),
    [
        ("entry", "no JSON"), ("entry", "{}"), ("entry", "[]"), ("entry", "null"), ("entry", '{"time": "x"}'),
        ("groups", "[1]"), ("groups", '["a", "b"]'), ("groups", "7"), ("groups", "\x00"),
    ],
)  # fmt: skip
def test_wrong_content_is_an_error_of_ours(tmp_path: Path, column: str, content: str) -> None:
    state = tmp_path / "state.sqlite"
    Correlator(RULES, state=state).feed(RULES.match(event("a", 0, "u", 1, 1)))
    with sqlite3.connect(state) as database:
        database.execute(f"UPDATE entries SET {column} = ?", (content,))  # noqa: S608  # a name from above
    database.close()
    with pytest.raises(cloudsigma.CloudSigmaError, match="is damaged"):
        Correlator(RULES, state=state)


def test_a_wrong_watermark_is_an_error_of_ours(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite"
    Correlator(RULES, lateness=timedelta(0), state=state).feed(RULES.match(event("a", 0, "u", 1, 1)))
    with sqlite3.connect(state) as database:
        database.execute("UPDATE about SET value = 'soon'")
    database.close()
    with pytest.raises(cloudsigma.CloudSigmaError, match="is damaged"):
        Correlator(RULES, state=state)


def test_r29_many_groups_keep_memory_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """Above the bound the oldest frames are closed early: what holds by then is a match, the rest is forgotten."""
    rules = cloudsigma.compile_text(text_of()).where(id="count")
    correlator = Correlator(rules, max_entries=100)
    found = []
    for number in range(1000):
        user = "same" if number in (3, 4) else f"user {number}"
        found += correlator.feed(rules.match(event("a", number // 500, user, 1, number)))
    assert [match.group for match in found] == [{"user": "same"}]
    assert correlator.evicted >= 890
    assert "closed early" in caplog.text
    assert sum(one.size for one in correlator._windows) <= 100

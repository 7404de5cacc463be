"""Correlations in steps: any cut, any order, each group alone; the state is a text that is checked."""

from __future__ import annotations

import base64
import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.correlation.entry_form import read_entry
from cloudsigma.correlation.extractor import Extractor
from cloudsigma.correlation.step import step

START = datetime(2025, 3, 4, 10, tzinfo=UTC)
END = float("inf")


def compiled(timespan: str = "10s") -> cloudsigma.RuleSet:
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
        "values": {"type": "value_count", "condition": {"gte": 2, "field": "n"}},
        "sum": {"type": "value_sum", "condition": {"gt": 3, "field": "n"}},
        "order": {"type": "temporal_ordered"},
        "chain": {"type": "event_count", "rules": ["count"], "timespan": "40s", "condition": {"gte": 2}},
    }
    for name, section in sections.items():
        whole = {"rules": ["a", "b"], "group-by": ["user"], "timespan": timespan, **section}
        rules.append({"title": name, "name": name, "correlation": whole})
    return cloudsigma.compile_text("\n---\n".join(map(json.dumps, rules)))


RULES = compiled()


def event(name: str, second: int, user: Any, n: int, number: int | None) -> dict[str, Any]:
    when = (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = {"eventName": name, "eventTime": when, "user": user, "n": n}
    return made if number is None else {**made, "eventID": str(number)}


def keys_of(matches: Any) -> list[tuple[str, str]]:
    return sorted((match.rule.title, match.key) for match in matches)


def expected(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    correlator = cloudsigma.Correlator(RULES)
    return keys_of(
        [*correlator.feed(match for record in records for match in RULES.match(record)), *correlator.close()]
    )


users = st.sampled_from(["u", "v", ["u", "v"]])
events = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60), users, st.integers(0, 4)), max_size=20)


@fuzz(40)
@given(drawn=events, cuts=st.sets(st.integers(0, 20)), lateness=st.integers(0, 30), dice=st.randoms())
def test_steps_together_are_one_correlator(
    drawn: list[tuple[str, int, Any, int]], cuts: set[int], lateness: int, dice: Any
) -> None:
    """However the stream is cut, and in whatever order within the lateness events come."""
    records = [event(*each, number) for number, each in enumerate(drawn)]
    arrival = {id(each): drawn[at][1] + dice.uniform(0, lateness) for at, each in enumerate(records)}
    records.sort(key=lambda record: arrival[id(record)])
    state, found, waiting = None, [], []
    for at, record in enumerate(records):
        waiting += RULES.match(record)
        if at in cuts:
            until = START.timestamp() + arrival[id(record)] - lateness
            state, given_now, _ = step(RULES, state, waiting, until)
            found += given_now
            waiting = []
    state, rest, _ = step(RULES, state, waiting, END)
    assert keys_of([*found, *rest]) == expected(records)
    assert step(RULES, state, (), END)[1] == ()


@fuzz(40)
@given(drawn=events, cuts=st.sets(st.integers(0, 20)))
def test_groups_alone_are_one_correlator(drawn: list[tuple[str, int, Any, int]], cuts: set[int]) -> None:
    """With a state for each correlation and group, as an engine keeps them; a match may belong to several groups."""
    records = [event(*each, number) for number, each in enumerate(drawn)]
    found = []
    for rule in RULES:
        if rule.correlation is None or rule.title == "chain":
            continue
        alone = [RULES[rule_id] for rule_id in rule.correlation.rules] + [rule]
        states: dict[Any, str | None] = {}
        waiting: dict[Any, list[Any]] = {}
        for at, record in enumerate(records):
            for match in RULES.match(record):
                for key in Extractor(rule.correlation, match.rule_id).keys(match):
                    waiting.setdefault((key,), []).append(match)
            if at in cuts:
                for group, matches in waiting.items():
                    states[group], given_now, _ = step(alone, states.get(group), matches, group=group)
                    found += given_now
                waiting = {}
        for group in {*waiting, *states}:
            found += step(alone, states.get(group), waiting.get(group, ()), END, group=group)[1]
    assert keys_of(found) == [each for each in expected(records) if each[0] != "chain"]


def test_events_without_an_id_stay_apart() -> None:
    """Two events that are equal but for their place are two, in one step as in several."""
    matches = [
        match
        for at in range(2)
        for match in RULES.match(event("a", 0, "u", 1, None), origin=cloudsigma.Origin("f.json", at, "lines"))
    ]
    together = step(RULES, None, matches, END)[1]
    state, _, _ = step(RULES, None, matches[:1])
    state, _, _ = step(RULES, state, matches[1:])
    assert keys_of(step(RULES, state, (), END)[1]) == keys_of(together)
    assert "count" in {match.rule.title for match in together}


def test_restored_match_is_the_same() -> None:
    """Context, evidence, origin and group are as if the match had never been away."""
    records = [event("a", 0, "u", 1, 1), event("b", 2, "u", 1, 2)]
    matches = [m for record in records for m in RULES.match(record, origin=cloudsigma.Origin("a.json", 3, "lines"))]
    state, _, _ = step(RULES, None, matches)
    assert step(RULES, state, (), END)[1] == step(RULES, None, matches, END)[1]


def test_a_step_says_when_the_first_frame_ends() -> None:
    """So that an engine can set its timer; a step until then closes nothing, one beyond it does."""
    state, _, due = step(RULES, None, RULES.match(event("a", 0, "u", 1, 1)))
    assert due == START.timestamp() + 10
    assert step(RULES, state, (), due).state == state
    assert step(RULES, state, (), due + 1).due is None


def contents(state: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(state.partition(":")[2])))
    return read


def test_a_record_is_stored_once() -> None:
    """Four correlations hold the event, and the state has one copy of it."""
    state, _, _ = step(RULES, None, RULES.match(event("a", 0, "u", 1, 1)))
    assert state is not None
    form = contents(state)
    assert [record["eventID"] for record in form["records"]] == ["1"]
    assert len(form["entries"]) == 4


def test_states_of_a_newer_version_and_damage_are_refused() -> None:
    """The message says which of the two it is, and what to do."""
    state, _, _ = step(RULES, None, RULES.match(event("a", 0, "u", 1, 1)))
    assert state is not None
    with pytest.raises(cloudsigma.UsageError, match="has the version 2"):
        step(RULES, f"2{state[1:]}", ())
    for broken in ("", "hello", state[:-8], "1:" + base64.b64encode(zlib.compress(b"[1]")).decode()):
        with pytest.raises(cloudsigma.UsageError, match="is damaged"):
            step(RULES, broken, ())


def test_changed_correlation_starts_anew(caplog: pytest.LogCaptureFixture) -> None:
    """Entries of a correlation that has changed since are left out, and the logger is told."""
    state, _, _ = step(RULES, None, RULES.match(event("a", 0, "u", 1, 1)))
    changed = compiled("20s")
    state, _, _ = step(changed, state, changed.match(event("b", 1, "u", 1, 2)))
    assert "has changed" in caplog.text
    assert "order" not in {match.rule.title for match in step(changed, state, (), END)[1]}


def test_the_first_form_of_entries_can_be_read() -> None:
    """As earlier versions wrote it: a record for each match, and no version."""
    record = event("a", 0, "u", 1, 1)
    rule_id = RULES["a"].id
    form = {
        "time": START.timestamp(),
        "identity": "x",
        "rules": [rule_id],
        "matches": [{"rule": rule_id, "record": record, "origin": {"path": "f", "position": 2, "form": "lines"}}],
        "texts": [],
        "numbers": ["2"],
    }
    read = read_entry(form, {rule.id: rule for rule in RULES})
    assert read is not None
    time, entry = read
    assert (time, entry.rules, entry.measured) == (START.timestamp(), (rule_id,), (2,))
    assert entry.match == RULES.match(record, origin=cloudsigma.Origin("f", 2, "lines"))[0]
    with pytest.raises(ValueError, match="newer version"):
        read_entry({**form, "form": 3}, {rule.id: rule for rule in RULES})

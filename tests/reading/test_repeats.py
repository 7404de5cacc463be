"""Events delivered more than once: one match is given, and the ledger has all places."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma.reading.account.repeats import Place, Repeat, Repeats

RULE = "aa459000-af6c-425c-acc2-07c64acfaa76"


def call(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.11",
        "eventType": "AwsApiCall",
        "eventTime": f"2025-03-04T10:{number % 60:02}:30Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateGroup",
        "awsRegion": "us-east-1",
        "eventID": f"e{number}",
        "recipientAccountId": "111122223333",
        **changes,
    }


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.write_bytes(gzip.compress(json.dumps({"Records": records}).encode()))
    return path


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Event 1 stands in three files, event 2 twice in one, event 3 once; what does not match is no matter."""
    write(tmp_path / "a.json.gz", call(1), call(2), call(9, eventName="ListGroups"), call(2))
    write(tmp_path / "b.json.gz", call(9, eventName="ListGroups"), call(1))
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, [call(3), call(1)])))
    return tmp_path


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("as_lines", [False, True], ids=["matches", "lines"])
def test_the_ledger_has_all_places(trail: Path, jobs: int, as_lines: bool) -> None:
    found = cloudsigma.scan(trail, jobs=jobs)
    given = list(found.lines()) if as_lines else list(found)
    assert len(given) == 3
    assert found.repeated == 3
    a, b, c = (str(trail / name) for name in ("a.json.gz", "b.json.gz", "c.jsonl"))
    assert found.ledger.repeats == Repeats(
        3,
        (
            Repeat("e2", (RULE,), (Place(a, 1), Place(a, 3))),
            Repeat("e1", (RULE,), (Place(a, 0), Place(b, 1), Place(c, 1))),
        ),
    )
    assert found.ledger.complete  # nothing is lost
    text = str(found.ledger)
    assert "delivered more than once: 2 of the events that matched\n" in text
    assert f"  e1: {a} record 0; {b} record 1; {c} record 1\n" in text + "\n"
    plain = json.loads(json.dumps(found.to_dict()))["ledger"]["repeats"]
    assert plain["events"][1]["places"][1] == {"path": b, "position": 1}


def test_every_delivery_is_given_if_asked_for(trail: Path) -> None:
    found = cloudsigma.scan(trail, dedup=False)
    assert len(list(found)) == 6
    assert found.repeated == 0
    assert found.ledger.repeats == Repeats()


def test_scanning_again_begins_anew(trail: Path) -> None:
    found = cloudsigma.scan(trail)
    list(found)
    before = found.ledger
    assert len(list(found)) == 3
    assert found.ledger == before


def test_several_rules_of_one_event_are_one_entry(tmp_path: Path) -> None:
    rule = "title: {}\nlogsource: {{product: aws}}\ndetection: {{s: {{eventName: CreateGroup}}, condition: s}}\n"
    rules = cloudsigma.compile_text("---\n".join(rule.format(name) for name in "AB"))
    write(tmp_path / "a", call(1), call(1))
    found = cloudsigma.scan(tmp_path, rules=rules)
    assert len(list(found)) == 2
    (event,) = found.ledger.repeats.events
    assert event.rule_ids == tuple(each.id for each in rules)
    assert len(event.places) == 2
    assert found.ledger.repeats.matches == 2


def test_events_without_an_id_are_never_taken_for_one(tmp_path: Path) -> None:
    """A table of a few columns may show different calls by equal rows; a path that is named twice shows them twice."""
    write(tmp_path / "a", call(1, eventID=None), call(1, eventID=None), call(2, eventID=None))
    found = cloudsigma.scan(tmp_path)
    assert len(list(found)) == 3
    assert found.ledger.repeats.matches == 0
    found = cloudsigma.scan(tmp_path / "a", tmp_path / "a")
    assert len(list(found)) == 3
    assert "an event without an ID: " in str(found.ledger)


def test_the_account_has_files_and_bytes_by_form(trail: Path) -> None:
    found = cloudsigma.scan(trail)
    list(found)
    reader = cloudsigma.read_records(trail)
    list(reader)
    for ledger in (found.ledger, reader.ledger):
        assert ledger.forms == {"log_file": 6, "lines": 2}
        assert ledger.files_by_form == {"log_file": 2, "lines": 1}
        assert sum(ledger.bytes_by_form.values()) == ledger.bytes


def test_a_file_of_two_forms_counts_for_both(tmp_path: Path) -> None:
    text = json.dumps(call(1)) + "\n" + json.dumps({"Records": [call(2), call(3)]})
    (tmp_path / "a").write_text(text)
    reader = cloudsigma.read_records(tmp_path)
    assert len(list(reader)) == 3
    assert reader.ledger.files_by_form == {"lines": 1, "log_file": 1}
    assert reader.ledger.bytes_by_form == {"lines": len(text), "log_file": len(text)}

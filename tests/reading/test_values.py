"""What a program holds already: the same forms and the same account as from files."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import logging
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

import cloudsigma
from cloudsigma.errors import UsageError
from cloudsigma.reading import read_records

FORMS = Path(__file__).parent / "forms"
RECORDS: list[dict[str, Any]] = json.loads((FORMS / "records.json").read_text(encoding="utf-8"))
NAMES = sorted(json.loads((FORMS / "expected.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", NAMES)
def test_bytes_are_read_as_a_file_is(name: str) -> None:
    content = (FORMS / name).read_bytes()
    from_file, from_memory = read_records(FORMS / name), read_records(content)
    assert list(from_memory) == list(from_file)
    assert from_memory.ledger.forms == from_file.ledger.forms
    assert from_memory.ledger.recognized == from_file.ledger.recognized
    assert len(from_memory.ledger.losses) == len(from_file.ledger.losses)


def values() -> dict[str, Any]:
    """The forms that are one object or array of JSON, and are the same as a value: no key twice."""
    found = {}
    for name in NAMES:
        with suppress(ValueError):
            value = json.loads((FORMS / name).read_bytes())
            if "twice" not in name:
                found[name] = value
    return found


@pytest.mark.parametrize("name", values())
def test_a_value_is_read_as_its_text_is(name: str) -> None:
    value = values()[name]
    from_file, from_memory = read_records(FORMS / name), read_records(value)
    assert list(from_memory) == list(from_file)
    assert from_memory.ledger.forms == from_file.ledger.forms


def test_values_stand_beside_paths_and_have_names() -> None:
    """In the order in which they are given; what cannot be read is named, and its neighbors are read."""
    reader = read_records(RECORDS[0], b"{damaged", FORMS / "log_file.json", gzip.compress(json.dumps(RECORDS).encode()))
    found = [(record, origin.path) for record, origin in reader.with_origin()]
    file = str(FORMS / "log_file.json")
    paths = ["<value>", *[file] * len(RECORDS), *["<value 3>"] * len(RECORDS)]
    assert found == list(zip([RECORDS[0], *RECORDS, *RECORDS], paths, strict=True))
    assert [loss.path for loss in reader.ledger.losses] == ["<value 2>"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_scan_takes_values(jobs: int) -> None:
    event = MappingProxyType({"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": json.dumps(RECORDS)}]})
    plain = cloudsigma.scan(FORMS / "log_file.json")
    scan = cloudsigma.scan(event, {"Records": RECORDS}, jobs=jobs)
    assert [match.key for match in scan] == [match.key for match in plain] != []
    assert scan.ledger.repeats.matches == len(list(plain))


def test_a_value_can_be_read_again_and_is_not_changed() -> None:
    value = {"Records": [dict(RECORDS[0])]}
    reader = read_records(value)
    assert list(reader) == list(reader) == [RECORDS[0]]
    next(iter(reader))["eventName"] = "changed"
    assert value == {"Records": [RECORDS[0]]}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (7, "nothing can be read of type int: give paths, or an event as dict, list or bytes"),
        (None, "nothing can be read of type NoneType"),
        ({"Records": [dt.datetime(2025, 1, 1, tzinfo=dt.UTC)]}, "<value> cannot be read: it is no value that JSON has"),
        ({"Records": {1, 2}}, "<value> cannot be read: it is no value that JSON has (a set)"),
    ],
)
def test_what_is_no_value_is_refused_at_once(value: Any, said: str) -> None:
    for read in (read_records, cloudsigma.scan):
        with pytest.raises(UsageError, match=said.replace("(", r"\(").replace(")", r"\)")):
            read(value)


def test_an_envelope_that_is_taken_for_a_record_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    envelopes = [{"Records": RECORDS}, {"detail": RECORDS[0]}, {"Records": []}]
    with caplog.at_level(logging.WARNING, "cloudsigma"):
        assert list(cloudsigma.evaluate([RECORDS[0], *envelopes])) == list(cloudsigma.evaluate([RECORDS[0]]))
    (told,) = caplog.messages
    assert told.startswith("record 1 looks like an envelope around records")


@pytest.mark.parametrize(
    "call", [lambda: cloudsigma.scan(".", rules="rules"), lambda: cloudsigma.evaluate([], rules="rules")]
)
def test_rules_that_are_no_rule_set_are_refused(call: Any) -> None:
    with pytest.raises(UsageError, match=r"rules is a str; give a RuleSet, such as cloudsigma.compile_rules\(PATH\)"):
        call()

"""What a program holds already: the same forms and the same account as from files."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import logging
import re
import uuid
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
        (7, "a path is 7; give paths, or an event as dict, list or bytes"),
        (None, "a path is None; give paths"),
        ({"Records": [object()]}, "<value> cannot be read: it is no value that JSON has (a object)"),
        ({("a", "b"): 1}, "<value> cannot be read: it is no value that JSON has (keys must be str"),
        (json.dumps(RECORDS), "JSON text is no path ('[{"),
        ('\n {"Records": []}', "to read it, give bytes: text.encode()"),
    ],
)
def test_what_is_no_value_is_refused_at_once(value: Any, said: str) -> None:
    for read in (read_records, cloudsigma.scan):
        with pytest.raises(UsageError, match=re.escape(said)):
            read(value)


WHEN = dt.datetime(2025, 3, 4, 10, 15, 30, tzinfo=dt.UTC)
TEXTS = [json.dumps(record) for record in RECORDS]
ANSWERS: dict[str, Any] = {
    "cloudtrail.lookup_events": {
        "Events": [{"EventId": "1", "EventTime": WHEN, "Resources": [], "CloudTrailEvent": text} for text in TEXTS],
        "ResponseMetadata": {"HTTPStatusCode": 200, "RetryAttempts": 0},
    },
    "kinesis.get_records": {
        "Records": [
            {"SequenceNumber": "1", "ApproximateArrivalTimestamp": WHEN, "Data": data, "PartitionKey": "p"}
            for data in (*(text.encode() for text in TEXTS[:2]), *(gzip.compress(text.encode()) for text in TEXTS[2:]))
        ],
        "MillisBehindLatest": 0,
    },
    "sqs.receive_message": {"Messages": [{"MessageId": "1", "ReceiptHandle": "r", "Body": text} for text in TEXTS]},
    "an SQS event with times": {
        "Records": [
            {
                "messageId": uuid.UUID(int=1),
                "eventSource": "aws:sqs",
                "body": text.encode(),
                "attributes": {"Sent": WHEN},
            }
            for text in TEXTS
        ]
    },
    "logs.filter_log_events": {"events": [{"timestamp": 1, "message": text} for text in TEXTS]},
    "tuples": tuple({**record, "tags": {"a"}, "seen": WHEN.date()} for record in RECORDS),
    "bytearray": bytearray(json.dumps(RECORDS), "utf-8"),
    "memoryview": memoryview(gzip.compress(json.dumps(RECORDS).encode())),
    "BytesIO": io.BytesIO(json.dumps({"Records": RECORDS}).encode()),
    "StringIO": io.StringIO(json.dumps(RECORDS)),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_of_boto3_and_other_values_are_read(name: str) -> None:
    reader = read_records(ANSWERS[name])
    found = [{key: record[key] for key in plain} for record, plain in zip(reader, RECORDS, strict=True)]
    assert found == RECORDS
    assert reader.ledger.losses == ()


def test_a_stream_is_read_once_from_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"header" + json.dumps(RECORDS).encode())
    with (tmp_path / "x").open("rb") as stream:
        stream.read(6)
        reader = read_records(stream)
        assert list(reader) == RECORDS
        assert list(reader) == []
        assert reader.ledger.losses[0].reason == "it cannot be read: a stream can be read only once"


def test_bytes_io_that_was_just_written_is_read_whole() -> None:
    buffer = io.BytesIO()
    buffer.write(json.dumps(RECORDS).encode())
    reader = read_records(buffer)
    assert list(reader) == list(reader) == RECORDS


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
    with pytest.raises(UsageError, match=r"rules is 'rules'; give a RuleSet, such as cloudsigma.compile_rules\(PATH\)"):
        call()

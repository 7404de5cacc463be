"""One folder with every form in it, and 30 more files that are damaged in 30 ways: nothing is lost without a word."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cloudsigma

FORMS = Path(__file__).parent / "forms"
RECORDS: list[dict[str, Any]] = json.loads((FORMS / "records.json").read_text(encoding="utf-8"))
EXPECTED: dict[str, dict[str, Any]] = json.loads((FORMS / "expected.json").read_text(encoding="utf-8"))
EVENTS = [record["eventID"] for record in RECORDS]
EVERYTHING = "title: Every record\nlogsource: {product: aws}\ndetection: {s: {eventName|exists: true}, condition: s}\n"


def plain(data: bytes) -> bytes:
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def cut(share: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(len(data) * share)]


def at_record(number: int, before: bytes, after: bytes) -> Callable[[bytes], bytes]:
    """Something changed in the text of one record, which is told by its event ID."""
    event = EVENTS[number].encode()

    def change(data: bytes) -> bytes:
        start = data.index(event)
        found = data.rindex(before, 0, start)
        return data[:found] + after + data[found + len(before) :]

    return change


def messages(change: Callable[[list[Any]], None], member: str) -> Callable[[bytes], bytes]:
    def damage(data: bytes) -> bytes:
        value = json.loads(data)
        change(value[member])
        return json.dumps(value).encode()

    return damage


def encoded_at(at: int, *path: str) -> Callable[[list[Any]], None]:
    """The data of an element cut in its middle, as base64 that is whole."""

    def change(elements: list[Any]) -> None:
        held = elements[at]
        for name in path[:-1]:
            held = held[name]
        data = base64.b64decode(held[path[-1]])
        held[path[-1]] = base64.b64encode(data[: len(data) // 2]).decode()

    return change


def setting(at: int, name: str, value: Any) -> Callable[[list[Any]], None]:
    def change(elements: list[Any]) -> None:
        elements[at][name] = value

    return change


def row_cut(data: bytes) -> bytes:
    """A quote that is missing at the end of a cell: the row runs on into the next."""
    lines = data.split(b"\r\n")
    lines[2] = lines[2][:-1]
    return b"\r\n".join(lines)


def parquet_damaged(data: bytes) -> bytes:
    at = len(data) - 8
    return data[:at] + b"\xff\xff\xff\x0f" + data[at + 4 :]


# Fixture, damage, which of its records are read all the same, words of the reason.
DAMAGED: list[tuple[str, Callable[[bytes], bytes], list[int], str]] = [
    ("log_file_compressed.json.gz", cut(0.9), [0, 1], "the gzip data is cut off"),
    ("log_file_compressed.json.gz", lambda d: d + b"more", [0, 1, 2, 3], "other bytes after the end of the gzip data"),
    ("log_file_compressed.json.gz", lambda d: d[:-8] + b"\0" * 8, [0, 1, 2, 3], "the gzip data is damaged"),
    ("log_file_compressed.json.gz", lambda d: d[:12], [], "the gzip data is cut off"),
    ("log_file.json", cut(0.6), [0, 1], "the JSON is damaged"),
    ("log_file.json", at_record(1, b'"CreateTrustAnchor"', b'"CreateTrustAnchor'), [0, 2, 3], "the JSON is damaged"),
    ("log_file.json", at_record(2, b"AccessDenied", b"Access\xff\xfeDenied"), [0, 1, 3], "not UTF-8"),
    ("log_file.json", lambda d: d.replace(b'{"Records":[', b'{"Records":[17,null,'), [0, 1, 2, 3], "among the records"),
    ("log_file.json", lambda d: d.replace(b'"Root"', b"[" * 5000), [0, 1, 2], "nests too deep"),
    ("log_file.json", lambda d: b"", [], "the file is empty"),
    ("log_file.json", lambda d: d.hex().encode(), [], "the text is not JSON"),
    ("lines.jsonl", lambda d: d.replace(b'"readOnly":false', b'"readOnly":fals', 1), [1, 2, 3], "the JSON is damaged"),
    ("lines.jsonl", lambda d: d.replace(b"Boto3", b"\xb0\xb1"), [0, 2, 3], "not UTF-8"),
    ("lines.jsonl", cut(0.95), [0, 1, 2], "the JSON is damaged"),
    ("objects", at_record(3, b'{"eventVersion"', b'}"eventVersion"'), [0, 1, 2], "the JSON is damaged"),
    ("pretty.json", cut(0.97), [0, 1, 2], "the JSON is damaged"),
    ("lookup_events.json", cut(0.7), [0, 1], "the JSON is damaged"),
    (
        "lookup_events.json",
        messages(setting(1, "CloudTrailEvent", '{"eventName": "Cre'), "Events"),
        [0, 2, 3],
        "the JSON is damaged",
    ),
    ("eventbridge_lines.jsonl", lambda d: d.replace(b'"detail":{', b'"detail":', 1), [1, 2, 3], "the JSON is damaged"),
    ("log_subscription.json", lambda d: d.replace(b"H4sI", b"H4s!"), [], "is no base64, or damaged"),
    ("log_subscription_decoded.json", messages(setting(2, "message", None), "logEvents"), [0, 1, 3], "has no message"),
    ("log_events.json", cut(0.5), [0], "the JSON is damaged"),
    ("log_lines", lambda d: gzip.compress(plain(d).replace(b"Z {", b"Z {{", 1)), [1, 2, 3], "the JSON is damaged"),
    ("sqs_received.json", messages(setting(0, "Body", "hello"), "Messages"), [1, 2, 3], "the text is not JSON"),
    ("kinesis_get_records.json", messages(setting(3, "Data", "a"), "Records"), [0, 1, 2], "no base64"),
    ("kinesis.json", messages(encoded_at(0, "kinesis", "data"), "Records"), [0, 0], "the gzip data is cut off"),
    ("athena.csv", row_cut, [0, 2, 3], "the row is damaged"),
    (
        "splunk.csv",
        lambda d: d.replace(b'","s3",', b'",', 1),
        [1, 2, 3],
        "the row has 2 cells, and there are 3 columns",
    ),
    (
        "athena.json",
        lambda d: d.replace(b'{"Data":[', b'{"Data":[{},', 2).replace(b"[{},", b"[", 1),
        [1, 2, 3],
        "cells",
    ),
    ("athena.parquet", parquet_damaged, [], "the Parquet data is damaged"),
]


def test_there_are_thirty_kinds_of_damage() -> None:
    assert len(DAMAGED) == 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in EXPECTED:
        shutil.copy(FORMS / name, tmp_path / f"healthy-{name}")
    for number, (name, damage, _, _) in enumerate(DAMAGED):
        (tmp_path / f"damaged-{number}-{name}").write_bytes(damage((FORMS / name).read_bytes()))
    return tmp_path


def test_every_healthy_record_is_judged_once_and_every_damaged_file_is_named(folder: Path) -> None:
    scan = cloudsigma.scan(folder, rules=cloudsigma.compile_text(EVERYTHING), dedup=False)
    judged = Counter((Path(match.origin.path).name, match.record.get("eventID")) for match in scan)
    wanted: Counter[tuple[str, str | None]] = Counter()
    for name, expected in EXPECTED.items():
        events = [EVENTS[n] for n in expected["records"]] if "records" in expected else [None]
        wanted.update((f"healthy-{name}", event) for event in events)
    for number, (name, _, kept, _) in enumerate(DAMAGED):
        wanted.update((f"damaged-{number}-{name}", EVENTS[n]) for n in kept)
    assert judged == wanted
    reasons: dict[str, list[str]] = {}
    for loss in scan.ledger.losses:
        reasons.setdefault(Path(loss.path).name, []).append(loss.reason)
    damaged = {f"damaged-{number}-{name}": reason for number, (name, _, _, reason) in enumerate(DAMAGED)}
    assert reasons.keys() == damaged.keys()
    for name, reason in damaged.items():
        assert any(reason in said for said in reasons[name]), (name, reasons[name])
    assert scan.ledger.records == judged.total()
    assert scan.ledger.not_looked_at == {}


def test_a_file_is_named_as_often_as_it_is_damaged(folder: Path) -> None:
    """One place of damage is one entry, with where it is; what was read of the file stands beside it."""
    scan = cloudsigma.scan(folder, dedup=False)
    list(scan)
    counts = Counter(Path(loss.path).name for loss in scan.ledger.losses)
    twice = {name for name, count in counts.items() if count > 1}
    assert twice == {"damaged-7-log_file.json"}  # a number and a null
    for loss in scan.ledger.losses:
        number = int(Path(loss.path).name.split("-")[1])
        assert loss.rescued == len(DAMAGED[number][2]), loss

"""Damaged files: exactly the healthy records are read, each at its position, and no part of a damaged one.

`CLOUDSIGMA_FUZZ_DAMAGE` says how many files; `CLOUDSIGMA_FUZZ_SEED` which ones (the default is always the same).
"""

from __future__ import annotations

import io
import json
import os
import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest

from cloudsigma.reading import Ledger, Limits, Reader, read_records
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.source_reader import SourceReader
from cloudsigma.reading.sources.finder import SourceFinder

FILES = int(os.environ.get("CLOUDSIGMA_FUZZ_DAMAGE", "2000"))
SEED = int(os.environ.get("CLOUDSIGMA_FUZZ_SEED", "7"))
Records = list[dict[str, Any]]


class Everything:
    """A probe that lets every record through."""

    fields = ("eventName", "eventSource", "userIdentity.type")

    def candidates(self, columns: Sequence[Iterator[Any]]) -> list[int]:
        return list(range(len(list(zip(*columns, strict=True)))))

    def accepted(self) -> None:
        """Nothing is kept."""


class Read(NamedTuple):
    records: Records
    positions: list[int | None]
    ledger: Ledger


def read(content: bytes, *, fast: bool) -> Read:
    probe = Everything() if fast else None
    reader = Reader(SourceFinder((content,), Selection()), SourceReader(Limits(), Selection(), probe))
    found = list(reader.with_origin())
    return Read([record for record, _ in found], [origin.position for _, origin in found], reader.ledger)


# --- files that are damaged at random places ----------------------------------------------------------------

NAMES = ["CreateGroup", "DeleteGroup", "CreateProfile", "TagResource"]
TEXTS = [
    "",
    "a",
    'say "x"',
    "},{",
    '{"eventName":"CreateGroup","eventSource":"s"}',
    "[{",
    "\\",
    "é",
    ",",
    ":",
    "a,b",
    "}]}",
]


def record(event_id: str, chance: random.Random, inside: int = 0) -> dict[str, Any]:
    """A record with its keys in any order; in it others, as callers may write them into tags and parameters."""
    made: dict[str, Any] = {
        "eventVersion": "1.08",
        "userIdentity": {"type": "IAMUser", "sessionContext": {"attributes": {"mfaAuthenticated": "false"}}},
        "eventTime": "2025-03-04T10:15:30Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": chance.choice(NAMES),
        "awsRegion": "us-east-1",
        "requestParameters": {"groupName": chance.choice(TEXTS), "path": chance.choice(TEXTS)},
        "responseElements": None,
        "eventType": "AwsApiCall",
        "eventID": event_id,
        "readOnly": False,
    }
    if chance.random() < 0.3:
        made["additionalEventData"] = {"n": chance.choice([1, 2.5, [], [1, 2], {}])}
    if inside < 2 and chance.random() < 0.6:
        inner = [record(f"inner-{event_id}-{n}", chance, inside + 1) for n in range(chance.randint(1, 3))]
        parameters = made["requestParameters"]
        for kind in chance.sample(["tags", "items", "deep"], chance.randint(1, 2)):
            if kind == "tags":
                parameters["tags"] = inner[0]
            elif kind == "items":
                parameters["items"] = inner
            else:
                parameters["deep"] = {"Records": inner}
    members = list(made.items())
    if chance.random() < 0.7:
        chance.shuffle(members)
    return dict(members)


class Log(NamedTuple):
    text: bytes
    records: Records
    spans: list[tuple[int, int]]
    """Where each record stands in the text."""


def log(chance: random.Random) -> Log:
    """A log file, and where its records stand."""
    indent = chance.choice([None, None, None, 1])
    colon = chance.choice([":", ": "]) if indent is None else ": "
    comma = chance.choice([",", ", "]) if indent is None else ","
    between = chance.choice([",", ", ", ",\n"])
    before, after = chance.choice(
        [('{"Records":[', "]}"), ('{"Records": [', "]}\n"), ("[", "]"), ('{ "Records" : [\n', "\n]\n}\n")]
    )
    found = [record(f"top-{n}", chance) for n in range(chance.randint(1, 6))]
    text = before.encode()
    spans = []
    for n, each in enumerate(found):
        text += between.encode() if n else b""
        start = len(text)
        text += json.dumps(each, indent=indent, separators=(comma, colon), ensure_ascii=chance.random() < 0.5).encode()
        spans.append((start, len(text)))
    return Log(text + after.encode(), found, spans)


MARKS = b'{}[]",:\\'


def damaged(whole: Log, chance: random.Random) -> tuple[bytes, list[int]]:
    """The damaged file, and the numbers of the records that were not touched.

    One place is hit, whatever stands there, or several of which no bracket, quote or comma is.
    """
    data = whole.text
    first = whole.spans[0][0]
    edits: list[tuple[int, int, bytes]] = []
    several = chance.random() < 0.3
    for _ in range(chance.randint(2, 4) if several else 1):
        at = chance.randrange(first, len(data))
        if several:
            at = next(place for place in range(at, 2 * len(data)) if data[place % len(data)] not in MARKS) % len(data)
            if at > first:
                edits.append((at, at + 1, bytes([chance.choice(b"x1 \x00\xff")])))
            continue
        garbage = bytes(chance.choice(b'{}[]",:\\x1 \n\x00\xff') for _ in range(chance.choice([1, 1, 2])))
        if not any(start <= at < end for start, end in whole.spans):
            garbage = garbage.replace(b":", b"x")  # no element begins behind a colon
        match chance.randrange(4):
            case 0:
                edits.append((at, at + 1, garbage[:1]))
            case 1:
                edits.append((at, min(at + chance.choice([1, 1, 2]), len(data)), b""))
            case 2:
                edits.append((at, at, garbage))
            case _:
                edits.append((at, len(data), b""))  # the file is cut
    untouched = [
        number
        for number, (start, end) in enumerate(whole.spans)
        if all(left >= end or (right <= start and left < start) for left, right, _ in edits)
    ]
    for left, right, garbage in sorted(edits, reverse=True):
        data = data[:left] + garbage + data[right:]
    return data, untouched


def check(number: int) -> None:
    """One damaged file, read both ways."""
    chance = random.Random(f"{SEED}-{number}")  # noqa: S311  # no secrets
    whole = log(chance)
    data, untouched = damaged(whole, chance)
    plain, fast = read(data, fast=False), read(data, fast=True)
    about = f"file {number} of seed {SEED}: {data!r}"
    assert fast == plain, about
    found = [(each, position) for each, position in zip(plain.records, plain.positions, strict=True)]
    for untouched_one in untouched:
        assert (whole.records[untouched_one], untouched_one) in found, about
    planted = [each for each in plain.records if str(each.get("eventID", "")).startswith("inner")]
    assert not planted, about
    assert len(found) <= len(whole.records), about
    if len(untouched) < len(whole.records) and len(found) < len(whole.records):
        assert plain.ledger.losses, about


def test_of_damaged_files_exactly_the_healthy_records_are_read() -> None:
    """Cut, changed, with keys in any order and records within records: the same both ways."""
    for number in range(FILES):
        check(number)


# --- what was found by hand ---------------------------------------------------------------------------------


def ids(content: bytes) -> list[Any]:
    plain, fast = read(content, fast=False), read(content, fast=True)
    assert plain == fast
    return [each.get("eventID") for each in plain.records]


def one(event_id: str, **more: Any) -> dict[str, Any]:
    return {"eventVersion": "1.08", "eventSource": "iam.amazonaws.com", "eventName": "A", "eventID": event_id, **more}


PLANTED = one("planted")


@pytest.mark.parametrize("key", ["tags", "requestParameters", "additionalEventData", "Records", "events"])
def test_a_part_of_a_damaged_record_is_no_record(key: str) -> None:
    """Keys of tags are chosen by callers."""
    for inner in (PLANTED, [PLANTED, PLANTED], {"Records": [PLANTED, PLANTED]}, {key: {key: PLANTED}}):
        bad = json.dumps({"n": 0, key: inner, **one("bad"), "m": 1})
        for damage in (bad.replace('"n": 0', '"n": oops'), bad.replace('"n": 0', '"n": 0"'), bad.replace(": 0", ":")):
            text = json.dumps({"Records": [one("a"), 7, one("b")]}).replace("7", damage)
            assert ids(text.encode()) == ["a", "b"]
            assert ids(text[: text.index('"m"')].encode()) == ["a"]
            assert ids(damage.encode()) == []


def test_the_next_record_is_found_whatever_the_order_of_its_keys() -> None:
    text = json.dumps({"Records": [one("a", n=7), one("b", additionalEventData={})]}, sort_keys=True).replace(
        "7", "oops"
    )
    assert ids(text.encode()) == ["b"]


def test_positions_count_elements_behind_damage_too() -> None:
    for bad in (b'{"eventID": oops}', b'{"eventID": {"}', b'"text"', b"7", b"{]"):
        text = b'{"Records": [' + b",".join([json.dumps(one("a")).encode(), bad, json.dumps(one("c")).encode()]) + b"]}"
        assert read(text, fast=False).positions == read(text, fast=True).positions == [0, 2], bad


def test_records_without_anything_between_them_are_found_behind_damage() -> None:
    """Firehose writes them so."""
    parts = [json.dumps(one(name)) for name in "abcd"]
    parts[1] = parts[1].replace('"A"', "oops")
    assert ids("".join(parts).encode()) == ["a", "c", "d"]
    assert ids("\n".join(parts).encode()) == ["a", "c", "d"]


@pytest.mark.parametrize("head", ['{"Records":[', '{"Records": [', "["])
def test_the_head_of_a_log_file_may_be_damaged_too(head: str) -> None:
    text = ",".join(json.dumps(one(name)) for name in "abc")
    for at in range(1, len(head)):
        found = ids((head[:at] + "\x00" + head[at:] + text + "]}"[-len(head.strip("[")) // 9 - 1 :]).encode())
        assert found in ([], ["a", "b", "c"])


def test_a_file_that_begins_in_the_middle_of_a_record_is_read_from_the_next() -> None:
    text = json.dumps({"Records": [one("a", tags=PLANTED), one("b", items=[PLANTED, PLANTED]), one("c")]})
    for at in range(text.index('"A"'), text.index('"b"') - 90):
        assert ids(text[at:].encode()) == ["b", "c"], at


def test_lines_are_told_from_several_lines() -> None:
    lines = [json.dumps(one(name)) for name in "abcdef"]
    cut = "\n".join([lines[0][30:], *lines[1:]]).encode()
    found = read_records("-", stdin=io.BytesIO(cut))
    assert [each["eventID"] for each in found] == list("bcdef")
    assert [loss.position for loss in found.ledger.losses] == ["line 1"]
    pretty = json.dumps({"x": 1}) + "\n" + json.dumps({"Records": [one("a"), one("b")]}, indent=1)
    found = read_records("-", stdin=io.BytesIO(pretty.encode()))
    assert [each["eventID"] for each in found] == ["a", "b"]
    listed = '{"Records":[\n' + ",\n".join(lines) + "\n]}\n"
    found = read_records("-", stdin=io.BytesIO(listed.encode()))
    assert [each["eventID"] for each in found] == list("abcdef")
    assert found.ledger.complete

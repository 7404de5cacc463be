"""What went wrong in systems like this one, as tests: reading and its forms. Each is named after its line of the list.

Lines that are about S3, checkpoints, following, time filters and what is written are tested where those are.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma.reading import Ledger, Limits, read_records

FORMS = Path(__file__).parent / "forms"
RECORDS: list[dict[str, Any]] = json.loads((FORMS / "records.json").read_text(encoding="utf-8"))
Records = list[dict[str, Any]]


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def read(content: bytes, limits: Limits | None = None) -> tuple[Records, Ledger]:
    reader = read_records("-", stdin=io.BytesIO(content), limits=limits)
    return list(reader), reader.ledger


def rule(condition: str) -> cloudsigma.RuleSet:
    return cloudsigma.compile_text(
        f"title: T\nlogsource: {{product: aws}}\ndetection: {{s: {{{condition}}}, condition: s}}\n"
    )


def test_s01_a_line_is_an_event_or_a_batch(records: Records) -> None:
    """A record, a log file, an array or an event of EventBridge a line, in one file: every record is evaluated."""
    event = {"detail-type": "AWS API Call via CloudTrail", "detail": records[4]}
    lines = [records[0], {"Records": records[1:3]}, [records[3]], event]
    found, ledger = read(b"\n".join(map(dumped, lines)))
    assert found == records
    assert ledger.complete
    assert len(list(rule("eventName: CreateGroup").evaluate(found))) == 5


def test_s01_a_damaged_batch_in_a_line_loses_its_damaged_record_alone(records: Records) -> None:
    batch = dumped({"Records": records[:3]}).replace(b'"id-1"', b'"id-1')
    rest = dumped({"Records": records[3:]})
    for content, ids, place in (
        (batch + b"\n" + rest, ["id-0", "id-2", "id-3", "id-4"], "record 1, line 1, column 167"),
        (rest + b"\n" + batch, ["id-3", "id-4", "id-0", "id-2"], "line 2, record 1"),
    ):
        found, ledger = read(content)
        assert [record["eventID"] for record in found] == ids
        assert [loss.position for loss in ledger.losses] == [place]


@pytest.mark.parametrize(
    "content",
    [
        dumped({"records": RECORDS}),
        dumped({"RECORDS": RECORDS}),
        json.dumps({"Records": RECORDS}, indent=4).encode(),
        json.dumps(RECORDS, indent=4).encode(),
        b"\n\n".join(json.dumps(record, indent=2).encode() for record in RECORDS),
    ],
    ids=["lower case", "upper case", "pretty envelope", "pretty array", "pretty objects"],
)
def test_s02_a_batch_is_never_one_giant_event(content: bytes) -> None:
    found, ledger = read(content)
    assert found == RECORDS
    assert ledger.complete


FORGED = {
    "eventName": "CreateGroup",
    "eventSource": "iam.amazonaws.com",
    "eventType": "AwsApiCall",
    "eventID": "forged",
}


@pytest.mark.parametrize(
    "text", ['{"Records": [%s %s, %s]}', "[%s, [%s, %s]", '{"Records": [%s}, %s, %s]}', "[%s; %s, %s]"]
)
def test_s01_what_stands_in_a_record_is_none_beside_damage(text: str, records: Records) -> None:
    """Damage between records makes no record of what one of them says, and gives none twice."""
    spoken = [{**record, "additionalEventData": {"x": FORGED}} for record in records[:3]]
    found, ledger = read((text % tuple(json.dumps(record) for record in spoken)).encode())
    ids = [record["eventID"] for record in found]
    assert "forged" not in ids
    assert len(ids) == len(set(ids)) >= 2
    assert len(ledger.losses) == 1


def test_s02_an_envelope_that_is_not_known_is_named() -> None:
    found, ledger = read(dumped({"items": RECORDS}))
    assert found == []
    assert [loss.reason for loss in ledger.losses] == ["JSON of no known form (an object with items)"]


def test_s03_bad_files_among_good_ones(tmp_path: Path, records: Records) -> None:
    """Each bad file is named with its reason; the others are read."""
    bad = {"b.json": b"\xff\xfe\xfd", "c.csv": b"a,b\n1,2\n", "d.parquet": b"PAR1nothing", "e.gz": b"\x1f\x8b\x08bad"}
    for name in ("a.json", "f.json"):
        (tmp_path / name).write_bytes(dumped({"Records": records}))
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "g.json").symlink_to(tmp_path / "gone")
    reader = read_records(tmp_path)
    assert len(list(reader)) == 10
    reasons = {Path(loss.path).name: loss.reason for loss in reader.ledger.losses}
    assert list(reasons) == [*bad, "g.json"]
    for name, reason in {
        "b.json": "the text is not UTF-16-LE, which its first bytes promise",
        "c.csv": "a table without a column that holds CloudTrail records (it has a, b)",
        "d.parquet": "the Parquet data is damaged",
        "e.gz": "the gzip data is damaged",
        "g.json": "no such file or directory",
    }.items():
        assert reason in reasons[name]


@pytest.mark.parametrize(
    "name", sorted(path.name for path in FORMS.iterdir() if path.suffix in {".json", ".jsonl", ".csv"})
)
def test_s04_a_cut_anywhere_is_told_and_loses_nothing_before_it(name: str) -> None:
    """Any form cut in forty places: what is left is read, none twice; what is missing is told, unless none is begun."""
    content = (FORMS / name).read_bytes()
    whole, _ = read(content)
    before = 0
    for part in range(1, 41):
        at = len(content) * part // 41
        found, ledger = read(content[:at])
        if ledger.complete or not name.endswith(".csv"):
            assert found == whole[: len(found)]
        assert len(found) >= before
        before = len(found)
        between = content[:at].rstrip()[-1:] in b"}" if name.endswith(".jsonl") else content[at - 1 : at + 1] in b"\r\n"
        assert ledger.losses or len(found) == len(whole) or (between and not name.endswith(".json"))


def test_s05_r43_whatever_inflates_has_a_ceiling() -> None:
    """A bomb as a file, in a subscription and in a stream stops at the limit, with a message that names it."""
    bomb = gzip.compress(b"[" + b" " * 30_000_000 + b"]")
    data = base64.b64encode(bomb).decode()
    limits = Limits(inflated=5_000_000, payload=1_000_000)
    carried = [{"awslogs": {"data": data}}, {"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": data}}]}]
    for content in (bomb, *map(dumped, carried)):
        begun = time.process_time()
        found, ledger = read(content, limits)
        assert found == []
        (loss,) = ledger.losses
        assert "more than" in loss.reason
        assert "(the limit '" in loss.reason
        assert time.process_time() - begun < 5


def test_s05_many_small_bombs_share_one_ceiling(records: Records) -> None:
    """A thousand messages that inflate to a megabyte each do not come to a gigabyte."""
    data = base64.b64encode(gzip.compress(dumped({"a": "x" * 1_000_000}))).decode()
    batch = {"records": [{"recordId": str(n), "data": data} for n in range(1000)]}
    begun = time.process_time()
    _, ledger = read(dumped(batch), Limits(payload=10_000_000))
    assert time.process_time() - begun < 5
    assert any("(the limit 'payload'; --max-payload changes it)" in loss.reason for loss in ledger.losses)


def test_s06_names_and_folders_that_cannot_be_read(tmp_path: Path, records: Records) -> None:
    """A name that is not UTF-8 is read and can be printed; a folder without leave is named."""
    with open(os.fsencode(tmp_path) + b"/\xff\xfe.csv", "wb") as file:
        file.write((FORMS / "athena.csv").read_bytes())
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0)
    try:
        reader = read_records(tmp_path)
        origins = [origin for _, origin in reader.with_origin()]
        assert len(origins) == 4
        str(reader.ledger).encode()
        if os.geteuid() != 0:  # nothing is locked for root
            assert any("cannot be read" in loss.reason for loss in reader.ledger.losses)
    finally:
        locked.chmod(0o700)


def test_s07_paths_that_give_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "empty").mkdir()
    reader = read_records(tmp_path / "missing", tmp_path / "pipe.csv", "", tmp_path / "empty", "/dev/null")
    assert list(reader) == []
    assert [(loss.path, loss.reason) for loss in reader.ledger.losses] == [
        (str(tmp_path / "missing"), "there is no such file or folder"),
        (str(tmp_path / "pipe.csv"), "it is a named pipe, no regular file; pipe it to - instead"),
        ("", "the path is empty; name a file or folder, or . for this one"),
        (str(tmp_path / "empty"), "there are no log files in this folder"),
        ("/dev/null", "it is a device, no regular file; pipe it to - instead"),
    ]


@pytest.mark.parametrize("address", ["cloudformation.amazonaws.com", "AWS Internal", "", "2001:db8::7", None, 7, ["a"]])
@pytest.mark.parametrize("form", ["plain", "csv", "ocsf"])
def test_s14_an_address_that_is_none_changes_nothing_else(address: Any, form: str) -> None:
    """CIDR is false for it and no error, whatever the record came out of; all other fields stay."""

    def written(value: Any) -> bytes:
        if form == "csv":
            cell = "" if value is None else str(value)
            return f'eventname,eventsource,sourceipaddress\nCreateGroup,iam.amazonaws.com,"{cell}"\n'.encode()
        if form == "ocsf":
            event = {"class_uid": 6003, "metadata": {"product": {"name": "CloudTrail"}}, "src_endpoint": {"ip": value}}
            return dumped({**event, "api": {"operation": "CreateGroup", "service": {"name": "iam.amazonaws.com"}}})
        return dumped({**RECORDS[0], "sourceIPAddress": value})

    (usual,), _ = read(written("10.1.2.3"))
    (found,), ledger = read(written(address))
    assert ledger.complete
    inside = rule("sourceIPAddress|cidr: 10.0.0.0/8")
    assert inside.verdicts(usual)
    assert not inside.verdicts(found)
    both = [
        match.context.to_dict() for record in (usual, found) for match in rule("eventName: CreateGroup").match(record)
    ]
    assert both[0].pop("source_ip") == "10.1.2.3"
    held = found.get("sourceIPAddress")
    assert both[1].pop("source_ip") == (held if isinstance(held, str) and held else None)
    assert both[0] == both[1]
    assert {**usual, "sourceIPAddress": None} == {**found, "sourceIPAddress": None}


CORRELATED = """
title: Calls
name: calls
logsource: {product: aws}
detection: {s: {eventName|exists: true}, condition: s}
---
title: Several calls
correlation: {type: event_count, rules: [calls], timespan: 5m, condition: {gte: 4}}
"""


@pytest.mark.parametrize(
    "name", ["lines.jsonl", "athena.csv", "athena.parquet", "lake.json", "ocsf.jsonl", "elastic_mapped.jsonl",
             "logstash.jsonl", "panther.jsonl"]
)  # fmt: skip
def test_s21_times_in_other_fields_and_spellings_are_times(name: str) -> None:
    """`@timestamp`, epoch milliseconds, fractions of seconds: event time is known, and a correlation fires."""
    titles = [match.rule.title for match in cloudsigma.scan(FORMS / name, rules=cloudsigma.compile_text(CORRELATED))]
    assert "Several calls" in titles


@pytest.mark.parametrize("number", [2**63, 2**64, 2**64 + 1, -(2**63) - 1, 10**30])
def test_s22_r42_big_integers_are_exact(number: int) -> None:
    (found,), _ = read(dumped({"eventName": "A", "n": number}))
    assert found["n"] == number
    assert rule(f"n: {number}").verdicts(found)
    assert not rule(f"n: {number + 1}").verdicts(found)
    carried = dumped({"messageId": "1", "body": json.dumps({"eventName": "A", "n": number})})
    assert read(carried)[0] == [found]


@pytest.mark.parametrize("name", ["athena.csv", "splunk.csv", "log_lines_tailed.log", "elastic.json", "lines.jsonl"])
def test_s25_the_name_of_a_file_decides_nothing(name: str, tmp_path: Path) -> None:
    """Upper-case endings, wrong endings, none; several gzip members, and bytes after them."""
    content = (FORMS / name).read_bytes()
    expected, _ = read(content)
    half = len(content) // 2
    members = gzip.compress(content[:half]) + gzip.compress(content[half:])
    for file, stored in {
        "A.JSON": content,
        "b.CSV": content,
        "c": content,
        "D.LOG.GZ": members,
        "e.parquet": members,
    }.items():
        (tmp_path / file).write_bytes(stored)
    reader = read_records(tmp_path)
    assert list(reader) == expected * 5
    assert reader.ledger.complete
    (tmp_path / "c").write_bytes(members + b"and more")
    reader = read_records(tmp_path)
    assert list(reader) == expected * 5
    assert [loss.reason for loss in reader.ledger.losses] == [
        "there are other bytes after the end of the gzip data; 8 bytes are not read"
    ]


def test_s25_r32_byte_order_marks_in_every_place(records: Records) -> None:
    """At the start, where files were joined, and before JSON that stands in text."""
    mark = b"\xef\xbb\xbf"
    assert read(mark + dumped(records[0]))[0] == records[:1]
    assert read(b"\n".join(mark + dumped(record) for record in records))[0] == records
    assert read(b"".join(mark + json.dumps(record, indent=1).encode() for record in records))[0] == records
    text = mark.decode() + json.dumps(records[0])
    for envelope in (
        {"messageId": "1", "body": text},
        {"Events": [{"EventId": "1", "CloudTrailEvent": text}]},
        {"@timestamp": "t", "message": text},
        {"_raw": text},
        {"event": {"original": text}},
    ):
        found, ledger = read(dumped(envelope))
        assert (found, ledger.complete) == (records[:1], True), envelope


def test_s25_wide_text(records: Records) -> None:
    for encoding in ("utf-16", "utf-32"):
        assert read(json.dumps({"Records": records}).encode(encoding))[0] == records
        table = "eventname;eventsource\r\nA;b.amazonaws.com\r\n".encode(encoding)
        assert read(table)[0] == [{"eventName": "A", "eventSource": "b.amazonaws.com"}]


def test_r32_a_file_that_is_deleted_before_it_is_read(tmp_path: Path, records: Records) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes((FORMS / "splunk.csv").read_bytes())
    reader = read_records(tmp_path)
    found = []
    for record in reader:
        found.append(record)
        (tmp_path / "b").unlink(missing_ok=True)
    assert found == RECORDS * 2
    assert [Path(loss.path).name for loss in reader.ledger.losses] == ["b"]


def test_r33_one_record_for_each_value_that_an_envelope_yields() -> None:
    """A message that holds several documents gives the records of all."""
    text = "".join(json.dumps(record) for record in RECORDS)
    found, ledger = read(dumped({"messageId": "1", "body": text}))
    assert found == RECORDS
    assert ledger.forms == {"sqs": 4}


def test_r34_a_large_file_of_records_is_no_large_event(tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    file.write_bytes(dumped({"Records": RECORDS * 20_000}))
    reader = read_records(file)
    assert sum(1 for _ in reader) == 80_000
    assert reader.ledger.complete


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NaN", float("nan")),
        ("Infinity", float("inf")),
        ("1e400", float("inf")),
        ("-0", 0),
        ("18446744073709551616", 2**64),
        (r'"\ud800"', "\ud800"),
        (r'"é\u0000\u202e"', "é\x00\u202e"),
    ],
)
def test_r42_odd_values_have_a_defined_result_in_every_envelope(text: str, value: Any) -> None:
    """NaN is what Python programs write for a value that is missing."""
    record = f'{{"eventName": "A", "eventName": "B", "v": {text}}}'
    contents = [
        record,
        f'{{"Records": [{record}]}}',
        f'{{"detail-type": "x via CloudTrail", "detail": {record}}}',
        json.dumps({"messageId": "1", "body": record}),
        json.dumps({"awslogs": {"data": base64.b64encode(gzip.compress(record.encode())).decode()}}),
    ]
    for content in contents:
        (found,), ledger = read(content.encode())
        assert repr(found) == repr({"eventName": "B"} | ({} if text == "NaN" else {"v": value}))
        assert ledger.complete


@pytest.mark.parametrize("depth", [50, 150, 400, 1000, 100_000])
def test_r42_depth_is_read_or_refused_in_every_envelope(depth: int) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth
    record = f'{{"eventName": "A", "eventSource": "b", "eventID": "c", "requestParameters": {nested}}}'
    contents = [
        record,
        json.dumps({"messageId": "1", "body": record}),
        f"eventname,eventid,requestparameters\nA,c,{json.dumps(nested)[1:-1].join(chr(34) * 2)}\n".replace('\\"', '""'),
        json.dumps({"class_uid": 1, "metadata": {}, "api": {"operation": "A", "request": {"data": nested}}}),
    ]
    for content in contents:
        found, ledger = read(content.encode())
        if depth == 50:
            (kept,) = found
            assert ledger.complete
            assert rule("eventName: A").verdicts(kept)
            assert not rule("requestParameters|contains: nothing").verdicts(kept)
        else:
            assert found == []
            (loss,) = ledger.losses
            assert "to more levels than 100 (the limit 'depth'; --max-depth changes it)" in loss.reason


def test_r45_a_malformed_line_is_reported_once_with_its_place(records: Records) -> None:
    """In lines, log lines, rows and messages alike; the neighbors are read."""
    first, last = json.dumps(records[0]), json.dumps(records[1])
    stamp = "2025-03-04T10:15:30.000Z "
    bodies = [{"messageId": str(n), "body": text} for n, text in enumerate((first, "{bad", last))]
    contents = {
        f"{first}\n{{bad\n{last}\n": "line 2",
        f"{stamp}{first}\n{stamp}{{bad\n{stamp}{last}\n": "line 2",
        'eventname,eventid,n\nA,1,2\n"B,2,2\nC,3,2\n': "line 3",
        json.dumps({"Records": bodies}): "record 1, line 1, column 2",
    }
    for content, place in contents.items():
        found, ledger = read(content.encode())
        assert len(found) == 2, content
        assert [loss.position for loss in ledger.losses] == [place]

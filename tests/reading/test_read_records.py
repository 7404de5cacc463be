"""Reading: every form, every kind of damage, and the account of it."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from effort import fuzz
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.reading import Ledger, Limits, read_records

Records = list[dict[str, Any]]


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def read(path: Path, **options: Any) -> tuple[Records, Ledger]:
    reader = read_records(path, **options)
    return list(reader), reader.ledger


def lines(records: Records) -> bytes:
    return b"\n".join(map(dumped, records)) + b"\n"


# Name: how five records are written; in which forms they are counted.
FORMS: dict[str, tuple[Callable[[Records], bytes], dict[str, int]]] = {
    "log file": (lambda r: dumped({"Records": r}), {"log_file": 5}),
    "S02 other-case envelope key": (lambda r: dumped({"records": r}), {"log_file": 5}),
    "log file, compressed, whatever its name": (lambda r: gzip.compress(dumped({"Records": r})), {"log_file": 5}),
    "array": (dumped, {"array": 5}),
    "S01 lines": (lines, {"lines": 5}),
    "S01 mixed lines": (
        lambda r: lines([r[0], {"Records": r[1:3]}]) + b"\n" + dumped(r[3:]),
        {"lines": 1, "log_file": 2, "array": 2},
    ),
    "Windows lines": (lambda r: lines(r).replace(b"\n", b"\r\n"), {"lines": 5}),
    "objects end to end": (lambda r: b"".join(map(dumped, r)), {"objects": 5}),
    "S02 pretty-printed objects": (
        lambda r: b"\n".join(json.dumps(x, indent=2).encode() for x in r),
        {"objects": 5},
    ),
    "S25 byte order mark": (lambda r: b"\xef\xbb\xbf" + dumped({"Records": r}), {"log_file": 5}),
    "S25 byte order mark before lines": (lambda r: b"\xef\xbb\xbf" + lines(r), {"lines": 5}),
    "UTF-16": (lambda r: json.dumps({"Records": r}).encode("utf-16"), {"log_file": 5}),
    "S25 several gzip members": (lambda r: b"".join(gzip.compress(lines([x])) for x in r), {"lines": 5}),
}


@pytest.mark.parametrize(("write", "forms"), FORMS.values(), ids=FORMS)
def test_form_is_read_whole(
    write: Callable[[Records], bytes], forms: dict[str, int], records: Records, tmp_path: Path
) -> None:
    """Each form gives its records in order, counted by form, and nothing is lost."""
    file = tmp_path / "trail.json"
    file.write_bytes(write(records))
    found, ledger = read(file)
    assert found == records
    assert (ledger.records, ledger.forms, ledger.complete, ledger.files) == (5, forms, True, 1)


def test_single_record_and_empty_log_file(records: Records, tmp_path: Path) -> None:
    """One pretty-printed record is a record; a log file without records is whole."""
    file = tmp_path / "one.json"
    file.write_text(json.dumps(records[0], indent=4))
    assert read(file)[1].forms == {"record": 1}
    file.write_text('{"Records": []}')
    found, ledger = read(file)
    assert (found, ledger.complete, ledger.files) == ([], True, 1)


def cut(data: bytes, by: int) -> bytes:
    return data[:-by]


# Name: how five records are damaged; IDs that are still read; words of the reason.
DAMAGE: dict[str, tuple[Callable[[Records], bytes], list[int], str]] = {
    "S04 truncated gzip": (lambda r: cut(gzip.compress(dumped({"Records": r})), 15), [], "gzip data is cut off"),
    "S04 truncated JSON": (lambda r: cut(dumped({"Records": r}), 60), [0, 1, 2, 3], "JSON is damaged"),
    "damaged record between healthy ones": (
        lambda r: dumped({"Records": r}).replace(b'"id-2"', b'"id-2'),
        [0, 1, 3, 4],
        "JSON is damaged",
    ),
    "bytes that are not UTF-8": (
        lambda r: dumped({"Records": r}).replace(b"id-2", b"id-\xff"),
        [0, 1, 3, 4],
        "not UTF-8",
    ),
    "R45 bad line between good ones": (
        lambda r: lines(r).replace(b'"id-1"', b"id-1"),
        [0, 2, 3, 4],
        "JSON is damaged",
    ),
    "line that is not UTF-8": (lambda r: lines(r).replace(b"id-3", b"\xfe"), [0, 1, 2, 4], "not UTF-8"),
    "a second list that is damaged": (
        lambda r: dumped({"Records": r[:2]})[:-1] + b"," + dumped({"Records": r[2:]})[1:].replace(b'"id-3"', b"id-3"),
        [0, 1, 2, 4],
        "JSON is damaged",
    ),
    "a second list that is none": (
        lambda r: dumped({"Records": r})[:-1] + b',"Records":17}',
        [0, 1, 2, 3, 4],
        "a number is among the records",
    ),
    "an object of another kind in a log file": (
        lambda r: dumped({"Records": [*r, {"alarm": "disk"}]}),
        [0, 1, 2, 3, 4],
        "no CloudTrail record is among the records (it has alarm)",
    ),
    "element that is no object": (
        lambda r: dumped({"Records": [r[0], 17, None, *r[1:]]}),
        [0, 1, 2, 3, 4],
        "is among the records",
    ),
    "S25 bytes after the gzip data": (
        lambda r: gzip.compress(dumped({"Records": r})) + b"more",
        [0, 1, 2, 3, 4],
        "after the end of the gzip data",
    ),
    "S03 damaged gzip": (
        lambda r: gzip.compress(dumped({"Records": r}))[:-8] + b"\0" * 8,
        [0, 1, 2, 3, 4],
        "gzip data is damaged",
    ),
    "R42 nested without end": (
        lambda r: dumped({"Records": r}).replace(b'"id-2"', b"[" * 200_000 + b"]" * 200_000),
        [0, 1, 3, 4],
        "nests too deep",
    ),
    "empty file": (lambda r: b"", [], "the file is empty"),
    "file of white space": (lambda r: b" \n\t\n", [], "the file is empty"),
    "damage behind the list": (
        lambda r: dumped({"Records": r})[:-1] + b',"next":"cu',
        [0, 1, 2, 3, 4],
        "the JSON is damaged after the last record",
    ),
    "commas alone": (lambda r: b",\n,\n", [], "not JSON"),
    "text": (lambda r: b"hello\nworld\n", [], "not JSON"),
    "other JSON": (
        lambda r: dumped({"name": "x", "version": 1}),
        [],
        "no known form (an object with name, version)",
    ),
    "other array": (lambda r: dumped([{"name": "x"}]), [], "no CloudTrail record"),
}


@pytest.mark.parametrize(("damage", "kept", "reason"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named_and_its_neighbors_are_read(
    damage: Callable[[Records], bytes], kept: list[int], reason: str, records: Records, tmp_path: Path
) -> None:
    """Damage is named with the file and the reason, and the healthy records around it are read, each once."""
    (tmp_path / "a.json").write_bytes(dumped({"Records": records[:1]}))
    (tmp_path / "b.json").write_bytes(damage(records))
    (tmp_path / "c.json").write_bytes(dumped({"Records": records[:1]}))
    reader = read_records(tmp_path)
    found = [record for record, origin in reader.with_origin() if origin.path.endswith("b.json")]
    ids = [int(record["eventID"][3:]) for record in found]
    if "gzip" in reason and not kept:
        assert ids == list(range(len(ids)))  # how much inflates before the damage is the compressor's to say
    else:
        assert ids == kept
    losses = reader.ledger.losses
    assert {loss.path for loss in losses} == {str(tmp_path / "b.json")}
    assert reason in losses[0].reason
    assert {loss.rescued for loss in losses} == {len(found)}
    assert reader.ledger.records == len(found) + 2
    assert not reader.ledger.complete


def test_what_holds_no_api_calls_is_recognized(tmp_path: Path, records: Records) -> None:
    """Digests, Insights events, control messages and notifications are counted by kind, and are no loss."""
    insight = {
        "eventType": "AwsCloudTrailInsight",
        "eventCategory": "Insight",
        "eventID": "x",
        "insightDetails": {},
    }
    contents = {
        "digest.json": {"digestS3Object": "x", "digestStartTime": "y", "logFiles": []},
        "insight.json": {"Records": [insight, records[0]]},
        "control.json": {"messageType": "CONTROL_MESSAGE", "logEvents": []},
        "s3.json": {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {}}}]},
        "sns.json": {"Type": "Notification", "TopicArn": "arn", "Message": "{}"},
        "lambda.json": {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": {"Message": "{}"}}]},
        "sqs.json": {"Records": [{"eventSource": "aws:sqs", "body": "{}", "messageId": "1"}]},
        "kinesis.json": {
            "Records": [{"eventSource": "aws:kinesis", "eventID": "shard:1", "eventVersion": "1.0", "kinesis": {}}]
        },
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(dumped(content))
    found, ledger = read(tmp_path)
    assert found == [records[0]]
    assert ledger.complete
    assert ledger.recognized == {
        "digest": 1,
        "Insights event": 1,
        "control message": 1,
        "S3 notification": 1,
        "SNS message": 2,
        "SQS message": 1,
        "Kinesis record": 1,
    }


def test_folder_is_read_in_order_and_the_rest_is_counted(tmp_path: Path, records: Records) -> None:
    """Known endings in any case and files without one are read in sorted order; others are counted."""
    for name in ("b/2.JSON", "b/1.json", "a/000000", "c.log", "notes.txt", "d.tar", ".hidden.json", "t.csv"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(dumped(records[:1]))
    (tmp_path / "loop").symlink_to(tmp_path)
    reader = read_records(tmp_path)
    order = [os.path.relpath(origin.path, tmp_path) for _, origin in reader.with_origin()]
    assert order == ["c.log", "d.tar", "notes.txt", "t.csv", "a/000000", "b/1.json", "b/2.JSON"]
    assert reader.ledger.not_looked_at == {"hidden": 1, "linked folder": 1}
    assert [Path(name).name for name in reader.ledger.not_looked_at_names] == [".hidden.json", "loop"]
    assert reader.ledger.complete


def test_logs_that_are_packed_are_losses_and_rotated_ones_are_read(tmp_path: Path, records: Records) -> None:
    """What is passed over is no log; a log in a form that is not read is named, with what to do about it."""
    for name in ("a.json.xz", "b.LOG.bz2", "c.jsonl.zst", "d.json.zip", "e.csv.lz4", "photos.zip", "old.xz", "x.7z"):
        (tmp_path / name).write_bytes(b"not looked at")
    for name in ("cloudtrail.log.1", "cloudtrail.json.12", "logs.gzip", "000001.2"):
        (tmp_path / name).write_bytes(lines(records))
    reader = read_records(tmp_path)
    assert len(list(reader)) == 4 * len(records)
    assert reader.ledger.not_looked_at == {}
    assert [(Path(loss.path).name, loss.reason) for loss in reader.ledger.losses] == [
        (name, f"it is {form}, which is not read: {remedy} it first, or pipe it: {tool} FILE | cloudsigma scan -")
        for name, form, remedy, tool in [
            ("a.json.xz", "compressed with xz", "decompress", "xzcat"),
            ("b.LOG.bz2", "compressed with bzip2", "decompress", "bzcat"),
            ("c.jsonl.zst", "compressed with zstd", "decompress", "zstdcat"),
            ("d.json.zip", "a zip archive", "unpack", "unzip -p"),
            ("e.csv.lz4", "compressed with lz4", "decompress", "lz4cat"),
            ("old.xz", "compressed with xz", "decompress", "xzcat"),
            ("photos.zip", "a zip archive", "unpack", "unzip -p"),
            ("x.7z", "a 7z archive", "unpack", "7z x -so"),
        ]
    ]  # fmt: skip


def test_origin_counts_the_records_of_a_file(tmp_path: Path, records: Records) -> None:
    """An origin has path, position from 0 and form."""
    file = tmp_path / "a.json"
    file.write_bytes(dumped({"Records": records}))
    origins = [origin for _, origin in read_records(file).with_origin()]
    assert [(origin.path, origin.position, origin.form) for origin in origins] == [
        (str(file), position, "log_file") for position in range(5)
    ]


def test_s07_paths_that_are_no_files(tmp_path: Path) -> None:
    """A path that is not there, an empty folder and a pipe are named; nothing hangs."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    reader = read_records(tmp_path / "nothing", tmp_path / "empty", tmp_path / "pipe", "\0")
    assert list(reader) == []
    reasons = [loss.reason for loss in reader.ledger.losses]
    assert reasons[:2] == ["there is no such file or folder", "there are no log files in this folder"]
    assert "named pipe" in reasons[2]
    assert len(reasons) == 4


def test_s06_file_name_that_is_not_utf8(tmp_path: Path, records: Records) -> None:
    """A file whose name is not UTF-8 is read, and its origin can be written anywhere."""
    name = os.fsencode(tmp_path) + b"/\xff.json"
    with open(name, "wb") as file:
        file.write(dumped(records))
    reader = read_records(tmp_path)
    origins = [origin for _, origin in reader.with_origin()]
    assert len(origins) == 5
    origins[0].path.encode()


def test_r32_file_that_vanishes(tmp_path: Path, records: Records) -> None:
    """A file removed between listing and reading is named; the others are read."""
    for name in ("a.json", "b.json", "c.json"):
        (tmp_path / name).write_bytes(dumped(records))
    reader = read_records(tmp_path)
    count = 0
    for _ in reader:
        count += 1
        (tmp_path / "b.json").unlink(missing_ok=True)
    assert count == 10
    (loss,) = reader.ledger.losses
    assert Path(loss.path).name == "b.json"
    assert "no such file or directory" in loss.reason


def test_standard_input_is_read_once(records: Records) -> None:
    """`-` is standard input; a second reading says that there is none."""
    reader = read_records("-", stdin=io.BytesIO(gzip.compress(lines(records))))
    assert list(reader) == records
    assert list(reader) == []
    assert "only once" in reader.ledger.losses[0].reason


def test_reading_again_gives_a_new_ledger(tmp_path: Path, records: Records) -> None:
    """A reader of files can be iterated again; its ledger starts anew."""
    file = tmp_path / "a.json"
    file.write_bytes(dumped(records))
    reader = read_records(file)
    assert list(reader) == list(reader) == records
    assert reader.ledger.records == 5


def test_s05_limits_are_named(tmp_path: Path, records: Records) -> None:
    """A bomb stops at the limit with a message that has the number; it never looks whole."""
    bomb = tmp_path / "bomb.json.gz"
    bomb.write_bytes(gzip.compress(b"[" + b" " * 50_000_000 + b"]"))
    _, ledger = read(bomb, limits=Limits(inflated=10_000_000))
    assert "more than 10,000,000 bytes" in ledger.losses[0].reason
    assert ledger.inflated < 13_000_000
    _, ledger = read(bomb, limits=Limits(document=10_000_000))
    assert "larger than 10,000,000 bytes" in str(ledger)


def test_json_lines_are_streamed(tmp_path: Path, records: Records) -> None:
    """The first record of a large file of lines is there before the file is read to its end."""
    file = tmp_path / "big.jsonl"
    file.write_bytes(lines(records) * 50_000)
    reader = read_records(file)
    iterator = iter(reader)
    next(iterator)
    assert reader.ledger.records == 1
    with file.open("rb") as stream:
        next(iter(read_records("-", stdin=stream)))
        assert stream.tell() < 3_000_000 < file.stat().st_size


def test_many_losses_of_one_file_are_summed_up(tmp_path: Path, records: Records) -> None:
    """A file with a thousand bad lines has twenty entries, of which the last counts the rest."""
    file = tmp_path / "bad.jsonl"
    file.write_bytes(lines(records) + b'{"bad\n' * 1000)
    _, ledger = read(file)
    assert len(ledger.losses) == 20
    assert ledger.losses[-1].reason == "981 more places that cannot be read"
    assert [loss.places for loss in ledger.losses] == [*[1] * 19, 981]
    assert "\nNOT READ, 1,000 places:\n" in str(ledger)
    assert sum(loss["places"] for loss in ledger.to_dict()["losses"]) == 1000


def test_r42_values_with_a_defined_result(tmp_path: Path) -> None:
    """Repeated keys, lone surrogates, 2^64 and infinity are read as Python reads them."""
    file = tmp_path / "a.json"
    file.write_text(r'{"eventName": "A", "eventName": "B", "s": "\ud800", "big": 18446744073709551616, "inf": 1e400}')
    (record,), ledger = read(file)
    assert record == {"eventName": "B", "s": "\ud800", "big": 2**64, "inf": float("inf")}
    assert ledger.complete


@fuzz(80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_files_never_raise_and_never_hide_healthy_ones(data: st.DataObject, records: Records) -> None:
    """Whatever is done to the bytes of a file, reading ends, and what is not read is in the ledger."""
    whole = data.draw(st.sampled_from([dumped({"Records": records}), lines(records), dumped(records)]))
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    if data.draw(st.booleans()):
        content = bytearray(gzip.compress(bytes(content)))
        del content[data.draw(st.integers(0, len(content))) :]
    reader = read_records("-", stdin=io.BytesIO(bytes(content)))
    found = list(reader)
    assert all(isinstance(record, dict) for record in found)
    assert reader.ledger.records == len(found)
    if len(found) < 5:
        assert reader.ledger.losses or reader.ledger.recognized or reader.ledger.files == 1


def test_real_trails_are_read_whole(shared_corpus: Path) -> None:
    """All 90 files of the real corpora are read: 2,900 and 310 records, nothing lost."""
    reader = read_records(shared_corpus / "invictus", shared_corpus / "stratus")
    assert sum(1 for _ in reader) == 3210
    assert (reader.ledger.files, reader.ledger.forms) == (90, {"log_file": 2900, "array": 310})
    assert reader.ledger.complete


def test_r42_number_of_5000_digits(records: Records, tmp_path: Path) -> None:
    """Python makes no `int` of it; the record is read all the same, and a match of it can be written."""
    (tmp_path / "a.json").write_bytes(dumped({"Records": records}).replace(b'"id-2"', b"7" * 5000))
    reader = read_records(tmp_path)
    found = list(reader)
    assert len(found) == 5
    assert reader.ledger.complete
    assert isinstance(found[2]["eventID"], Decimal)
    rules = cloudsigma.compile_text(
        "title: T\nlogsource: {product: aws}\ndetection: {s: {eventID|gt: 5}, condition: s}\n"
    )
    (match,) = rules.evaluate(found)
    assert match.record is found[2]
    assert json.loads(match.to_json())["rule_id"] == match.rule_id

"""What went wrong in systems like this one, as tests: what a scan, which has a fast way, makes of it.

Each is named after its line of the list; `test_robustness.py` has those about forms.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma.reading import Ledger, Limits, read_records
from cloudsigma.reading.sources.finder import SourceFinder

FORMS = Path(__file__).parent / "forms"
Records = list[dict[str, Any]]


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def read(content: bytes, limits: Limits | None = None) -> tuple[Records, Ledger]:
    reader = read_records("-", stdin=io.BytesIO(content), limits=limits)
    return list(reader), reader.ledger


def rule(condition: str) -> cloudsigma.RuleSet:
    detection = f"{{s: {{eventName: CreateGroup, {condition}}}, condition: s}}"
    return cloudsigma.compile_text(f"title: T\nlogsource: {{product: aws}}\ndetection: {detection}\n")


def scanned(path: Path, **options: Any) -> tuple[list[str], Ledger]:
    found = cloudsigma.scan(path, rules=options.pop("rules", rule("eventID|exists: true")), **options)
    return [match.record["eventID"] for match in found], found.ledger


# How five records stand in lines.
LINES: dict[str, Callable[[Records], list[Any]]] = {
    "S01 an event a line": lambda r: r,
    "S01 a batch a line": lambda r: [{"Records": r[:2]}, {"Records": r[2:]}],
    "S01 an event, then a batch": lambda r: [r[0], {"Records": r[1:]}],
    "S01 a batch, then an event": lambda r: [{"Records": r[:4]}, r[4]],
    "S02 a batch a line, its key in lower case": lambda r: [{"records": r[:2]}, {"records": r[2:]}],
    "S02 a batch a line, its key in capitals": lambda r: [{"RECORDS": r[:2]}, {"rEcOrDs": r[2:]}],
    "S02 an array a line": lambda r: [r[:2], r[2:]],
}


@pytest.mark.parametrize("write", LINES.values(), ids=LINES)
@pytest.mark.parametrize("packed", [False, True], ids=["as it is", "gzip"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_s01_s02_every_event_of_a_file_of_lines_is_evaluated(
    write: Callable[[Records], list[Any]], packed: bool, jobs: int, records: Records, tmp_path: Path
) -> None:
    content = b"\n".join(map(dumped, write(records)))
    (tmp_path / "a.jsonl").write_bytes(gzip.compress(content) if packed else content)
    ids, ledger = scanned(tmp_path, jobs=jobs)
    assert ids == [record["eventID"] for record in records]
    assert (ledger.records, ledger.complete) == (5, True)


@pytest.mark.parametrize("key", ["items", "Record", "data"])
def test_s02_a_batch_of_no_known_key_is_told_for_each_line(key: str, records: Records, tmp_path: Path) -> None:
    lines = [records[0], {key: records[1:3]}, {key: records[3:]}]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(map(dumped, lines)))
    ids, ledger = scanned(tmp_path)
    assert (ids, ledger.records) == (["id-0"], 1)
    assert [(loss.position, loss.reason) for loss in ledger.losses] == [
        (f"line {line}", f"JSON of no known form (an object with {key})") for line in (2, 3)
    ]


# --- cut, inflated, taken away ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["log_file.json", "lines.jsonl", "athena.csv", "athena.parquet"])
def test_s04_compressed_data_cut_anywhere_is_told_and_loses_nothing_before_it(name: str) -> None:
    """What inflates before the cut is read as far as it goes, and the reason is the cut, once."""
    content = (FORMS / name).read_bytes()
    whole, _ = read(content)
    packed = gzip.compress(content)
    for at in range(2, len(packed), max(len(packed) // 60, 1)):
        found, ledger = read(packed[:at])
        assert found == whole[: len(found)]
        assert ledger.losses[0].reason == "the gzip data is cut off"
        assert not ledger.complete


@pytest.mark.parametrize("name", ["athena.parquet", "ocsf.parquet"])
def test_s04_a_table_cut_anywhere_is_told(name: str) -> None:
    content = (FORMS / name).read_bytes()
    for at in range(4, len(content), len(content) // 40):
        found, ledger = read(content[:at])
        (loss,) = ledger.losses
        assert found == []
        assert "the Parquet data is damaged" in loss.reason


@pytest.mark.parametrize("form", ["lines", "log file"])
@pytest.mark.parametrize("limits", [{"inflated": 100_000}, {"ratio": 1}], ids=str)
def test_s05_what_was_read_before_the_ceiling_is_no_success(
    form: str, limits: dict[str, int], records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines before it are given; what is beyond is a loss, which names the limit, whatever was found."""
    monkeypatch.setattr("cloudsigma.reading.scope.limits.RATIO_FROM", 100_000)
    monkeypatch.setattr("cloudsigma.reading.content.inflate.RATIO_FROM", 100_000)
    monkeypatch.setattr("cloudsigma.reading.content.inflate._CHUNK", 50_000)
    many = [{**record, "eventID": str(n)} for n, record in enumerate(records * 400)]
    content = b"\n".join(map(dumped, many)) if form == "lines" else dumped({"Records": many})
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(content))
    ids, ledger = scanned(tmp_path, limits=Limits(**limits))
    assert ids == [str(n) for n in range(len(ids))]
    assert len(ids) < len(many)
    assert ids or form == "log file"
    (name,) = limits
    assert f"(the limit '{name}'; --max-{name} changes it); the rest is not read" in ledger.losses[0].reason
    assert not ledger.complete


def test_s05_r43_a_table_that_inflates_has_a_ceiling(tmp_path: Path) -> None:
    """Parquet of a few thousand bytes says what it comes to, and is not even begun."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = {"eventname": "CreateGroup", "eventsource": "iam.amazonaws.com", "requestparameters": "x" * 10_000_000}
    parquet.write_table(
        pa.table({name: [value] for name, value in columns.items()}), tmp_path / "a", compression="zstd"
    )
    assert (tmp_path / "a").stat().st_size < 10_000
    for limit in ("document", "inflated"):
        found, ledger = read((tmp_path / "a").read_bytes(), Limits(**{limit: 5_000_000}))
        assert found == []
        (loss,) = ledger.losses
        assert f"larger than 5,000,000 bytes (the limit '{limit}'" in loss.reason.replace("inflates to more", "larger")


@pytest.mark.parametrize("jobs", [1, 2])
def test_s06_a_file_that_is_removed_after_it_was_listed(
    jobs: int, records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named, its neighbors are read, in one process and in several."""
    for name in "abcd":
        (tmp_path / name).write_bytes(dumped({"Records": [{**records[0], "eventID": name}]}))
    find = SourceFinder.find

    def find_and_remove(self: SourceFinder, *rest: Any) -> Iterator[Any]:
        for source in list(find(self, *rest)):
            (tmp_path / "b").unlink(missing_ok=True)
            yield source

    monkeypatch.setattr(SourceFinder, "find", find_and_remove)
    ids, ledger = scanned(tmp_path, jobs=jobs)
    assert ids == ["a", "c", "d"]
    assert [(loss.path, loss.reason) for loss in ledger.losses] == [
        (str(tmp_path / "b"), "it cannot be read: no such file or directory")
    ]


def test_s03_s06_what_cannot_be_opened_or_listed_is_named(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder without leave, a file without leave, one whose reading fails: also where nothing is locked for root."""
    (tmp_path / "locked").mkdir()
    for name in ("a", "closed", "failing", "z"):
        (tmp_path / name).write_bytes(dumped({"Records": [{**records[0], "eventID": name}]}))
    scandir, opened, fdopen = os.scandir, os.open, os.fdopen

    class Failing(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    def refuse(path: Any, *rest: Any, function: Any, name: str) -> Any:
        if str(path) == str(tmp_path / name):
            raise PermissionError(13, "Permission denied", str(path))
        return function(path, *rest)

    monkeypatch.setattr(os, "scandir", lambda path: refuse(path, function=scandir, name="locked"))
    monkeypatch.setattr(os, "open", lambda path, *rest: refuse(path, *rest, function=opened, name="closed"))
    size = (tmp_path / "failing").stat().st_ino

    def open_stream(descriptor: int, mode: str) -> Any:
        if os.fstat(descriptor).st_ino == size:
            os.close(descriptor)
            return contextlib.nullcontext(Failing())
        return fdopen(descriptor, mode)

    monkeypatch.setattr(os, "fdopen", open_stream)
    reader = read_records(tmp_path)
    assert [record["eventID"] for record in reader] == ["a", "z"]
    assert {Path(loss.path).name: loss.reason for loss in reader.ledger.losses} == {
        "closed": "it cannot be read: permission denied",
        "failing": "it cannot be read: input/output error",
        "locked": "the folder cannot be read: permission denied",
    }


# --- times --------------------------------------------------------------------------------------------------

PAIR = """
title: Call
name: call
logsource: {product: aws}
detection: {s: {eventName|exists: true}, condition: s}
---
title: Two calls
correlation: {type: event_count, rules: [call], timespan: 1m, condition: {gte: 2}}
"""


@pytest.mark.parametrize("after", ["Z", ".5Z", ".123Z", ".123456Z", ".123456789Z", "", ".123", "+00:00", ".5+00:00"])
@pytest.mark.parametrize("between", ["T", " "])
@pytest.mark.parametrize("wide", [False, True], ids=["within", "too far apart"])
def test_s21_a_correlation_fires_whatever_the_spelling_of_the_time(
    after: str, between: str, wide: bool, records: Records, tmp_path: Path
) -> None:
    times = [f"2025-03-04{between}10:15:30{after}", f"2025-03-04T10:1{8 if wide else 6}:00Z"]
    made = [{**record, "eventTime": time} for record, time in zip(records, times, strict=False)]
    (tmp_path / "a.json").write_bytes(dumped({"Records": made}))
    found = list(cloudsigma.scan(tmp_path, rules=cloudsigma.compile_text(PAIR)))
    assert [match.rule.title for match in found] == ([] if wide else ["Two calls"])
    for match in found:
        seconds = [each.context.time.replace(microsecond=0).isoformat() for each in match.matches if each.context.time]
        assert seconds == ["2025-03-04T10:15:30+00:00", "2025-03-04T10:16:00+00:00"]


# --- values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, 2**64, 2**64 + 1, -(2**63) - 1, 10**30])
@pytest.mark.parametrize("form", ["lines", "log file"])
def test_s22_big_integers_are_exact_from_file_to_output(
    number: int, form: str, records: Records, tmp_path: Path
) -> None:
    """Equal, greater, less: on the fast way too, and in what is written."""
    made = [{**record, "n": number} for record in records]
    (tmp_path / "a").write_bytes(b"\n".join(map(dumped, made)) if form == "lines" else dumped({"Records": made}))
    for condition, matches in {
        f"n: {number}": True,
        f"n: {number + 1}": False,
        f"n|gt: {number - 1}": True,
        f"n|gt: {number}": False,
        f"n|lt: {number + 1}": True,
        f"n|lt: {number}": False,
        f"n|gte: {number}": True,
    }.items():
        found = list(cloudsigma.scan(tmp_path, rules=rule(condition)))
        assert len(found) == 5 * matches, condition
        assert all(json.loads(match.to_json())["record"]["n"] == number for match in found)


ODD = {
    "NaN": None, "Infinity": None, "-Infinity": None, "1e400": None, "-1e400": None, "1e-400": 0.0, "-0": 0,
    "18446744073709551616": 2**64, r'"\ud800"': "\ud800", r'"\udc00\ud800"': "\udc00\ud800", '"é👩‍👩‍👧"': "é👩‍👩‍👧",
    "7" * 5000: "7" * 5000, "[" * 90 + "]" * 90: ...,
}  # fmt: skip


@pytest.mark.parametrize(("text", "written"), ODD.items(), ids=[text[:20] for text in ODD])
@pytest.mark.parametrize("form", ["lines", "log file"])
def test_r42_odd_values_are_written_as_json(text: str, written: Any, form: str, tmp_path: Path) -> None:
    """What JSON has no form for is null; the last of two equal keys counts; every line is JSON, strictly."""
    record = f'{{"eventName": "X", "eventName": "CreateGroup", "eventSource": "a", "eventID": "1", "v": {text}}}'
    content = f"{record}\n{record}\n" if form == "lines" else f'{{"Records": [{record}, {record}]}}'
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    found = cloudsigma.scan(tmp_path, rules=rule("eventID: 1"), dedup=False)
    lines = list(found.lines())
    assert len(lines) == 2
    assert found.ledger.complete
    for line in lines:
        given = json.loads(line, parse_constant=pytest.fail)["record"]
        assert given["eventName"] == "CreateGroup"
        if written is not ...:
            assert repr(given.get("v")) == repr(written)  # NaN is a missing value


@pytest.mark.parametrize("value", ["é", "€", "👩‍👩‍👧", "a\u0301", "ﷺ", "\u2028"])
@pytest.mark.parametrize("form", ["lines", "log file", "table", "log lines", "damaged"])
def test_r42_text_is_never_cut_within_a_character(
    value: str, form: str, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a piece of the file ends: at each of a hundred places in turn."""
    made = [{**record, "userAgent": value * 9} for record in records[:2]]
    lines = [json.dumps(record, ensure_ascii=False) for record in made]
    content = {
        "lines": "\n".join(lines),
        "log file": f'{{"Records": [{", ".join(lines)}]}}',
        "table": "eventname,eventsource,useragent\n"
        + "".join(f'CreateGroup,iam.amazonaws.com,"{value * 9}"\n' for _ in made),
        "log lines": "".join(f"2025-03-04T10:15:30.000Z {line}\n" for line in lines),
        "damaged": f'{{"Records": [{lines[0]}, {{"é, {lines[1]}]}}',
    }[form].encode()
    for size in itertools.chain(range(1, 30), range(100, 170)):
        monkeypatch.setattr("cloudsigma.reading.content.inflate._CHUNK", size)
        for stored in (content, gzip.compress(content)):
            found, ledger = read(stored)
            assert [record["userAgent"] for record in found] == [value * 9] * 2
            assert len(ledger.losses) == (form == "damaged")


@pytest.mark.parametrize(
    "value",
    ['{"a":' * 1000 + "1" + "}" * 1000, '{"a":' * 150 + "1" + "}" * 150, '{"n":' + "7" * 5000 + "}"],
    ids=["deeper than decoders go", "deeper than the limit", "a long number"],
)
def test_r42_json_in_a_cell_is_json_or_a_loss_and_never_taken_for_text(value: str, records: Records) -> None:
    """A rule about what is inside must not miss it without a word."""
    cells = ",".join('"' + text.replace('"', '""') + '"' for text in ("CreateGroup", "iam.amazonaws.com", value))
    found, ledger = read(f"eventname,eventsource,requestparameters\n{cells}\nA,b,\n".encode())
    assert found[-1]["eventName"] == "A"
    if value.startswith('{"n"'):
        assert rule("requestParameters.n|gt: 1").verdicts(found[0])
    else:
        assert [(loss.position, "the limit 'depth'" in loss.reason) for loss in ledger.losses] == [("record 0", True)]


# --- large --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["lines", "log file", "array"])
def test_r34_an_event_above_the_limit_is_counted_and_the_file_around_it_is_none(
    form: str, records: Records, tmp_path: Path
) -> None:
    """The limit on events is none on files: one that is a thousand times as large is read, but for that event."""
    many = [{**record, "eventID": str(n)} for n, record in enumerate(records * 2000)]
    many[5000] = {**many[5000], "requestParameters": {"text": "x" * 2000}}
    content = {
        "lines": b"\n".join(map(dumped, many)),
        "log file": dumped({"Records": many}),
        "array": dumped(many),
    }[form]
    assert len(content) > 1000 * 1024
    (tmp_path / "a.json").write_bytes(content)
    reader = read_records(tmp_path, limits=Limits(record=1024))
    scan_ids, scan_ledger = scanned(tmp_path, limits=Limits(record=1024))
    for ids, ledger in (([record["eventID"] for record in reader], reader.ledger), (scan_ids, scan_ledger)):
        assert ids == [str(n) for n in range(10_000) if n != 5000]
        assert ledger.records == 9_999
        (loss,) = ledger.losses
        assert loss.reason == "the record has more bytes than 1 KiB (the limit 'record'; --max-record changes it)"
        assert (loss.position, loss.rescued) == ("record 5000", 9_999)

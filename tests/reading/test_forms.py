"""Every form that records arrive in: the fixtures of `forms/` against what `forms/expected.json` says of them."""

from __future__ import annotations

import base64
import gzip
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma.reading import Limits, Reader, read_records
from cloudsigma.reading.content.decode import documents
from cloudsigma.reading.envelope import unwrap
from cloudsigma.reading.envelope.interface import NoForm, Record, Reference
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.source_reader import SourceReader
from cloudsigma.reading.sources.finder import SourceFinder

FORMS = Path(__file__).parent / "forms"
RECORDS: list[dict[str, Any]] = json.loads((FORMS / "records.json").read_text(encoding="utf-8"))
EXPECTED: dict[str, dict[str, Any]] = json.loads((FORMS / "expected.json").read_text(encoding="utf-8"))
NO_FIXTURES = {"records.json", "expected.json", "write_forms.py", "__pycache__"}
MATCHING = {0, 1, 3}
"""Which of the records the bundled rules match."""


def without_nulls(value: Any) -> Any:
    """Null is as good as missing, which is what most forms make of it."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return value


def changed(record: dict[str, Any], without: list[str], changes: dict[str, Any]) -> dict[str, Any]:
    record = json.loads(json.dumps(record))
    for path in without:
        *around, name = path.split(".")
        held: Any = record
        for step in around:
            held = held.get(step, {})
        held.pop(name, None)
    for path, value in changes.items():
        *around, name = path.split(".")
        held = record
        for step in around:
            held = held[step]
        held[name] = value
    return record


def wanted(name: str) -> tuple[list[dict[str, Any]], bool]:
    """The records of a fixture, and whether they must come out to the letter, nulls too."""
    expected = EXPECTED[name]
    if "exactly" in expected:
        return expected["exactly"], True
    without, changes = expected.get("without", []), expected.get("changed", {})
    records = [changed(RECORDS[n], without, changes.get(str(n), {})) for n in expected["records"]]
    return records, "without" not in expected and "changed" not in expected


def test_every_fixture_is_expected_and_the_other_way_round() -> None:
    assert {path.name for path in FORMS.iterdir()} - NO_FIXTURES == EXPECTED.keys()


@pytest.mark.parametrize("packing", ["as it is", "gzip"])
@pytest.mark.parametrize("name", EXPECTED)
def test_a_form_gives_its_records(name: str, packing: str, tmp_path: Path) -> None:
    """The records in order, counted by form; what holds none by kind; nothing lost. Names of files do not matter."""
    file = tmp_path / "x"
    content = (FORMS / name).read_bytes()
    file.write_bytes(gzip.compress(content) if packing == "gzip" and not content.startswith(b"\x1f\x8b") else content)
    reader = read_records(file)
    found = list(reader)
    expected, exact = wanted(name)
    assert (found if exact else list(map(without_nulls, found))) == (
        expected if exact else list(map(without_nulls, expected))
    )
    ledger = reader.ledger
    assert [str(loss) for loss in ledger.losses] == []
    assert ledger.forms == EXPECTED[name]["forms"]
    assert ledger.recognized == EXPECTED[name].get("recognized", {})
    assert ledger.named_files == len(EXPECTED[name].get("named_files", []))
    assert ledger.files == 1


@pytest.mark.parametrize("name", EXPECTED)
def test_a_scan_of_a_form_finds_what_is_in_it(name: str) -> None:
    """The detections fire whatever records are wrapped in, with the context that the record as it was gives."""
    expected = EXPECTED[name]
    if "exactly" in expected:
        return
    scan = cloudsigma.scan(FORMS / name, dedup=False)
    found = list(scan)
    plain = list(cloudsigma.evaluate([RECORDS[n] for n in expected["records"]]))
    assert len(plain) == sum(n in MATCHING for n in expected["records"])
    for match, judged in zip(found, plain, strict=True):
        assert match.rule_id == judged.rule_id
        ours, theirs = match.context, judged.context
        assert ours.time == theirs.time
        assert ours.principal.arn == theirs.principal.arn
        assert str(ours.resource) == str(theirs.resource)
        assert (ours.account, ours.region, ours.source_ip) == (theirs.account, theirs.region, theirs.source_ip)
        assert match.origin.form in expected["forms"]
    assert scan.ledger.forms == expected["forms"]


class Everything:
    """A probe that lets every record through."""

    fields = ("eventName", "eventSource", "userIdentity.type")

    def candidates(self, columns: Sequence[Iterator[Any]]) -> list[int]:
        return list(range(len(list(zip(*columns, strict=True)))))

    def accepted(self) -> None:
        """Keeps nothing."""


@pytest.mark.parametrize("name", EXPECTED)
def test_the_fast_way_takes_no_form_for_another(name: str) -> None:
    finder = SourceFinder((FORMS / name,), Selection())
    plain = Reader(finder, SourceReader(Limits(), Selection()))
    fast = Reader(finder, SourceReader(Limits(), Selection(), Everything()))
    assert list(fast.with_origin()) == list(plain.with_origin())
    assert fast.ledger == plain.ledger


@pytest.mark.parametrize("name", [name for name in EXPECTED if not name.endswith(".parquet")])
def test_a_byte_order_mark_changes_nothing(name: str, tmp_path: Path) -> None:
    content = (FORMS / name).read_bytes()
    content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbf" + content.removeprefix(b"\xef\xbb\xbf"))
    reader = read_records(tmp_path / "x")
    assert list(reader) == list(read_records(FORMS / name))
    assert reader.ledger.forms == EXPECTED[name]["forms"]


@pytest.mark.parametrize("name", [name for name, expected in EXPECTED.items() if "named_files" in expected])
def test_files_that_messages_name_are_told(name: str) -> None:
    """Bucket and key as S3 has them, whatever the message is wrapped in."""
    value = json.loads((FORMS / name).read_bytes())
    named = [[part.bucket, part.key] for part in unwrap(value, "whole") if isinstance(part, Reference)]
    assert named == EXPECTED[name]["named_files"]


def test_parquet_without_pyarrow_is_a_loss_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    reader = read_records(FORMS / "athena.parquet", FORMS / "log_file.json")
    assert list(reader) == RECORDS
    (loss,) = reader.ledger.losses
    assert "pip install 'cloudsigma-rules[parquet]'" in loss.reason


# --- nesting and its bounds ---------------------------------------------------------------------------------


def queued(body: str) -> str:
    return json.dumps({"messageId": "1", "receiptHandle": "r", "eventSource": "aws:sqs", "body": body})


def test_envelopes_within_envelopes_are_opened_to_a_limit() -> None:
    text = json.dumps(RECORDS[0])
    for _ in range(3):
        text = queued(text)
    (part,) = unwrap(json.loads(text), "whole")
    assert isinstance(part, Record)
    assert (part.value, part.form) == (RECORDS[0], "sqs")
    (part,) = unwrap(json.loads(text), "whole", Limits(envelopes=2))
    assert isinstance(part, NoForm)
    assert "more than 2 (the limit 'envelopes'; --max-envelopes changes it)" in part.reason


ONE_ENVELOPE = ["log_subscription.json", "eventbridge_array.json", "sns_lambda.json", "logs_insights_rows.json"]


@pytest.mark.parametrize("name", ONE_ENVELOPE)
def test_lists_and_what_only_carries_are_no_envelopes(name: str) -> None:
    """One that the form names may be there, and another around it may not."""
    text = (FORMS / name).read_text("utf-8")
    assert [type(part) for part in unwrap(json.loads(text), "whole", Limits(envelopes=1))] == [Record] * len(RECORDS)
    for part in unwrap(json.loads(queued(text)), "whole", Limits(envelopes=1)):
        assert isinstance(part, NoForm)


@pytest.mark.parametrize("most", [1, 10])
def test_lists_within_lists_are_opened_to_a_limit_too(most: int) -> None:
    value: Any = RECORDS[0]
    for _ in range(3 * most + 1):
        value = [value]
    assert [type(part) for part in unwrap(value[0], "whole", Limits(envelopes=most))] == [Record]
    (part,) = unwrap([value], "whole", Limits(envelopes=most))
    assert isinstance(part, NoForm)
    assert f"more than {most} (the limit 'envelopes'; --max-envelopes changes it)" in part.reason


def texts_of_records() -> dict[str, list[Any]]:
    texts = [json.dumps(record) for record in RECORDS[:2]]
    return {
        "sqs": [json.loads(queued(text)) for text in texts],
        "sns": [{"TopicArn": "t", "Type": "Notification", "Message": text} for text in texts],
        "lookup_events": [{"EventId": "1", "CloudTrailEvent": text} for text in texts],
        "elastic": [{"event": {"original": text}} for text in texts],
        "ocsf": [{"class_uid": 6003, "metadata": {}, "raw_data": text} for text in texts],
        "array": texts,
    }


@pytest.mark.parametrize("form", texts_of_records())
def test_text_that_envelopes_carry_is_bounded_as_data_is(form: str) -> None:
    """To the byte: what fits is read, and what goes beyond is told."""
    value = texts_of_records()[form]
    size = sum(len(json.dumps(record)) for record in RECORDS[:2])
    assert list(unwrap(value, "whole", Limits(payload=size))) == [Record(record, form) for record in RECORDS[:2]]
    first, *others = unwrap(value, "whole", Limits(payload=size - 1))
    assert first == Record(RECORDS[0], form)
    met = f"{size - 1:,} bytes (the limit 'payload'; --max-payload changes it)"
    assert f"the envelopes carry more than {met}" in [getattr(part, "reason", "") for part in others]


def test_what_envelopes_carry_is_bounded() -> None:
    """A bomb inside an envelope stops at its limit, and the next message is read."""
    data = gzip.compress(b"[" + b" " * 20_000_000 + b"]")
    bomb = {"recordId": "1", "data": base64.b64encode(data).decode()}
    good = {"recordId": "2", "data": base64.b64encode(json.dumps(RECORDS[0]).encode()).decode()}
    parts = list(unwrap({"invocationId": "i", "records": [good, bomb]}, "whole", Limits(payload=1_000_000)))
    assert parts[0] == Record(RECORDS[0], "firehose")
    met = "1,000,000 bytes (the limit 'payload'; --max-payload changes it)"
    assert parts[1:] == [NoForm(f"the envelopes carry more than {met}", "record 1")]


DEEP = '{"eventName": "CreateGroup", "a": ' + "[" * 100_000 + "]" * 100_000 + "}"
UNKNOWN = {
    "a message of another subsystem": (queued('{"alarm": "disk"}'), "JSON of no known form (an object with alarm)"),
    "a message that is no JSON": (queued("hello"), "the text is not JSON"),
    "a damaged message": (queued('{"eventName": "CreateG'), "the JSON is damaged"),
    "data that is no base64": (json.dumps({"recordId": "1", "data": "a"}), "is no base64"),
    "an event without its record": (json.dumps({"Events": [{"EventId": "1"}]}), "has no CloudTrailEvent"),
    "a log event without message": (json.dumps({"logEvents": [{"id": "1"}]}), "the log event has no message"),
    "a count": (
        json.dumps({"QueryResultRows": [[{"n": "17"}]]}),
        "the row has no columns that make a CloudTrail record (it has n)",
    ),
    "a page without names": (
        json.dumps({"ResultSet": {"Rows": [{"Data": [{"VarCharValue": "CreateGroup"}, {"VarCharValue": "iam"}]}]}}),
        "there is no ResultSetMetadata.ColumnInfo, and the first row is no header (it has CreateGroup, iam)",
    ),
    "a short row": (
        json.dumps({"ResultSet": {"Rows": [{"Data": [{"VarCharValue": "eventname"}]}, {"Data": [{}, {}]}]}}),
        "the row has 2 cells, and there are 1 columns",
    ),
    "an event of Elastic that is none of CloudTrail": (
        json.dumps({"_source": {"event": {"action": "login"}}}),
        "JSON of no known form",
    ),
    "an original of Elastic that nests too deep": (
        json.dumps(
            {"event": {"action": "CreateGroup", "original": DEEP}, "aws": {"cloudtrail": {"event_version": "1"}}}
        ),
        "nests too deep, to more levels than 100 (the limit 'depth'; --max-depth changes it)",
    ),
    "raw data of OCSF that nests too deep": (
        json.dumps({"class_uid": 6003, "metadata": {}, "api": {"operation": "CreateGroup"}, "raw_data": DEEP}),
        "nests too deep, to more levels than 100 (the limit 'depth'; --max-depth changes it)",
    ),
    "an OCSF event without its call": (
        json.dumps({"class_uid": 6003, "metadata": {"product": {"name": "CloudTrail"}}}),
        "without api.operation",
    ),
    "a table of something else": ("name,age\nrobin,7\n", "a table without a column that holds CloudTrail records"),
    "a table of bars": (
        "name|age\nrobin|7\n",
        "a table without a column that holds CloudTrail records (it has name, age)",
    ),
    "a table for Excel": ("sep=;\nname;age\nrobin;7\n", "(it has name, age); looked for: eventName, eventJson, "),
    "text with a bar": ("hello|world\nand more\n", "the text is not JSON"),
    "the console's table": ("Event name,Event time,User name\nA,B,C\n", "which lacks the parameters of the calls"),
}


@pytest.mark.parametrize(("text", "reason"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_in_an_envelope_and_no_record_is_named(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    reader = read_records(tmp_path)
    assert list(reader) == []
    assert reader.ledger.losses
    assert reason in reader.ledger.losses[0].reason


def test_the_names_of_a_table_may_come_piece_by_piece_below_its_delimiter() -> None:
    content = (FORMS / "athena_announced.csv").read_bytes()
    whole = list(documents(iter([content]), Limits()))
    assert list(documents((content[at : at + 3] for at in range(0, len(content), 3)), Limits())) == whole
    assert len(whole) == len(RECORDS)


REPEATED = {
    "Records": RECORDS,
    "Events": [{"EventId": "1", "CloudTrailEvent": json.dumps(record)} for record in RECORDS],
    "logEvents": [{"message": json.dumps(record)} for record in RECORDS],
    "results": [{"_raw": json.dumps(record)} for record in RECORDS],
    "QueryResultRows": [[{"eventJson": json.dumps(record)}] for record in RECORDS],
}


@pytest.mark.parametrize("end", ["whole", "cut"])
@pytest.mark.parametrize("key", REPEATED)
def test_lists_under_one_key_are_all_read(key: str, end: str, tmp_path: Path) -> None:
    first, second = (json.dumps(each) for each in (REPEATED[key][:2], REPEATED[key][2:]))
    text = f'{{"{key}": {first}, "{key}": {second}}}'
    (tmp_path / "a.json").write_text(text if end == "whole" else text[:-2])
    reader = read_records(tmp_path)
    assert list(reader) == RECORDS
    assert len(reader.ledger.losses) == (end == "cut")


def test_a_file_of_lines_may_hold_several_forms(tmp_path: Path) -> None:
    names = [name for name in EXPECTED if name.endswith(".jsonl")]
    (tmp_path / "all").write_bytes(b"".join((FORMS / name).read_bytes() for name in names))
    reader = read_records(tmp_path / "all")
    assert sum(1 for _ in reader) == sum(len(EXPECTED[name]["records"]) for name in names)
    assert reader.ledger.complete


@pytest.mark.parametrize("page", [0, 1])
def test_a_damaged_page_of_athena_gives_its_healthy_rows_once(page: int, tmp_path: Path) -> None:
    """The names of the columns may stand before the rows; then no row is taken along for them."""
    pages = json.loads((FORMS / "athena_pages.json").read_bytes())
    rows = [row for read in pages for row in read["ResultSet"]["Rows"]]
    metadata = pages[0]["ResultSet"]["ResultSetMetadata"]
    shown = {"ResultSet": {"ResultSetMetadata": metadata, "Rows": rows[page:]}}
    (tmp_path / "a.json").write_text(json.dumps(shown)[:-3])
    assert [record["eventID"] for record in read_records(tmp_path)] == [record["eventID"] for record in RECORDS]


# --- the page -----------------------------------------------------------------------------------------------


def test_the_page_names_every_form() -> None:
    page = (FORMS.parent.parent.parent / "docs" / "reference" / "forms.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([\w/]+)` \|", page, re.MULTILINE))
    forms = {part for expected in EXPECTED.values() for form in expected["forms"] for part in form.split("/")}
    assert forms <= documented
    kinds = {kind for expected in EXPECTED.values() for kind in expected.get("recognized", {})}
    assert [kind for kind in kinds if f"`{kind}`" not in page] == []

"""The fast way through files comes to the same as the plain one: records, positions, forms and ledger."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from effort import fuzz
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.reading import Limits, Reader
from cloudsigma.reading.content.inflate import inflate
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.source_reader import SourceReader
from cloudsigma.reading.sources.finder import SourceFinder

FIELDS = ("eventName", "eventSource", "userAgent", "userIdentity.type")


class Everything:
    """A probe that lets every record through."""

    fields = FIELDS

    def accepted(self) -> None:
        """Nothing is counted."""

    def candidates(self, columns: Sequence[Iterator[Any]]) -> list[int]:
        return list(range(len(list(zip(*columns, strict=True)))))


class Wanted:
    """A probe like that of a rule set: it lets through what may have one of a few values."""

    fields = FIELDS

    def accepted(self) -> None:
        """Nothing is counted."""

    def candidates(self, columns: Sequence[Iterator[Any]]) -> list[int]:
        return [at for at, row in enumerate(zip(*columns, strict=True)) if wanted_row(row)]


def wanted_row(row: Sequence[Any]) -> bool:
    return type(row[0]) is not str or row[0] == "CreateGroup" or row[3] == "Root"


def read(path: Path, probe: Any) -> tuple[dict[str, dict[str, Any]], Any]:
    """The records by where they stand and how they read, in order, and the account."""
    reader = Reader(SourceFinder((path,), Selection()), SourceReader(Limits(), Selection(), probe))
    found = {f"{origin!r} {record!r}": record for record, origin in reader.with_origin()}
    return found, reader.ledger


def assert_same(path: Path, content: bytes) -> bool:
    """Both ways come to the same; returns whether the fast one was open."""
    path.write_bytes(content)
    plain, expected = read(path, None)
    every, ledger = read(path, Everything())
    assert list(every) == list(plain)
    assert ledger == expected
    some, ledger = read(path, Wanted())
    assert [key for key in plain if key in some] == list(some)
    assert ledger == expected
    assert all(key in some for key, record in plain.items() if record.get("eventName") == "CreateGroup")
    return read_fast(path)


def read_fast(path: Path) -> bool:
    seen: list[int] = []

    class Noting(Everything):
        def candidates(self, columns: Sequence[Iterator[Any]]) -> list[int]:
            seen.append(1)
            return super().candidates(columns)

    read(path, Noting())
    return bool(seen)


# --- hostile documents --------------------------------------------------------------------------------------

STRINGS = [
    '"CreateGroup"', '"\\u0043reateGroup"', '"createGroup"', '"GetUser"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\udc00x"',
    '""', '"AwsApiCall"', '"AwsCloudTrailInsight"', '"Aws\\u0043loudTrailInsight"', '"aws:s3"', '"iam.amazonaws.com"',
    '"Root"', '"a\\"b"', '"\\/"', '"Ünï"', '"\u2028"', '"\x7f"',
]  # fmt: skip
NUMBERS = [
    "0", "-0", "-0.0", "1", "1.5", "18446744073709551616", "-9223372036854775809", "1e400", "-1e400", "1E5", "5e-324",
    "9007199254740993", "123456789012345678901234567890", "1" * 5000, "NaN", "Infinity", "-Infinity",
]  # fmt: skip
BROKEN = ["01", "1.", "+1", "tru", "'x'", '"\x01"', '"\\q"', '"\udcff"', "", "{,}", "[1,]", "0x1", '"cut']
scalars = st.sampled_from([*STRINGS, *STRINGS, *NUMBERS, "true", "null"])
rarely_broken = st.one_of(*[scalars] * 30, st.sampled_from(BROKEN))
KEYS = [
    "eventName", "eventName", "\\u0065ventName", "EventName", "eventSource", "eventType", "userAgent", "userIdentity",
    "userIdentity.type", "type", "Records", "records", "eventID", "eventVersion", "s3", "Sns", "body", "a", "Type",
    "TopicArn", "messageType", "logFiles", "digestS3Object", "digestStartTime", "detail", "detail-type", "kinesis",
    "CloudTrailEvent", "Events", "events", "message", "_raw", "@timestamp", "p_log_type", "eventJson", "eventname",
    "awslogs", "logEvents", "results", "result", "event", "_source", "hits", "data", "class_uid", "metadata",
]  # fmt: skip
ends = st.sampled_from(["\n", "\n", "\r\n", "\n\n", " \n"])
spaces = st.sampled_from(["", "", "", " ", "\n", "\r\n\t"])


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[str], usual: bool = True) -> str:  # noqa: FBT002  # drawn
    pairs = draw(st.lists(st.tuples(st.sampled_from(KEYS), inner), max_size=5))
    if usual and draw(st.integers(0, 9)):
        name = draw(st.sampled_from(['"CreateGroup"', '"GetUser"', '"\\u0043reateGroup"']))
        at = draw(st.integers(0, len(pairs)))
        pairs[at:at] = [("eventName", name), ("eventSource", '"iam.amazonaws.com"'), ("eventType", '"AwsApiCall"')]
    gap = draw(spaces)
    return "{" + ",".join(f'{gap}"{key}":{gap}{value}' for key, value in pairs) + "}"


values = st.recursive(
    rarely_broken,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda several: f"[{','.join(several)}]"), objects(inner, usual=False)
    ),
    max_leaves=5,
)
records = objects(values)
elements = st.lists(st.one_of(*[records] * 12, values), min_size=1, max_size=5)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Files of records in several forms, some of them damaged."""
    several = draw(elements)
    form = draw(st.sampled_from(["log", "log", "log", "lines", "lines", "array", "twice", "extra", "objects"]))
    text = {
        "log": lambda: f'{{"Records":{draw(spaces)}[{",".join(several)}]}}',
        "lines": lambda: "".join(f"{one}{draw(ends)}" for one in several).replace("\n\t", ""),
        "array": lambda: f"[{','.join(several)}]",
        "twice": lambda: f'{{"Records":[{several[0]}],"Records":[{",".join(several)}]}}',
        "extra": lambda: f'{{"{draw(st.sampled_from(KEYS))}":{draw(values)},"Records":[{",".join(several)}]}}',
        "objects": lambda: "".join(several),
    }[form]()
    content = draw(st.sampled_from(["", "", "", "", "", "\ufeff", " "])).encode() + text.encode(
        errors="surrogateescape"
    )
    content += draw(st.sampled_from([b"", b"", b"", b"\n", b" ", b"\0", b"x", b"{}"]))
    if draw(st.integers(0, 9)) == 0:
        content = content[: draw(st.integers(0, len(content)))]
    if draw(st.booleans()):
        content = gzip.compress(content, 1)
        tail = draw(
            st.sampled_from([b"", b"", b"", b"\0\0\0", b"more", gzip.compress(b"\n"), gzip.compress(b'{"a":1}')])
        )
        content += tail
        if draw(st.integers(0, 9)) == 0:
            content = content[: draw(st.integers(1, len(content)))]
    return content


@fuzz(400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents())
@example(b'{"Records":[{"eventName":"GetUser","eventType":"AwsApiCall","eventName":"CreateGroup"}]}')
@example(b'{"Records":[{"eventName":"CreateGroup","eventType":"AwsApiCall","x":' + b"7" * 5000 + b"}]}")
@example(b'{"Records":[{"eventName":"GetUser","eventType":"x"}],"Records":[]}')
@example(b'{"eventName":"CreateGroup","records":[1],"records":[2]}\n{"eventName":"GetUser","Events":[],"Events":[3]}\n')
@example(b'{"eventName":"GetUser","x":NaN}\n{"eventName":"CreateGroup"}\n')
def test_both_ways_come_to_the_same(tmp_path: Path, content: bytes) -> None:
    """Hostile files: the same records at the same places, the same account, the same losses."""
    assert_same(tmp_path / "a.json", content)


def test_the_fast_way_is_taken(tmp_path: Path) -> None:
    """Log files, with Insights events among the records too, and JSON lines go the fast way, compressed or not."""
    call = '{"eventName":"CreateGroup","eventType":"AwsApiCall","eventSource":"iam.amazonaws.com"}'
    insight = '{"eventName":"CreateGroup","eventType":"AwsCloudTrailInsight"}'
    for text in (
        f'{{"Records":[{call},{insight},{call}]}}',
        f'{{"Records": [\n{call.replace("Group", "Grüppe")},\n{call} ] }}\n',
        f"{call}\n{call}\n\n{call}",
    ):
        for content in (
            text.encode(),
            gzip.compress(text.encode()),
            gzip.compress(text[:20].encode()) + gzip.compress(text[20:].encode()),
        ):
            assert assert_same(tmp_path / "a.json", content) is True
    twice = [f'{{"Records":[{call}],"{key}":[{call}]}}' for key in ("Records", "\\u0052ecords", "records", "RECORDS")]
    message = f'{{"detail-type":"AWS API Call via CloudTrail","detail":{call}}}'
    mixed = [f'{{"Records":[{call},{other}]}}' for other in (message, '{"eventName":5}', '{"x":NaN}')]
    for text in (f"[{call}]", call, *mixed, *twice):
        assert assert_same(tmp_path / "a.json", text.encode()) is False


def test_inflate_leaves_what_is_unusual() -> None:
    """Damage, a cut, what follows the end, and too much of it are for the plain way to tell."""
    content = b'{"Records":[]}' * 1000
    whole = gzip.compress(content)
    assert inflate(whole, len(content)) == content
    assert inflate(whole + whole + b"\0\0", 2 * len(content)) == content * 2
    assert inflate(content, len(content)) == content
    for damaged in (whole[:-1], whole + b"x", whole[:-8] + b"\1" * 8, whole[:20] + b"\xff" + whole[21:]):
        assert inflate(damaged, len(content)) is None
    assert inflate(whole, len(content) - 1) is None
    assert inflate(content, len(content) - 1) is None
    assert inflate(whole + whole, 2 * len(content) - 1) is None


# --- real trails --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", ["bundled", "sigmahq_rules", "suzaku_rules"])
def test_scan_of_real_trails(shared_corpus: Path, rules: str) -> None:
    """A scan finds what evaluating every record finds, and accounts for the same."""
    chosen = (
        cloudsigma.bundled_rules()
        if rules == "bundled"
        else cloudsigma.compile_rules(shared_corpus / rules, on_error="skip")
    )
    paths = (shared_corpus / "invictus", shared_corpus / "stratus")
    result = cloudsigma.scan(*paths, rules=chosen, dedup=False)
    found = list(result)
    reader = cloudsigma.read_records(*paths)
    expected = list(chosen.evaluate_with_origin(reader.with_origin()))
    assert [match.to_dict() for match in found] == [match.to_dict() for match in expected]
    assert found
    assert result.ledger == reader.ledger


def test_an_unset_field_is_told_from_null(tmp_path: Path) -> None:
    """`exists` decides by whether the key is there."""
    rules = cloudsigma.compile_text(
        "title: T\nlogsource: {product: aws}\n"
        "detection: {s: {eventName|startswith: Get, userAgent|exists: false}, condition: s}\n"
    )
    texts = ['"userAgent":null,', '"userAgent":"x",', ""]
    content = ",".join(f'{{{text}"eventName":"GetUser","eventSource":"s","eventType":"AwsApiCall"}}' for text in texts)
    (tmp_path / "a.json").write_text(f'{{"Records":[{content}]}}')
    assert [match.origin.position for match in cloudsigma.scan(tmp_path, rules=rules, dedup=False)] == [2]
    assert json.loads(f"[{content}]")[0]["userAgent"] is None
    assert msgspec.UNSET is not None

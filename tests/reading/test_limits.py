"""Limits: each has a name, holds on every way through a file, and says what it is when it is met."""

from __future__ import annotations

import base64
import gzip
import io
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.reading import Ledger, Limits, read_records
from cloudsigma.reading.content.inflate import Inflater, inflate
from cloudsigma.reading.fast_path.probe import View
from cloudsigma.reading.scope.limits import RATIO_FROM, SIZES, _nests_deeper, parse_size, size_text, text_nests_deeper

CALL = {
    "eventVersion": "1.11",
    "eventName": "CreateGroup",
    "eventSource": "iam.amazonaws.com",
    "eventType": "AwsApiCall",
}
READ = {**CALL, "eventName": "ListGroups"}
WAYS = ["log_file", "lines", "array", "eventbridge", "objects"]
"""The first two go the fast way in a scan."""


def nested(levels: int) -> Any:
    """A value of so many levels."""
    value: Any = "x"
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


def written(records: Sequence[Any], way: str) -> bytes:
    match way:
        case "log_file":
            return json.dumps({"Records": records}).encode()
        case "lines":
            return b"\n".join(json.dumps(record).encode() for record in records)
        case "array":
            return json.dumps(records).encode()
        case "eventbridge":
            events = [{"detail-type": "AWS API Call via CloudTrail", "detail": record} for record in records]
            return b"\n".join(json.dumps(event).encode() for event in events)
        case _:
            return b"".join(json.dumps(record).encode() for record in records)


def scanned(path: Path, limits: Limits) -> tuple[list[int], Ledger]:
    found = cloudsigma.scan(path, limits=limits)
    return [match.origin.position for match in found if match.origin is not None], found.ledger


def scanned_plainly(path: Path, limits: Limits) -> tuple[list[int], Ledger]:
    """The same without the fast way."""
    with pytest.MonkeyPatch.context() as patch:
        for way in ("probe_log_file", "probe_lines"):
            patch.setattr(View, way, lambda *_: None)
        return scanned(path, limits)


def scanned_through_a_pipe(path: Path, limits: Limits) -> tuple[list[int], Ledger]:
    with path.open("rb") as stream:
        found = cloudsigma.scan("-", stdin=stream, limits=limits)
        return [match.origin.position for match in found if match.origin is not None], found.ledger


def losses(ledger: Ledger) -> list[tuple[str, str | None, int]]:
    return [(loss.reason, loss.position, loss.rescued) for loss in ledger.losses]


# --- each limit, on every way -------------------------------------------------------------------------------

MESSAGES = {
    "inflated": ("it inflates to more than 1,000 bytes (the limit 'inflated'; --max-inflated changes it)", 1000),
    "document": ("larger than 500 bytes (the limit 'document'; --max-document changes it)", 500),
    "record": ("the record has more bytes than 1 KiB (the limit 'record'; --max-record changes it)", 1024),
    "depth": ("the JSON nests too deep, to more levels than 20 (the limit 'depth'; --max-depth changes it)", 20),
    "losses": ("the places that cannot be read are more than 2 (the limit 'losses'; --max-losses changes it)", 2),
    "records": ("it has more records than 3 (the limit 'records'; --max-records changes it); the rest is not read", 3),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("packed", [False, True], ids=["as it is", "gzip"])
@pytest.mark.parametrize("limit", list(MESSAGES))
def test_both_ways_respect_a_limit_and_say_so(tmp_path: Path, limit: str, way: str, packed: bool) -> None:
    message, value = MESSAGES[limit]
    special: Any = {"record": "y" * 2000, "depth": nested(25)}.get(limit, "z")
    records = [CALL, READ, {**CALL, "requestParameters": special}, {**CALL, "n": 1}, {**CALL, "n": 2}]
    if limit in ("inflated", "document"):
        records = records * 5
    if limit == "losses":
        strange: Any = ["strange"] if way == "log_file" else {"strange": 1}
        records = [CALL, *([strange] * 5), CALL]
    content = written(records, way)
    (tmp_path / "a.json").write_bytes(gzip.compress(content) if packed else content)
    limits = Limits(**{limit: value})
    fast = scanned(tmp_path / "a.json", limits)
    plain = scanned_plainly(tmp_path / "a.json", limits)
    piped = scanned_through_a_pipe(tmp_path / "a.json", limits)
    assert fast[0] == plain[0] == piped[0]
    assert losses(fast[1]) == losses(plain[1]) == losses(piped[1])
    if limit == "document" and way in ("lines", "eventbridge"):
        assert fast[1].complete  # each line is a document
    else:
        assert message.removesuffix("; the rest is not read") in fast[1].losses[0].reason
    assert fast[1].records == plain[1].records == piped[1].records
    if limit in ("record", "depth"):
        assert fast[0] == [0, 3, 4]
        assert losses(fast[1]) == [(message, "record 2", 4)]
        with open(tmp_path / "a.json", "rb") as stream:
            reader = read_records("-", stdin=stream, limits=limits)
            assert len(list(reader)) == reader.ledger.records == 4
    if limit == "records":
        assert fast[1].records == 3


def test_as_many_places_are_named_as_may_be_lost(tmp_path: Path) -> None:
    """The place that is one too many is among the rest, which is told first."""
    (tmp_path / "a.jsonl").write_bytes(written([CALL], "lines") + b"\n{bad" * 30)
    for found in (
        scanned(tmp_path / "a.jsonl", Limits(losses=3)),
        scanned_plainly(tmp_path / "a.jsonl", Limits(losses=3)),
    ):
        rest, *named = found[1].losses
        assert rest.reason.startswith("the places that cannot be read are more than 3 (the limit 'losses'")
        assert [loss.position for loss in named] == ["line 2", "line 3", "line 4"]
        assert "NOT READ, 4 places:" in str(found[1])


@pytest.mark.parametrize("special", [nested(25), "y" * 2000], ids=["deep", "large"])
def test_a_record_that_cannot_match_is_counted_whatever_its_size(tmp_path: Path, special: Any) -> None:
    """Nobody asks for it, so that nothing is lost: on the fast way it is never even looked at."""
    for way in WAYS:
        (tmp_path / "a.json").write_bytes(written([CALL, {**READ, "requestParameters": special}, CALL], way))
        limits = Limits(record=1024, depth=20)
        for positions, ledger in (scanned(tmp_path / "a.json", limits), scanned_plainly(tmp_path / "a.json", limits)):
            assert ledger.complete
            assert ledger.records == 3
            assert positions == [0, 2]
        reader = read_records(tmp_path / "a.json", limits=limits)
        assert len(list(reader)) == 2
        assert not reader.ledger.complete


def test_the_ratio_stops_a_bomb_early_on_both_ways(tmp_path: Path) -> None:
    """What is stored as 1 part in 1,000 is refused at the first look, 64 MiB; text that is honest goes on."""
    bomb = gzip.compress(b"\n" * (2 * RATIO_FROM), 9)
    message = "it inflates to more than 250 times its size (the limit 'ratio'; --max-ratio changes it)"
    (tmp_path / "a.json").write_bytes(bomb)
    for found in (scanned(tmp_path / "a.json", Limits()), scanned_plainly(tmp_path / "a.json", Limits())):
        assert message in found[1].losses[0].reason
        assert (found[1].files, found[1].bytes) == (0, 0)
    inflater = Inflater(io.BytesIO(bomb), Limits())
    assert RATIO_FROM - (1 << 20) < sum(map(len, inflater.chunks())) <= RATIO_FROM
    assert RATIO_FROM < inflater.inflated <= RATIO_FROM + (1 << 20)
    assert inflate(bomb, 1 << 30) is None
    assert inflate(bomb, 1 << 30, Limits(ratio=10_000)) == b"\n" * (2 * RATIO_FROM)


def test_a_small_file_may_inflate_to_any_ratio() -> None:
    record = json.dumps(CALL).encode()
    content = gzip.compress(b"\n".join([record] * 50_000), 9)
    assert len(record) * 50_000 > 200 * len(content)
    reader = read_records("-", stdin=io.BytesIO(content))
    assert len(list(reader)) == 50_000
    assert reader.ledger.complete


@pytest.mark.parametrize("stored_members", [1, 3, 400])
def test_members_are_joined_however_many(stored_members: int, tmp_path: Path) -> None:
    """Also with padding between, and where a member is larger than what a member is fed at first."""
    import random

    chance = random.Random(stored_members)  # noqa: S311  # no secrets
    records = [{**CALL, "eventID": str(n), "x": chance.randbytes(300).hex()} for n in range(1200)]
    lines = [json.dumps(record).encode() + b"\n" for record in records]
    step = len(lines) // stored_members
    content = b"".join(
        gzip.compress(b"".join(lines[at : at + step])) + b"\0" * chance.choice([0, 0, 7, 70_000 // stored_members])
        for at in range(0, len(lines), step)
    )
    assert inflate(content, 1 << 30) == b"".join(lines)
    (tmp_path / "a").write_bytes(content)
    assert list(read_records(tmp_path / "a")) == records
    assert len(scanned(tmp_path / "a", Limits())[0]) == 1200


def test_very_many_empty_members_take_no_time(tmp_path: Path) -> None:
    """Two hundred thousand, of 20 bytes each: linear, not quadratic."""
    content = gzip.compress(b"") * 200_000
    begun = time.process_time()
    assert inflate(content, 1 << 30) == b""
    reader = read_records("-", stdin=io.BytesIO(content))
    assert list(reader) == []
    assert time.process_time() - begun < 10


def test_what_envelopes_carry_has_limits_of_its_own() -> None:
    """A record too deep or too large in base64, in a text, in a text in a text."""
    for special, limits in ((nested(25), Limits(depth=20)), ("y" * 2000, Limits(record=1024))):
        text = json.dumps({**CALL, "requestParameters": special})
        forms = [
            {
                "Records": [
                    {"eventSource": "aws:kinesis", "kinesis": {"data": base64.b64encode(text.encode()).decode()}}
                ]
            },
            {"Events": [{"EventId": "1", "CloudTrailEvent": text}]},
            {"Records": [{"messageId": "1", "receiptHandle": "r", "eventSource": "aws:sqs", "body": text}]},
        ]
        for form in forms:
            reader = read_records("-", stdin=io.BytesIO(json.dumps(form).encode()), limits=limits)
            assert list(reader) == []
            (loss,) = reader.ledger.losses
            assert "the limit" in loss.reason


def test_what_is_put_together_of_texts_is_measured_as_a_whole() -> None:
    """In a row of a table the parameters are a text: the record that comes of it is deeper than the row."""
    row = {"eventname": "CreateGroup", "eventsource": "iam.amazonaws.com", "requestparameters": json.dumps(nested(25))}
    cells = ",".join('"' + value.replace('"', '""') + '"' for value in row.values())
    content = f"{','.join(row)}\n{cells}\n".encode()
    reader = read_records("-", stdin=io.BytesIO(content), limits=Limits(depth=20))
    assert list(reader) == []
    (loss,) = reader.ledger.losses
    assert "too deep" in loss.reason
    assert len(list(read_records("-", stdin=io.BytesIO(content)))) == 1


def test_deeper_than_decoders_go_is_the_same_message() -> None:
    deep = json.dumps(CALL)[:-1] + ',"x":' + "[" * 5000 + "]" * 5000 + "}"
    content = f'{{"Records":[{json.dumps(CALL)},{deep},{json.dumps(CALL)}]}}'.encode()
    reader = read_records("-", stdin=io.BytesIO(content))
    assert len(list(reader)) == 2
    assert "to more levels than 100 (the limit 'depth'; --max-depth changes it)" in reader.ledger.losses[0].reason


# --- what is honest meets none ------------------------------------------------------------------------------


def test_the_largest_that_aws_writes_meets_no_limit(tmp_path: Path) -> None:
    """Records of 1 MB, a log file of 100 MB and 100,000 records, thirty levels: all read, the fast way too."""
    large = {**CALL, "eventID": "large", "requestParameters": {"text": "x" * 1_000_000, "inner": nested(30)}}
    many = [{**CALL, "eventID": str(n), "userAgent": "a" * 800} for n in range(100_000)]
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(json.dumps({"Records": [large, *many]}).encode(), 1))
    found = cloudsigma.scan(tmp_path)
    assert sum(1 for _ in found) == 100_001
    assert found.ledger.complete


# --- values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1), ("1048576", 1 << 20), ("500MB", 500_000_000), ("2GiB", 2 << 30), ("1.5 MiB", 3 << 19),
        ("64 gib", 64 << 30), ("7B", 7), ("0.5kB", 500), ("1TiB", 1 << 40),
    ],
)  # fmt: skip
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", " ", "0", "-1", "+1", "1e3", "1,000", "1.5", "2Gi", "2 G B", "GiB", "1 ", " 1", "٣", "1\n", "1GiB\x1b",
     "0.0001kB", "9" * 40],
)  # fmt: skip
def test_what_is_no_size_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(cloudsigma.UsageError, match="a number of bytes, or one with a unit"):
        parse_size(text)


@given(st.integers(1, 10**15 - 1))
def test_a_size_is_shown_exactly(size: int) -> None:
    shown = size_text(size).replace(",", "")
    assert parse_size(shown.removesuffix(" bytes")) == size


@pytest.mark.parametrize("name", Limits.__struct_fields__)
@pytest.mark.parametrize("value", [0, -1, True, 1.5, "1"])
def test_a_limit_is_a_whole_number_above_zero(name: str, value: Any) -> None:
    with pytest.raises(cloudsigma.UsageError, match=f"the limit {name} is"):
        Limits(**{name: value})


def test_no_depth_can_be_asked_for_that_is_not_kept() -> None:
    with pytest.raises(cloudsigma.UsageError, match="to a depth of 500 levels"):
        Limits(depth=501)
    record = {**CALL, "x": nested(498)}
    limits = Limits(depth=500)
    assert list(read_records("-", stdin=io.BytesIO(json.dumps(record).encode()), limits=limits)) == [record]
    assert len(list(cloudsigma.evaluate([record]))) == 1


def test_every_limit_says_its_name_value_and_option() -> None:
    limits = Limits()
    for name in Limits.__struct_fields__:
        said = limits.said(name)
        assert f"(the limit '{name}'; --max-{name} changes it)" in said
        value = getattr(limits, name)
        assert said.startswith(size_text(value) if name in SIZES else f"{value:,}")


json_values = st.recursive(
    st.sampled_from(["", "]", "[", "{}", "}}", '"', "\\", "a"]) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "]", "{"]), inner, max_size=3),
    max_leaves=30,
)


@fuzz(100)
@given(json_values, st.integers(1, 6))
def test_depth_is_what_it_is(value: Any, levels: int) -> None:
    """A slow definition agrees; the text never says that a value is flat which is not."""

    def depth(part: Any) -> int:
        inner: Iterator[Any] = iter(part.values() if isinstance(part, dict) else part if isinstance(part, list) else ())
        return 1 + max(map(depth, inner), default=0) if isinstance(part, (dict, list)) else 0

    whole = {"record": value}
    assert _nests_deeper(whole, levels) is (depth(whole) > levels)
    if depth(whole) > levels:
        assert text_nests_deeper(json.dumps(whole).encode(), levels)


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    ["1e15", "1E5", "5e-324", "12345678901234567890123", "-0.0"]
)


@given(st.lists(numbers, max_size=20), st.text(max_size=20))
def test_a_record_is_never_five_times_as_long_as_its_text(values: list[Any], text: str) -> None:
    """So that the fast way finds every record that is too large by the length of its text."""
    body = ",".join(str(value) if isinstance(value, str) else repr(value) for value in values)
    raw = f'{{"x":[{body}],"y":{json.dumps(text)}}}'.encode()
    from cloudsigma.reading.scope.limits import _written

    assert _written(json.loads(raw)) <= 5 * len(raw)

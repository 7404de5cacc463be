"""Content is cut into lines as `bytes.split` cuts it, whatever the pieces; what is too long is passed over."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.reading import Limits, read_records
from cloudsigma.reading.content import lines
from cloudsigma.reading.content.lines import Block, blocks, split_lines

CALL = {
    "eventVersion": "1.11",
    "eventName": "CreateGroup",
    "eventSource": "iam.amazonaws.com",
    "eventType": "AwsApiCall",
}
texts = st.lists(st.sampled_from([b"\n", b"\n", b"a", b"bc", b"\r\n", b"d" * 9, b" "]), max_size=30).map(b"".join)


@st.composite
def cut(draw: st.DrawFn) -> list[bytes]:
    """A content in pieces, none of them empty."""
    content = draw(texts)
    places = sorted(draw(st.sets(st.integers(1, max(len(content), 1)), max_size=8)))
    return [piece for piece in map(content.__getitem__, map(slice, [0, *places], [*places, None])) if piece]


@given(cut(), st.integers(1, 12), st.integers(1, 20))
def test_blocks_are_the_lines(pieces: list[bytes], most: int, enough: int) -> None:
    """Every line stands in one block under its number, or is passed over, which only those do that are too long."""
    expected = b"".join(pieces).split(b"\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "ENOUGH", enough)
        found = list(blocks(iter(pieces), most))
        seen = 0
        for each in found:
            assert each.number == seen + 1
            if isinstance(each, Block):
                assert each.lines == expected[seen : seen + len(each.lines)]
                seen += len(each.lines)
            else:
                assert len(expected[seen]) > most
                seen += 1
        assert seen == len(expected)
        kept = next((at for at, line in enumerate(expected) if len(line) > most), len(expected))
        assert list(split_lines(iter(pieces), most)) == [*expected[:kept], *[None] * (kept < len(expected))]


def test_a_line_without_an_end_is_not_held() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"one\ntwo"
        for _ in range(200):
            yield bytes(1 << 20)
        yield b"\nthree"

    tracemalloc.start()
    found = list(blocks(pieces(), 3 << 20))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [(each.number, each.data if isinstance(each, Block) else None) for each in found] == [
        (1, b"one\n"), (2, None), (3, b"three")
    ]  # fmt: skip
    assert peak < 10 << 20


@pytest.mark.parametrize("size", [6_000, 3_000_000])
@pytest.mark.parametrize("way", ["file", "gzip", "pipe"])
def test_a_line_that_is_too_long_costs_itself_alone(tmp_path: Path, size: int, way: str) -> None:
    """Whether it is many pieces of the file or a part of one; the lines beside it are read."""
    records = [{**CALL, "eventID": str(n), "x": "y" * (size if n in (3, 19) else 10)} for n in range(20)]
    content = b"\n".join(json.dumps(record).encode() for record in records)
    (tmp_path / "a.jsonl").write_bytes(gzip.compress(content) if way == "gzip" else content)
    place, stdin = ("-", io.BytesIO(content)) if way == "pipe" else (tmp_path / "a.jsonl", None)
    limits = Limits(document=size // 2)
    reader = read_records(place, stdin=stdin, limits=limits)
    kept = [record for record in records if record["eventID"] not in ("3", "19")]
    assert list(reader) == kept
    scan = cloudsigma.scan(place, stdin=io.BytesIO(content) if stdin else None, limits=limits)
    assert [match.context.event_id for match in scan] == [record["eventID"] for record in kept]
    for ledger in (reader.ledger, scan.ledger):
        assert [(loss.position, loss.rescued) for loss in ledger.losses] == [("line 4", 18), ("line 20", 18)]
        assert ledger.losses[0].reason.startswith("the line is longer than ")
        assert "(the limit 'document'; --max-document changes it)" in ledger.losses[0].reason
        assert ledger.inflated == len(content)

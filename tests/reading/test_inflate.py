"""Gzip by pieces and as a whole, with the standard library as judge: members of any size, pieces of any size."""

from __future__ import annotations

import gzip
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.reading import Limits, read_records
from cloudsigma.reading.content import inflate as module
from cloudsigma.reading.content.inflate import Inflater, inflate

CONTENT = st.one_of(
    st.binary(max_size=200),  # what hardly gets smaller
    st.tuples(st.binary(min_size=1, max_size=5), st.integers(0, 3000)).map(lambda part: part[0] * part[1]),
)
MEMBERS = st.lists(st.tuples(CONTENT, st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=6)
PIECES = st.sampled_from([1, 7, 64, 500, 1 << 20])


class Stuttering(io.BytesIO):
    """Gives as much as it likes, as pipes do: less at first, and now more, now less."""

    def read(self, size: int | None = -1, /) -> bytes:
        share = 1 + self.tell() * 7 % 5
        return super().read(max(1, (size or 1) * share // 6))


def by_pieces(stored: bytes, piece: int, first: int, stream: Any) -> tuple[bytes, Inflater]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK", piece)
        patch.setattr(module, "_NEXT_MEMBER", first)
        inflater = Inflater(stream, Limits())
        return b"".join(inflater.chunks()), inflater


@fuzz(100)
@given(MEMBERS, PIECES, PIECES, st.booleans())
def test_the_standard_library_comes_to_the_same(
    members: list[tuple[bytes, int, int]], piece: int, first: int, stuttering: bool
) -> None:
    stored = b"".join(gzip.compress(content, level) + bytes(padding) for content, level, padding in members)
    expected = gzip.decompress(stored)
    found, inflater = by_pieces(stored, piece, first, (Stuttering if stuttering else io.BytesIO)(stored))
    assert found == expected
    assert inflater.damage is None
    assert (inflater.stored, inflater.inflated) == (len(stored), len(expected))
    assert inflate(stored, 1 << 20) == expected


@fuzz(60)
@given(MEMBERS, PIECES, PIECES, st.data())
def test_what_stands_before_the_damage_is_given(
    members: list[tuple[bytes, int, int]], piece: int, first: int, data: st.DataObject
) -> None:
    """Of a file that is cut off or goes on with something else: the beginning of its content, and the reason."""
    stored = b"".join(gzip.compress(content, level) for content, level, _ in members)
    expected = gzip.decompress(stored)
    if data.draw(st.booleans()):
        damaged = stored[: data.draw(st.integers(11, len(stored) - 1))]
        whole = [sum(len(gzip.compress(c, n)) for c, n, _ in members[:count]) for count in range(1, len(members))]
        sound = len(damaged) in whole
    else:
        damaged, sound = stored + data.draw(st.binary(min_size=1, max_size=50)).strip(b"\0\x1f") + b"!", False
    found, inflater = by_pieces(damaged, piece, first, io.BytesIO(damaged))
    assert expected.startswith(found)
    assert (inflater.damage is None) == sound
    assert inflate(damaged, 1 << 20) in ({found} if sound else {None})


def call(number: int) -> dict[str, Any]:
    return {
        "eventVersion": "1.08", "eventTime": "2025-03-04T10:15:30Z", "eventSource": "iam.amazonaws.com",
        "eventName": "CreateGroup", "eventID": f"{number}", "requestParameters": {"groupName": "g" * 400},
    }  # fmt: skip


def log_file(first: int, last: int) -> bytes:
    return gzip.compress(json.dumps({"Records": [call(number) for number in range(first, last)]}).encode())


@pytest.mark.parametrize("sizes", [(3000, 5), (5, 3000, 5), (2500, 2500, 2500, 1)])
@pytest.mark.parametrize("way", ["file", "scan", "pipe"])
def test_log_files_that_were_put_one_after_the_other(sizes: tuple[int, ...], way: str, tmp_path: Path) -> None:
    """As `cat *.json.gz` does: every record once, whatever a member comes to, and nothing is told to be wrong."""
    ends = [sum(sizes[:count]) for count in range(len(sizes) + 1)]
    stored = b"".join(map(log_file, ends, ends[1:]))
    expected = [f"{number}" for number in range(ends[-1])]
    (tmp_path / "all.json.gz").write_bytes(stored)
    if way == "file":
        reader = read_records(tmp_path / "all.json.gz")
        assert [record["eventID"] for record in reader] == expected
        assert reader.ledger.complete
    elif way == "scan":
        scan = cloudsigma.scan(tmp_path / "all.json.gz")
        assert [match.context.event_id for match in scan] == expected
        assert (scan.ledger.complete, scan.repeated) == (True, 0)
    else:
        done = subprocess.run(
            [sys.executable, "-m", "cloudsigma", "scan", "--format", "ids", "-"],
            input=stored, capture_output=True, check=False,
        )  # fmt: skip
        assert [line.split("\t")[1] for line in done.stdout.decode().splitlines()] == expected
        assert "NOT READ" not in done.stderr.decode()


def test_the_faster_library_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where anything is damaged, cut, more than is allowed or follows the end, the content is read once more."""
    chance = random.Random(7)  # noqa: S311  # no secrets
    words = [chance.randbytes(chance.randint(1, 30)).hex().encode() for _ in range(3000)]
    again = 0
    for _ in range(300):
        monkeypatch.setattr(module, "_CHUNK", chance.choice([7, 100, 5000, 1 << 16]))
        parts = [chance.choices(words, k=chance.choice([0, 3, 300, 1000])) for _ in range(chance.randint(1, 4))]
        content = bytearray()
        for part in parts:
            content += gzip.compress(b"".join(part), chance.randint(0, 9)) + bytes(chance.choice([0, 0, 5]))
        at = chance.randrange(len(content))
        match chance.randint(0, 4):
            case 1:
                content[at] ^= chance.randint(1, 255)
            case 2:
                del content[at:]
            case 3:
                content += chance.choice([b"more", b"\x1f", b"\x1f\x8b"])
        limits = Limits(inflated=chance.choice([1 << 30, 1 << 30, chance.randint(1, 200_000)]))
        found: list[Any] = []
        for quick in (False, True):
            inflater = Inflater(io.BytesIO(content), limits, quick=quick)
            joined = b"".join(inflater.chunks())
            assert inflater.reached >= inflater.stored
            found.append((joined, inflater.damage, inflater.stored, inflater.inflated))
        assert found[0] == found[1]
        again += bool(joined) and inflater.damage is not None
    assert again > 50

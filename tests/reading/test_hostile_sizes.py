"""Files that somebody made to exhaust time and memory: the command ends soon, small, with a message and its exit code.

`CLOUDSIGMA_FULL_SIZE=1` runs them at full size (a bomb of 10 GB, a record of 100 MB), with `-s` to see the figures.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from measured_scan import ADDRESSES, FULL, MEMORY, PROGRAM, SECONDS, scan

BOMB = (10 << 30) if FULL else (160 << 20)
"""Bytes that a bomb inflates to."""
LARGE = 100_000_000 if FULL else 18_000_000
"""Bytes of a record that is too large."""
CALL = {
    "eventVersion": "1.11",
    "eventName": "CreateGroup",
    "eventSource": "iam.amazonaws.com",
    "eventType": "AwsApiCall",
}


def compressed(path: Path, pieces: Iterator[bytes], *, members: int = 1) -> Path:
    """Write a gzip file piece by piece; with several members each has its share of the pieces."""
    listed = list(pieces)
    share = -(-len(listed) // members)
    with path.open("wb") as file:
        for at in range(0, len(listed), share):
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) as member:
                for piece in listed[at : at + share]:
                    member.write(piece)
    return path


def zeros(size: int) -> Iterator[bytes]:
    piece = bytes(1 << 24)
    return (piece[: min(len(piece), size - at)] for at in range(0, size, len(piece)))


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    (tmp_path / "trail").mkdir()
    (tmp_path / "trail" / "z.json").write_text(json.dumps({"Records": [CALL]}))
    return tmp_path / "trail"


@pytest.mark.parametrize(
    ("members", "by_pipe"), [(1, False), (20, False), (20, True)], ids=["one member", "twenty", "twenty by a pipe"]
)
def test_a_bomb_of_zeros(tmp_path: Path, healthy: Path, members: int, by_pipe: bool) -> None:
    """The ratio stops it at 64 MiB; the file beside it is read."""
    bomb = compressed(healthy / "a.json.gz", zeros(BOMB), members=members)
    if by_pipe:
        with bomb.open("rb") as stream:
            run = scan("-", healthy / "z.json", stdin=stream)
    else:
        run = scan(healthy)
    assert run.code == 4
    assert len(run.output.splitlines()) == 1
    assert "it inflates to more than 250 times its size (the limit 'ratio'; --max-ratio changes it)" in run.told
    assert "NOT READ, 1 place" in run.told


def test_a_bomb_in_a_bomb(healthy: Path) -> None:
    """Gzip within gzip is no form that records arrive in: the inner one is never inflated."""
    inner = compressed(healthy.parent / "inner", zeros(BOMB))
    with gzip.open(healthy / "a.json.gz", "wb") as outer:
        outer.write(inner.read_bytes())
    run = scan(healthy)
    assert run.code == 4
    assert len(run.output.splitlines()) == 1
    assert "NOT READ, 1 place" in run.told


@pytest.mark.parametrize(
    "piece",
    [b"[],", b'{"a":{"b":1}},\n', b"\n", b"{}\n", b"[" * 3],
    ids=["lists", "objects", "blank lines", "lines", "deep"],
)
def test_bombs_of_json(healthy: Path, piece: bytes) -> None:
    """What is JSON inflates as much: the same limit stops it, or that on what cannot be read."""
    block = piece * ((1 << 20) // len(piece))
    bomb = (block for _ in range(BOMB // len(block)))
    compressed(healthy / "a.json.gz", bomb)
    run = scan(healthy, *(() if FULL else ("--max-losses", "50000")))
    assert run.code == 4
    assert len(run.output.splitlines()) == 1
    limit = "losses" if piece == b"[]," or (b"}" in piece and piece.endswith(b"\n")) else "ratio"
    assert f"(the limit '{limit}'; --max-{limit} changes it); the rest is not read" in run.told


def test_a_bomb_in_an_envelope(healthy: Path) -> None:
    import base64

    bomb = compressed(healthy.parent / "inner", zeros(BOMB)).read_bytes()
    event = {"awslogs": {"data": base64.b64encode(bomb).decode()}}
    (healthy / "a.json").write_text(json.dumps(event))
    run = scan(healthy)
    assert run.code == 4
    assert "it inflates to more than 250 times its size" in run.told
    assert len(run.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("way", "levels"),
    [("record", 1000), ("line", 1000), ("array", 1000), ("whole", 1000), ("text", 1000), ("record", 100_000)],
)
def test_nested_json(healthy: Path, levels: int, way: str) -> None:
    """A thousandfold, where records stand and where they do not; the neighbours are read."""
    deep = "[" * levels + "]" * levels
    record = json.dumps(CALL)[:-1] + f',"requestParameters":{deep}}}'
    plain = json.dumps({**CALL, "eventID": "n"})
    content = {
        "record": f'{{"Records":[{plain},{record}]}}',
        "line": f"{plain}\n{record}\n",
        "array": f"[{plain},{record}]",
        "whole": f"{plain}\n{deep}",
        "text": f"{plain}\n" + json.dumps({"Events": [{"EventId": "1", "CloudTrailEvent": record}]}),
    }[way]
    (healthy / "a.json").write_text(content)
    run = scan(healthy)
    assert run.code == 4
    assert len(run.output.splitlines()) == 2
    assert "NOT READ, 1 place" in run.told
    if way != "whole":
        assert "to more levels than 100 (the limit 'depth'; --max-depth changes it)" in run.told


@pytest.mark.parametrize("way", ["log file", "line", "alone", "many members"])
def test_a_record_of_100_mb(healthy: Path, way: str) -> None:
    """Honest text, not one that is compressed away; its neighbours are read. Memory is a few times its size."""
    text = os.urandom(LARGE // 2).hex()
    parameters: Any = (
        text if way != "many members" else {f"k{at}": text[at : at + 40] for at in range(0, len(text), 40)}
    )
    record = json.dumps({**CALL, "requestParameters": parameters})
    plain = json.dumps({**CALL, "eventID": "n"})
    content = {"log file": f'{{"Records":[{plain},{record}]}}', "line": f"{plain}\n{record}\n"}.get(way, record)
    (healthy / "a.json").write_text(content)
    del record
    run = scan(healthy, memory=MEMORY + (20 if way == "many members" else 8) * LARGE)
    assert run.code == 4
    assert len(run.output.splitlines()) == (2 if way in ("log file", "line") else 1)
    limit = (
        ("has more values than 250,000", "values")
        if way == "many members"
        else ("has more bytes than 16 MiB", "record")
    )
    assert f"{limit[0]} (the limit '{limit[1]}'; --max-{limit[1]} changes it)" in run.told
    if FULL or way != "many members":
        run = scan(healthy, "--max-record", "1GB", memory=MEMORY + 30 * LARGE)
        assert run.code == 1


def test_a_line_without_an_end(healthy: Path) -> None:
    """Where the limit on documents is met, no more than that is ever held."""
    with (healthy / "a.json").open("wb") as file:
        file.truncate(64 << 20)  # of zeros, which take no room on the disk
    run = scan(healthy, "--max-document", "32MiB")
    assert run.code == 4
    assert "larger than 32 MiB (the limit 'document'; --max-document changes it)" in run.told


def test_a_fifo(healthy: Path) -> None:
    """Named, it is refused at once; in a folder it is passed over and counted."""
    os.mkfifo(healthy / "pipe.json")
    run = scan(healthy / "pipe.json")
    assert run.code == 4
    assert "it is a named pipe, no regular file; pipe it to - instead" in run.told
    run = scan(healthy)
    assert run.code == 1
    assert "files not looked at: named pipe 1" in run.told


def test_a_name_that_is_not_utf8(healthy: Path) -> None:
    """It is read, it can be named, and what is told of it can be printed."""
    good, bad = os.fsencode(healthy) + b"/\xff\xfe.json", os.fsencode(healthy) + b"/\x80\n.json"
    Path(os.fsdecode(good)).write_text(json.dumps({**CALL, "eventID": "n"}))
    Path(os.fsdecode(bad)).write_text("no JSON")
    run = scan(healthy)
    assert run.code == 4
    assert len(run.output.splitlines()) == 2
    assert run.told.splitlines()[-1].endswith("\\x80\\n.json: the text is not JSON")
    run = scan(good)
    assert run.code == 1


def test_very_many_small_things(healthy: Path) -> None:
    """A million lines that are no records: counted, twenty named, in little time."""
    lines = 1_000_000 if FULL else 50_000
    (healthy / "a.json").write_bytes(b'{"a": 1}\n' * lines)
    began = time.process_time()
    run = scan(healthy)
    assert run.code == 4
    assert f"{lines - 19:,} more places that cannot be read" in run.told
    assert time.process_time() - began < SECONDS


def test_the_limit_of_addresses_is_no_figure_of_ours() -> None:
    """The tests above would fail with a traceback if a run needed more; this one shows that the bound is real."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("main(sys.argv[2:])", "len(bytes(4 << 30))"), str(ADDRESSES)],
        capture_output=True, check=False,
    )  # fmt: skip
    assert b"MemoryError" in done.stderr

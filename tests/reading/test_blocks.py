"""Lines that are read in blocks come to the same as lines read one by one: records, places, account and losses."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO

import msgspec
import pytest
from effort import fuzz
from hypothesis import example, given
from hypothesis import strategies as st

from cloudsigma.reading import Ledger, Limits, source_reader
from cloudsigma.reading.account.ledger import Recorder
from cloudsigma.reading.content import inflate, lines
from cloudsigma.reading.content.lines import Block
from cloudsigma.reading.fast_path.probe import View
from cloudsigma.reading.scope.selection import Selection, select
from cloudsigma.reading.source_reader import SourceReader
from cloudsigma.reading.sources.interface import Source

CALL = {
    "eventVersion": "1.11",
    "eventName": "CreateGroup",
    "eventSource": "iam.amazonaws.com",
    "eventType": "AwsApiCall",
    "eventTime": "2025-03-04T10:15:30Z",
    "awsRegion": "us-east-1",
    "recipientAccountId": "111122223333",
}
READ = {**CALL, "eventName": "ListGroups", "eventTime": "2025-03-05T10:15:30Z", "awsRegion": "eu-west-1"}
INSIGHT = {**CALL, "eventType": "AwsCloudTrailInsight"}


class Everything:
    """A probe that lets every record through."""

    fields = ("eventName", "eventSource")

    def candidates(self, columns: Sequence[Iterator[Any]]) -> list[int]:
        return list(range(len(list(zip(*columns, strict=True)))))

    def accepted(self) -> None:
        """Nothing is kept."""


class Wanted(Everything):
    """A probe that lets through what may have one name."""

    def candidates(self, columns: Sequence[Iterator[Any]]) -> list[int]:
        return [at for at, (name, _) in enumerate(zip(*columns, strict=True)) if name in ("CreateGroup", None, 5)]


class Pipe(io.BytesIO):
    """Bytes that come once."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError("a pipe")


class Bytes(Source):
    """A file, or what comes through a pipe."""

    name = "a"

    def __init__(self, content: bytes, *, pipe: bool = False) -> None:
        self._content = content
        self._pipe = pipe

    def open(self) -> AbstractContextManager[BinaryIO]:
        return nullcontext(Pipe(self._content) if self._pipe else io.BytesIO(self._content))

    def read_whole(self, stream: BinaryIO, most: int) -> bytes | None:
        return stream.read() if not self._pipe and len(self._content) < most else None


class How(msgspec.Struct, frozen=True):
    """How a file is read, beside the way."""

    limits: Limits = Limits()
    selection: Selection = Selection()
    strict: bool = False
    piece: int = 64
    """Bytes that are taken of a stream at once."""
    enough: int = 48
    """Bytes of a block."""


def read(source: Source, how: How, probe: Any, *, plainly: bool = False) -> tuple[list[str], Ledger, list[bool]]:
    """What is given, the account, and for each block whether the probe took it."""
    taken: list[bool] = []
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inflate, "_CHUNK", how.piece)
        patch.setattr(lines, "ENOUGH", how.enough)
        probe_lines = View.probe_lines

        def noted(view: View, block: Block, most: int) -> Any:
            found = probe_lines(view, block, most) if not plainly else None
            taken.append(found is not None)
            return found

        patch.setattr(View, "probe_lines", noted)
        if plainly:
            patch.setattr(View, "probe_log_file", lambda *_: None)
        reader = SourceReader(how.limits, how.selection, probe, coverage=True, strict=how.strict)
        found = [f"{origin!r} {record!r}" for record, origin in reader.records(source, recorder)]
    assert recorder.stored is None
    return found, recorder.ledger, taken


def told(ledger: Ledger) -> Ledger:
    """The account, with what was left out counted together, whatever it was counted among."""
    merged: dict[str, dict[str, int]] = {"left_out": {}, "kept": {}}
    for name, counts in merged.items():
        for key, count in getattr(ledger, name).items():
            plain = key.replace(" (of those that could match)", "")
            counts[plain] = counts.get(plain, 0) + count
    return msgspec.structs.replace(ledger, **merged)


WAYS = ["short", "small", "large", "pipe"]


def assert_same(content: bytes, how: How, way: str) -> list[bool]:
    """Both ways come to the same, with every record and with those that could match; gives the blocks taken."""
    source = Bytes(content, pipe=way == "pipe")
    with pytest.MonkeyPatch.context() as patch:
        if way != "short":
            patch.setattr(source_reader, "_SHORT", 0)
        if way == "large":
            patch.setattr(source_reader, "_SMALL", 0)
        expected, account, _ = read(source, how, Everything(), plainly=True)
        found, ledger, taken = read(source, how, Everything())
        assert found == expected
        if how.strict:  # what a block has is counted when it begins
            assert [loss.reason for loss in ledger.losses] == [loss.reason for loss in account.losses]
            assert [loss.position for loss in ledger.losses] == [loss.position for loss in account.losses]
            return taken
        assert told(ledger) == told(account)
        expected, account, _ = read(source, how, Wanted(), plainly=True)
        found, ledger, _ = read(source, how, Wanted())
        assert [each for each in expected if each in set(found)] == found
        assert [each for each in expected if "'CreateGroup'" in each] == [
            each for each in found if "'CreateGroup'" in each
        ]
        assert ledger == account if how.selection.everything else ledger.losses == account.losses
    return taken


# --- hostile mixtures ---------------------------------------------------------------------------------------


def text(value: Any) -> bytes:
    return json.dumps(value).encode()


GOOD = [text(CALL), text(READ), text({**CALL, "eventID": "1"}), text({"eventName": "CreateGroup"})]
STRANGE = [
    b"", b" ", b"\t \r", b"{", b'{"eventName":', b"}", b"{bad}", b"[]", b"{}", b"5", b"null", b'"text"', b"text", b"\0",
    b"\xff\xfe", b'{"eventName":"\xff"}', b"\xef\xbb\xbf", b"\xef\xbb\xbf" + text(CALL), b"\xc3", b"\xa4",
    text(INSIGHT), text({**INSIGHT, "x": 1}), text({**CALL, "eventType": None}), text({**CALL, "eventName": 5}),
    b",", text(CALL) + b",", b", " + text(READ), text(json.dumps(CALL)), text({"Records": [CALL], "records": [READ]}),
    text({"Records": [CALL, READ]}), text({"Records": [CALL, INSIGHT, {"strange": 1}]}), text([CALL, READ, [1]]),
    text({"Records": []}), b'{"Records": [' + text(CALL) + b", {", text({"detail-type": "x", "detail": CALL}),
    text({"Type": "Notification", "TopicArn": "arn", "Message": json.dumps({"Records": [CALL]})}),
    text({"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]}),
    b'{"eventName":"CreateGroup","x":NaN}', b'{"eventName":"CreateGroup","x":"\\ud800"}',
    b'{"eventName":"CreateGroup","x":1e400}', text({**CALL, "x": "y" * 500}), text({**READ, "x": "y" * 500}),
    text({**CALL, "x": [[[[[[1]]]]]]}), text({**READ, "x": [[[[[[1]]]]]]}), text(CALL) * 2, text(CALL) + b" x",
    b"2025-03-04T10:15:30Z " + text(CALL), b'{"eventName":', b'"CreateGroup"}', text({**CALL, "\u00fc": "\u2028"}),
    json.dumps({**CALL, "\u00fc": "\u2028\x7f"}, ensure_ascii=False).encode(),
]  # fmt: skip
good = st.sampled_from(GOOD)
each_line = st.one_of(*[good] * 6, st.sampled_from(STRANGE))
ends = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\n\n", b" \n"])


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Lines, most of them records; some files are compressed, in one member or several, or damaged, or cut off."""
    several = draw(st.lists(each_line, max_size=20))
    if draw(st.integers(0, 9)):
        several.insert(0, draw(good))
    pieces = [line + draw(ends) for line in several]
    if pieces and draw(st.booleans()):
        pieces[-1] = several[-1]
    pieces.insert(0, draw(st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf", b"\n", b" "])))
    if draw(st.booleans()):
        content = b"".join(pieces)
    else:
        at = draw(st.integers(0, len(pieces)))
        parts = [pieces[:at], pieces[at:]] if draw(st.booleans()) else [pieces]
        content = b"".join(gzip.compress(b"".join(part), 1) for part in parts)
        content += draw(st.sampled_from([b"", b"", b"", b"\0\0\0", b"more"]))
        if draw(st.integers(0, 4)) == 0:
            at = draw(st.integers(0, len(content) - 1))
            content = content[:at] + draw(st.sampled_from([b"", b"\0", b"\xff"])) + content[at + 1 :]
    if draw(st.integers(0, 9)) == 0:
        content = content[: draw(st.integers(0, len(content)))]
    return content


manners = st.builds(
    How,
    limits=st.builds(
        Limits,
        document=st.sampled_from([150, 250, 400, 2000, 1 << 29, 1 << 29, 1 << 29]),
        record=st.sampled_from([300, 1 << 24, 1 << 24]),
        depth=st.sampled_from([4, 100, 100]),
        records=st.sampled_from([1, 3, 7, 1000, 1000, 1000]),
        losses=st.sampled_from([1, 3, 1000, 1000, 1000]),
        inflated=st.sampled_from([500, 1500, 1 << 30, 1 << 30, 1 << 30]),
    ),
    selection=st.sampled_from(
        [Selection(), Selection(), select(since="2025-03-05"), select(regions="us-east-1", accounts="111122223333")]
    ),
    strict=st.sampled_from([False, False, False, True]),
    piece=st.sampled_from([7, 64, 300, 1 << 20]),
    enough=st.sampled_from([1, 48, 400, 1 << 20]),
)


@fuzz(300)
@given(files(), manners, st.sampled_from(WAYS))
@example(b"\n".join([*GOOD, text({**INSIGHT}), b"{bad", *GOOD]), How(), "large")
def test_blocks_come_to_the_same_as_lines(content: bytes, how: How, way: str) -> None:
    """Hostile files: read whole, in blocks of a file and in those of a pipe."""
    assert_same(content, how, way)


@pytest.mark.parametrize("way", WAYS[1:])
@pytest.mark.parametrize("packed", [False, True], ids=["as it is", "gzip"])
def test_only_the_block_with_the_damage_is_read_plainly(way: str, packed: bool) -> None:
    """Records before and after it go the fast way, and are numbered on."""
    many = [*GOOD * 10, b"{bad", *GOOD * 10]
    content = b"\n".join(many)
    taken = assert_same(gzip.compress(content) if packed else content, How(enough=400), way)
    assert taken.count(False) == 1
    assert taken.count(True) > 5
    found, ledger, _ = read(Bytes(content), How(enough=400), Everything())
    assert len(found) == 80
    assert "position=79" in found[-1]
    assert [loss.position for loss in ledger.losses] == ["line 41"]


def test_a_file_of_one_form_after_another() -> None:
    """Nothing of one file is taken for another's: coverage of a file without records that follows a refused one."""
    reader = SourceReader(Limits(depth=4), Selection(), Everything(), coverage=True)
    recorder = Recorder()
    deep = text([{**CALL, "x": [[[[[1]]]]]}])
    assert list(reader.records(Bytes(deep), recorder)) == []
    assert recorder.coverage is not None
    before = recorder.coverage.coverage
    assert list(reader.records(Bytes(b'{"Records":[]}'), recorder)) == []
    assert recorder.coverage.coverage == before


def test_whoever_watches_is_told_block_by_block() -> None:
    """Also where nothing is given; how much was taken of the file only grows, though damage makes it begin anew."""
    content = gzip.compress(b"\n".join([text({**READ, "eventID": str(n)}) for n in range(300)]), 0)[:-1]
    recorder = Recorder()
    seen: list[tuple[int, int]] = []
    recorder.watch = lambda: seen.append((recorder.records, recorder.stored() if recorder.stored else -1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_reader, "_SMALL", 0)
        patch.setattr(inflate, "_CHUNK", 1000)
        patch.setattr(lines, "ENOUGH", 1000)
        assert not list(SourceReader(Limits(), Selection(), Wanted()).records(Bytes(content), recorder))
    assert len(seen) > 20
    assert seen == sorted(seen)
    assert 0 < seen[0][1] < seen[-1][1] <= len(content)
    assert recorder.ledger.losses[0].reason == "the gzip data is cut off"
    assert recorder.records == 300

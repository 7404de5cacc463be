"""Content → documents, plainly: what `probe` does faster must come to the same.

What a file is, its first bytes and its first line tell, never its name. A healthy log file is one call of the decoder;
JSON lines, log lines and tables are streamed. Where something is damaged, the records around the damage are rescued
one by one, and the damage is named. Of a repeated key the last one counts, and of lists of records all do; NaN and
infinity are read as Python reads them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import msgspec

from cloudsigma.reading.content import archive_formats as packing
from cloudsigma.reading.content import parquet, tables
from cloudsigma.reading.content.document import Document, loads, reason
from cloudsigma.reading.content.inflate import Damage
from cloudsigma.reading.content.lines import Block, blocks
from cloudsigma.reading.content.rescue import rescued
from cloudsigma.reading.scope.limits import Limits, text_nests_deeper

_UTF8 = b"\xef\xbb\xbf"
_WIDE = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_LOG_LINE = re.compile(
    rb"[ \t]*\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
    rb"[ \t]+(?:[^\s{}\"]{1,512}[ \t]+)?(?=\{)"
)
"""What stands before the record in a line of an exported log: a time, and perhaps the name of the stream."""
_LINES_LOOKED_AT = 20
_LONGEST_NAMES = 1 << 16
"""Bytes within which the names of a table must end where they stand in its second line."""
_COMMAS = b", \t\r\n\v\f"


def documents(chunks: Iterator[bytes], limits: Limits) -> Iterator[Document | Damage]:
    """The documents of a file's content, and the damage between them."""
    for found in contents(chunks, limits):
        if isinstance(found, Block):
            yield from line_documents(found, limits)
        else:
            yield found


def contents(chunks: Iterator[bytes], limits: Limits) -> Iterator[Document | Damage | Block]:
    """The same, with lines still in blocks: `line_documents` makes documents of them."""
    pieces: list[bytes] = []
    size = 0
    first_line = _FirstLine()
    for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if first_line.ends_in(chunk):
            break  # it says whether the file is read by lines
        if size > limits.document:
            yield Damage(f"the document is larger than {limits.said('document')}")
            return
    head = b"".join(pieces)
    while tables.is_announced(head) and head.strip().count(b"\n") < 2 and len(head) <= _LONGEST_NAMES:
        if not (chunk := next(chunks, b"")):
            break
        head += chunk
        size += len(chunk)
    if not head.strip():
        yield Damage("the file is empty")
        return
    if (packed := packing.refusal(head)) is not None:
        yield Damage(packed)
        return
    wide = head.startswith(tuple(mark for mark, _ in _WIDE))
    if not wide and not head.startswith(parquet.MAGIC):
        if _by_lines(head):
            yield from _lines(head, chunks, limits)
            return
        if (layout := tables.layout(head)) is not None:
            yield from tables.rows(layout, itertools.chain((head,), chunks), limits)
            return
    pieces = [head]
    for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size > limits.document:
            yield Damage(f"the document is larger than {limits.said('document')}")
            return
    content = b"".join(pieces)
    if content.startswith(parquet.MAGIC):
        yield from parquet.rows(content, limits)
    elif wide:
        yield from _wide(content, limits)
    else:
        yield from _whole(content.removeprefix(_UTF8), limits)


class _FirstLine:
    """Sees chunk by chunk whether the first line that is not empty has ended and something follows it."""

    def __init__(self) -> None:
        self._begun = False
        self._ended = False

    def ends_in(self, chunk: bytes) -> bool:
        text = chunk.strip()
        if text:
            if self._ended or b"\n" in (chunk.rstrip() if self._begun else text):
                return True
            self._begun = True
            chunk = chunk[len(chunk.rstrip()) :]
        self._ended = self._ended or (self._begun and b"\n" in chunk)
        return False


def _wide(data: bytes, limits: Limits) -> Iterator[Document | Damage]:
    """Text of two or four bytes a character, as its first bytes tell."""
    mark, encoding = next((mark, name) for mark, name in _WIDE if data.startswith(mark))
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError:
        yield Damage(f"the text is not {encoding.upper()}, which its first bytes promise")
        return
    content = text.encode()
    if content.startswith((*(mark for mark, _ in _WIDE), parquet.MAGIC)):
        yield Damage("the text is not JSON")
        return
    yield from documents(iter((content,)), limits)


def begins_with_lines(head: bytes) -> bool:
    """Whether the first line is a document of its own and more follows, so that every line is one."""
    line, newline, rest = head.removeprefix(_UTF8).lstrip().partition(b"\n")
    line = _without_commas(line)
    if not newline or not line.startswith((b"{", b"[", b'"{')) or not rest.strip():
        return False
    try:
        loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _by_lines(head: bytes) -> bool:
    """Whether the file is read by lines; those of exported logs begin in a way of their own."""
    return begins_with_lines(head) or any(
        _LOG_LINE.match(line) for line in head.removeprefix(_UTF8).split(b"\n", _LINES_LOOKED_AT)
    )


# --- lines --------------------------------------------------------------------------------------------------


def _lines(head: bytes, chunks: Iterator[bytes], limits: Limits) -> Iterator[Block | Damage]:
    for found in blocks(itertools.chain((head.removeprefix(_UTF8),), chunks), limits.document):
        yield found if isinstance(found, Block) else _too_long(found.number, limits)


def line_documents(block: Block, limits: Limits) -> Iterator[Document | Damage]:
    """The documents of lines, and the damage between them."""
    for number, line in enumerate(block.lines, block.number):
        if len(line) > limits.document:
            yield _too_long(number, limits)
        elif line.strip(_COMMAS):
            yield from _line(line, number, limits)


def _too_long(number: int, limits: Limits) -> Damage:
    return Damage(f"the line is longer than {limits.said('document')}", f"line {number}")


def _without_commas(line: bytes) -> bytes:
    """The line without commas around an object, which are left where it was taken out of an array."""
    inner = line.strip(_COMMAS)
    return inner if inner.startswith((b"{", b'"{')) else line


def _line(line: bytes, number: int, limits: Limits) -> Iterator[Document | Damage]:
    form = "lines"
    line = _without_commas(line.removeprefix(_UTF8))  # files were joined
    if before := _LOG_LINE.match(line):
        line = line[before.end() :]
        form = "log_lines"
    try:
        deep = text_nests_deeper(line, limits.depth)
        yield Document(loads(line.decode()), f"line {number}", form, len(line), deep)
    except UnicodeDecodeError as error:
        yield Damage(f"the text is not UTF-8 ({error.reason})", f"line {number}")
    except (ValueError, RecursionError) as error:
        found = list(rescued(line.decode(), limits))
        if not any(isinstance(part, Document) for part in found):
            yield Damage(reason(error, limits), f"line {number}")
            return
        for part in found:
            place = ", ".join([f"line {number}", *re.findall(r"^record \d+", part.position or "")])
            if isinstance(part, Damage):
                yield Damage(part.reason, place)
            else:
                yield msgspec.structs.replace(part, position=place)


# --- one document, or several end to end --------------------------------------------------------------------


def _whole(data: bytes, limits: Limits) -> Iterator[Document | Damage]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("utf-8", "surrogateescape")
    else:
        try:
            yield Document(loads(text), None, "whole", len(data), text_nests_deeper(data, limits.depth))
        except (ValueError, RecursionError):
            pass
        else:
            return
    yield from rescued(text, limits)

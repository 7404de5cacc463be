"""Content → documents: the plain decoder, whose results the faster `probe` must reproduce.

The first bytes and the first line decide the format; the file name is ignored. A healthy log file takes one call of
the decoder; JSON lines, log lines and tables are streamed. In a damaged file the records around the damage are rescued
one by one, and the damage is reported. The last of repeated keys counts, but repeated lists of records are all kept;
NaN and infinity are read as Python reads them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import msgspec

from cloudsigma.reading.content import archive_formats, parquet, tables
from cloudsigma.reading.content.document import VALIDATION, Document, loads, reason
from cloudsigma.reading.content.inflate import Damage
from cloudsigma.reading.content.lines import LOG_PREFIX, Block, blocks
from cloudsigma.reading.content.outline import Outline
from cloudsigma.reading.content.rescue import rescued
from cloudsigma.reading.scope.limits import Limits, text_nests_deeper

_UTF8 = b"\xef\xbb\xbf"
_WIDE = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_LOG_LINE = re.compile(LOG_PREFIX.encode() + rb"(?=\{)")
_LIST_OPENS = re.compile(rb'\s*(?:\{\s*"[A-Za-z]{1,20}"\s*:\s*)?\[')
"""The beginning of a list, whose elements may be one per line."""
_ONE_LINE = re.compile(rb"[{\[][^\r\n]")
"""The beginning of a line that may be a damaged document, and so does not vote."""
_VOTERS = 20
"""Lines inspected to decide whether a file has one document per line."""
_LONGEST_VOTE = 1 << 20
"""Longer lines are not decoded to decide whether they are whole, in bytes."""
_LONGEST_BALLOT = 64 << 20
"""Bytes after which the lines seen so far decide, even if they are fewer."""
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
    head, by_lines = _head(chunks, limits)
    if len(head) > limits.document and not by_lines:
        yield Damage(f"the document is larger than {limits.said('document')}")
        return
    if not head.strip():
        yield Damage("the file is empty")
        return
    if (refusal := archive_formats.refusal(head)) is not None:
        yield Damage(refusal)
        return
    wide = head.startswith(tuple(mark for mark, _ in _WIDE))
    if not wide and not head.startswith(parquet.MAGIC):
        layout = tables.layout(head)
        if by_lines and not (layout is not None and layout.known):
            yield from _lines(head, chunks, limits)
            return
        if layout is not None:
            yield from tables.rows(layout, itertools.chain((head,), chunks), limits)
            return
    pieces = [head]
    size = len(head)
    del head
    for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size > limits.document:
            yield Damage(f"the document is larger than {limits.said('document')}")
            return
    content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    del pieces
    if content.startswith(parquet.MAGIC):
        yield from parquet.rows(content, limits)
    elif wide:
        yield from _wide(content, limits)
    else:
        text = content.removeprefix(_UTF8)
        del content
        yield from _whole(text, limits)


def _head(chunks: Iterator[bytes], limits: Limits) -> tuple[bytes, bool]:
    """The beginning of a file, long enough to identify its format, and whether it is read by lines."""
    pieces: list[bytes] = []
    size = following = 0
    for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if b"\n" in chunk and size >= following:
            head = b"".join(pieces)
            pieces = [head]
            if (by_lines := has_lines(head)) is not None:
                return head, by_lines
            following = 2 * size if size > _LONGEST_VOTE else 0  # so that all attempts together take linear time
        if size > limits.document:
            return b"".join(pieces), False
    head = b"".join(pieces)
    return head, has_lines(head, whole=True) or False


def _wide(data: bytes, limits: Limits) -> Iterator[Document | Damage]:
    """Text of two or four bytes a character, recognized by its first bytes."""
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


def has_lines(head: bytes, *, whole: bool = False) -> bool | None:
    """Whether each line of a file is one document; `None` if more of the file is needed to decide.

    The first lines vote, so one damaged line decides nothing. Two whole lines at the beginning are enough, and so is
    one that begins like a line of an exported log. With `whole`, `head` is the whole file.
    """
    lines = head.removeprefix(_UTF8).split(b"\n", 4 * _VOTERS)
    if not whole:
        lines.pop()  # perhaps a part of a line
    lines = [line for line in lines if line.strip(_COMMAS)][:_VOTERS]
    if any(map(_LOG_LINE.match, lines)):
        return True
    whole_lines: list[bool] = []
    for line in lines:
        whole_lines.append(_is_document(line))
        if whole_lines == [True, True]:
            return True
    if not whole and (not lines or (len(lines) < _VOTERS and len(head) < _LONGEST_BALLOT)):
        return None
    if len(lines) < 2:
        return False
    first = whole_lines[0]
    if not first and (_LIST_OPENS.match(lines[0]) or _goes_on(b"\n".join(lines))):
        return False
    against = sum(not (vote or _ONE_LINE.match(line)) for line, vote in zip(lines, whole_lines, strict=True))
    return whole_lines.count(True) >= against + (not first)


def _is_document(line: bytes) -> bool:
    """Whether a line is a whole document."""
    line = _without_commas(line)
    if not line.startswith((b"{", b"[", b'"{')):
        return False
    if len(line) > _LONGEST_VOTE:
        return line.endswith((b"}", b"]", b'"'))
    try:
        loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _goes_on(lines: bytes) -> bool:
    """Whether the first lines are parts of one document."""
    text = lines.decode(errors="replace").lstrip()
    return text[:1] in ("{", "[") and Outline(text, 0, documents=True).step().what == "cut"


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
    """The line without the commas around its object, left over from an array."""
    inner = line.strip(_COMMAS)
    return inner if inner.startswith((b"{", b'"{')) else line


def _line(line: bytes, number: int, limits: Limits) -> Iterator[Document | Damage]:
    form = "lines"
    line = _without_commas(line.removeprefix(_UTF8))  # files were joined
    if before := _LOG_LINE.match(line):
        line = line[before.end() :]
        form = "log_lines"
    too_many = False
    try:
        if too_many := limits.has_too_many_values(line):
            raise ValueError  # noqa: TRY301  # handled as damage: its healthy records are read
        deep = text_nests_deeper(line, limits.depth)
        yield Document(loads(line.decode()), f"line {number}", form, len(line), deep)
    except UnicodeDecodeError as error:
        yield Damage(f"the text is not UTF-8 ({error.reason})", f"line {number}")
    except (ValueError, RecursionError) as error:
        found = list(rescued(line.decode(), limits))
        if not any(isinstance(part, Document) for part in found):
            yield Damage(limits.too_many_values if too_many else reason(error, limits), f"line {number}")
            return
        for part in found:
            place = ", ".join([f"line {number}", *re.findall(r"^record \d+", part.position or "")])
            yield msgspec.structs.replace(part, position=place)


# --- one document, or several end to end --------------------------------------------------------------------


def _whole(data: bytes, limits: Limits) -> Iterator[Document | Damage]:
    size = len(data)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("utf-8", "surrogateescape")
    else:
        if text.lstrip().startswith(VALIDATION):
            yield Document(text, None, "whole", size)
            return
        if not limits.has_too_many_values(data):
            try:
                yield Document(loads(text), None, "whole", size, text_nests_deeper(data, limits.depth))
            except (ValueError, RecursionError):
                pass
            else:
                return
    del data
    yield from rescued(text, limits)

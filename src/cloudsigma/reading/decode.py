"""Content → JSON documents, plainly: what `probe` does faster must come to the same.

A healthy log file is one call of the decoder; JSON lines are streamed. Where something is damaged, the records around
the damage are rescued one by one, and the damage is named. Of a repeated key the last one counts; NaN and infinity are
read as Python reads them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from cloudsigma.reading.inflate import Damage, Limits

_ENCODINGS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_SPACE = re.compile(r"[ \t\r\n]*")
_RECORDS = re.compile(r'(?:\{[ \t\r\n]*"[Rr]ecords"[ \t\r\n]*:[ \t\r\n]*)?\[')
_RECORD_START = re.compile(
    r'\{\s*"(?:eventVersion|userIdentity|eventTime|eventID|eventName|eventSource|awsRegion)"\s*:'
)
_BROKEN_BYTES = re.compile("[\udc80-\udcff]")


def _integer(digits: str) -> int | Decimal:
    """An integer of any length: Python refuses to make an `int` of very many digits, which takes it too long."""
    return int(digits) if len(digits) < _LONG else Decimal(digits)


_LONG = 4000
_DECODER = json.JSONDecoder()
_TOLERANT = json.JSONDecoder(parse_int=_integer)


class Document(msgspec.Struct, frozen=True):
    """One JSON document of a file."""

    value: Any
    position: str | None
    """Where it stands, if the file has several."""
    form: str
    """`whole`, `lines` or `objects`; `rescued` of an element that stood in a damaged document."""


def loads(text: str | bytes) -> Any:
    """One JSON document; raises `ValueError` where it is damaged and `RecursionError` where it nests too deep."""
    try:
        return json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        return _TOLERANT.decode(text if isinstance(text, str) else text.decode())


def documents(chunks: Iterator[bytes], limits: Limits) -> Iterator[Document | Damage]:
    """The JSON documents of a file's content, and the damage between them."""
    pieces: list[bytes] = []
    size = 0
    for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if b"\n" in chunk and b"".join(pieces).strip().find(b"\n") >= 0:
            break  # the first line is here: it says whether the file is read by lines
        if size > limits.document:
            yield Damage(f"the document is larger than {limits.document:,} bytes")
            return
    head = b"".join(pieces)
    if not head.strip():
        yield Damage("the file is empty")
        return
    if not head.startswith(tuple(mark for mark, _ in _ENCODINGS[1:])) and _starts_with_line(head):
        yield from _lines(head, chunks, limits)
        return
    pieces = [head]
    for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size > limits.document:
            yield Damage(f"the document is larger than {limits.document:,} bytes")
            return
    yield from _whole(b"".join(pieces))


def _starts_with_line(head: bytes) -> bool:
    """Whether the first line is a document of its own and more follows."""
    line, newline, rest = head.removeprefix(_ENCODINGS[0][0]).lstrip().partition(b"\n")
    if not newline or line[:1] not in (b"{", b"[") or not rest.strip():
        return False
    try:
        loads(line)
    except (ValueError, RecursionError):
        return False
    return True


# --- JSON lines ---------------------------------------------------------------------------------------------


def _lines(head: bytes, chunks: Iterator[bytes], limits: Limits) -> Iterator[Document | Damage]:
    number = 0
    rest = head.removeprefix(_ENCODINGS[0][0])
    for chunk in chunks:
        *lines, last = rest.split(b"\n")
        for line in lines:
            number += 1
            yield from _line(line, number)
        rest = last + chunk
        if len(rest) > limits.document:
            yield Damage(
                f"the line is longer than {limits.document:,} bytes; the rest is not read", f"line {number + 1}"
            )
            return
    for line in rest.split(b"\n"):
        number += 1
        yield from _line(line, number)


def _line(line: bytes, number: int) -> Iterator[Document | Damage]:
    if not line.strip():
        return
    try:
        yield Document(loads(line.decode()), f"line {number}", "lines")
    except UnicodeDecodeError as error:
        yield Damage(f"the text is not UTF-8 ({error.reason})", f"line {number}")
    except (ValueError, RecursionError) as error:
        text = line.decode()
        found = list(_objects(text))
        if sum(isinstance(part, Document) for part in found) and not any(isinstance(part, Damage) for part in found):
            yield from found
        else:
            yield Damage(reason(error), f"line {number}")


# --- one document, or several end to end --------------------------------------------------------------------


def _whole(data: bytes) -> Iterator[Document | Damage]:
    encoding = "utf-8"
    for mark, name in _ENCODINGS:
        if data.startswith(mark):
            data, encoding = data[len(mark) :], name
            break
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8":
            yield Damage(f"the text is not {encoding.upper()}, which its first bytes promise")
            return
        text = data.decode("utf-8", "surrogateescape")
    else:
        try:
            yield Document(loads(text), None, "whole")
        except (ValueError, RecursionError):
            pass
        else:
            return
    yield from _objects(text)


def _objects(text: str) -> Iterator[Document | Damage]:
    """Documents end to end; after damage, what can be rescued."""
    start = at = _skip(text, 0)
    while at < len(text):
        try:
            value, end = _decode_at(text, at)
        except (ValueError, RecursionError) as error:
            inside = _RECORDS.match(text, at)
            if inside is not None:
                at = yield from _elements(text, inside.end())
            else:
                if at == start and text[at] not in "{[":
                    yield Damage("the text is not JSON")
                else:
                    yield Damage(reason(error), _position(text, _where(error, at)))
                at = _next_document(text, at)
        else:
            yield Document(value, _position(text, at), "objects")
            at = end
        at = _skip(text, at)


def _elements(text: str, at: int) -> Generator[Document | Damage, None, int]:
    """The healthy elements of a damaged array of records; returns where to go on."""
    index = 0
    told = False
    while True:
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            end = _skip(text, at + 1)
            return end + 1 if text[end : end + 1] == "}" else end
        try:
            value, end = _decode_at(text, at)
            after = _skip(text, end)
            if text[after : after + 1] not in (",", "]"):
                yield Document(value, f"record {index}", "rescued")
                raise json.JSONDecodeError("Expecting ',' delimiter", text, after)
        except (ValueError, RecursionError) as error:
            place = _where(error, at)
            if not (told and place >= len(text)):  # a cut was told where its record starts
                yield Damage(reason(error), f"record {index}, {_position(text, place)}")
            told = True
            at = _next_record(text, max(at + 1, at if place <= at else at + 1))
            if at < 0:
                return len(text)
        else:
            yield Document(value, f"record {index}", "rescued")
            at = after + 1 if text[after] == "," else after
        index += 1


def _next_record(text: str, at: int) -> int:
    """The next place that starts what is a whole record; -1 if there is none."""
    for found in _RECORD_START.finditer(text, at):
        try:
            value, _ = _decode_at(text, found.start())
        except (ValueError, RecursionError):
            continue
        if "eventVersion" in value or {"eventName", "eventSource"} <= value.keys():
            return found.start()
    return -1


def _next_document(text: str, at: int) -> int:
    """The next line that starts with a bracket in its first column."""
    return min((place for place in (text.find("\n{", at), text.find("\n[", at)) if place >= 0), default=len(text))


def _decode_at(text: str, at: int) -> tuple[Any, int]:
    try:
        value, end = _DECODER.raw_decode(text, at)
    except json.JSONDecodeError:
        raise
    except ValueError:
        value, end = _TOLERANT.raw_decode(text, at)
    if not isinstance(value, (dict, list)):
        raise json.JSONDecodeError("Expecting an object or an array", text, at)
    if not text.isascii() and (broken := _BROKEN_BYTES.search(text, at, end)):
        raise json.JSONDecodeError("Bytes that are not UTF-8", text, broken.start())
    return value, end


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _where(error: Exception, at: int) -> int:
    return error.pos if isinstance(error, json.JSONDecodeError) else at


def _position(text: str, at: int) -> str:
    return f"line {text.count(chr(10), 0, at) + 1}, column {at - text.rfind(chr(10), 0, at)}"


def reason(error: Exception) -> str:
    """What a decoder's exception means, in words for people."""
    if isinstance(error, RecursionError):
        return "the JSON nests too deep"
    if isinstance(error, json.JSONDecodeError):
        return f"the JSON is damaged ({error.msg[:1].lower()}{error.msg[1:]})"
    return f"the JSON cannot be read ({str(error).split(';')[0]})"

"""What can be read of damaged JSON: documents end to end, and the healthy elements of a damaged array.

Only arrays that envelopes are known to hold their records in are entered, so that a part of a damaged record is never
taken for a record. An element is given in its envelope again, as the only one in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from typing import Any

import msgspec

from cloudsigma.reading.content.document import (
    DECODER,
    LISTS,
    TOLERANT,
    Document,
    reason,
    with_every_list,
    without_missing,
)
from cloudsigma.reading.content.inflate import Damage
from cloudsigma.reading.scope.limits import Limits

_SPACE = re.compile("[ \t\r\n\ufeff]*")  # a byte order mark too, which stands inside where files were joined
_BETWEEN = re.compile("[ \t\r\n\ufeff,]*+(?=[{]|\\Z)")
"""What may separate documents: commas only before objects, as elements of an array are."""
_ARRAYS = frozenset({"records", "events", "logevents", "results", "hits", "rows", "queryresultrows", "messages"})
"""Names, in lower case, of members whose elements envelopes carry their records in."""
_AROUND = frozenset({"hits", "resultset"})
"""Names of objects that may stand around such a member."""
_HEADED = "rows"
"""The member whose first element names the columns of the others."""
_NAMING = "ResultSetMetadata"
"""The member that names them on every page; where it stands before, no row need be a header."""
_RECORD_START = re.compile(
    r'\{\s*"(?:eventVersion|userIdentity|eventTime|eventID|eventName|eventSource|awsRegion)"\s*:'
)
_ROW_START = re.compile(r"\[\s*\{")
_FIRST_KEY = re.compile(r'[\[{,\s]*\{\s*("[^"\\]{1,60}")\s*:')
_DOCUMENT_START = re.compile(r"\n(?=[{\[])")
_BROKEN_BYTES = re.compile("[\udc80-\udcff]")
_DEEPEST = 3
"""Objects around an array that are looked into."""
_EFFORT = 8
"""How many times its own length a text may be looked at in search of what is healthy."""
_WINDOW = 1 << 16
"""Characters given to the decoder at first: its errors count the lines of all that it was given."""


def rescued(text: str, limits: Limits) -> Iterator[Document | Damage]:
    """The documents that stand end to end in a text; after damage, what is healthy; and the damage."""
    return _Rescue(text, limits).documents()


class _DamageAt(Exception):  # noqa: N818  # never leaves this module
    """There is no whole value at a place."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why, at)
        self.why = why
        self.at = at


class _Array(msgspec.Struct, frozen=True):
    """An array in a damaged document."""

    start: int
    """Where its first element begins."""
    around: tuple[tuple[dict[str, Any], str], ...] = ()
    """The objects around it, from outside: what was read of each, and the member that leads inside."""

    @property
    def name(self) -> str:
        return self.around[-1][1].lower() if self.around else ""

    def holding(self, *elements: Any) -> Any:
        """The document as it would be with these elements alone."""
        value: Any = list(elements)
        for before, name in reversed(self.around):
            value = {**before, name: value}
        return value


class _Rescue:
    def __init__(self, text: str, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._ascii = text.isascii()
        self._effort = _EFFORT * len(text) + (1 << 20)
        self._counted = (0, 1, -1)  # up to where lines were counted, the line there, the line end before it

    def documents(self) -> Iterator[Document | Damage]:
        text = self._text
        start = at = self._skip(0, _BETWEEN)
        if at == len(text):
            yield Damage("the text is not JSON")
        while at < len(text):
            try:
                value, end = self._decode(at)
            except _DamageAt as damage:
                array = self._array(at)
                if array is not None:
                    for before, _ in array.around[:1]:
                        if lists := {key: before.pop(key) for key in LISTS if before.get(key)}:
                            yield Document(lists, None, "rescued")  # once, not with each element
                    at = yield from self._elements(array)
                elif at == start and text[at] not in "{[":
                    yield Damage("the text is not JSON")
                    at = self._next_document(at)
                else:
                    yield Damage(damage.why, self._position(damage.at))
                    at = self._next_document(at)
                if self._effort < 0:
                    yield Damage("too much is damaged to look further", self._position(at))
                    return
            else:
                yield Document(value, self._position(at), "objects", self._most_bytes(at, end))
                at = end
            at = self._skip(at, _BETWEEN)

    # --- arrays ---------------------------------------------------------------------------------------------

    def _array(self, at: int) -> _Array | None:
        """The array of records in the document at a place; `None` where it has none."""
        around: list[tuple[dict[str, Any], str]] = []
        while len(around) <= _DEEPEST:
            if self._text[at : at + 1] == "[":
                return _Array(at + 1, tuple(around))
            inside = self._member(at)
            if inside is None:
                return None
            before, name, at = inside
            around.append((before, name))
        return None

    def _member(self, at: int) -> tuple[dict[str, Any], str, int] | None:
        """Of the object at a place, the member to enter: what stands before it, its name, where it begins.

        It is the one that is damaged, or the last that may hold records, where the damage comes later.
        """
        text = self._text
        if text[at : at + 1] != "{":
            return None
        before: dict[str, Any] = {}
        healthy: tuple[dict[str, Any], str, int] | None = None
        at = self._skip(at + 1)
        try:
            while text[at : at + 1] == '"':
                name, at = self._scan(at)
                at = self._skip(at)
                if text[at : at + 1] != ":":
                    break
                at = self._skip(at + 1)
                opening = text[at : at + 1]
                if (opening == "[" and name.lower() in _ARRAYS) or (opening == "{" and name.lower() in _AROUND):
                    healthy = ({**before}, name, at)
                    value, end = self._decode(at)
                else:
                    value, end = self._scan(at)
                if name in LISTS and isinstance(value, list) and isinstance(before.get(name), list):
                    value = before[name] + value
                before[name] = value
                at = self._skip(end)
                if text[at : at + 1] != ",":
                    break
                at = self._skip(at + 1)
        except _DamageAt:
            pass
        return None if "eventName" in before else healthy

    def _elements(self, array: _Array) -> Generator[Document | Damage, None, int]:
        """The healthy elements of a damaged array; returns where to go on."""
        text = self._text
        starts = self._starts(array)
        index = 0
        told = False
        header: tuple[Any, ...] = ()
        at = array.start
        while True:
            at = self._skip(at)
            if text[at : at + 1] == "]":
                end, damaged = self._close(at + 1, array)
                if damaged and not told:
                    yield Damage("the JSON is damaged after the last record", self._position(end))
                return self._next_document(end) if damaged else end
            value, after, damage = self._element(at)
            if value is not None:
                size = self._most_bytes(at, after)
                yield Document(array.holding(*header, value), f"record {index}", "rescued", size)
                if array.name == _HEADED and not header and not array.around[-1][0].get(_NAMING):
                    header = (value,)
            if damage is None:
                at = after + 1 if text[after] == "," else after
            else:
                if not (told and damage.at >= len(text)):  # a cut was told where its record starts
                    yield Damage(damage.why, f"record {index}, {self._position(damage.at)}")
                told = True
                # Not within an element that is whole: what stands in it is no record.
                at = self._next_element(starts, max(at + 1, after if value is not None else 0))
                if at < 0:
                    return len(text)
            index += 1

    def _element(self, at: int) -> tuple[Any, int, _DamageAt | None]:
        """The element at a place if it is whole, where what follows it begins, and what is damaged of the two."""
        try:
            value, end = self._decode(at)
        except _DamageAt as damage:
            return None, at, damage
        after = self._skip(end)
        follows = self._text[after : after + 1] in (",", "]") and after < len(self._text)
        return value, after, None if follows else _DamageAt("the JSON is damaged (expecting ',' delimiter)", after)

    def _starts(self, array: _Array) -> re.Pattern[str]:
        """What the elements of an array begin with."""
        if _ROW_START.match(self._text, self._skip(array.start)):
            return _ROW_START
        first = _FIRST_KEY.match(self._text, array.start)
        if array.name in ("", "records") or first is None:
            return _RECORD_START
        return re.compile(r"\{\s*" + re.escape(first[1]) + r"\s*:")

    def _next_element(self, starts: re.Pattern[str], at: int) -> int:
        """The next place that starts what is a whole element; -1 if there is none."""
        for found in starts.finditer(self._text, at):
            if self._effort < 0:
                return -1
            try:
                value, _ = self._decode(found.start())
            except _DamageAt:
                continue
            if starts is not _RECORD_START or "eventVersion" in value or {"eventName", "eventSource"} <= value.keys():
                return found.start()
        return -1

    def _close(self, at: int, array: _Array) -> tuple[int, bool]:
        """Where the document ends whose array ends at a place, and whether what is between is damaged."""
        text = self._text
        for _ in array.around:
            at = self._skip(at)
            while text[at : at + 1] == ",":
                try:
                    _, at = self._scan(self._skip(at + 1))
                    at = self._skip(at)
                    if text[at : at + 1] != ":":
                        return at, True
                    _, at = self._scan(self._skip(at + 1))
                except _DamageAt:
                    return at, True
                at = self._skip(at)
            if text[at : at + 1] != "}":
                return at, True
            at += 1
        return at, False

    # --- places ---------------------------------------------------------------------------------------------

    def _decode(self, at: int) -> tuple[Any, int]:
        """The object or array at a place, and where it ends."""
        value, end = self._scan(at)
        if not isinstance(value, (dict, list)):
            self._effort -= end - at
            raise _DamageAt("the JSON is damaged (expecting an object or an array)", at)
        if not self._ascii and (broken := _BROKEN_BYTES.search(self._text, at, end)):
            self._effort -= end - at
            raise _DamageAt("the JSON is damaged (bytes that are not UTF-8)", broken.start())
        return value, end

    def _scan(self, at: int) -> tuple[Any, int]:
        """The value at a place, and where it ends; what fails is an effort."""
        size = _WINDOW
        while True:
            window = self._text[at : at + size]
            whole = at + size >= len(self._text)
            try:
                value, end = _decoded(window)
            except json.JSONDecodeError as error:
                far = error.pos > len(window) - 16 or error.msg.startswith("Unterminated")
                self._effort -= 200 + (len(window) if far else error.pos)
                if whole or not far:
                    raise _DamageAt(reason(error, self._limits), at + error.pos) from None
            except (ValueError, RecursionError) as error:
                self._effort -= 20_000
                raise _DamageAt(reason(error, self._limits), at) from None
            else:
                if whole or end < len(window):
                    return value, at + end
            size *= 8

    def _next_document(self, at: int) -> int:
        """The next line that starts with a bracket in its first column."""
        found = _DOCUMENT_START.search(self._text, at)
        return found.end() if found else len(self._text)

    def _most_bytes(self, start: int, end: int) -> int:
        """Bytes that a part of the text has at most."""
        return (end - start) * (1 if self._ascii else 4)

    def _skip(self, at: int, blank: re.Pattern[str] = _SPACE) -> int:
        found = blank.match(self._text, at) or _SPACE.match(self._text, at)
        return found.end() if found else at

    def _position(self, at: int) -> str:
        counted, line, ended = self._counted if at >= self._counted[0] else (0, 1, -1)
        if more := self._text.count("\n", counted, at):
            line += more
            ended = self._text.rfind("\n", counted, at)
        self._counted = (at, line, ended)
        return f"line {line}, column {at - ended}"


def _decoded(text: str) -> tuple[Any, int]:
    try:
        value, end = DECODER.raw_decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        value, end = TOLERANT.raw_decode(text)
    return with_every_list(without_missing(value, text[:end]), text[:end]), end

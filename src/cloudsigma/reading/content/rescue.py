"""Damaged JSON → its healthy documents, and the healthy elements of a damaged list.

A part of a damaged record must never become a record, whatever keys a caller chose in it. So the level of nesting is
followed through the damage (`outline`), and an element begins behind a comma on the list's own level. Where damage hit
a bracket or a quote, that level is in doubt: then an object is an element if all that follows it agrees.

Only lists that envelopes are known to hold their records in are entered. An element is given in its envelope again, as
the only one in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from typing import Any, Literal

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
from cloudsigma.reading.content.lines import LOG_PREFIX
from cloudsigma.reading.content.outline import Outline, end_of, keys_from
from cloudsigma.reading.scope.limits import Limits, values_in

_SPACE = re.compile("[ \t\r\n\ufeff]*")  # a byte order mark too, which stands inside where files were joined
_BETWEEN = re.compile(rf"(?:[ \t\r\n\ufeff,]*+(?:{LOG_PREFIX}\s*)?)(?=[{{]|\Z)")
"""Text that may separate documents: commas and times only before objects, as in lists and exported logs."""
_ARRAYS = frozenset({"records", "events", "logevents", "results", "hits", "rows", "queryresultrows", "messages"})
"""Names, in lower case, of members whose elements envelopes carry their records in."""
_AROUND = frozenset({"hits", "resultset"})
"""Names of objects that may stand around such a member."""
_HEADED = "rows"
"""The member whose first element names the columns of the others."""
_NAMING = "ResultSetMetadata"
"""The member that names them on every page; where it stands before, no row need be a header."""
_OF_A_RECORD = frozenset({"eventName", "eventVersion", "userIdentity", "eventTime", "sourceIPAddress", "eventCategory"})
"""Members that a record has and no envelope: a list behind them is a part of a record."""
_DAMAGED_HEAD = re.compile(r'.?[^\[\]{}:,]{0,40}:?[^\[\]{}:,]{0,8}\[\s*(?=\{\s*"[A-Za-z])|\{\s*"[Rr]ecords"\s*:?\s*[^"]?\s*(?=\{\s*"[A-Za-z])')
"""The beginning of a log file, up to its first record, in which something is damaged."""
_ELEMENT = re.compile(r'\{\s*"[A-Za-z@_$]')
_KEY = re.compile(r'"[A-Za-z@_$]')
_ROW = re.compile(r'\[\s*\{\s*"[A-Za-z@_$]')
"""How an element begins. Where a quote was lost, text between strings reads as keys: it has no letters."""
_BOUNDARY = re.compile(r"[}\]][ \t\r\n\ufeff]*(?=[{\[])|\n(?=[{\[])")
"""Text between two documents, which stands in no healthy JSON except behind a comma, a colon or an opening bracket."""
_ENDING = re.compile(r"[\s}\]]*")
_BROKEN_BYTES = re.compile("[\udc80-\udcff]")
_DEEPEST = 3
"""Objects around a list that are looked into."""
_EFFORT = 8
"""How many times its own length a text may be looked at in search of what is healthy."""
_AHEAD = 1 << 18
"""Characters behind an object that are looked at to tell whether it is an element of the list: AWS writes no larger
record."""
_UNSURE = 1
"""Levels by which damage to one bracket changes those of the text behind it. Lists of callers are deeper in a record."""
_WINDOW = 1 << 16
"""Characters given to the decoder at first: its errors count the lines of all that it was given."""


def rescued(text: str, limits: Limits) -> Iterator[Document | Damage]:
    """The documents that stand end to end in a text; after damage, the healthy parts; and the damage."""
    return _Rescue(text, limits).documents()


class _DamageAt(Exception):  # noqa: N818  # never leaves this module
    """There is no whole value at a place."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why, at)
        self.why = why
        self.at = at


class _Array(msgspec.Struct, frozen=True):
    """A list in a damaged document."""

    start: int
    """Where its first element begins."""
    around: tuple[tuple[dict[str, Any], str], ...] = ()
    """The objects around it, from outside: the members before it, and the member that leads inside."""
    known: bool = True
    """Whether the document is healthy up to the list; if not, other brackets may close behind it."""

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
        form = "log_lines" if text[:at].strip("\ufeff \t\r\n,") else "objects"
        if at == len(text):
            yield Damage("the text is not JSON")
        while at < len(text):
            try:
                value, end = self._decode(at)
            except _DamageAt as damage:
                array = self._array(at) or self._after_damaged_head(at, damage.at)
                if array is not None:
                    if not array.known:
                        yield Damage(damage.why, self._position(damage.at))
                    for before, _ in array.around[:1]:
                        if lists := {key: before.pop(key) for key in LISTS if before.get(key)}:
                            yield Document(lists, None, "rescued")  # once, not with each element
                    at = yield from self._elements(array)
                else:
                    not_json = at == start and text[at] not in "{["
                    yield Damage("the text is not JSON") if not_json else Damage(
                        damage.why, self._position(damage.at)
                    )
                    at = self._search_document(at) if not_json else self._next_document(at, damage.at)
                if self._effort < 0:
                    yield Damage("too much is damaged to look further", self._position(at))
                    return
            else:
                if self._is_part(end):  # the beginning of the file is missing
                    yield Damage("the JSON is damaged (extra data)", self._position(end))
                    array = self._after_damaged_head(self._skip(end), end) if at == start else None
                    at = (yield from self._elements(array)) if array is not None else self._search_document(end)
                else:
                    yield Document(value, self._position(at), form, self._most_bytes(at, end))
                    at = end
            at = self._skip(at, _BETWEEN)

    # --- lists ----------------------------------------------------------------------------------------------

    def _array(self, at: int) -> _Array | None:
        """The list of records in the document at a place; `None` where it has none."""
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
        """Of the object at a place, the member to enter: the members before it, its name, where it begins.

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
        return None if _OF_A_RECORD & before.keys() else healthy

    def _after_damaged_head(self, at: int, damaged: int) -> _Array | None:
        """The list of a log file whose first few characters are damaged, or of one whose beginning is missing."""
        head = _DAMAGED_HEAD.match(self._text, at)
        if head is not None and at <= damaged <= head.end():
            return _Array(head.end(), (({}, "Records"),), known=False)
        if self._text[at : at + 1] in ("{", "[", "") or (at != self._skip(0, _BETWEEN) and at != damaged):
            return None
        array = _Array(at, (({}, "Records"),), known=False)
        start, _ = self._search_element(array, at)
        return msgspec.structs.replace(array, start=start) if start >= 0 else None

    def _elements(self, array: _Array) -> Generator[Document | Damage, None, int]:
        """The healthy elements of a damaged list; returns where to go on."""
        text = self._text
        index = 0
        told = not array.known
        header: tuple[Any, ...] = ()
        at = array.start
        while True:
            at = self._skip(at)
            if text[at : at + 1] == "]":
                end, damaged = self._close(at + 1, array)
                if damaged and not told:
                    yield Damage("the JSON is damaged after the last record", self._position(end))
                return self._search_document(end) if damaged else end
            value, after, damage = self._element(at)
            if value is not None:
                size = self._most_bytes(at, after)
                yield Document(array.holding(*header, value), f"record {index}", "rescued", size)
                if array.name == _HEADED and not header and not array.around[-1][0].get(_NAMING):
                    header = (value,)
            if damage is None:
                at = after + 1 if text[after] == "," else after
                index += 1
                continue
            start, passed, inside = self._next_element(array, at, after, damage, whole=value is not None)
            lost = passed - (1 if value is not None else 0)
            if not (told and damage.at >= len(text)):  # a cut was told where its record starts
                yield Damage(damage.why, f"record {index}, {self._position(damage.at)}", lost)
            told = True
            index += passed
            if not inside or self._effort < 0:
                return start
            at = start

    def _element(self, at: int) -> tuple[Any, int, _DamageAt | None]:
        """The element at a place if it is whole, where the text behind it begins, and the damage in either."""
        text = self._text
        try:
            value, end = self._decode(at)
        except _DamageAt as damage:
            return None, at, damage
        after = self._skip(end)
        follows = text[after : after + 1]
        following = self._skip(after + 1) if follows == "," else after
        if follows == "]" or (follows == "," and text[following : following + 1] in ("{", "[")):
            return value, after, None
        damage = _DamageAt("the JSON is damaged (expecting ',' delimiter)", after)
        if isinstance(value, dict) and text[following : following + 1] == '"':
            # Either a bracket too many has ended this element early, and its other members follow, or the next element
            # has lost its bracket. Objects name no member twice.
            keys = keys_from(text, following, _AHEAD)
            if keys and keys.isdisjoint(value):
                return None, at, damage
        return value, after, damage

    def _next_element(
        self, array: _Array, at: int, after: int, damage: _DamageAt, *, whole: bool
    ) -> tuple[int, int, bool]:
        """Where to go on, how many elements that is on, and whether it is within the list.

        The element `at` a place is damaged or, if it is `whole`, the text `after` it.
        """
        text = self._text
        if whole:
            outline = Outline(text, after, between=True)
        elif damage.why == self._limits.too_many_values:
            outline = Outline(text, end_of(text, at), between=True)
        else:
            outline = Outline(text, at, between=text[at : at + 1] not in ("{", "["))
        event = outline.step()
        while event.what == "element" and not whole and event.at <= damage.at and damage.at > at:
            event = outline.step()
        if event.what in ("element", "end"):
            return event.at, int(whole or outline.behind_comma or text[at] in "{["), True
        if event.what == "cut":
            return len(text), 1, False
        start, passed = self._search_element(array, max(event.at, at + 1), outline)
        if start >= 0:
            bare = whole and _KEY.match(text, event.at)  # an element that has lost its bracket
            return start, passed + bool(bare), True
        return self._search_document(event.at, lines=True), 1, False

    def _search_element(self, array: _Array, at: int, outline: Outline | None = None) -> tuple[int, int]:
        """The next element behind damage that leaves the level in doubt; -1 if there is none. And how many it is on.

        An object can be one if it stands behind a comma, is whole, and the text that follows agrees.
        """
        text = self._text
        starts = _ROW if text[self._skip(array.start) : self._skip(array.start) + 1] == "[" else _ELEMENT
        passed = 1
        for found in starts.finditer(text, at):
            start = found.start()
            if self._effort < 0:
                break
            if start < at or (before := self._before(start)) not in (",", "}", '"'):
                continue
            outside = outline is not None and before == "," and outline.level_at(start) <= _UNSURE
            try:
                value, _ = self._decode(start)
            except _DamageAt:
                if outside:  # the next element is damaged, too
                    passed += 1
                    outline = Outline(text, start)
                    event = outline.step()
                    if event.what in ("element", "end"):
                        return event.at, passed
                    at = event.at
                continue
            agrees, end = self._follows(array, start)
            if agrees == "end" or (agrees == "open" and outside and _may_be_element(value, array)):
                return start, passed
            if agrees == "inner":
                at = end
        return -1, 1

    def _follows(self, array: _Array, at: int) -> tuple[Literal["end", "inner", "open"], int]:
        """Whether the text behind an object says that it is an element of the list.

        `end`: so it does, up to the end of the document. `inner`: it is in a list or object that ends before. `open`:
        the text ends, or the next damage comes, before that is known.
        """
        text = self._text
        first = at
        strict = True
        while at <= first + _AHEAD:
            try:
                _, end = self._decode(at)
            except _DamageAt:
                event = Outline(text, at).step()
                if event.what == "element":
                    at, strict = event.at, False
                    continue
                if event.what != "end":
                    break
                after = event.at
            else:
                after = self._skip(end)
            follows = text[after : after + 1]
            following = self._skip(after + 1)
            if follows == "]":
                closed, damaged = self._close(after + 1, array)
                if not damaged and self._is_over(closed):
                    return "end", closed
                return ("inner", after) if strict else ("open", at)
            if follows == "}" and _ENDING.match(text, after).end() == len(text):
                break
            if follows == "}" or (follows == "," and text[following : following + 1] not in ("{", "[")):
                return ("inner", after) if at == first else ("open", at)
            if follows != ",":
                break
            at = following
        return "open", at

    def _is_over(self, at: int) -> bool:
        at = self._skip(at)
        return at == len(self._text) or self._text[at] in "{["

    def _close(self, at: int, array: _Array) -> tuple[int, bool]:
        """Where the document ends whose list ends at a place, and whether the text between is damaged."""
        text = self._text
        if not array.known:
            found = _ENDING.match(text, at)
            return (found.end(), False) if found else (at, True)
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

    # --- documents ------------------------------------------------------------------------------------------

    def _is_part(self, end: int) -> bool:
        """Whether the text behind an object says that it is a part of something, not a document."""
        text = self._text
        after = self._skip(end)
        if text[after : after + 1] in ("}", "]"):
            return _ENDING.match(text, after).end() < len(text)  # type: ignore[union-attr]  # it matches everywhere
        return text[after : after + 1] == "," and text[self._skip(after + 1) : self._skip(after + 1) + 1] == '"'

    def _next_document(self, at: int, damaged: int) -> int:
        """The next document behind one that is damaged."""
        outline = Outline(self._text, at, documents=True)
        event = outline.step()
        while event.what == "element" and event.at <= damaged:
            event = outline.step()
        return event.at if event.what in ("element", "cut") else self._search_document(max(event.at, at + 1))

    def _search_document(self, at: int, *, lines: bool = False) -> int:
        """The next place where a document begins: at no place of a list or an object, and with none ending behind it.

        With `lines` it begins a line, since the level is in doubt.
        """
        text = self._text
        for found in _BOUNDARY.finditer(text, at):
            start = found.end()
            if text[start - 1] == "\n":
                if self._before(start) in (",", ":", "{", "["):
                    continue
            elif lines:
                continue
            if self._effort < 0:
                break
            try:
                _, end = self._decode(start)
            except _DamageAt:
                if Outline(text, start, documents=True).step().what != "doubt":
                    return start
            else:
                if text[self._skip(end, _BETWEEN) : self._skip(end, _BETWEEN) + 1] not in ("]", "}", ",", ":"):
                    return start
        return len(text)

    def _before(self, at: int) -> str:
        """The last character before a place that is not blank."""
        return self._text[max(0, at - 200) : at].rstrip()[-1:]

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
        """The value at a place, and where it ends; failed attempts use up the effort."""
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
                    if self._limits.has_too_many_values(window[:end]):
                        raise _DamageAt(self._limits.too_many_values, at)
                    return value, at + end
            if values_in(window) > self._limits.values:
                raise _DamageAt(self._limits.too_many_values, at)
            size *= 2 if values_in(window) > self._limits.values // 8 else 8

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


def _may_be_element(value: Any, array: _Array) -> bool:
    """Whether an object looks like an element of a list of this name."""
    if array.name not in ("", "records") or not isinstance(value, dict):
        return True
    return "eventVersion" in value or {"eventName", "eventSource"} <= value.keys()


def _decoded(text: str) -> tuple[Any, int]:
    try:
        value, end = DECODER.raw_decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        value, end = TOLERANT.raw_decode(text)
    return with_every_list(without_missing(value, text[:end]), text[:end]), end

"""The elements of a damaged list: which are healthy, and where the next one begins."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from cloudsigma.reading.content.damaged_text import BETWEEN, DamageAt, DamagedText
from cloudsigma.reading.content.outline import Outline, end_of, keys_from

_ELEMENT = re.compile(r'\{\s*"[A-Za-z@_$]')
_BEHIND = re.compile(r'[,}"]\s*[^\s,:\[\]{}"]{0,2}\s*\Z')
"""Text before an element: a comma, with a damaged character or two."""
_BARE = re.compile(r',\s*"?[A-Za-z@_$]')
_KEY = re.compile(r'"[A-Za-z@_$]')
_ROW = re.compile(r'\[\s*\{\s*"[A-Za-z@_$]')
"""How an element begins. Where a quote was lost, text between strings reads as keys: it has no letters."""
_BOUNDARY = re.compile(r"[}\]][ \t\r\n\ufeff]*(?=[{\[])|\n(?=[{\[])")
"""Text between two documents; healthy JSON has it only after a comma, a colon or an opening bracket."""
_ENDING = re.compile(r"[\s}\]]*")
_AHEAD = 1 << 18
"""Characters inspected after an object to decide whether it is an element of the list: AWS writes no larger
record."""
_UNSURE = 1
"""Most levels by which a damaged bracket shifts the nesting of later text. A caller's lists lie deeper in a record."""


class RecordList(msgspec.Struct, frozen=True):
    """A list in a damaged document."""

    start: int
    """Offset of its first element."""
    around: tuple[tuple[dict[str, Any], str], ...] = ()
    """The enclosing objects, outermost first: the members before the list, and the name that leads to it."""
    known: bool = True
    """Whether the document is healthy up to the list; if not, other brackets may close behind it."""

    @property
    def name(self) -> str:
        """Name of the member that holds the list, in lower case."""
        return self.around[-1][1].lower() if self.around else ""

    def holding(self, *elements: Any) -> Any:
        """The document with only these elements in the list."""
        value: Any = list(elements)
        for before, name in reversed(self.around):
            value = {**before, name: value}
        return value


class DamagedList(DamagedText):
    """A text with a damaged list in it."""

    _barren: tuple[str, re.Pattern[str], int] | None = None
    """A text, and an offset from which no element begins in it: it is searched once, not once for each damage."""

    def element(self, at: int) -> tuple[Any, int, DamageAt | None]:
        """The element at an offset if it is whole, the offset after it, and any damage in or after it."""
        text = self.text
        try:
            value, end = self.decode(at)
        except DamageAt as damage:
            return None, at, damage
        after = self.skip(end)
        follows = text[after : after + 1]
        following = self.skip(after + 1) if follows == "," else after
        if follows == "]" or (follows == "," and text[following : following + 1] in ("{", "[")):
            return value, after, None
        missing = DamageAt("the JSON is damaged (expecting ',' delimiter)", after)
        if isinstance(value, dict) and text[following : following + 1] == '"':
            # Either a surplus bracket has ended this element early, and its other members follow, or the next element
            # has lost its bracket. Objects name no member twice.
            keys = keys_from(text, following, _AHEAD)
            if keys and keys.isdisjoint(value):
                return None, at, missing
        return value, after, missing

    def next_element(
        self, array: RecordList, at: int, after: int, damage: DamageAt, *, whole: bool
    ) -> tuple[int, int, bool]:
        """Where to resume, how many elements further that is, and whether it is still within the list.

        The element `at` a place is damaged or, if it is `whole`, the text `after` it.
        """
        text = self.text
        if whole:
            outline = Outline(text, after, between=True)
        elif damage.why == self.limits.too_many_values:
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
        start, passed = self.search_element(array, max(event.at, at + 1), outline)
        if start >= 0:
            # Text of an element that has lost its bracket.
            bare = whole and (_KEY.match(text, event.at) or _BARE.match(text, after))
            return start, passed + bool(bare), True
        return self.search_document(event.at, lines=True), 1, False

    def search_element(self, array: RecordList, at: int, outline: Outline | None = None) -> tuple[int, int]:
        """The next element after damage that leaves the level in doubt, and how many elements further; -1 if not found.

        An object qualifies if it follows a comma, is whole, and the text after it fits an element of the list.
        """
        text = self.text
        starts = _ROW if text[self.skip(array.start) : self.skip(array.start) + 1] == "[" else _ELEMENT
        passed, barren = 1, self._barren
        if barren is not None and barren[0] is text and barren[1] is starts and at >= barren[2]:
            return -1, 1
        if starts.search(text, at) is None:
            self._barren = (text, starts, at)
            return -1, 1
        for found in starts.finditer(text, at):
            start = found.start()
            if self.effort < 0:
                break
            if start < at or not _BEHIND.search(text, max(0, start - 200), start):
                continue
            before = self.before(start)
            outside = outline is not None and before == "," and outline.level_at(start) <= _UNSURE
            try:
                value, _ = self.decode(start)
            except DamageAt:
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

    def _follows(self, array: RecordList, at: int) -> tuple[Literal["end", "inner", "open"], int]:
        """The verdict of the text after an object: whether the object is an element of the list.

        `end`: so it does, up to the end of the document. `inner`: it is in a list or object that ends before. `open`:
        the text ends, or the next damage comes, before that is known.
        """
        text = self.text
        first = at
        strict = True
        while at <= first + _AHEAD:
            try:
                _, end = self.decode(at)
            except DamageAt:
                event = Outline(text, at).step()
                if event.what == "element":
                    at, strict = event.at, False
                    continue
                if event.what != "end":
                    break
                after = event.at
            else:
                after = self.skip(end)
            follows = text[after : after + 1]
            following = self.skip(after + 1)
            if follows == "]":
                closed, damaged = self.close(after + 1, array)
                if not damaged and self._is_over(closed):
                    return "end", closed
                return ("inner", after) if strict else ("open", at)
            if follows == "}" and self.only_closes(after):
                break
            if follows == "}" or (follows == "," and text[following : following + 1] == '"'):
                return ("inner", after) if at == first else ("open", at)
            if follows != "," or text[following : following + 1] not in ("{", "["):
                event = Outline(text, after, between=True).step()
                if event.what != "element":
                    break
                following = event.at
            at = following
        return "open", at

    def only_closes(self, at: int) -> bool:
        """Whether only closing brackets follow an offset."""
        return _ENDING.fullmatch(self.text, at) is not None

    def _is_over(self, at: int) -> bool:
        at = self.skip(at)
        return at == len(self.text) or self.text[at] in "{["

    def close(self, at: int, array: RecordList) -> tuple[int, bool]:
        """Where the document ends, given the end of its list, and whether the text between is damaged."""
        text = self.text
        if not array.known:
            found = _ENDING.match(text, at)
            return (found.end(), False) if found else (at, True)
        for _ in array.around:
            at = self.skip(at)
            while text[at : at + 1] == ",":
                try:
                    _, at = self.scan(self.skip(at + 1))
                    at = self.skip(at)
                    if text[at : at + 1] != ":":
                        return at, True
                    _, at = self.scan(self.skip(at + 1))
                except DamageAt:
                    return at, True
                at = self.skip(at)
            if text[at : at + 1] != "}":
                return at, True
            at += 1
        return at, False

    def search_document(self, at: int, *, lines: bool = False) -> int:
        """The offset of the next document: outside any list or object, and with no enclosing one that closes after it.

        With `lines` it must begin a line, since the level is in doubt.
        """
        text = self.text
        for found in _BOUNDARY.finditer(text, at):
            start = found.end()
            if text[start - 1] == "\n":
                if self.before(start) in (",", ":", "{", "["):
                    continue
            elif lines:
                continue
            if self.effort < 0:
                break
            try:
                _, end = self.decode(start)
            except DamageAt:
                if Outline(text, start, documents=True).step().what != "doubt":
                    return start
            else:
                if text[self.skip(end, BETWEEN) : self.skip(end, BETWEEN) + 1] not in ("]", "}", ",", ":"):
                    return start
        return len(text)


def _may_be_element(value: Any, array: RecordList) -> bool:
    """Whether an object looks like an element of a list of this name."""
    if array.name not in ("", "records") or not isinstance(value, dict):
        return True
    return "eventVersion" in value or {"eventName", "eventSource"} <= value.keys()

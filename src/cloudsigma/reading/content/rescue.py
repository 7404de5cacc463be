"""Damaged JSON → its healthy documents, and the healthy elements of a damaged list.

A part of a damaged record must never become a record, whatever keys a caller chose in it. So `outline` tracks the level
of nesting through the damage, and an element begins only after a comma on the list's own level. Damage to a bracket or
a quote puts that level in doubt: then an object is an element if all the text after it fits that.

Only lists in which known envelopes hold records are searched. Each element is returned in a copy of its envelope, as
the only one in it.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Any

import msgspec

from cloudsigma.reading.content.damaged_list import DamagedList, RecordList
from cloudsigma.reading.content.damaged_text import BETWEEN, DamageAt
from cloudsigma.reading.content.document import LISTS, Document
from cloudsigma.reading.content.inflate import Damage
from cloudsigma.reading.content.outline import Outline
from cloudsigma.reading.scope.limits import Limits

_ARRAYS = frozenset({"records", "events", "logevents", "results", "hits", "rows", "queryresultrows", "messages"})
"""Names, in lower case, of members whose elements envelopes carry their records in."""
_AROUND = frozenset({"hits", "resultset"})
"""Names of objects that may enclose one of these members."""
_HEADED = "rows"
"""The member whose first element names the columns of the others."""
_NAMING = "ResultSetMetadata"
"""The member that names the columns on every page; if it precedes the rows, none of them has to be a header."""
_OF_A_RECORD = frozenset({"eventName", "eventVersion", "userIdentity", "eventTime", "sourceIPAddress", "eventCategory"})
"""Members that only records have: a list after them is part of a record."""
_DAMAGED_HEAD = re.compile(
    r'.?[^\[\]{}:,]{0,40}:?[^\[\]{}:,]{0,8}\[\s*(?=\{\s*"[A-Za-z])|\{\s*"[Rr]ecords"\s*:?\s*[^"]?\s*(?=\{\s*"[A-Za-z])'
)
"""The beginning of a log file, up to its first record, in which something is damaged."""
_DEEPEST = 3
"""Most objects around a list that are searched."""


def rescued(text: str, limits: Limits) -> Iterator[Document | Damage]:
    """The documents that stand end to end in a text; after damage, the healthy parts; and the damage."""
    return _Rescue(text, limits).documents()


class _Rescue(DamagedList):
    def documents(self) -> Iterator[Document | Damage]:
        text = self.text
        start = at = self.skip(0, BETWEEN)
        form = "log_lines" if text[:at].strip("\ufeff \t\r\n,") else "objects"
        if at == len(text):
            yield Damage("the text is not JSON")
        while at < len(text):
            try:
                value, end = self.decode(at)
            except DamageAt as damage:
                array = self._array(at) or self._after_damaged_head(at, damage.at)
                if array is not None:
                    if not array.known:
                        yield Damage(damage.why, self.position(damage.at))
                    for before, _ in array.around[:1]:
                        if lists := {key: before.pop(key) for key in LISTS if before.get(key)}:
                            yield Document(lists, None, "rescued")  # once, not with each element
                    at = yield from self._elements(array)
                else:
                    not_json = at == start and text[at] not in "{["
                    yield Damage("the text is not JSON") if not_json else Damage(damage.why, self.position(damage.at))
                    at = self.search_document(at) if not_json else self._next_document(at, damage.at)
                if self.effort < 0:
                    yield Damage("too much is damaged to look further", self.position(at))
                    return
            else:
                if at == start and self._is_part(end):  # the file's beginning is missing
                    yield Damage("the JSON is damaged (extra data)", self.position(end))
                    array = self._after_damaged_head(self.skip(end), end)
                    at = (yield from self._elements(array)) if array is not None else self.search_document(end)
                else:
                    yield Document(value, self.position(at), form, self.most_bytes(at, end))
                    at = end
            at = self.skip(at, BETWEEN)

    # --- lists ----------------------------------------------------------------------------------------------

    def _array(self, at: int) -> RecordList | None:
        """The list of records in the document at an offset; `None` if it has none."""
        around: list[tuple[dict[str, Any], str]] = []
        while len(around) <= _DEEPEST:
            if self.text[at : at + 1] == "[":
                return RecordList(at + 1, tuple(around))
            inside = self._member(at)
            if inside is None:
                return None
            before, name, at = inside
            around.append((before, name))
        return None

    def _member(self, at: int) -> tuple[dict[str, Any], str, int] | None:
        """The member to enter in the object at an offset: the members before it, its name, where its value begins.

        It is the damaged member or, if the damage comes later, the last one that may hold records.
        """
        text = self.text
        if text[at : at + 1] != "{":
            return None
        before: dict[str, Any] = {}
        healthy: tuple[dict[str, Any], str, int] | None = None
        at = self.skip(at + 1)
        try:
            while text[at : at + 1] == '"':
                name, at = self.scan(at)
                at = self.skip(at)
                if text[at : at + 1] != ":":
                    break
                at = self.skip(at + 1)
                opening = text[at : at + 1]
                if (opening == "[" and name.lower() in _ARRAYS) or (opening == "{" and name.lower() in _AROUND):
                    healthy = ({**before}, name, at)
                    value, end = self.decode(at)
                else:
                    value, end = self.scan(at)
                if name in LISTS and isinstance(value, list) and isinstance(before.get(name), list):
                    value = before[name] + value
                before[name] = value
                at = self.skip(end)
                if text[at : at + 1] != ",":
                    break
                at = self.skip(at + 1)
        except DamageAt:
            pass
        return None if _OF_A_RECORD & before.keys() else healthy

    def _after_damaged_head(self, at: int, damaged: int) -> RecordList | None:
        """The list of a log file whose first few characters are damaged, or of one whose beginning is missing."""
        head = _DAMAGED_HEAD.match(self.text, at)
        if head is not None and at <= damaged <= head.end():
            return RecordList(head.end(), (({}, "Records"),), known=False)
        if self.text[at : at + 1] in ("{", "[", "") or (at != self.skip(0, BETWEEN) and at != damaged):
            return None
        array = RecordList(at, (({}, "Records"),), known=False)
        start, _ = self.search_element(array, at)
        return msgspec.structs.replace(array, start=start) if start >= 0 else None

    def _elements(self, array: RecordList) -> Generator[Document | Damage, None, int]:
        """The healthy elements of a damaged list; returns where to go on."""
        text = self.text
        index = 0
        told = not array.known
        header: tuple[Any, ...] = ()
        at = array.start
        while True:
            at = self.skip(at)
            if text[at : at + 1] == "]":
                end, damaged = self.close(at + 1, array)
                if damaged and not told:
                    yield Damage("the JSON is damaged after the last record", self.position(end))
                return self.search_document(end) if damaged else end
            value, after, damage = self.element(at)
            if value is not None:
                size = self.most_bytes(at, after)
                yield Document(array.holding(*header, value), f"record {index}", "rescued", size)
                if array.name == _HEADED and not header and not array.around[-1][0].get(_NAMING):
                    header = (value,)
            if damage is None:
                at = after + 1 if text[after] == "," else after
                index += 1
                continue
            start, passed, inside = self.next_element(array, at, after, damage, whole=value is not None)
            lost = passed - (1 if value is not None else 0)
            if not (told and damage.at >= len(text)):  # a cut was reported where its record starts
                yield Damage(damage.why, f"record {index}, {self.position(damage.at)}", lost)
            told = True
            index += passed
            if not inside or self.effort < 0:
                return start
            at = start

    # --- documents ------------------------------------------------------------------------------------------

    def _is_part(self, end: int) -> bool:
        """Whether the text after an object shows that it is a part of another value, not a document."""
        text = self.text
        after = self.skip(end)
        if text[after : after + 1] in ("}", "]"):
            return not self.only_closes(after)
        return text[after : after + 1] == "," and text[self.skip(after + 1) : self.skip(after + 1) + 1] == '"'

    def _next_document(self, at: int, damaged: int) -> int:
        """The next document after a damaged one."""
        outline = Outline(self.text, at, documents=True)
        event = outline.step()
        while event.what == "element" and event.at <= damaged:
            event = outline.step()
        return event.at if event.what in ("element", "cut") else self.search_document(max(event.at, at + 1))

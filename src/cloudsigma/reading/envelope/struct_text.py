"""Text of structs, maps and arrays as Athena, CloudTrail Lake and Elastic print them: `{type=Root, ids=[1, 2]}`.

The text is ambiguous, since values are not quoted. It is parsed for CloudTrail's values: a comma separates two members
only before a name and `=`, and JSON in it is parsed as JSON. Text that does not fit is kept as text, and so is a struct
with a member twice, since one of the two is part of a value. A value that contains `, name=` once is read as two
members.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from cloudsigma.reading.content.document import loads
from cloudsigma.reading.envelope.printed_values import NotPrinted, looks_printed, parse_printed
from cloudsigma.reading.envelope.record_shape import TOO_DEEP

KEPT_AS_TEXT: frozenset[str] = frozenset(
    json.loads(Path(__file__).with_name("kept_as_text.json").read_text(encoding="utf-8"))
)
"""Parameters that CloudTrail itself records as text, though the text is JSON. The file names calls that have each.

Sources: records of CloudTrail, and the API models of botocore, where these members are strings that hold JSON.
"""

_NAME = re.compile(r"\s*([\w.:@/$ +\-]{1,200}?)=")
_NEXT = re.compile(r",\s+(?=[\w.:@/$+\-][\w.:@/$ +\-]{0,199}?=)|[{}\[\]]")
_ELEMENT_END = re.compile(r",\s+|[{}\[\]]")
_DEEPEST = 40
_JSON = json.JSONDecoder()
_CLOSING = {"{": "}", "[": "]"}


def decoded(text: str) -> Any:
    """An object or array from JSON text, struct text or a printed value; otherwise the text itself."""
    stripped = text.strip()
    if stripped[:1] not in ("{", "[", "("):
        return text
    try:
        return loads(stripped)
    except RecursionError:
        return TOO_DEEP
    except ValueError:
        pass
    if looks_printed(stripped):
        try:
            return parse_printed(stripped)
        except NotPrinted:
            pass
    if stripped[0] == "(":
        return text
    try:
        value, end = _Reading(stripped).value(0, 0)
    except (_NotStruct, _TooMuch):
        return text
    return value if end == len(stripped) else text


class _NotStruct(Exception):  # noqa: N818  # never leaves this module
    """The text is not a struct."""


class _TooMuch(Exception):  # noqa: N818  # never leaves this module
    """Parsing the text takes too long."""


class _Reading:
    def __init__(self, text: str) -> None:
        self._text = text
        self._effort = len(text) + 10_000  # commas and brackets that may be inspected

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        text = self._text
        if depth > _DEEPEST:
            raise _NotStruct
        if text[at + 1 : at + 2] in ('"', "{", "["):
            try:
                value, end = _JSON.raw_decode(text, at)
            except (ValueError, RecursionError):
                pass
            else:
                if isinstance(value, (dict, list)):
                    return value, end
        return self._struct(at + 1, depth) if text[at] == "{" else self._array(at + 1, depth)

    def _struct(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        text = self._text
        members: dict[str, Any] = {}
        names: set[str] = set()
        if text[at : at + 1] == "}":
            return members, at + 1
        while True:
            name = _NAME.match(text, at)
            if name is None or name[1] in names:
                raise _NotStruct
            names.add(name[1])
            value, at = self._member(name.end(), depth, _NEXT, "}")
            if name[1] in KEPT_AS_TEXT and isinstance(value, (dict, list)):
                value = text[name.end() : at]
            if value is not None:
                members[name[1]] = value
            if text[at : at + 1] == "}":
                return members, at + 1
            if text[at : at + 1] != ",":
                raise _NotStruct
            at += 1

    def _array(self, at: int, depth: int) -> tuple[list[Any], int]:
        text = self._text
        elements: list[Any] = []
        if text[at : at + 1] == "]":
            return elements, at + 1
        while True:
            while text[at : at + 1] == " ":
                at += 1
            value, at = self._member(at, depth, _ELEMENT_END, "]")
            elements.append(value)
            if text[at : at + 1] == "]":
                return elements, at + 1
            if text[at : at + 1] != ",":
                raise _NotStruct
            at += 1

    def _member(self, at: int, depth: int, ends: re.Pattern[str], closing: str) -> tuple[Any, int]:
        """The member at an offset, and the offset of the comma or closing bracket after it."""
        text = self._text
        if text[at : at + 1] in ("{", "["):
            try:
                value, end = self.value(at, depth + 1)
            except _NotStruct:
                pass
            else:
                if text[end : end + 1] in (",", closing):
                    return value, end
        start = at
        open_brackets: list[str] = []
        for found in ends.finditer(text, at):
            mark = found[0][0]
            self._effort -= 1
            if self._effort < 0:
                raise _TooMuch
            if mark in _CLOSING:
                open_brackets.append(_CLOSING[mark])
            elif open_brackets:
                if mark == open_brackets[-1]:
                    open_brackets.pop()
            elif mark in (closing, ","):
                bare = text[start : found.start()]
                return (None if bare == "null" else bare), found.start()
        raise _NotStruct

"""Objects and arrays as Python's `repr` and DuckDB print them: `{'type': 'IAMUser', 'ids': [1, 2]}`.

Python quotes every text, so a value without quotation marks is a number or a constant. DuckDB quotes only texts with
special characters (older versions none), so its unquoted values are text. An unquoted value ends before a comma and a
quoted name, or before the closing bracket.
"""

from __future__ import annotations

import re
from typing import Any

_BEGINNING = re.compile(r"[\[{(][\[{(\s]*(?:['\"]|$)")
_QUOTED_TEXT = r"""(?:'([^'\\]*(?:\\.[^'\\]*)*)'|"([^"\\]*(?:\\.[^"\\]*)*)")"""
_QUOTED = re.compile(_QUOTED_TEXT, re.DOTALL)
_NAME = re.compile(rf"{_QUOTED_TEXT}\s*:\s*", re.DOTALL)
_MEMBER_END = re.compile(r",(?=\s*['\"])|[{}\[\]()]")
_ELEMENT_END = re.compile(r",\s|[{}\[\]()]")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SHORT_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_NUMBER = re.compile(r"-?\d{1,300}(\.\d{1,300})?(e[+-]?\d{1,3})?", re.ASCII)
_PYTHON_CONSTANTS = {"None": None, "nan": None, "NaT": None, "<NA>": None, "True": True, "False": False}
_CLOSING = {"{": "}", "[": "]", "(": ")"}
_DEEPEST = 40
_MISSING = frozenset({"NULL", "null"})


class NotPrinted(Exception):  # noqa: N818  # caught by the caller, who tries another reading
    """The text is not a printed object or array."""


class _NotPython(Exception):  # noqa: N818  # never leaves this module
    """A value without quotation marks is not one of Python's constants, so another program printed it."""


def looks_printed(text: str) -> bool:
    """Whether the text begins like a printed object or array."""
    return _BEGINNING.match(text) is not None


def parse_printed(text: str) -> Any:
    """The object or array, without missing members; raises `NotPrinted` for other text."""
    try:
        return _Parser(text, python=True).parse()
    except _NotPython:
        return _Parser(text, python=False).parse()


class _Parser:
    def __init__(self, text: str, *, python: bool) -> None:
        self._text = text
        self._python = python

    def parse(self) -> Any:
        value, end = self._container(0, 0)
        if self._text[end:].strip():
            raise NotPrinted
        return value

    def _container(self, at: int, depth: int) -> tuple[Any, int]:
        """The value whose bracket opens at an offset, and the offset after its closing bracket."""
        if depth > _DEEPEST:
            raise NotPrinted
        text = self._text
        closing = _CLOSING[text[at]]
        members: dict[str, Any] = {}
        elements: list[Any] = []
        at = self._skip_blanks(at + 1)
        while text[at : at + 1] != closing:
            if closing == "}":
                name = _NAME.match(text, at)
                if name is None:
                    raise NotPrinted
                key = _unescaped(name[1] if name[1] is not None else name[2])
                if key in members:
                    raise NotPrinted
                value, at = self._value(name.end(), depth, _MEMBER_END)
                if value is not None:
                    members[key] = value
            else:
                value, at = self._value(at, depth, _ELEMENT_END)
                elements.append(value)
            at = self._skip_blanks(at)
            if text[at : at + 1] == ",":
                at = self._skip_blanks(at + 1)
            elif text[at : at + 1] != closing:
                raise NotPrinted
        return (members if closing == "}" else elements), at + 1

    def _value(self, at: int, depth: int, ends: re.Pattern[str]) -> tuple[Any, int]:
        text = self._text
        if text[at : at + 1] in _CLOSING:
            return self._container(at, depth + 1)
        quoted = _QUOTED.match(text, at)
        if quoted is not None:
            return _unescaped(quoted[1] if quoted[1] is not None else quoted[2]), quoted.end()
        end = ends.search(text, at)
        if end is None or end[0] in _CLOSING:
            raise NotPrinted
        return self._bare(text[at : end.start()].strip()), end.start()

    def _bare(self, token: str) -> Any:
        if self._python:
            if token in _PYTHON_CONSTANTS:
                return _PYTHON_CONSTANTS[token]
            number = _NUMBER.fullmatch(token)
            if number is None:
                raise _NotPython
            return float(token) if number[1] or number[2] else int(token)
        return None if token in _MISSING else token

    def _skip_blanks(self, at: int) -> int:
        text = self._text
        while text[at : at + 1].isspace():
            at += 1
        if at >= len(text):
            raise NotPrinted
        return at


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2] or escape[3]
    if code:
        return chr(int(code, 16)) if int(code, 16) <= 0x10FFFF else escape[0]
    return _SHORT_ESCAPES.get(escape[4], escape[4] if escape[4] in "\\'\"" else escape[0])

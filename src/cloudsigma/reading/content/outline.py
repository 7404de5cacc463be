"""The outline of damaged JSON: where the elements of one list begin, found by brackets and quotes alone.

A JSON parser stops at the first damage. This one continues: it tracks the level of nesting through damage that spares
brackets and quotes (`"n": oops`), and stops where the level is in doubt (a mismatched bracket, a key in a list, text
right after a string).
"""

from __future__ import annotations

import re
from operator import itemgetter
from typing import Literal, NamedTuple

_TOKEN = re.compile(r'[ \t\r\n\ufeff]*(?:("(?:[^"\\]|\\.)*+")|([\[\]{}:,])|([^\s\[\]{}:,"]+|"))', re.DOTALL)
"""A string, a mark, or other text."""
_LITERAL = re.compile(r"[A-Za-z0-9]")
"""Numbers and the like have these."""
_FLAT = r'[^"\[\]{}]|"(?:[^"\\]|\\.)*+"'
_SKIPPED = re.compile(rf"(?:{_FLAT}|[\[{{](?:{_FLAT})*+[\]}}])*+", re.DOTALL)
"""Everything up to the next bracket that opens a nested value with brackets inside, or closes the enclosing one."""
_SPACE = re.compile(r"[ \t\r\n\ufeff]*")
_CLOSING = {"{": "}", "[": "]"}

What = Literal["element", "end", "cut", "doubt"]


class Event(NamedTuple):
    """Where a walk through a list stopped."""

    what: What
    """`element`: an element begins. `end`: the list's bracket. `cut`: the text ends. `doubt`: the level is unknown."""
    at: int


_DEEPEST = 1_000_000
"""Levels of nesting at which a text counts as cut off: following more takes minutes."""


class Outline:
    """A walk through a list or, with `documents`, through consecutive documents."""

    def __init__(self, text: str, at: int, *, documents: bool = False, between: bool = False) -> None:
        """`at` is where an element begins or, with `between`, ends."""
        self._text = text
        self._at = at
        self._documents = documents
        self._open: list[str] = []
        self._before = "value" if between else ","
        """The previous token: an opening bracket, `,`, `:`, `key` or `value`."""
        self._begun = between
        """Whether the walk has passed its first element."""

    def step(self) -> Event:
        """Walk to the next element of the list, or to the list's end."""
        text, opened = self._text, self._open
        while found := _TOKEN.match(text, self._at):
            string, mark, _ = found.groups()
            kind = found.lastindex or 3
            start = found.start(kind)
            if not opened and self._begun and mark in ("{", "[") and self._begins_element():
                self._begun = False
                return Event("element", start)
            if string is not None:
                following = text[_skip(text, found.end())] if _skip(text, found.end()) < len(text) else ""
                if not self._string(following):
                    return Event("doubt", start)
            elif mark in ("{", "["):
                if not self._opens():
                    return Event("doubt", self._at)
                opened.append(mark)
                if len(opened) > _DEEPEST:
                    break
                self._before = "open"
                self._begun = True
            elif mark in ("}", "]"):
                if not opened:
                    return Event("end" if mark == "]" and not self._documents else "doubt", start)
                if _CLOSING[opened[-1]] != mark:
                    return Event("doubt", start)
                opened.pop()
                self._before = "value"
            elif mark == ":":
                if self._before != "key" and not (self._documents and not opened):
                    return Event("doubt", start)
                self._before = ":" if opened else "value"
            elif mark == ",":
                self._before = ","
            elif text[start] == '"':  # no other quote follows
                return Event("doubt", start)
            elif self._is_value(start, found.end()):
                self._before = "value"
            self._at = found.end()
        return Event("cut", len(text))

    @property
    def behind_comma(self) -> bool:
        """Whether a comma precedes the walk's position."""
        return self._before == ","

    def level_at(self, place: int) -> int:
        """The level of an object after the doubtful place, 0 being the list's own, if the damage changed no level.

        If a quote is damaged, text within a string may have been read as text between strings.
        """
        doubt = _skip(self._text, self._at)
        mark = self._text[doubt : doubt + 1]
        counted = [self._count(doubt + 1, place)]
        if mark == '"':
            counted = [self._count(doubt, place), *counted]
        _, level = min(counted, key=itemgetter(0))
        opened = self._open
        # A mismatched bracket closes the enclosing level, if one bracket is missing or surplus.
        closed = 2 if len(opened) > 1 and _CLOSING[opened[-2]] == mark != _CLOSING[opened[-1]] else 0
        return len(opened) - closed + level

    def _count(self, at: int, place: int) -> tuple[int, int]:
        """How many strings between two offsets cannot end where they do, and how many levels open."""
        odd = level = 0
        while at < place and (found := _TOKEN.match(self._text, at)):
            if found.start(found.lastindex or 3) >= place:
                return odd, level
            string, mark, _ = found.groups()
            if string is not None:
                following = _skip(self._text, found.end())
                odd += self._text[following : following + 1] not in (",", ":", "]", "}")
            elif mark in ("{", "["):
                level += 1
            elif mark in ("}", "]"):
                level -= 1
            at = found.end()
        return odd + (1 if at != place else 0), level

    def _is_value(self, start: int, end: int) -> bool:
        """Whether text outside of strings is a value; otherwise it is treated as blank."""
        if self._before in ("open", ",") and self._open and self._open[-1] == "{":
            return False
        return self._before == "value" or _LITERAL.search(self._text, start, end) is not None

    def _begins_element(self) -> bool:
        """Whether a bracket on the list's own level begins an element: after a comma, or after a damaged one."""
        return self._before in (",", "value")

    def _string(self, following: str) -> bool:
        """Consume a string and the character after it; returns whether a string is allowed here."""
        inside = self._open[-1] if self._open else "["
        if self._before not in ("open", ",", ":") or following not in (",", ":", "]", "}", ""):
            return False
        if following == ":":
            if inside != "{" or self._before == ":":
                return False
            self._before = "key"
        else:
            self._before = "value"
        return True

    def _opens(self) -> bool:
        """Whether a bracket can open something here."""
        if self._open and self._open[-1] == "{":
            return self._before == ":"
        return self._before in ("open", ",") or not self._open


def keys_from(text: str, at: int, most: int) -> set[str]:
    """The raw keys of the object around an offset, from there to the object's end or to a doubtful place.

    At most `most` characters are inspected.
    """
    keys: set[str] = set()
    level = 0
    while at < len(text) and most > 0 and (found := _TOKEN.match(text, at)):
        string, mark, _ = found.groups()
        if string is not None:
            if (
                level == 0
                and string[1:2].isalpha()
                and text[_skip(text, found.end()) : _skip(text, found.end()) + 1] == ":"
            ):
                keys.add(string[1:-1])
        elif mark in ("{", "["):
            level += 1
        elif mark in ("}", "]"):
            level -= 1
            if level < 0:
                break
        most -= found.end() - at
        at = found.end()
    return keys


def end_of(text: str, at: int) -> int:
    """Where the object or array at an offset ends, by its brackets alone; the text's end if it is cut."""
    level = 0
    while at < len(text):
        level += 1 if text[at] in "{[" else -1
        at += 1
        if level == 0:
            return at
        found = _SKIPPED.match(text, at)
        at = found.end() if found else at
        if at < len(text) and text[at] == '"':  # a string without an end
            break
    return len(text)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at

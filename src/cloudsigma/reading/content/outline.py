"""The outline of damaged JSON: where the elements of one list begin, found by brackets and quotes alone.

A healthy parser stops at the first damage. This one goes on: it keeps the level of nesting through damage that leaves
brackets and quotes alone (`"n": oops`), and gives up where the level is in doubt (a bracket that closes another one, a
key in a list, text right behind a string).
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
"""All up to the next bracket that opens something which nests in its turn, or that closes what is around."""
_SPACE = re.compile(r"[ \t\r\n\ufeff]*")
_CLOSING = {"{": "}", "[": "]"}

What = Literal["element", "end", "cut", "doubt"]


class Event(NamedTuple):
    """Where a walk through a list stopped."""

    what: What
    """`element`: an element begins. `end`: the list's bracket. `cut`: the text ends. `doubt`: the level is unknown."""
    at: int


class Outline:
    """A walk through a list or, with `documents`, through documents that stand one after another."""

    def __init__(self, text: str, at: int, *, documents: bool = False, between: bool = False) -> None:
        """`at` is where an element begins or, with `between`, ends."""
        self._text = text
        self._at = at
        self._documents = documents
        self._open: list[str] = []
        self._before = "value" if between else ","
        """What stands before: a mark that opens, `,`, `:`, `key` or `value`."""
        self._begun = between
        """Whether the element that the walk begins with is behind."""

    def step(self) -> Event:
        """Walk on to the next element of the list, or to where that ends."""
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
        """Whether a comma stands before the place where the walk is."""
        return self._before == ","

    def level_at(self, place: int) -> int:
        """The level of an object behind the doubt, with 0 for the list's own, if the doubt changed none.

        The doubt may be about a quote: then the text within a string was taken for text between strings.
        """
        doubt = _skip(self._text, self._at)
        mark = self._text[doubt : doubt + 1]
        counted = [self._count(doubt + 1, place)]
        if mark == '"':
            counted = [self._count(doubt, place), *counted]
        _, level = min(counted, key=itemgetter(0))
        opened = self._open
        # A bracket that closes the wrong one closes the one around that, if a bracket is missing or one too many.
        closed = 2 if len(opened) > 1 and _CLOSING[opened[-2]] == mark != _CLOSING[opened[-1]] else 0
        return len(opened) - closed + level

    def _count(self, at: int, place: int) -> tuple[int, int]:
        """Strings between two places behind which no string can end, and the levels that open."""
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
        """Whether text outside of strings stands for a value; else it stands in the place of a blank."""
        if self._before in ("open", ",") and self._open and self._open[-1] == "{":
            return False
        return self._before == "value" or _LITERAL.search(self._text, start, end) is not None

    def _begins_element(self) -> bool:
        """Whether a bracket on the list's own level begins an element: behind a comma, or where that was damaged."""
        return self._before in (",", "value")

    def _string(self, following: str) -> bool:
        """Take a string with the character that follows it; gives whether it can stand here."""
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
    """The keys, as written, of the object in whose middle a place is, from there on to its end or to doubt.

    At most `most` characters are looked at.
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
    """Where the object or array that begins at a place ends, by its brackets alone; the text's end if it is cut."""
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

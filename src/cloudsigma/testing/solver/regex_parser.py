"""Parse regular expressions as RE2 reads them: classes, sequences, alternatives, repetitions, assertions.

Whatever RE2 might read differently is refused, so that proofs about an expression are sound: classes of Unicode, octal
escapes, the assertion B (which RE2 also finds between the bytes of a character), and what RE2 refuses itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cloudsigma.engine.evaluate import operators

Ranges = tuple[tuple[int, int], ...]
"""Ranges of code points, both ends included."""

LAST = 0x10FFFF
_NEWLINE: Ranges = ((10, 10),)
ANY: Ranges = ((0, LAST),)
WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_CLASSES: dict[str, Ranges] = {
    "d": ((48, 57),),
    "w": WORD,
    "s": ((9, 10), (12, 13), (32, 32)),
    "[:alnum:]": ((48, 57), (65, 90), (97, 122)),
    "[:alpha:]": ((65, 90), (97, 122)),
    "[:ascii:]": ((0, 127),),
    "[:blank:]": ((9, 9), (32, 32)),
    "[:cntrl:]": ((0, 31), (127, 127)),
    "[:digit:]": ((48, 57),),
    "[:graph:]": ((33, 126),),
    "[:lower:]": ((97, 122),),
    "[:print:]": ((32, 126),),
    "[:punct:]": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "[:space:]": ((9, 13), (32, 32)),
    "[:upper:]": ((65, 90),),
    "[:word:]": WORD,
    "[:xdigit:]": ((48, 57), (65, 70), (97, 102)),
}
_CONTROLS = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_MOST_REPEATED = 1000
"""RE2 refuses more."""
_MOST_NESTED = 100

Assertion = Literal["text_start", "text_end", "line_start", "line_end", "boundary"]


class NotReadError(ValueError):
    """The expression is not read, or cannot be turned into an automaton."""


@dataclass(frozen=True, slots=True)
class Characters:
    """One character of a class."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Assert:
    """A place in the text."""

    kind: Assertion


@dataclass(frozen=True, slots=True)
class Sequence:
    """Parts one after the other."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several parts."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part several times; without an end if `most` is `None`."""

    part: Part
    least: int
    most: int | None


Part = Characters | Assert | Sequence | Choice | Repeat


@lru_cache(maxsize=512)
def parse(pattern: str, flags: str = "") -> Part:
    """The parts of an expression; `flags` are `i`, `m` and `s`. Raises `NotReadError`."""
    parser = _Parser(pattern)
    part = parser.choice(frozenset(flags), 0)
    if parser.at < len(pattern):
        raise NotReadError(pattern)
    return part


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.at = 0

    def _next(self, text: str) -> bool:
        """Whether this text follows; skips it."""
        follows = self._pattern.startswith(text, self.at)
        self.at += len(text) if follows else 0
        return follows

    def _take(self) -> str:
        if self.at >= len(self._pattern):
            raise NotReadError(self._pattern)
        self.at += 1
        return self._pattern[self.at - 1]

    def choice(self, flags: frozenset[str], depth: int) -> Part:
        if depth > _MOST_NESTED:
            raise NotReadError(self._pattern)
        found: list[Part] = []
        parts: list[Part] = []
        while self.at < len(self._pattern) and self._pattern[self.at] != ")":
            if self._next("|"):
                found.append(Sequence(tuple(parts)))
                parts = []
            elif not self._pattern.startswith(("(?P<", "(?<"), self.at) and self._next("(?"):
                flags, group = self._flagged(flags, depth)
                parts += [self._repeated(group)] if group is not None else []
            else:
                parts += self._quoted(flags) or [self._repeated(self._atom(flags, depth))]
        last = Sequence(tuple(parts))
        return Choice((*found, last)) if found else last

    def _flagged(self, flags: frozenset[str], depth: int) -> tuple[frozenset[str], Part | None]:
        """The flags after `(?`, and the group that they are for; without a group they hold from here on."""
        given, wanted = set(flags), True
        while (letter := self._take()) not in ":)":
            if letter == "-" and wanted:
                wanted = False
            elif letter in "ims":
                (given.add if wanted else given.discard)(letter)
            elif letter != "U":
                raise NotReadError(self._pattern)
        if letter == ")":
            return frozenset(given), None
        return flags, self._closed(self.choice(frozenset(given), depth + 1))

    def _closed(self, part: Part) -> Part:
        if not self._next(")"):
            raise NotReadError(self._pattern)
        return part

    def _quoted(self, flags: frozenset[str]) -> list[Part]:
        if not self._next("\\Q"):
            return []
        end = self._pattern.find("\\E", self.at)
        text = self._pattern[self.at : end if end >= 0 else None]
        self.at = end + 2 if end >= 0 else len(self._pattern)
        if not text or self._pattern[self.at : self.at + 1] in ("*", "+", "?", "{"):
            raise NotReadError(self._pattern)
        return [_characters(((ord(each), ord(each)),), flags) for each in text]

    def _atom(self, flags: frozenset[str], depth: int) -> Part:
        if self._bounds() is not None:  # nothing stands before it
            raise NotReadError(self._pattern)
        match self._take():
            case "(":
                if self._next("?P<") or self._next("?<"):  # a group with a name
                    name, _, _ = self._pattern[self.at :].partition(">")
                    self.at += len(name) + 1
                    if not name.isascii() or not name.isidentifier():
                        raise NotReadError(self._pattern)
                return self._closed(self.choice(flags, depth + 1))
            case ".":
                return Characters(ANY if "s" in flags else complement(_NEWLINE))
            case "^":
                return Assert("line_start" if "m" in flags else "text_start")
            case "$":
                return Assert("line_end" if "m" in flags else "text_end")
            case "[":
                return self._class(flags)
            case "\\":
                return self._escape(flags)
            case letter:
                return _characters(((ord(letter), ord(letter)),), flags)

    def _escape(self, flags: frozenset[str]) -> Part:
        letter = self._take()
        places: dict[str, Assertion] = {"A": "text_start", "z": "text_end", "b": "boundary"}
        if letter in places:
            return Assert(places[letter])
        if (named := _named(letter.lower(), flags, negated=letter.isupper())) is not None:
            return Characters(named)
        return _characters(self._escaped(letter), flags)

    def _escaped(self, letter: str) -> Ranges:
        """The character of an escape, in a class or outside."""
        if letter == "x":
            end = self._pattern.find("}", self.at) if self._next("{") else self.at + 2
            digits = self._pattern[self.at : end]
            self.at = end + (self._pattern[self.at - 1] == "{")
            if not digits or set(digits) - set("0123456789abcdefABCDEF") or int(digits, 16) > LAST or end < 0:
                raise NotReadError(self._pattern)
            return ((int(digits, 16), int(digits, 16)),)
        code = _CONTROLS.get(letter, ord(letter))
        if letter not in _CONTROLS and (letter.isalnum() or not letter.isascii() or letter == "_"):
            raise NotReadError(self._pattern)
        return ((code, code),)

    def _class(self, flags: frozenset[str]) -> Part:
        negated = self._next("^")
        ranges: list[tuple[int, int]] = []
        first = True
        while first or not self._next("]"):
            first = False
            ranges += self._named(flags) or self._range(flags)
        return Characters(complement(tuple(ranges)) if negated else tuple(ranges))

    def _named(self, flags: frozenset[str]) -> Ranges:
        """The characters of a class with a name in a class, if one follows."""
        if self._pattern.startswith("\\", self.at):
            letter = self._pattern[self.at + 1 : self.at + 2]
            found = _named(letter.lower(), flags, negated=letter.isupper())
            self.at += 2 if found is not None else 0
            return found or ()
        end = self._pattern.find(":]", self.at)
        if not self._pattern.startswith("[:", self.at) or end < 0:
            return ()
        name = self._pattern[self.at : end + 2]
        found = _named(name.replace("[:^", "[:"), flags, negated=name.startswith("[:^"))
        if found is None:
            raise NotReadError(self._pattern)
        self.at = end + 2
        return found

    def _range(self, flags: frozenset[str]) -> Ranges:
        ranges = self._plain_range()
        return folded(ranges) if "i" in flags else ranges

    def _plain_range(self) -> Ranges:
        low = self._member()
        if self._pattern[self.at : self.at + 1] != "-" or self._pattern[self.at + 1 : self.at + 2] in ("]", ""):
            return low
        self.at += 1
        high = self._member()
        if len(low) > 1 or len(high) > 1 or low[0][0] != low[0][1] or high[0][0] != high[0][1] or low > high:
            raise NotReadError(self._pattern)
        return ((low[0][0], high[0][0]),)

    def _member(self) -> Ranges:
        letter = self._take()
        return self._escaped(self._take()) if letter == "\\" else ((ord(letter), ord(letter)),)

    def _repeated(self, part: Part) -> Part:
        """The part with the repetition that follows it."""
        bounds = self._bounds()
        if bounds is None:
            return part
        self._next("?")  # as few as possible: the same texts
        if self._pattern[self.at : self.at + 1] in ("*", "+", "?") or self._bounds() is not None:
            raise NotReadError(self._pattern)
        least, most = bounds
        if max(least, most or 0) > _MOST_REPEATED or (most is not None and most < least):
            raise NotReadError(self._pattern)
        return Repeat(part, least, most)

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._next(sign):
                return bounds
        end = self._pattern.find("}", self.at)
        least, comma, most = self._pattern[self.at + 1 : end].partition(",") if end >= 0 else ("", "", "")
        if self._pattern[self.at : self.at + 1] != "{" or not _is_number(least) or (most and not _is_number(most)):
            return None  # a literal brace
        self.at = end + 1
        return int(least), int(most) if most else None if comma else int(least)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 6


def _named(name: str, flags: frozenset[str], *, negated: bool) -> Ranges | None:
    """The characters of a class with a name, or all others; like RE2, letter case is ignored before the negation."""
    ranges = _CLASSES.get(name)
    if ranges is None:
        return None
    ranges = folded(ranges) if "i" in flags else ranges
    return complement(ranges) if negated else ranges


def _characters(ranges: Ranges, flags: frozenset[str]) -> Characters:
    return Characters(folded(ranges) if "i" in flags else ranges)


# --- sets of characters -------------------------------------------------------------------------------------


def complement(ranges: Ranges) -> Ranges:
    """All other code points."""
    found, start = [], 0
    for low, high in sorted(ranges):
        if low > start:
            found.append((start, low - 1))
        start = max(start, high + 1)
    return (*found, (start, LAST)) if start <= LAST else tuple(found)


def folded(ranges: Ranges) -> Ranges:
    """The ranges, and the other letter cases of their characters."""
    more = [
        (ord(other), ord(other))
        for low, high in ranges
        for code in range(low, min(high, low + 0x300) + 1)
        for other in same_letters(chr(code))
    ]
    return (*ranges, *more)


@lru_cache(maxsize=1)
def _same_letters() -> dict[str, tuple[str, ...]]:
    """Folded letter → the characters that fold to it, unless it is only the letter itself."""
    letters: dict[str, list[str]] = {}
    for code in range(LAST + 1):
        character = chr(code)
        if character.upper() != character or character.lower() != character:
            letters.setdefault(operators.fold(character), []).append(character)
    return {fold: tuple(found) for fold, found in letters.items()}


_ALSO = {"k": ("\N{KELVIN SIGN}",), "s": ("\N{LATIN SMALL LETTER LONG S}",)}
"""The only non-ASCII characters that fold to an ASCII letter."""


def same_letters(character: str) -> tuple[str, ...]:
    """The characters with the same case folding."""
    fold = operators.fold(character)
    if fold.isascii():
        return tuple(dict.fromkeys((fold, fold.upper(), *_ALSO.get(fold, ()))))
    return _same_letters().get(fold, (fold,))

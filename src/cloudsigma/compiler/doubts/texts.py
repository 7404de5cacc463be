"""Characters in texts that an author does not see."""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = re.compile("[\u00a0\u00ad\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u2066-\u2069\u3000\ufeff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ESCAPES = {"\a": "\\a", "\b": "\\b", "\v": "\\v", "\f": "\\f", "\x1b": "\\e", "\0": "\\0"}


def invisible_in(text: str) -> str | None:
    """The name of an invisible character among plain letters; `None` for a text about these characters."""
    if text.isascii() or not (found := _INVISIBLE.search(text)):
        return None
    rest = _INVISIBLE.sub("", text)
    if not rest.isascii() or not any(map(str.isalnum, rest)):
        return None
    return unicodedata.name(found[0], f"U+{ord(found[0]):04X}").lower()


def foreign_letter_in(text: str) -> str | None:
    """The name of a Greek or Cyrillic letter in a word of Latin ones, which looks like one of them."""
    if text.isascii() or not re.search("[A-Za-z]", text):
        return None
    found = re.search("[\u0370-\u03ff\u0400-\u04ff]", text)
    rest = re.sub("[\u0370-\u03ff\u0400-\u04ff]", "", text)
    return unicodedata.name(found[0], "").lower() if found and rest.isascii() and len(rest) * 2 > len(text) else None


def control_in(text: str) -> str | None:
    """A control character other than tab and line breaks, as YAML escapes it."""
    found = _CONTROL.search(text)
    return _ESCAPES.get(found[0], f"\\x{ord(found[0]):02x}") if found else None

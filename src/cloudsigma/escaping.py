"""Text of records and rules made safe for a terminal."""

from __future__ import annotations

import re

_IN_JSON = re.compile(r"[^\x20-\x7e]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]|\x7f")


def printable(text: str) -> str:
    """The text on one line, with every character that is not printable written as its escape.

    Record text is an attacker's to choose: control characters could move the cursor or recolor the screen, direction
    marks could reorder what is read, and a line break could forge a line of ours.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )


def printable_lines(text: str) -> str:
    """`printable` for each line of our own text: only its line feeds stay."""
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))


def printable_json(text: str) -> str:
    """JSON that means the same, with what is not printable in its strings written as an escape of JSON."""
    return text if text.isprintable() else _IN_JSON.sub(_escaped, text)


def ascii_json(text: str) -> str:
    """JSON that means the same, in ASCII, for streams whose encoding lacks characters."""
    return text if text.isascii() and text.isprintable() else _NOT_ASCII.sub(_escape_of, text)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable() or character == "\n":  # between the values of indented JSON
        return character
    return _escape_of(found)


def _escape_of(found: re.Match[str]) -> str:
    character = found[0]
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))

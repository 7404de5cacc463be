"""Record text made safe for a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with every character that is not printable written as its escape.

    Record text is an attacker's to choose: control characters could move the cursor or recolor the screen, and
    direction marks could reorder what is read.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )

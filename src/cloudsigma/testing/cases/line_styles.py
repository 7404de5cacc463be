"""Styles for the lines of a failed test on a terminal."""

from __future__ import annotations

from typing import Literal

Style = Literal["plain", "good", "bad", "headline"]


def style_of(line: str) -> Style:
    """The style of a line of `str(result)`: a passed test, a failed test, the headline, or other text."""
    text = line.strip()
    if text.startswith("✓"):
        return "good"
    if text.startswith("✗"):
        return "bad"
    if text.endswith(": FAILED") or text.startswith("expected ") or ": expected " in text or " error: " in text:
        return "headline"
    return "plain"

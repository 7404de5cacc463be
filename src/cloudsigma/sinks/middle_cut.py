"""Names cut in the middle to fit a column, so that different names stay different.

Names of principals and resources differ at their ends as often as at their beginnings. Cut at the end to 24 columns,
four of 54 real principals look like another one; cut in the middle, all stay different.
"""

from __future__ import annotations

from rich.cells import cell_len

_MARK = "…"


class MiddleCut:
    """Cuts names to a width, counted in terminal columns; two names are never cut to the same text."""

    def __init__(self, width: int) -> None:
        self.width = max(width, 6)
        self._shown: dict[str, str] = {}
        self._taken: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        """The name if it fits, else its beginning and end with a mark between."""
        if cell_len(name) <= self.width:
            return name
        shown = self._shown.get(name)
        if shown is None:
            if len(self._shown) >= _KEPT:
                self._shown.clear()
                self._taken.clear()
            shown = self._shown[name] = self._distinct(name)
            self._taken[shown] = name
        return shown

    def _distinct(self, name: str) -> str:
        room = self.width - 1
        half = room // 2
        # Most names differ at the end, then at the beginning; then try every other split.
        for head in sorted(range(2, room - 1), key=lambda at: abs(at - half)):
            shown = f"{_beginning(name, head)}{_MARK}{_end(name, room - head)}"
            if shown not in self._taken:
                return shown
        number = 2
        while True:  # names that differ only in the middle get a number
            suffix = f"#{number}"
            shown = f"{_beginning(name, room - len(suffix))}{_MARK}{suffix}"
            if shown not in self._taken:
                return shown
            number += 1


_KEPT = 100_000
"""Most names remembered, to keep cut names unique; then the memory is cleared."""


def _beginning(text: str, width: int) -> str:
    """The beginning of a text, at most `width` columns wide."""
    used = 0
    for at, character in enumerate(text):
        used += cell_len(character)
        if used > width:
            return text[:at]
    return text


def _end(text: str, width: int) -> str:
    """The end of a text, at most `width` columns wide."""
    used = 0
    for at in range(len(text) - 1, -1, -1):
        used += cell_len(text[at])
        if used > width:
            return text[at + 1 :]
    return text

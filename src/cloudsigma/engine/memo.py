"""Answers of a pure function, remembered by its argument within bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Remembered(dict[Any, Any]):
    """Asked like a dictionary; what is not in it is worked out, and kept if it is worth it.

    There is no bookkeeping on what was used last: when there are too many, all are forgotten.
    """

    def __init__(self, function: Callable[[Any], Any], *, most: int, worth: Callable[[Any], bool]) -> None:
        """`worth`: whether an argument may be kept; asked only of one that is not."""
        super().__init__()
        self._function = function
        self._most = most
        self._worth = worth

    def __missing__(self, key: Any) -> Any:
        answer = self._function(key)
        if self._worth(key):
            if len(self) >= self._most:
                self.clear()
            self[key] = answer
        return answer

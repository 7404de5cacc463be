"""Memos: answers of pure functions, cached by their arguments, bounded in entries and in bytes."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import msgspec

MOST_BYTES = 32 << 20
"""Default bound of a budget: bytes that its memos may hold together."""
LONGEST = 1_000
"""Characters of the longest text that is cached: longer ones rarely repeat."""
_ENTRY = 150
"""Bytes that an entry takes beside its key and its answer."""
_SCALARS = frozenset({type(None), bool, int, float})


class Budget:
    """Bytes that several memos may hold together; when they hold more, all of them are cleared.

    A rule set, a matcher or a predicate owns a budget and drops it with its memos. May be used from several threads.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._used = 0
        self._memos: weakref.WeakValueDictionary[int, Memo] = weakref.WeakValueDictionary()
        self._lock = threading.RLock()  # reentrant: dropping an entry may run its `__del__`

    @property
    def used(self) -> int:
        """Bytes that the memos hold now, estimated."""
        with self._lock:
            return sum(memo.bytes for memo in list(self._memos.values()))

    def memo(
        self,
        function: Callable[[Any], Any] | None = None,
        *,
        entries: int,
        size: Callable[[Any], int] | None = None,
        worth: Callable[[Any], bool] | None = None,
    ) -> Memo:
        """Make a memo of a pure function.

        Args:
            function: Called with an argument that the memo does not hold. `None`: the owner looks answers up with
                `get`, and hands them over with `keep`.
            entries: The most entries; when there are more, the memo is cleared.
            size: Bytes of an answer; default: those of texts and of tuples of texts.
            worth: Whether an argument is kept; default: texts, null and absence (see `is_short`).
        """
        memo = Memo(self, function, entries, size or size_of, worth or is_short)
        with self._lock:
            self._memos[id(memo)] = memo
        return memo

    def enter(self, memo: Memo, key: Any, answer: Any, size: int) -> None:
        """Put an entry into a memo, with room made for it; called by the memo."""
        with self._lock:
            if key in memo or size > self._most:
                return
            if len(memo) >= memo.entries:
                memo.forget()
            if self._used + size > self._most:
                self._used = self.used  # without memos that are gone, and entries that were dropped
                if self._used + size > self._most:
                    for each in list(self._memos.values()):
                        each.forget()
                    self._used = 0
            self._used += size
            memo.bytes += size
            memo[key] = answer


class Memo(dict[Any, Any]):
    """Looked up like a dictionary: a missing answer is computed, and kept if its key is worth it.

    It does no bookkeeping on a hit: a full memo is cleared, not evicted entry by entry.
    """

    def __init__(
        self,
        budget: Budget,
        function: Callable[[Any], Any] | None,
        entries: int,
        size: Callable[[Any], int],
        worth: Callable[[Any], bool],
    ) -> None:
        """Made by `Budget.memo`."""
        super().__init__()
        self._budget = budget
        self._function = function
        self._size = size
        self._worth = worth
        self.entries = entries
        self.bytes = 0
        """Bytes of the entries, estimated."""
        self.cleared = 0
        """How often it was cleared."""

    def __missing__(self, key: Any) -> Any:
        if self._function is None:
            raise KeyError(key)
        answer = self._function(key)
        self.keep(key, answer)
        return answer

    def keep(self, key: Any, answer: Any) -> None:
        """Keep an answer that was computed elsewhere, if its key is worth it."""
        if self._worth(key):
            self._budget.enter(self, key, answer, _ENTRY + size_of(key) + self._size(answer))

    def forget(self) -> None:
        """Drop all entries."""
        self.clear()
        self.bytes = 0
        self.cleared += 1


def is_short(key: Any) -> bool:
    """Whether a key is a short text, null or absent (`msgspec.UNSET`), or a tuple of these."""
    if type(key) is str:
        return len(key) <= LONGEST
    return key is None or key is msgspec.UNSET or (type(key) is tuple and all(map(is_short, key)))


def size_of(value: Any) -> int:
    """Bytes of a text, or of a tuple with the texts in it."""
    if type(value) is tuple:
        return sys.getsizeof(value) + sum(size_of(part) for part in value if type(part) not in _SCALARS)
    return sys.getsizeof(value)

"""A compact hash table, 24 bytes a slot: match key → place of the first match with this key."""

from __future__ import annotations

import hashlib
from array import array

Place = tuple[int, int]
"""A path, as a number above 0, and the position of a record."""

_FIRST_SLOTS = 1 << 10
_HALF = (1 << 64) - 1


def digest_of(key: str) -> int:
    """The digest of a key, as a 128-bit number; collisions do not occur in practice."""
    return int.from_bytes(hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=16).digest(), "little")


class KeyTable:
    """Maps digests to places by open addressing; a dictionary would take five times the memory."""

    def __init__(self) -> None:
        self._count = 0
        self._allocate(_FIRST_SLOTS)

    def _allocate(self, slots: int) -> None:
        self._mask = slots - 1
        self._room = 5 * slots // 8  # beyond this load, searches become long
        self._low = array("Q", bytes(8 * slots))
        self._high = array("Q", bytes(8 * slots))
        self._path = array("I", bytes(4 * slots))  # 0: the slot is free
        self._position = array("I", bytes(4 * slots))

    def __len__(self) -> int:
        return self._count

    @property
    def size(self) -> int:
        """Size of the table in bytes."""
        return 24 * (self._mask + 1)

    def get(self, digest: int) -> Place | None:
        """The place of a key, if it is in the table."""
        at = self._slot(digest & _HALF, digest >> 64)
        return (self._path[at], self._position[at]) if self._path[at] else None

    def get_or_add(self, digest: int, path: int, position: int) -> Place | None:
        """The place of a key; if it is not in the table, add it with this place and return `None`."""
        low, high = digest & _HALF, digest >> 64
        lows, highs, paths, mask = self._low, self._high, self._path, self._mask
        at = low & mask
        while paths[at]:
            if lows[at] == low and highs[at] == high:
                return paths[at], self._position[at]
            at = (at + 1) & mask
        lows[at], highs[at], paths[at], self._position[at] = low, high, path, position
        self._count += 1
        if self._count > self._room:
            self._grow()
        return None

    def _slot(self, low: int, high: int) -> int:
        """The slot of a key, or the free slot for it."""
        lows, highs, paths, mask = self._low, self._high, self._path, self._mask
        at = low & mask
        while paths[at] and not (lows[at] == low and highs[at] == high):
            at = (at + 1) & mask
        return at

    def _grow(self) -> None:
        old = (self._low, self._high, self._path, self._position)
        self._allocate(2 * (self._mask + 1))
        for low, high, path, position in zip(*old, strict=True):
            if path:
                at = self._slot(low, high)
                self._low[at], self._high[at], self._path[at], self._position[at] = low, high, path, position

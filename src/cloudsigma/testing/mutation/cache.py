"""Cache the results of mutation on disk, so that only changed rules are mutated again.

An entry is JSON under the hash of everything that it depends on. An entry that cannot be decoded is a miss, and nothing
in it is executed.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from cloudsigma.storage.disk_cache import DiskCache, user_folder

Value = TypeVar("Value", bound=msgspec.Struct)

_MOST_ENTRIES = 5000


def default_cache() -> Path:
    """The user's cache folder for results of mutation."""
    return user_folder() / "mutation"


class Cache(Generic[Value]):
    """A cache of values of one type in a folder; without a folder it is always empty."""

    def __init__(self, folder: Path | None, kind: type[Value]) -> None:
        self._entries = DiskCache(folder, ".json", most=_MOST_ENTRIES) if folder is not None else None
        self._decoder = msgspec.json.Decoder(kind)

    def get(self, key: str) -> Value | None:
        """The entry; `None` if it is missing or damaged."""
        data = self._entries.get(key) if self._entries is not None else None
        try:
            return self._decoder.decode(data) if data is not None else None
        except (ValueError, RecursionError):
            return None

    def put(self, key: str, value: Value) -> None:
        """Store a value; a value that cannot be encoded is skipped."""
        if self._entries is not None:
            with contextlib.suppress(ValueError):
                self._entries.put(key, msgspec.json.encode(value))

    def trim(self) -> None:
        """Evict the oldest entries above the limit."""
        if self._entries is not None:
            self._entries.trim()

"""What mutating a rule has come to, kept on disk, so that only rules that have changed are mutated again.

An entry is JSON under a name that is the hash of all it depends on. It is data: what cannot be read as the value that
it should be is not there, and nothing in it is ever run.
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
    """The folder for what is known of this user's rules."""
    return user_folder() / "mutation"


class Cache(Generic[Value]):
    """Values of one kind in a folder; without a folder it holds nothing and takes nothing."""

    def __init__(self, folder: Path | None, kind: type[Value]) -> None:
        self._entries = DiskCache(folder, ".json", most=_MOST_ENTRIES) if folder is not None else None
        self._decoder = msgspec.json.Decoder(kind)

    def get(self, key: str) -> Value | None:
        """The entry, if it is there and whole."""
        data = self._entries.get(key) if self._entries is not None else None
        try:
            return self._decoder.decode(data) if data is not None else None
        except (ValueError, RecursionError):
            return None

    def put(self, key: str, value: Value) -> None:
        """Keep a value, where that is possible."""
        if self._entries is not None:
            with contextlib.suppress(ValueError):
                self._entries.put(key, msgspec.json.encode(value))

    def trim(self) -> None:
        """Remove the oldest entries above a bound."""
        if self._entries is not None:
            self._entries.trim()

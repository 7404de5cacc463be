"""What mutating a rule has come to, kept on disk, so that only rules that have changed are mutated again.

An entry is JSON under a name that is the hash of all it depends on. It is data: what cannot be read as the value that
it should be is not there, and nothing in it is ever run.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

Value = TypeVar("Value", bound=msgspec.Struct)

_MOST_ENTRIES = 5000


def default_cache() -> Path:
    """The folder for caches of this user: below `XDG_CACHE_HOME`, or `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if Path(base).is_absolute() else Path("~/.cache").expanduser()
    return root / "cloudsigma" / "mutation"


class Cache(Generic[Value]):
    """A folder of entries. It never raises: a folder that cannot be used holds nothing and takes nothing."""

    def __init__(self, folder: Path | None, kind: type[Value]) -> None:
        self._folder = folder
        self._decoder = msgspec.json.Decoder(kind)

    def get(self, key: str) -> Value | None:
        """The entry, if it is there and whole."""
        if self._folder is None:
            return None
        try:
            return self._decoder.decode(self._path(self._folder, key).read_bytes())
        except (OSError, ValueError, RecursionError):
            return None

    def put(self, key: str, value: Value) -> None:
        """Keep a value; whoever reads at the same time sees the whole of it or nothing."""
        if self._folder is None:
            return
        with contextlib.suppress(OSError, ValueError):
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(msgspec.json.encode(value))
                Path(name).replace(self._path(self._folder, key))
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise

    def trim(self) -> None:
        """Remove the oldest entries above a bound."""
        if self._folder is None:
            return
        with contextlib.suppress(OSError):
            entries = [entry for entry in os.scandir(self._folder) if entry.name.endswith(".json")]
            if len(entries) > _MOST_ENTRIES:
                entries.sort(key=lambda entry: entry.stat().st_mtime)
                for entry in entries[: len(entries) - _MOST_ENTRIES]:
                    Path(entry.path).unlink(missing_ok=True)

    @staticmethod
    def _path(folder: Path, key: str) -> Path:
        return folder / f"{key}.json"

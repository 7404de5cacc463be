"""A content-keyed cache directory: the name of an entry is the hash of everything that the entry depends on.

Nothing here raises: `get` returns `None` for an entry that is missing or that another user could have written, and an
unusable directory stays empty. The caller checks the integrity of an entry.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

from cloudsigma.storage.atomic_file import write_file

DIRECTORY_VARIABLE = "CLOUDSIGMA_CACHE_DIR"
"""Environment variable: the directory of all caches. Default: the user's cache directory of the system."""


def user_folder() -> Path:
    """The directory of this user's caches."""
    named = os.environ.get(DIRECTORY_VARIABLE)
    return Path(named) if named else user_cache_path("cloudsigma", appauthor=False)


class DiskCache:
    """The entries with one suffix in one directory."""

    def __init__(self, folder: str | os.PathLike[str], suffix: str, *, most: int) -> None:
        """`most`: how many entries `trim` keeps; it evicts the least recently used."""
        self._folder = Path(folder)
        self._suffix = suffix
        self._most = most

    def get(self, key: str) -> bytes | None:
        """The content of an entry; `None` if it is missing or another user could have written it."""
        path = self._path(key)
        try:
            if not (_is_ours(self._folder) and _is_ours(path)):
                return None
            data = path.read_bytes()
        except OSError:
            return None
        with suppress(OSError):
            os.utime(path)
        return data

    def put(self, key: str, content: bytes) -> None:
        """Store an entry atomically; if it cannot be written, do nothing."""
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if _is_ours(self._folder):
                write_file(self._path(key), content, permissions=0o600, durable=False)

    def trim(self) -> None:
        """Evict the least recently used entries."""
        with suppress(OSError):
            entries = [entry for entry in os.scandir(self._folder) if entry.name.endswith(self._suffix)]
            if len(entries) > self._most:
                entries.sort(key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
                for entry in entries[self._most :]:
                    Path(entry.path).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{self._suffix}"


def _is_ours(path: Path) -> bool:
    """Whether only this user (and root) can have written it."""
    if not hasattr(os, "geteuid"):
        return True  # Windows: the cache directory is below the user's profile
    status = path.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)

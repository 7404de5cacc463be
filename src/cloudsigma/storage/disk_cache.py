"""A folder of entries that cost something to make: data under names that say all they depend on.

Nothing that goes wrong here is an error: an entry that is missing, or that somebody else could have written, is no
entry, and a folder that cannot be used holds nothing and takes nothing. Its reader says whether an entry is whole.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

DIRECTORY_VARIABLE = "CLOUDSIGMA_CACHE_DIR"
"""Names the folder of caches; default: that of the user on the system."""


def user_folder() -> Path:
    """Where this user's caches are."""
    named = os.environ.get(DIRECTORY_VARIABLE)
    return Path(named) if named else user_cache_path("cloudsigma", appauthor=False)


class DiskCache:
    """The entries with one suffix in one folder."""

    def __init__(self, folder: str | os.PathLike[str], suffix: str, *, most: int) -> None:
        """`most`: entries that `trim` leaves; those not used for longest go first."""
        self._folder = Path(folder)
        self._suffix = suffix
        self._most = most

    def get(self, key: str) -> bytes | None:
        """The content of an entry; `None` where there is none that only this user can have written."""
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
        """Keep an entry; whoever reads at the same time sees the whole of it or nothing."""
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_ours(self._folder):
                return
            handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                Path(name).replace(self._path(key))
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise

    def trim(self) -> None:
        """Leave only the entries that were used last."""
        with suppress(OSError):
            entries = [entry for entry in os.scandir(self._folder) if entry.name.endswith(self._suffix)]
            if len(entries) > self._most:
                entries.sort(key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
                for entry in entries[self._most :]:
                    Path(entry.path).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{self._suffix}"


def _is_ours(path: Path) -> bool:
    """Whether nobody but this user (and root) can have written it."""
    if not hasattr(os, "geteuid"):
        return True  # Windows: a user's folder of caches is the user's own
    status = path.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)

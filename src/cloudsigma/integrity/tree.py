"""The files of a synced bucket: digest files, and log files by the keys that they had."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from cloudsigma.errors import UsageError
from cloudsigma.reading.content.inflate import Inflater
from cloudsigma.reading.scope.file_name_facts import facts_of
from cloudsigma.reading.scope.limits import Limits

DIGESTS = "CloudTrail-Digest"
"""The folder of digest files in a bucket, and a part of their names."""
LARGEST_DIGEST = 256 << 20
"""Bytes of the content of a digest file."""


class UnreadableError(Exception):
    """A file cannot be read, with the reason."""


class Tree:
    """The files below some folders.

    Args:
        paths: Folders, and files.
        limits: Bounds on what a file inflates to.
    """

    def __init__(self, paths: Iterable[str | os.PathLike[str]], limits: Limits) -> None:
        """List the files; raises `UsageError` for a path that is not there, or is not of this machine."""
        self._limits = limits
        self.digests: list[Path] = []
        """Digest files."""
        self.denied: list[tuple[str, str]] = []
        """Folders that cannot be listed, and why."""
        self._logs: dict[str, list[Path]] = {}
        for path in paths:
            if "://" in os.fspath(path):
                raise UsageError(f"{os.fspath(path)!r} is not on this machine: copy it with aws s3 sync first")
            if not Path(path).exists():
                raise UsageError(f"there is no file or folder {os.fspath(path)!r}")
            for file in self._walk(Path(path)):
                if f"_{DIGESTS}_" in file.name:
                    self.digests.append(file)
                elif facts_of(file.name) is not None:
                    self._logs.setdefault(file.name, []).append(file)
        self.digests.sort()

    def _walk(self, path: Path) -> Iterator[Path]:
        if not path.is_dir():
            yield path
            return
        for folder, folders, names in os.walk(path, onerror=self._note):
            folders.sort()
            yield from (Path(folder, name) for name in sorted(names))

    def _note(self, error: OSError) -> None:
        self.denied.append((str(error.filename), error.strerror or str(error)))

    @property
    def logs(self) -> Iterator[Path]:
        """All log files."""
        return (file for files in self._logs.values() for file in files)

    def log(self, key: str) -> Path | None:
        """The file of a key: the one of its name whose folders are most like those of the key."""
        wanted = key.split("/")
        found = self._logs.get(wanted[-1], ())
        return max(found, key=lambda file: _alike(file.parts, wanted), default=None)

    def content(self, path: Path, most: int | None = None) -> bytes:
        """The content of a small file, not compressed; raises `UnreadableError`."""
        pieces, size = [], 0
        for piece in self._pieces(path):
            pieces.append(piece)
            size += len(piece)
            if most is not None and size > most:
                raise UnreadableError(f"its content is larger than {most:,} bytes")
        return b"".join(pieces)

    def sha256(self, path: Path) -> str:
        """The SHA-256 of the content of a file, not compressed; raises `UnreadableError`."""
        digest = hashlib.sha256()
        for piece in self._pieces(path):
            digest.update(piece)
        return digest.hexdigest()

    def _pieces(self, path: Path) -> Iterator[bytes]:
        try:
            with path.open("rb") as file:
                inflater = Inflater(file, self._limits)
                yield from inflater.chunks()
                if inflater.damage:
                    raise UnreadableError(str(inflater.damage.reason))
        except OSError as error:
            raise UnreadableError(error.strerror or str(error)) from error


def _alike(parts: tuple[str, ...], wanted: list[str]) -> int:
    """How many of the last parts of two paths are equal."""
    count = 0
    for one, other in zip(reversed(parts), reversed(wanted), strict=False):
        if one != other:
            break
        count += 1
    return count

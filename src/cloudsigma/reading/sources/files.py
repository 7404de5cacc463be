"""Files, folders and standard input."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from glob import has_magic
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from cloudsigma.reading.sources.interface import NothingThere, Source, Unreadable
from cloudsigma.reading.sources.log_names import ending_of, is_log, packed
from cloudsigma.reading.sources.pattern import matching
from cloudsigma.reading.sources.s3.key_layout import trail_prefix
from cloudsigma.reading.sources.sniff import sniff

PassedOver = Callable[[str, str], None]
"""Called with the kind and the name of each skipped file in a folder."""

_KINDS = (
    (stat.S_ISFIFO, "named pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)


class FileSource(Source):
    """A regular file."""

    def __init__(self, path: str, status: os.stat_result) -> None:
        self._path = path
        self.name = shown(path)
        self.size = status.st_size
        self.changed = status.st_mtime
        """Modification time, in seconds since 1970."""
        self.version = f"{status.st_size} bytes of {status.st_mtime_ns}"

    @property
    def key(self) -> bytes:
        """The path, in the encoding of the file system."""
        return os.fsencode(self._path)

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Open the file without blocking, in case a pipe has replaced it since it was listed."""
        descriptor = os.open(self._path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError("it is no longer a regular file")
        return os.fdopen(descriptor, "rb")

    def read_whole(self, stream: BinaryIO, most: int) -> bytes | None:
        """All bytes of the file, unless it is too large."""
        return stream.read() if os.fstat(stream.fileno()).st_size < most else None


class StandardInput(Source):
    """Standard input; it can be read only once."""

    name = "-"

    def __init__(self, stream: BinaryIO | None) -> None:
        self._stream = stream
        self._used = False

    def open(self) -> AbstractContextManager[BinaryIO]:
        """The stream, which stays open afterwards."""
        if self._used:
            raise OSError("standard input can be read only once")
        self._used = True
        if self._stream is None and sys.stdin is None:
            raise OSError("standard input is closed")
        return nullcontext(self._stream if self._stream is not None else sys.stdin.buffer)


def shown(path: str | os.PathLike[str]) -> str:
    """A path as printable text; bytes that are not UTF-8 become hexadecimal escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def find_sources(path: str, passed_over: PassedOver) -> Iterator[Source | Unreadable]:
    """List the sources at a path in sorted order; `passed_over` is called for each skipped file in a folder.

    If nothing has exactly this name, a path with `*`, `?` or `[` is a pattern and may match several files. Links to
    files are followed; links to folders are not, since they may form a cycle.
    """
    if not path:
        yield Unreadable("", "the path is empty; name a file or folder, or . for this one")
        return
    try:
        status = Path(path).stat()
    except (OSError, ValueError) as error:
        if has_magic(path) and not os.path.lexists(path):
            yield from _of_pattern(path, passed_over)
            return
        yield _no_file(path, error)
        return
    if stat.S_ISDIR(status.st_mode):
        yield from _in_folder(path, passed_over)
    elif kind := _special(status.st_mode):
        yield Unreadable(shown(path), f"it is a {kind}, no regular file; pipe it to - instead")
    else:
        yield FileSource(path, status)


def listed_file(path: str) -> Source | Unreadable:
    """The source for a file that was listed before, perhaps by another machine."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError) as error:
        return _no_file(path, error)
    kind = _special(status.st_mode) or ("folder" if stat.S_ISDIR(status.st_mode) else None)
    return FileSource(path, status) if kind is None else Unreadable(shown(path), f"it is a {kind}, no regular file")


def _no_file(path: str, error: Exception) -> Unreadable:
    missing = isinstance(error, FileNotFoundError)
    return Unreadable(shown(path), "there is no such file or folder" if missing else _reason(error))


def _of_pattern(pattern: str, passed_over: PassedOver) -> Iterator[Source | Unreadable]:
    lost: dict[str, Unreadable] = {}
    told = 0
    anything = False
    for path in matching(pattern, lambda folder, error: lost.setdefault(folder, _no_folder(folder, error))):
        anything = True
        yield from islice(lost.values(), told, None)
        told = len(lost)
        yield from find_sources(path, passed_over)
    yield from islice(lost.values(), told, None)
    if not anything and not lost:
        yield NothingThere(shown(pattern), "there is no such file or folder, and none matches it as a pattern")


def _no_folder(folder: str, error: Exception) -> Unreadable:
    return Unreadable(shown(folder or "."), f"the folder cannot be read: {_reason(error)}")


def _special(mode: int) -> str | None:
    return next((kind for test, kind in _KINDS if test(mode)), None)


def _in_folder(top: str, passed_over: PassedOver) -> Iterator[Source | Unreadable]:
    found = False
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            found = True
            yield _no_folder(folder, error)
            continue
        folders: list[str] = []
        for entry in listed:
            kind, source = _entry(entry)
            if kind == "folder":
                if (service := _other_service(entry.path)) is None:
                    folders.append(entry.path)
                else:
                    passed_over(f"folder {service}/", shown(entry.path))
            elif source is None:
                passed_over(kind, shown(entry.path))
            else:
                found = True
                yield source
        waiting += reversed(folders)
    if not found:
        yield NothingThere(shown(top), "there are no log files in this folder")


def _entry(entry: os.DirEntry[str]) -> tuple[str, Source | Unreadable | None]:
    if entry.name.startswith("."):
        return "hidden", None
    try:
        if entry.is_dir(follow_symlinks=False):
            return "folder", None
        if entry.is_dir():
            return "linked folder", None
        status = entry.stat()
    except OSError as error:
        return "", Unreadable(shown(entry.path), _reason(error))
    if kind := _special(status.st_mode):
        return kind, None
    archive = packed(entry.name)
    if archive is not None or not is_log(entry.name) or (status.st_size == 0 and ending_of(entry.name) == ""):
        try:
            found = _sniffed(entry.path, status.st_size, status.st_mtime_ns)
        except OSError as error:
            return "", Unreadable(shown(entry.path), f"it cannot be read: {_reason(error)}")
        if found is None and archive is not None:
            found = archive
        if found is None:
            return ending_of(entry.name) or ("empty" if status.st_size == 0 else "no ending"), None
        if found != "log":
            return "", Unreadable(shown(entry.path), found)
    return "", FileSource(entry.path, status)


@lru_cache(maxsize=10_000)
def _sniffed(path: str, size: int, changed: int) -> str | None:  # noqa: ARG001  # the key of the cache
    """`sniff` with a cache, since followed folders are listed repeatedly; a changed file is sniffed again."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as stream:
        return sniff(stream)


def _other_service(folder: str) -> str | None:
    """The AWS service whose logs are in a folder with the bucket's layout; `None` if it is CloudTrail or unknown."""
    here = trail_prefix(folder.replace(os.sep, "/") + "/")
    if here is None or here.stage != "service" or (here.service or "").startswith("CloudTrail"):
        return None
    return here.service


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()

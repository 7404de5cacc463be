"""Where sinks write to: a file or a stream that holds whole lines, whatever happens.

Lines are held back and written together. Where a write fails half-way (a full disk, Ctrl-C), what a regular file has of
the last line is cut off again: who reads it later never takes half a match for a whole one.
"""

from __future__ import annotations

import io
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

_HELD = 1 << 16
"""Bytes that are held back at most."""
_HELD_SECONDS = 1.0
"""Seconds after which what is held is written when the next line comes."""


class LineOutput(io.TextIOBase):
    """Takes text and bytes; raises `OSError` where they cannot be written.

    Args:
        file: An unbuffered binary file.
        before: Called before anything is written, to clear the screen of what must not mix with it.
    """

    def __init__(self, file: BinaryIO, *, before: Callable[[], None] | None = None) -> None:
        self._file = file
        self._before = before
        self._held = bytearray()
        self._written = time.monotonic()
        self.failed = False
        """Whether writing has failed."""
        self.lines = 0
        """Whole lines that were written."""
        try:
            self._descriptor: int | None = file.fileno()
            self._regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        except (OSError, AttributeError):  # a stream that stands for a file, as tests have it
            self._descriptor, self._regular = None, False

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return self._descriptor is not None and os.isatty(self._descriptor)

    def write(self, text: str, /) -> int:
        """Take text; characters that UTF-8 has no form for are written as escapes."""
        self._take(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def write_line(self, line: bytes) -> None:
        """Take a line without its end."""
        self._take(line + b"\n")

    def _take(self, data: bytes) -> None:
        self._held += data
        if len(self._held) >= _HELD or time.monotonic() - self._written > _HELD_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the whole lines that are held."""
        self._drain(self._held.rfind(b"\n") + 1)

    def close(self) -> None:
        """Write everything that is held; the file stays open for whoever opened it."""
        if not self.closed:
            try:
                self._drain(len(self._held))
            finally:
                super().close()

    def _drain(self, size: int) -> None:
        if not size:
            return
        if self._before is not None:
            self._before()
        data = bytes(self._held[:size])
        start = self._file.tell() if self._regular else 0
        done = 0
        try:
            while done < size:
                done += self._file.write(data[done:]) or 0
        except BaseException as error:
            self.failed = self.failed or isinstance(error, OSError)
            # Ctrl-C may come after a write and before its result is known: the file knows.
            done = self._file.tell() - start if self._regular else done
            whole = data.rfind(b"\n", 0, done) + 1
            if self._regular and done > whole:
                with suppress(OSError):
                    self._cut(start + whole, start + done)
            self._forget(data[:whole])
            raise
        self._forget(data)
        self._written = time.monotonic()

    def _forget(self, written: bytes) -> None:
        self.lines += written.count(b"\n")
        del self._held[: len(written)]

    def _cut(self, length: int, end: int) -> None:
        if self._descriptor is not None and os.fstat(self._descriptor).st_size == end:  # nobody has written after it
            os.ftruncate(self._descriptor, length)
            self._file.seek(length)

    # --- for a checkpoint: the file is its own ----------------------------------------------------------------

    def sync(self) -> int:
        """Put everything on the disk; gives the length in bytes."""
        self.flush()
        try:
            if self._descriptor is not None:
                os.fsync(self._descriptor)
            return self._file.tell()
        except OSError:
            self.failed = True
            raise

    def read_before(self, end: int, most: int) -> bytes:
        """The bytes before a place, `most` of them at most."""
        here = self._file.tell()
        start = max(0, end - most)
        self._file.seek(start)
        found = self._file.read(end - start)
        self._file.seek(here)
        return found

    def cut_back(self, length: int) -> None:
        """Forget what is beyond a length, and write from there."""
        try:
            self._file.truncate(length)
            self._file.seek(length)
        except OSError:
            self.failed = True
            raise


def open_output(path: Path, *, keep: bool = False) -> BinaryIO:
    """A file to write to, unbuffered; with `keep`, what it holds stays and can be read. Raises `OSError`."""
    flags = os.O_CREAT | (os.O_RDWR if keep else os.O_WRONLY | os.O_TRUNC) | getattr(os, "O_BINARY", 0)
    return open(os.open(path, flags, 0o666), "r+b" if keep else "wb", buffering=0)  # noqa: PTH123  # no path

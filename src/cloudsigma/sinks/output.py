"""The file or stream that a sink writes to; even after an error, it ends with a whole line.

Lines are buffered and written together. If a write fails halfway (a full disk, Ctrl-C), a regular file is truncated
to its last whole line, so that no reader finds half a match.
"""

from __future__ import annotations

import codecs
import io
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

_HELD = 1 << 16
"""Most bytes buffered."""
_HELD_SECONDS = 1.0
"""Seconds after which the next line flushes the buffer."""


class LineOutput(io.TextIOBase):
    """Writes text and bytes; raises `OSError` if they cannot be written.

    Args:
        file: An unbuffered binary file.
        before: Called before each write, to remove a progress bar from the same terminal.
        encoding: How text is encoded; characters that the encoding lacks are escaped.
    """

    def __init__(
        self, file: BinaryIO, *, before: Callable[[], None] | None = None, encoding: str | None = None
    ) -> None:
        self._file = file
        self._encoding = encoding or "utf-8"
        self.is_utf8 = codecs.lookup(self._encoding).name == "utf-8"
        """Whether every character can be written."""
        self._before = before
        self._held = bytearray()
        self._written = time.monotonic()
        self.failed = False
        """Whether writing has failed."""
        self.lines = 0
        """Whole lines that were written."""
        try:
            self._descriptor: int | None = file.fileno()
            self.is_regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
            """Whether it is a regular file, which can be truncated."""
        except (OSError, AttributeError):  # a stream in memory
            self._descriptor, self.is_regular = None, False

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property here, and an attribute in typeshed
        """How text is encoded."""
        return self._encoding

    @property
    def is_empty(self) -> bool:
        """Whether it has no content, neither from this process nor from the scan that it resumes."""
        return not self._held and not self.lines and not (self.is_regular and self._file.tell())

    def writable(self) -> bool:
        """True."""
        return True

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._descriptor is not None and os.isatty(self._descriptor)

    def write(self, text: str, /) -> int:
        """Buffer text, which may end within a line."""
        self._take(text.encode(self._encoding, "backslashreplace"))
        return len(text)

    def write_line(self, line: bytes) -> None:
        """Buffer one line, given as bytes without the line break."""
        self._take(line + b"\n")

    def _take(self, data: bytes) -> None:
        self._held += data
        if len(self._held) >= _HELD or time.monotonic() - self._written > _HELD_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the whole lines in the buffer."""
        self._drain(self._held.rfind(b"\n") + 1)

    def close(self) -> None:
        """Write everything in the buffer; the file stays open."""
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
        start = self._file.tell() if self.is_regular else 0
        done = 0
        try:
            while done < size:
                done += self._file.write(data[done:]) or 0
        except BaseException as error:
            self.failed = self.failed or isinstance(error, OSError)
            # Ctrl-C may interrupt between a write and its result, so ask the file for its length.
            done = self._file.tell() - start if self.is_regular else done
            whole = data.rfind(b"\n", 0, done) + 1
            if self.is_regular and done > whole:
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
        if self._descriptor is not None and os.fstat(self._descriptor).st_size == end:  # no other process has appended
            os.ftruncate(self._descriptor, length)
            self._file.seek(length)

    # --- for a checkpoint -------------------------------------------------------------------------------------

    def sync(self) -> int:
        """Flush everything to the disk; returns the length in bytes."""
        self.flush()
        try:
            if self._descriptor is not None:
                os.fsync(self._descriptor)
            return self._file.tell()
        except OSError:
            self.failed = True
            raise

    def read_before(self, end: int, most: int) -> bytes:
        """The bytes before a position, at most `most`."""
        here = self._file.tell()
        start = max(0, end - most)
        self._file.seek(start)
        found = self._file.read(end - start)
        self._file.seek(here)
        return found

    def cut_back(self, length: int) -> None:
        """Truncate to a length in bytes; the next write appends there."""
        try:
            self._file.truncate(length)
            self._file.seek(length)
        except OSError:
            self.failed = True
            raise


def open_output(path: Path, *, keep: bool = False) -> BinaryIO:
    """Open a file for writing, unbuffered and not truncated; with `keep`, its content can be read. Raises `OSError`."""
    flags = os.O_CREAT | (os.O_RDWR if keep else os.O_WRONLY) | getattr(os, "O_BINARY", 0)
    return open(os.open(path, flags, 0o666), "r+b" if keep else "wb", buffering=0)  # noqa: PTH123  # no path

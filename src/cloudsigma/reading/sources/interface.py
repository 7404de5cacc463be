"""What a source of records is: a name and a way to open it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import BinaryIO


class Source(ABC):
    """One file's worth of bytes."""

    name: str
    """How people are told of it: a path, or `-`."""
    size: int | None = None
    """Bytes as stored, where that is known before it is opened."""
    version: str | None = None
    """Another text once the bytes may be others; `None` where that cannot be told."""

    @property
    def key(self) -> bytes:
        """What tells it from every other source; `name` may be the same where a file's name is not UTF-8."""
        return self.name.encode(errors="surrogatepass")

    @abstractmethod
    def open(self) -> AbstractContextManager[BinaryIO]:
        """Open it for reading; raises `OSError`."""

    def read_whole(self, stream: BinaryIO, most: int) -> bytes | None:  # noqa: ARG002  # for those that can
        """Everything in the opened stream; `None`, and nothing taken from it, where that may be `most` bytes or more.

        A stream of unknown length is never read whole: what comes in through a pipe is taken as it comes.
        """
        return None


class Unreadable(Exception):  # noqa: N818  # turned into an entry of the ledger
    """A path that gives no source: why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason


class NothingThere(Unreadable):
    """A folder or prefix that is there and holds nothing to read."""

"""The interface of sources: a name and a method that opens a binary stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import BinaryIO, Literal

FailureKind = Literal["passing", "denied", "lasting"]
"""Whether a later attempt may succeed; `denied`: once somebody gives the permission."""


class Source(ABC):
    """One file, object, stream or value to read."""

    name: str
    """Its name in messages: a path, or `-`."""
    size: int | None = None
    """Stored size in bytes; `None` if unknown before it is opened."""
    version: str | None = None
    """A text that changes whenever the content may have changed; `None` if unknown."""

    @property
    def key(self) -> bytes:
        """Unique key of the source; `name` is ambiguous for file names that are not UTF-8."""
        return self.name.encode(errors="surrogatepass")

    @abstractmethod
    def open(self) -> AbstractContextManager[BinaryIO]:
        """Open it for reading; raises `OSError`."""

    def read_whole(self, stream: BinaryIO, most: int) -> bytes | None:  # noqa: ARG002  # for overrides
        """The whole content of the opened stream; `None`, without reading it, if it may have `most` bytes or more.

        A stream of unknown length, such as a pipe, is never read whole.
        """
        return None


class Unreadable(Exception):  # noqa: N818  # turned into an entry of the ledger
    """A path that cannot be read, with the reason."""

    def __init__(self, name: str, reason: str, kind: FailureKind = "passing") -> None:
        super().__init__(name, reason, kind)
        self.name = name
        self.reason = reason
        self.kind: FailureKind = kind


class NothingThere(Unreadable):
    """A path, pattern or prefix without files to read."""

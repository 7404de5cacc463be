"""What a source of records is: a name and a way to open it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import BinaryIO


class Source(ABC):
    """One file's worth of bytes."""

    name: str
    """How people are told of it: a path, or `-`."""

    @abstractmethod
    def open(self) -> AbstractContextManager[BinaryIO]:
        """Open it for reading; raises `OSError`."""


class Unreadable(Exception):  # noqa: N818  # turned into an entry of the ledger
    """A path that gives no source: why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

"""What every sink does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from cloudsigma.engine.match import Match


class Sink(ABC):
    """Takes matches one by one; a context manager that calls `close`."""

    @abstractmethod
    def write(self, match: Match) -> None:
        """Take one match; raises `OSError` where the output cannot be written."""

    @abstractmethod
    def flush(self) -> None:
        """Let whoever reads the output have what was written so far; raises `OSError` as `write` does."""

    def close(self) -> None:  # noqa: B027  # most sinks hold nothing back
        """Write what was held back; the sink does not close streams that it was given."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

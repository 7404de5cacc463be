"""JSON lines: one match a line."""

from __future__ import annotations

from typing import TextIO

from cloudsigma.engine.match import Match
from cloudsigma.sinks.interface import Sink


class JsonLinesSink(Sink):
    """Writes `match.to_json()`, one a line; `record=False` leaves the records out."""

    def __init__(self, stream: TextIO, *, record: bool = True) -> None:
        self._stream = stream
        self._record = record

    def write(self, match: Match) -> None:
        """Write one line."""
        self.write_line(match.to_json_bytes(record=self._record))

    def write_line(self, line: bytes) -> None:
        """Write a match that is JSON already."""
        self._stream.write(line.decode() + "\n")

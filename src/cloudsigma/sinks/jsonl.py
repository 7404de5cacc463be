"""JSON lines: one match a line."""

from __future__ import annotations

from cloudsigma.engine.match import Match
from cloudsigma.escaping import printable_json
from cloudsigma.sinks.interface import Sink
from cloudsigma.sinks.output import LineOutput


class JsonLinesSink(Sink):
    """Writes `match.to_json()`, one a line; `record=False` leaves the records out.

    For a terminal, characters that are not printable are written as JSON's escapes; it is the same JSON.
    """

    def __init__(self, stream: LineOutput, *, record: bool = True, terminal: bool = False) -> None:
        self._stream = stream
        self._record = record
        self._terminal = terminal

    def write(self, match: Match) -> None:
        """Write one line."""
        self.write_line(match.to_json_bytes(record=self._record))

    def write_line(self, line: bytes) -> None:
        """Write a match that is JSON already."""
        if self._terminal:
            self._stream.write(printable_json(line.decode()) + "\n")
        else:
            self._stream.write_line(line)

    def flush(self) -> None:
        """Write the lines that the stream holds."""
        self._stream.flush()

"""JSON lines: one match a line."""

from __future__ import annotations

from typing import ClassVar

from cloudsigma.engine.match import Match
from cloudsigma.escaping import ascii_json, printable_json
from cloudsigma.scanning.batch import Serialization, SerializedMatch
from cloudsigma.sinks.interface import Sink
from cloudsigma.sinks.output import LineOutput


class JsonLinesSink(Sink):
    """Writes `match.to_json()`, one a line; `record=False` leaves the records out.

    On a terminal, unprintable characters are escaped; on a stream that is not UTF-8, all non-ASCII characters are. The
    JSON values stay the same.
    """

    resumable: ClassVar[bool] = True

    def __init__(self, stream: LineOutput, *, record: bool = True, terminal: bool = False) -> None:
        self._stream = stream
        self._serialization = Serialization(record)
        self._terminal = terminal

    @property
    def serialization(self) -> Serialization:
        """Serialize matches to the JSON lines of a file."""
        return self._serialization

    def write(self, match: Match) -> None:
        """Write one line."""
        self._write(match.to_json_bytes(record=self._serialization.record))

    def write_serialized(self, match: SerializedMatch) -> None:
        """Write one line."""
        self._write(match.text)

    def _write(self, line: bytes) -> None:
        if not self._stream.is_utf8:
            line = ascii_json(line.decode()).encode()
        elif self._terminal:
            line = printable_json(line.decode()).encode()
        self._stream.write_line(line)

    def flush(self) -> None:
        """Write the lines that the stream holds."""
        self._stream.flush()

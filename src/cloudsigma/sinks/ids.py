"""One line a match: rule ID, tab, event ID."""

from __future__ import annotations

from typing import ClassVar

from cloudsigma.engine.match import Match
from cloudsigma.escaping import printable
from cloudsigma.sinks.interface import Sink
from cloudsigma.sinks.output import LineOutput


class IdSink(Sink):
    """Writes lines that scripts can compare; the event ID is empty if the record has none."""

    resumable: ClassVar[bool] = True

    def __init__(self, stream: LineOutput) -> None:
        self._stream = stream

    def write(self, match: Match) -> None:
        """Write one line."""
        self._stream.write(f"{match.rule_id}\t{printable(match.context.event_id or '')}\n")

    def flush(self) -> None:
        """Write the lines that the stream holds."""
        self._stream.flush()

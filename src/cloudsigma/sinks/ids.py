"""Rule ID and event ID, with a tab between them, one match a line."""

from __future__ import annotations

from typing import TextIO

from cloudsigma.engine.match import Match
from cloudsigma.printable import printable
from cloudsigma.sinks.interface import Sink


class IdSink(Sink):
    """Writes what scripts compare; the event ID is empty where the record has none."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, match: Match) -> None:
        """Write one line."""
        self._stream.write(f"{match.rule_id}\t{printable(match.context.event_id or '')}\n")

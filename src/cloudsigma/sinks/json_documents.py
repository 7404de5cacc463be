"""Sinks that write JSON documents for other systems, one a line: OCSF findings, Timesketch events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import msgspec

from cloudsigma.engine.json_form import json_ready, safe
from cloudsigma.engine.match import Match
from cloudsigma.escaping import ascii_json
from cloudsigma.sinks.interface import Sink
from cloudsigma.sinks.made_at import made_at
from cloudsigma.sinks.ocsf import detection_finding
from cloudsigma.sinks.output import LineOutput
from cloudsigma.sinks.timesketch import events


class JsonDocumentsSink(Sink):
    """Converts each match to JSON documents with the given function, and writes them."""

    resumable: ClassVar[bool] = True

    def __init__(self, stream: LineOutput, documents: Callable[[Match], Iterable[dict[str, Any]]]) -> None:
        self._stream = stream
        self._documents = documents

    def write(self, match: Match) -> None:
        """Write the documents of one match."""
        for document in self._documents(match):
            self._stream.write_line(json_line(document, utf8=self._stream.is_utf8))

    def flush(self) -> None:
        """Write the lines that the stream holds."""
        self._stream.flush()


def ocsf_sink(stream: LineOutput, *, record: bool) -> JsonDocumentsSink:
    """A sink of OCSF Detection Findings."""

    def documents(match: Match) -> Iterable[dict[str, Any]]:
        return (detection_finding(match, made_at(), record=record),)

    return JsonDocumentsSink(stream, documents)


def timesketch_sink(stream: LineOutput) -> JsonDocumentsSink:
    """A sink of Timesketch events."""
    return JsonDocumentsSink(stream, events)


def json_line(document: Any, *, utf8: bool) -> bytes:
    """A document as one line of JSON, without a line break; ASCII unless `utf8`."""
    try:
        line = safe(msgspec.json.encode(document))
    except (TypeError, ValueError, ArithmeticError, RecursionError):
        line = safe(msgspec.json.encode(json_ready(document)))
    return line if utf8 else ascii_json(line.decode()).encode()

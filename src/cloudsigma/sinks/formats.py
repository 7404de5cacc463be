"""The formats of matches: the name of each, the endings of its files, and its sink.

To add one, write a sink and add it here; the command, its help and its checks follow.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cloudsigma.sinks.interface import Sink
from cloudsigma.sinks.output import LineOutput


class SinkOptions(NamedTuple):
    """What a sink can be asked for."""

    record: bool = True
    """Whether the records are written with the matches."""
    terminal: bool = False
    """Whether a person reads the output on a terminal."""


class Format(NamedTuple):
    """A format of matches."""

    name: str
    endings: tuple[str, ...]
    """How names of files of this format end, in lower case."""
    resumable: bool
    """`Sink.resumable`, known before there is a sink."""
    make: Callable[[LineOutput, SinkOptions], Sink]


def _jsonl(stream: LineOutput, options: SinkOptions) -> Sink:
    from cloudsigma.sinks.jsonl import JsonLinesSink

    return JsonLinesSink(stream, record=options.record, terminal=options.terminal)


def _table(stream: LineOutput, options: SinkOptions) -> Sink:
    from cloudsigma.sinks.table import TableSink

    return TableSink(stream, terminal=options.terminal)


def _ids(stream: LineOutput, options: SinkOptions) -> Sink:  # noqa: ARG001  # the signature of `Format.make`
    from cloudsigma.sinks.ids import IdSink

    return IdSink(stream)


FORMATS = {
    each.name: each
    for each in (
        Format("table", (".txt",), resumable=False, make=_table),
        Format("jsonl", (".jsonl", ".ndjson", ".json"), resumable=True, make=_jsonl),
        Format("ids", (".ids",), resumable=True, make=_ids),
    )
}
"""The formats by name."""


def format_of(path: str | os.PathLike[str]) -> Format | None:
    """The format that the ending of a file's name says; the longest ending wins."""
    name = Path(path).name.lower()
    endings = [(len(ending), each) for each in FORMATS.values() for ending in each.endings if name.endswith(ending)]
    return max(endings, key=lambda found: found[0])[1] if endings else None

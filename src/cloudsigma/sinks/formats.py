"""The formats of matches: the name of each, the endings of its files, and its sink.

To add one, write a sink and add it here; the command, its help and its checks follow.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cloudsigma.sinks.interface import Sink
from cloudsigma.sinks.output import LineOutput

if TYPE_CHECKING:
    from cloudsigma.report import Section


class SinkOptions(NamedTuple):
    """The options of a sink; each sink uses those that apply to it."""

    record: bool = True
    """Whether the records are written with the matches."""
    terminal: bool = False
    """Whether a person reads the output on a terminal."""
    color: bool | None = None
    """Whether a table is colored; `None`: on a terminal, unless NO_COLOR is set."""
    wide: bool = False
    """Whether a table shows every value in full, even on a terminal."""
    raw: bool = False
    """Whether CSV cells are written unchanged, although a spreadsheet may run them as formulas."""
    show_approved: bool = False
    """Whether tables and Markdown show the matches that are approved changes."""
    matches_file: str | None = None
    """The file that the same scan writes all matches to, if there is one; the report names it."""
    sections: Callable[[], Sequence[Section]] = tuple
    """Further parts of the report: called when the scan has ended."""


class Format(NamedTuple):
    """A format of matches."""

    name: str
    endings: tuple[str, ...]
    """The file name endings of this format, in lower case."""
    resumable: bool
    """The sink's `Sink.resumable`, available before the sink is made."""
    by_time: bool
    """Whether matches are written by time, with linked sessions, by default."""
    make: Callable[[LineOutput, SinkOptions], Sink]


def _jsonl(stream: LineOutput, options: SinkOptions) -> Sink:
    from cloudsigma.sinks.jsonl import JsonLinesSink

    return JsonLinesSink(stream, record=options.record, terminal=options.terminal)


def _table(stream: LineOutput, options: SinkOptions) -> Sink:
    from cloudsigma.sinks.table import TableSink

    return TableSink(
        stream,
        terminal=options.terminal,
        wide=options.wide,
        show_approved=options.show_approved,
        color=options.color,
    )


def _ids(stream: LineOutput, options: SinkOptions) -> Sink:  # noqa: ARG001  # the signature of `Format.make`
    from cloudsigma.sinks.ids import IdSink

    return IdSink(stream)


def _csv(stream: LineOutput, options: SinkOptions) -> Sink:
    from cloudsigma.sinks.csv_rows import CsvSink

    return CsvSink(stream, raw=options.raw, terminal=options.terminal)


def _markdown(stream: LineOutput, options: SinkOptions) -> Sink:
    from cloudsigma.sinks.markdown import MarkdownSink

    return MarkdownSink(stream, show_approved=options.show_approved)


def _html(stream: LineOutput, options: SinkOptions) -> Sink:
    from cloudsigma.sinks.html import HtmlSink

    return HtmlSink(stream, matches_file=options.matches_file, sections=options.sections)


def _ocsf(stream: LineOutput, options: SinkOptions) -> Sink:
    from cloudsigma.sinks.json_documents import ocsf_sink

    return ocsf_sink(stream, record=options.record)


def _asff(stream: LineOutput, options: SinkOptions) -> Sink:  # noqa: ARG001  # the signature of `Format.make`
    from cloudsigma.sinks.asff import AsffSink

    return AsffSink(stream)


def _timesketch(stream: LineOutput, options: SinkOptions) -> Sink:  # noqa: ARG001  # the signature of `Format.make`
    from cloudsigma.sinks.json_documents import timesketch_sink

    return timesketch_sink(stream)


FORMATS = {
    each.name: each
    for each in (
        Format("table", (".txt",), resumable=False, by_time=True, make=_table),
        Format("jsonl", (".jsonl", ".ndjson", ".json"), resumable=True, by_time=False, make=_jsonl),
        Format("ids", (".ids",), resumable=True, by_time=False, make=_ids),
        Format("csv", (".csv",), resumable=True, by_time=True, make=_csv),
        Format("markdown", (".md", ".markdown"), resumable=False, by_time=True, make=_markdown),
        Format("html", (".html", ".htm"), resumable=False, by_time=True, make=_html),
        Format("ocsf", (".ocsf.jsonl", ".ocsf.json"), resumable=True, by_time=True, make=_ocsf),
        Format("asff", (".asff.json", ".asff.jsonl"), resumable=False, by_time=True, make=_asff),
        Format("timesketch", (".timesketch.jsonl",), resumable=True, by_time=True, make=_timesketch),
    )
}
"""The formats by name."""


def format_of(path: str | os.PathLike[str]) -> Format | None:
    """The format for a file name, chosen by its ending; the longest ending wins."""
    name = Path(path).name.lower()
    endings = [(len(ending), each) for each in FORMATS.values() for ending in each.endings if name.endswith(ending)]
    return max(endings, key=lambda found: found[0])[1] if endings else None

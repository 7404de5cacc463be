"""Matches out: one interface, a file for each format."""

from cloudsigma.sinks.delivery import write_files, write_matches
from cloudsigma.sinks.formats import FORMATS, Format, SinkOptions, format_of
from cloudsigma.sinks.interface import Sink
from cloudsigma.sinks.output import LineOutput, open_output

__all__ = [
    "FORMATS",
    "Format",
    "LineOutput",
    "Sink",
    "SinkOptions",
    "format_of",
    "open_output",
    "write_files",
    "write_matches",
]

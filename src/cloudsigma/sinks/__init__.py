"""Matches out: one interface, one form a file."""

from cloudsigma.sinks.ids import IdSink
from cloudsigma.sinks.interface import Sink
from cloudsigma.sinks.jsonl import JsonLinesSink
from cloudsigma.sinks.output import LineOutput, open_output
from cloudsigma.sinks.table import TableSink

__all__ = ["IdSink", "JsonLinesSink", "LineOutput", "Sink", "TableSink", "open_output"]

"""Where a record came from."""

from __future__ import annotations

import msgspec


class Origin(msgspec.Struct, frozen=True):
    """The place of one record in what was read."""

    path: str
    """The file, or `-` for standard input."""
    position: int
    """Which record of the file it is, counted from 0 in the order of the file."""
    form: str
    """How the record was wrapped there, envelopes from outside: `log_file`, `lines`, `sqs/eventbridge` …"""

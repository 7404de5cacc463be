"""Options for reading a queue."""

from __future__ import annotations

from pathlib import Path

import msgspec

LONGEST_POLL = 20
"""Longest wait of a receive in seconds, a limit of SQS."""


class QueueOptions(msgspec.Struct, frozen=True):
    """How a queue is read."""

    buckets: frozenset[str] = frozenset()
    """Read only files in these buckets; empty: in any."""
    dead: Path | None = None
    """The file for dead messages of a queue without a redrive policy; JSON lines."""
    once: bool = False
    """Stop when the queue is empty."""
    idle_close: bool = False
    """Close time frames when the queue has been empty for longer than the lateness."""
    poll: int = LONGEST_POLL
    """Longest wait for a message, in seconds."""

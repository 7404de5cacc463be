"""Options for reading a queue."""

from __future__ import annotations

from pathlib import Path

import msgspec

LONGEST_POLL = 20
"""Longest wait of a receive in seconds, a limit of SQS."""


class MessageCounts(msgspec.Struct):
    """What became of the messages of a queue, since the start."""

    received: int = 0
    """Deliveries: a message that comes again counts again."""
    deleted: int = 0
    returned: int = 0
    """Put back, to come again."""
    dead: int = 0
    """Written to the file of dead messages."""
    waiting: int | None = None
    """Messages in the queue, about; `None`: not known."""
    in_flight: int | None = None
    """Messages that some consumer has received and not deleted, about."""


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

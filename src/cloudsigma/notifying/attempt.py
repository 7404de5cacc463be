"""How an attempt to send ended, and how long the next one waits."""

from __future__ import annotations

import random

import msgspec

FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0
"""Seconds."""


class Sent(msgspec.Struct, frozen=True):
    """The receiver has taken the message."""


class Again(msgspec.Struct, frozen=True):
    """The receiver may take it later."""

    reason: str
    after: float | None = None
    """Seconds that the receiver asks for."""


class Refused(msgspec.Struct, frozen=True):
    """The receiver will never take it."""

    reason: str


Attempt = Sent | Again | Refused


def wait_before(attempt: int, asked: float | None) -> float:
    """Seconds before the next attempt: those that the receiver asks for, up to 5 minutes, else doubling with jitter."""
    if asked is not None:
        return min(max(asked, 0.0), LONGEST_WAIT)
    longest = min(FIRST_WAIT * 2.0 ** min(attempt - 1, 10), LONGEST_WAIT)
    return longest * (0.5 + random.random() / 2)  # noqa: S311  # no secret

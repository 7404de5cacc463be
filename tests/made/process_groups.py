"""Processes that a command leaves behind."""

from __future__ import annotations

import os


def lives(group: int) -> bool:
    """Whether any process of the group is there."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True

"""The exit codes of every command; `docs/reference/exit-codes.md` explains them."""

from __future__ import annotations

DONE = 0
"""Done, nothing found."""
FOUND = 1
"""Done, something found."""
USAGE = 2
"""Wrong usage."""
RULES_LEFT_OUT = 3
"""Done, but some rules were bad and left out."""
INPUT_LOST = 4
"""Done, but some or all input could not be read."""
NOT_DONE = 5
"""Could not be done: no rule left, output not writable."""
INTERRUPTED = 130
"""Stopped by Ctrl-C."""
TERMINATED = 143
"""Stopped by SIGTERM."""
HUNG_UP = 129
"""Stopped because the terminal was closed (SIGHUP)."""


def combined(*, found: bool, rules_left_out: bool, input_lost: bool, exit_zero: bool = False) -> int:
    """The code of a completed command: an incomplete result must not look complete."""
    if input_lost:
        return INPUT_LOST
    if rules_left_out:
        return RULES_LEFT_OUT
    return FOUND if found and not exit_zero else DONE

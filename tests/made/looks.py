"""What happens between the looks of a scan that follows."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Looks(threading.Event):
    """Makes one change after each look; after the last, the scan is to end."""

    def __init__(self, rounds: list[Callable[[], object]]) -> None:
        super().__init__()
        self.rounds = iter(rounds)

    def wait(self, timeout: float | None = None) -> bool:
        change = next(self.rounds, None)
        if change is not None:
            change()
        return change is None

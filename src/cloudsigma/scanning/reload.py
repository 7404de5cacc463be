"""Reloads the rules of a scan that runs for long: a thread watches their files and compiles beside the scan.

The scan takes a finished set between two passes, so that no record is evaluated by parts of two sets. A set that cannot
be loaded is reported, and the scan keeps the rules that it has.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable
from queue import Empty, SimpleQueue
from typing import Literal, NamedTuple

from cloudsigma.errors import CloudSigmaError
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.approving import Approver

INTERVAL = 2.0
"""Seconds between two looks at the files."""


class LoadedRules(NamedTuple):
    """What one load of the files gives."""

    rules: RuleSet
    approvals: Approver | None = None
    notes: tuple[str, ...] = ()
    """Lines for the operator: warnings, and options that take effect after a restart only."""


class Reload(NamedTuple):
    """The end of one attempt to reload."""

    loaded: LoadedRules | None
    """The new rules; `None`: they cannot be used."""
    reason: str = ""
    """Why they cannot be used."""


class Reloader:
    """Watches the files of the rules in a thread.

    Args:
        state_of: Returns the state of the files. Files are loaded once a new state is the same in two looks, so that a
            file that is still being written is not taken for a broken one.
        load: Loads the files; called in the thread. Raises any exception if they cannot be used.
        state: The state of the files when the rules in use were loaded.
        interval: Seconds between two looks.
    """

    def __init__(
        self,
        state_of: Callable[[], Hashable],
        load: Callable[[], LoadedRules],
        state: Hashable,
        *,
        interval: float = INTERVAL,
    ) -> None:
        self._state_of = state_of
        self._load = load
        self._tried = self._seen = state
        self._interval = interval
        self._asked: SimpleQueue[Literal["load", "close"]] = SimpleQueue()  # reentrant: signal handlers put into it
        self._done: SimpleQueue[Reload] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self.counts: Counter[str] = Counter({"success": 0, "failure": 0})
        """Attempts that were taken, by result: `success`, `failure`."""
        self.last_success: float | None = None
        """When rules were last swapped, in seconds since 1970; `None`: not yet."""

    def start(self) -> None:
        """Begin to watch."""
        self._thread = threading.Thread(target=self._watch, name="cloudsigma-reload", daemon=True)
        self._thread.start()

    def request(self) -> None:
        """Load the files even if they have not changed; may be called by a signal handler."""
        self._asked.put("load")

    def close(self) -> None:
        """Stop watching."""
        self._asked.put("close")

    def take(self) -> Reload | None:
        """The latest attempt that is finished and was not taken yet; call it between two passes."""
        latest = None
        try:
            while True:
                latest = self._done.get_nowait()
        except Empty:
            pass
        if latest is not None:
            self.counts["success" if latest.loaded is not None else "failure"] += 1
            if latest.loaded is not None:
                self.last_success = time.time()
        return latest

    def _watch(self) -> None:
        while True:
            try:
                asked = self._asked.get(timeout=self._interval)
            except Empty:
                asked = None
            if asked == "close":
                return
            self.look(force=asked == "load")

    def look(self, *, force: bool = False) -> None:
        """Look at the files once, and load them if they have changed or with `force`."""
        state = self._state_of()
        settled, self._seen = state == self._seen, state
        if not force and (state == self._tried or not settled):
            return
        self._tried = state
        try:
            self._done.put(Reload(self._load()))
        except CloudSigmaError as error:
            self._done.put(Reload(None, str(error)))
        except Exception as error:  # noqa: BLE001  # nothing in a rule file may end the scan
            self._done.put(Reload(None, f"{type(error).__name__}: {error}"))

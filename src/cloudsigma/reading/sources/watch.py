"""Detects files that are still being written; these wait for the next listing.

A file is read once its size and modification time are the same in two listings, or it was last written a minute ago.
S3 objects are always complete.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from cloudsigma.reading.sources.files import FileSource
from cloudsigma.reading.sources.interface import Source

_OLD = 60.0
"""A file last written this many seconds ago is read at once; clocks of file servers differ by less."""


class Watch:
    """Compares files between listings; remembers only those that were written recently."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._before: dict[bytes, str | None] = {}
        self._now: dict[bytes, str | None] = {}

    def begin_look(self) -> None:
        """Begin the next listing."""
        self._before, self._now = self._now, {}

    def settled(self, source: Source) -> bool:
        """Whether a source is complete; call once for each listing."""
        if not isinstance(source, FileSource) or self._clock() - source.changed > _OLD:
            return True
        self._now[source.key] = source.version
        return self._before.get(source.key, "") == source.version

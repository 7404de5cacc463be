"""Whether a file is still being written: such a file is left for the next look.

A file is taken once nothing about it has changed between two looks, or where it was last written so long ago that
nobody is at it any more. Objects of S3 come whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from cloudsigma.reading.sources.files import FileSource
from cloudsigma.reading.sources.interface import Source

_OLD = 60.0
"""Seconds since a file was last written, after which it is taken at once: clocks of file servers differ by less."""


class Watch:
    """Looks at the same files again and again; holds only those that were written lately."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._before: dict[bytes, str | None] = {}
        self._now: dict[bytes, str | None] = {}

    def begin_look(self) -> None:
        """Say that the next look begins."""
        self._before, self._now = self._now, {}

    def settled(self, source: Source) -> bool:
        """Whether nobody seems to be writing a source; asked once in a look."""
        if not isinstance(source, FileSource) or self._clock() - source.changed > _OLD:
            return True
        self._now[source.key] = source.version
        return self._before.get(source.key, "") == source.version

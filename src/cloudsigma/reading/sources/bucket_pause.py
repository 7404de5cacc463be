"""Pauses a bucket that denies access: every attempt costs a request, and the permission comes from a person."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import msgspec

_log = logging.getLogger("cloudsigma")

DENIALS = 3
"""Different files denied in a row after which a bucket is paused. A missing object may answer "denied", too."""
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 900.0
"""Seconds of the first pause, and of the longest; each doubles the one before."""
_MOST = 1_000
"""Most buckets remembered: their names come from untrusted data."""


class _Denials(msgspec.Struct):
    files: set[str]
    pause: float = FIRST_PAUSE
    until: float = 0.0
    is_tried: bool = False


class BucketPause:
    """The buckets that deny access. After a pause one file is tried; it ends the pause or doubles it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, _Denials] = {}

    def allows(self, bucket: str) -> bool:
        """Whether a file of the bucket may be fetched now; call it once for each file that is then fetched."""
        denials = self._buckets.get(bucket)
        if denials is None or len(denials.files) < DENIALS:
            return True
        if self._clock() < denials.until or denials.is_tried:
            return False
        denials.is_tried = True
        return True

    @property
    def paused(self) -> int:
        """Buckets that are paused."""
        return sum(len(denials.files) >= DENIALS for denials in self._buckets.values())

    def note(self, bucket: str, file: str, *, denied: bool) -> None:
        """Note an attempt to read a file of the bucket."""
        if not denied:
            if (before := self._buckets.pop(bucket, None)) is not None and len(before.files) >= DENIALS:
                _log.warning("the bucket %s gives access again", bucket)
            return
        if len(self._buckets) >= _MOST and bucket not in self._buckets:
            return
        denials = self._buckets.setdefault(bucket, _Denials(set()))
        was_paused = len(denials.files) >= DENIALS
        if not was_paused:
            denials.files.add(file)
            if len(denials.files) < DENIALS:
                return
        elif not denials.is_tried:  # fetched before the pause began
            return
        else:
            denials.pause = min(denials.pause * 2, LONGEST_PAUSE)
        denials.is_tried = False
        denials.until = self._clock() + denials.pause
        _log.warning("the bucket %s denies access; its files wait for %.0f s", bucket, denials.pause)

"""What the C library does with memory that was freed, for processes of our own."""

from __future__ import annotations

import contextlib
import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_KEPT = 256 << 20
_MAPPED_FROM = 64 << 20


def keep_freed_memory() -> None:
    """Keep freed memory for the next file, instead of giving it back to the system each time.

    Every file of a trail is inflated into a few megabytes, which glibc by default takes from the system and gives back:
    a fifth of a scan's time. How much is held at once stays the same. This is for a process of our own (the command, a
    worker): it changes how the whole process allocates. Where the C library has no such setting, nothing happens.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)

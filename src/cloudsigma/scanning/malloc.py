"""Settings of the C library's memory allocator, for the command and its workers."""

from __future__ import annotations

import contextlib
import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_KEPT = 256 << 20
_MAPPED_FROM = 64 << 20


def keep_freed_memory() -> None:
    """Keep freed memory for the next file, instead of returning it to the system each time.

    Every file of a trail is inflated into a few megabytes, which glibc by default requests from the system and returns;
    that takes a fifth of a scan's time. Peak memory stays the same. Call this only in the command or a worker, since it
    changes how the whole process allocates. It does nothing if the C library has no such setting.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # Windows has no CDLL(None)
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)

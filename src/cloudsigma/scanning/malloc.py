"""How the C library allocates memory in processes of our own."""

from __future__ import annotations

import contextlib
import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_KEPT = 256 << 20
_MAPPED_FROM = 64 << 20


def keep_freed_memory() -> None:
    """Keep freed memory for the next file, instead of giving it back to the system each time.

    Every file of a trail is inflated into a few megabytes, which glibc by default takes from the system and gives back;
    that is a fifth of a scan's time. The peak stays the same. Call it in a process of our own (the command, a worker),
    since it changes how the whole process allocates. It does nothing where the C library has no such setting.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # Windows has no CDLL(None)
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)

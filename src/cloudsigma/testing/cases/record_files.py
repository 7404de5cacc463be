"""Read the files that a case names: regular files only, of bounded size, and only from folders that are allowed.

A case file may come from a stranger (a pull request, a downloaded rule pack), so it must not be able to read, print or
block on anything else of the machine.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

MAX_BYTES = 64 * 1024 * 1024
"""A file of records that a case names may be this large."""


def read_regular(path: Path, most: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file; raises `OSError` for a device, a pipe or a file above `most` bytes.

    A pipe is not waited for, and a file that is too large is not read.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a regular file")
        if status.st_size > most:
            raise OSError(f"it is larger than {most:,} bytes")
        data = file.read(most + 1)
    if len(data) > most:  # it grew, or the system does not say how large it is
        raise OSError(f"it is larger than {most:,} bytes")
    return data


def is_allowed(path: Path, folders: Sequence[str | os.PathLike[str]]) -> bool:
    """Whether a file lies below one of the folders, with links and `..` resolved."""
    real = path.resolve()
    return any(real.is_relative_to(Path(folder).resolve()) for folder in folders)

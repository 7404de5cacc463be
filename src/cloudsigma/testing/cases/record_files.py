"""Read the files that a case names: regular files only, of bounded size, and only from folders that are allowed.

A case file may come from a stranger (a pull request, a downloaded rule pack), so it must not be able to read, print or
block on anything else of the machine.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cloudsigma.compiler import files

MAX_BYTES = 64 * 1024 * 1024
"""A file of records that a case names may be this large."""


def read_regular(path: Path, most: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file; raises `OSError` for a device, a pipe or a file above `most` bytes."""
    return files.read_regular(path, most)


def is_allowed(path: Path, folders: Sequence[str | os.PathLike[str]]) -> bool:
    """Whether a file lies below one of the folders, with links and `..` resolved."""
    real = path.resolve()
    return any(real.is_relative_to(Path(folder).resolve()) for folder in folders)

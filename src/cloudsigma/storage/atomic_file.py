"""Files that are replaced as a whole: written beside the old one, flushed to the disk, and renamed.

A reader sees the old content or the new, never a part of it. If the disk is full, the old file is kept unchanged.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_file(
    path: str | os.PathLike[str], content: bytes, *, permissions: int | None = None, durable: bool = True
) -> None:
    """Write a file atomically; if that fails, raises `OSError` and keeps the old file unchanged.

    A link is followed. A device or a pipe cannot be replaced, so it is written to directly.

    Args:
        path: The file.
        content: Its new content.
        permissions: Its mode bits. Default: those of the old file, or those that `open` gives a new one.
        durable: Flush the file to the disk before renaming it; `False` for replaceable content, such as a cache.
    """
    target = Path(os.path.realpath(path))
    mode = _mode(target)
    if mode is not None and not stat.S_ISREG(mode):
        target.write_bytes(content)  # raises for a folder
        return
    beside = _beside(target)
    if permissions is None and mode is not None:
        permissions = stat.S_IMODE(mode)
    handle = os.open(beside, _FLAGS, 0o666 if permissions is None else 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        if permissions is not None:
            beside.chmod(permissions)
        beside.replace(target)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise the `OSError` that `write_file` would raise, as far as this can be checked without writing."""
    target = Path(os.path.realpath(path))
    mode = _mode(target)
    if mode is not None and not stat.S_ISREG(mode):
        if not stat.S_ISFIFO(mode):  # opening a pipe would wait for its reader
            target.open("ab").close()  # raises for a folder
        return
    if mode is not None:
        target.open("r+b").close()
    beside = _beside(target)
    os.close(os.open(beside, _FLAGS))
    beside.unlink()


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name[:100]}.{os.urandom(6).hex()}.part")


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None

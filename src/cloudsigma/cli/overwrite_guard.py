"""Files that a command writes: none that it is to read, and no log that lies where it reads."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import click

from cloudsigma.escaping import printable
from cloudsigma.reading.sources.files import FileSource, find_sources
from cloudsigma.reading.sources.log_names import is_log

_OURS = re.compile(rb'\s*\{\s*"(?:rule_id|matches)":|[0-9a-f-]{36}\t|\s*Time \(UTC\) ')
"""How our own output begins: JSON lines, an account, lines of IDs, a table. No log does."""
_LOOKED_AT = 512


def check_written(paths: Sequence[str], written: Mapping[str, str | Path | None]) -> None:
    """Refuse to write what would destroy a log, before anything is done.

    Args:
        paths: What is to be read.
        written: Option → the file that it writes.

    Raises:
        click.UsageError: A file is named by a path too, or a path leads to it and it is none of our own output.
    """
    for option, name in written.items():
        with suppress(OSError):  # what cannot be looked at is told where it is opened
            if name is not None:
                _check(option, Path(name), paths)


def _check(option: str, file: Path, paths: Sequence[str]) -> None:
    if not file.is_file() or file.stat().st_size == 0:
        return
    for path in paths:
        if _is_file(path) and file.samefile(path):
            raise click.UsageError(f"{option} names what is to be read: {printable(path)}.")
        if _leads_to(path, file) and not _is_ours(file):
            raise click.UsageError(
                f"{option} would overwrite {printable(str(file))}, to which {printable(path)} leads and which does not "
                "begin as output of cloudsigma does. Name another file."
            )


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def _leads_to(path: str, file: Path) -> bool:
    """Whether a folder or a pattern leads to a file."""
    folder = Path(path)
    if os.path.isdir(folder):  # noqa: PTH112  # it does not raise
        return is_log(file.name) and file.resolve().is_relative_to(folder.resolve())
    return not os.path.lexists(folder) and any(file.samefile(each) for each in _files_of(path))


def _files_of(pattern: str) -> Iterator[str]:
    return (os.fsdecode(source.key) for source in find_sources(pattern, Counter()) if isinstance(source, FileSource))


def _is_ours(file: Path) -> bool:
    with file.open("rb") as opened:
        return _OURS.match(opened.read(_LOOKED_AT)) is not None

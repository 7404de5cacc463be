"""Expands path patterns to files and folders: `*`, `?`, `[…]`, and `**` for folders to any depth.

Shells expand unquoted patterns themselves; this module expands quoted ones, those on Windows and those in programs.
Unlike the standard library's `glob`, it reports folders that cannot be read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from glob import has_magic
from pathlib import Path

_ANY_DEPTH = "**"

Lost = Callable[[str, Exception], object]
"""Called with each folder that cannot be read, and the error."""


def matching(pattern: str, lost: Lost) -> Iterator[str]:
    """The paths that match, each once; those of one folder are sorted.

    As in a shell, hidden files and folders match only a pattern that begins with a dot. `**` does not follow links to
    folders, which may form a cycle. A path within a matching folder is omitted: the folder's listing contains it.
    """
    parts = Path(pattern).parts
    fixed = next(at for at, part in enumerate(parts) if has_magic(part))
    given: set[str] = set()
    for path in _below(str(Path(*parts[:fixed])) if fixed else "", parts[fixed:], lost):
        if path not in given and not any(str(parent) in given for parent in Path(path).parents):
            given.add(path)
            yield path


def _below(folder: str, parts: tuple[str, ...], lost: Lost) -> Iterator[str]:
    if not parts:
        yield folder or "."
        return
    first, rest = parts[0], parts[1:]
    if first == _ANY_DEPTH:
        for below in _folders(folder, lost):
            yield from _below(below, rest, lost)
    elif not has_magic(first):
        path = os.path.join(folder, first)  # noqa: PTH118  # `Path` would normalize
        if os.path.lexists(path):
            yield from _below(path, rest, lost)
    else:
        for entry in _entries(folder, lost):
            hidden = entry.name.startswith(".") and not first.startswith(".")
            if not hidden and fnmatch(entry.name, first) and (not rest or _is_folder(entry, linked=True)):
                yield from _below(os.path.join(folder, entry.name), rest, lost)  # noqa: PTH118  # as above


def _folders(top: str, lost: Lost) -> Iterator[str]:
    """A folder and all those in it, to any depth."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        yield folder
        inside = [entry for entry in _entries(folder, lost) if not entry.name.startswith(".")]
        waiting += [
            os.path.join(folder, entry.name)  # noqa: PTH118  # as above
            for entry in reversed(inside)
            if _is_folder(entry, linked=False)
        ]


def _entries(folder: str, lost: Lost) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder or ".") as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError) as error:
        lost(folder, error)
        return []


def _is_folder(entry: os.DirEntry[str], *, linked: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=linked)
    except OSError:
        return False

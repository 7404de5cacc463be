"""Refuses to write a file that a scan or command reads, or two outputs to one file, before anything is written."""

from __future__ import annotations

import itertools
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cloudsigma.errors import UsageError
from cloudsigma.escaping import printable
from cloudsigma.reading.sources.files import FileSource, find_sources
from cloudsigma.reading.sources.log_names import is_log

Written = Mapping[str, Sequence[Path]]
"""Option or argument → the files that it writes."""

_OURS = re.compile(
    rb'\s*\{\s*"(?:rule_id|matches|passed|activity_id|Findings|data_type)":|[0-9a-f-]{36}\t|time,level,title,'
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ |# [\d,]+ match|<!DOCTYPE html>|<\?xml[^>]*>\s*<testsuite"
)
"""How our outputs begin: matches in every format, ledgers and test reports. No log or rule begins so."""
_LOOKED_AT = 512
_RULE_ENDINGS = (".yml", ".yaml")


def check_apart(written: Written) -> None:
    """Refuse two options that write the same file, also through links; raises `UsageError`."""
    files = [(option, file) for option, names in written.items() for file in names]
    for (option, file), (other, another) in itertools.combinations(files, 2):
        if _same(file, another):
            both = f"{option} and {other}" if option != other else f"two {option} options"
            raise UsageError(f"{both} name one file: {printable(str(file))}.")


def check_written(paths: Sequence[str], written: Written) -> None:
    """Refuse to overwrite a log that is read.

    Args:
        paths: The inputs: files, folders, patterns, places in S3, `-`.
        written: The files that are written.

    Raises:
        UsageError: A path, too, names a file, also through links, or standard input is redirected from it; or a
            path leads to it, and it does not begin like output of cloudsigma.
    """
    for option, file in _existing(written):
        if "-" in paths and _is_standard_input(file):
            raise UsageError(f"{option} names the file that standard input is read from: {printable(str(file))}.")
        for path in paths:
            _check(option, file, path, is_log)


def check_spared(paths: Sequence[Path], written: Written) -> None:
    """Refuse to overwrite rules, cases or other files that configure the command.

    Args:
        paths: Files and folders of rules or cases.
        written: The files that are written.

    Raises:
        UsageError: A path, too, names a file, also through links, or it is a YAML file in a folder; or it is in a
            folder and does not begin like output of cloudsigma.
    """
    for option, file in _existing(written):
        for path in paths:
            _check(option, file, str(path), lambda _: True, spared=_RULE_ENDINGS)


def _existing(written: Written) -> Iterator[tuple[str, Path]]:
    """The files that exist and have content that could be lost."""
    for option, names in written.items():
        for file in names:
            with suppress(OSError):  # reported where the file is opened
                status = file.stat()
                if stat.S_ISREG(status.st_mode) and status.st_size:
                    yield option, file


def _check(option: str, file: Path, path: str, may_be: Callable[[str], bool], spared: tuple[str, ...] = ()) -> None:
    """Check one file against one path; files whose names end as `spared` says are never overwritten."""
    with suppress(OSError):
        if _is_file(path) and file.samefile(path):
            raise UsageError(f"{option} names what is to be read: {printable(path)}.")
        if not _leads_to(path, file, may_be):
            return
        if file.name.lower().endswith(spared):
            raise UsageError(
                f"{option} would overwrite {printable(str(file))}, to which {printable(path)} leads. Name another file."
            )
        if not _is_ours(file):
            raise UsageError(
                f"{option} would overwrite {printable(str(file))}, to which {printable(path)} leads and which does not "
                "begin as output of cloudsigma does. Name another file."
            )


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other) and one.is_file()  # two outputs may go to one device
    except OSError:  # one is still to be created
        return os.path.realpath(one) == os.path.realpath(other)


def _is_standard_input(file: Path) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(sys.stdin.fileno()))
    except (OSError, ValueError, AttributeError):  # it is closed, or a stream in memory
        return False


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def _leads_to(path: str, file: Path, may_be: Callable[[str], bool]) -> bool:
    """Whether a folder or a pattern leads to a file."""
    folder = Path(path)
    if os.path.isdir(folder):  # noqa: PTH112  # it does not raise
        return may_be(file.name) and file.resolve().is_relative_to(folder.resolve())
    return not os.path.lexists(folder) and any(file.samefile(each) for each in _files_of(path))


def _files_of(pattern: str) -> Iterator[str]:
    return (
        os.fsdecode(source.key) for source in find_sources(pattern, lambda *_: None) if isinstance(source, FileSource)
    )


def _is_ours(file: Path) -> bool:
    with file.open("rb") as opened:
        return _OURS.match(opened.read(_LOOKED_AT)) is not None

"""Finds the rule files under a path, and reads them."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import msgspec

from cloudsigma.compiler.limits import DEFAULT_LIMITS, RuleLimits
from cloudsigma.errors import RuleError

_ENDINGS = (".yml", ".yaml")
_NO_RULES = (".cases.yml", ".cases.yaml")
_OF_SHELLS = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")
"""Prefixes of the paths by which a shell passes the output of a command."""
_REGRESSION_INFO = ("info.yml", "info.yaml")


class RuleFile(msgspec.Struct, frozen=True):
    """A rule file with its bytes."""

    path: str
    data: bytes

    @property
    def shown(self) -> str:
        """The path as text for people and JSON."""
        return self.path.encode(errors="surrogateescape").decode(errors="replace")


def read_files(
    paths: Iterable[str | os.PathLike[str]], limits: RuleLimits = DEFAULT_LIMITS
) -> Iterator[RuleFile | RuleError]:
    """The rule files at paths in order, each once, even if several paths or names lead to it."""
    seen: set[tuple[int, int]] = set()
    for path in paths:
        for found in rule_files(path):
            if isinstance(found, RuleError):
                yield found
                continue
            try:
                data, identity = _read(found, limits.file, seen)
            except OSError as error:
                yield _os_error(error, found, limits)
                continue
            if data is not None:
                seen.add(identity)
                yield RuleFile(found, data)


def read_file(path: str | os.PathLike[str], limits: RuleLimits = DEFAULT_LIMITS) -> bytes | RuleError:
    """The bytes of one file of rules, placeholders or a pipeline, or why they cannot be read."""
    try:
        return read_regular(path, limits.file)
    except OSError as error:
        return _os_error(error, path, limits)


def read_regular(path: str | os.PathLike[str], most: int) -> bytes:
    """The bytes of a regular file; raises `OSError` for a device, a pipe or a file above `most` bytes.

    A pipe is not waited for, and a file that is too large is not read. Only a pipe that a shell has opened for the
    command (`<(…)`) is read, up to `most` bytes.
    """
    data, _ = _read(os.fspath(Path(path)), most, ())
    return data or b""


def _read(path: str, most: int, seen: Collection[tuple[int, int]]) -> tuple[bytes | None, tuple[int, int]]:
    """A file's bytes, `None` where its identity was seen, and its identity: device and inode."""
    shell = path.startswith(_OF_SHELLS)
    waiting = 0 if shell else getattr(os, "O_NONBLOCK", 0)
    flags = os.O_RDONLY | waiting | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)  # thousands: without buffers
    try:
        status = os.fstat(descriptor)
        if not (stat.S_ISREG(status.st_mode) or (shell and stat.S_ISFIFO(status.st_mode))):
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            raise OSError("it is not a regular file")
        identity = (status.st_dev, status.st_ino)
        if identity in seen:
            return None, identity
        if status.st_size > most:
            raise _TooLargeError(f"it is larger than {most:,} bytes")
        return _all_of(descriptor, status.st_size, most), identity
    finally:
        os.close(descriptor)


class _TooLargeError(OSError):
    """The file is larger than it may be."""


def _all_of(descriptor: int, size: int, most: int) -> bytes:
    """Everything in an open file; `size` is a guess: a pipe has none, and a file may grow."""
    parts = [os.read(descriptor, size + 1)]
    total = len(parts[0])
    while parts[-1]:
        if total > most:
            raise _TooLargeError(f"it is larger than {most:,} bytes")
        parts.append(os.read(descriptor, 1 << 16))
        total += len(parts[-1])
    return b"".join(parts)


def rule_files(path: str | os.PathLike[str]) -> Iterator[str | RuleError]:
    """The rule files at a path in sorted order: the file itself, or those of a folder at any depth."""
    top = os.fspath(Path(path))
    if os.path.isdir(top):  # noqa: PTH112  # as above
        found = False
        for file in _walk(top):
            found = True
            yield file
        if not found:
            yield RuleError(
                "file",
                "the folder holds no rule files",
                path=top,
                remedy="Rules are files that end in .yml or .yaml.",
            )
    elif os.path.exists(top):  # noqa: PTH110  # as above
        yield top
    else:
        yield RuleError("file", "there is no such file or folder", path=top, remedy="Check the path.")


def _walk(top: str) -> Iterator[str | RuleError]:
    for found in yaml_files(top):
        if isinstance(found, RuleError) or is_rule_file(os.path.basename(found)):  # noqa: PTH119  # keeps bytes unchanged
            yield found


def yaml_files(top: str, skip_folder: Callable[[str, str], bool] | None = None) -> Iterator[str | RuleError]:
    """The YAML files below a folder in sorted order; for a subfolder that cannot be listed, the error.

    Args:
        top: The folder.
        skip_folder: Called with a folder and the name of a subfolder; says whether to skip the subfolder.
    """
    denied: list[RuleError] = []

    def note(error: OSError) -> None:
        denied.append(_os_error(error, error.filename or top))

    for folder, folders, names in os.walk(top, onerror=note):
        yield from denied
        denied.clear()
        folders[:] = sorted(name for name in folders if skip_folder is None or not skip_folder(folder, name))
        for name in sorted(names):
            if name.lower().endswith(_ENDINGS):
                yield os.path.join(folder, name)  # noqa: PTH118  # as above
    yield from denied


def no_rule_in(path: str) -> RuleError:
    """The warning about a file without a document."""
    reason, remedy = "the file holds no rule", "Add a rule, or remove the file."
    return RuleError("file", reason, path=path, line=1, column=1, remedy=remedy, severity="warning")


def is_rule_file(name: str) -> bool:
    """Whether a file of this name in a folder is a rule."""
    lowered = name.lower()
    return lowered.endswith(_ENDINGS) and not lowered.endswith(_NO_RULES) and lowered not in _REGRESSION_INFO


def _os_error(error: OSError, path: str | os.PathLike[str], limits: RuleLimits = DEFAULT_LIMITS) -> RuleError:
    if isinstance(error, _TooLargeError):
        reason = f"it is larger than {limits.said('file')} bytes"
        return RuleError("file", reason, path=os.fspath(path), remedy="Split it into several files.")
    return RuleError(
        "file",
        f"it cannot be read ({error.strerror or error})",
        path=os.fspath(path),
        remedy="Check that it is a file and that you may read it.",
    )

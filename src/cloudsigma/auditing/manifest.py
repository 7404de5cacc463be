"""The manifest of an audit: SHA-256 of each input, so that somebody else can reach the same verdict."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from cloudsigma.version import __version__

_CHUNK = 1 << 20


class HashedFile(msgspec.Struct, frozen=True, order=True):
    """A file that was read."""

    path: str
    """Below the path that was given."""
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What an audit was made of."""

    since: str
    until: str
    inputs: tuple[HashedFile, ...]
    """The files of the logs, by path; not those in S3, which have versions of their own."""
    rules: Mapping[str, str]
    """Rule ID → a digest of its meaning."""
    files: Mapping[str, str]
    """Approvals and register → SHA-256."""
    not_hashed: tuple[str, ...] = ()
    """Paths whose files are not here: places in S3."""

    @property
    def digest(self) -> str:
        """The SHA-256 of everything above."""
        return hashlib.sha256(self._written.encode()).hexdigest()

    @property
    def _written(self) -> str:
        return json.dumps(msgspec.to_builtins(self), sort_keys=True, separators=(",", ":"))

    def to_json(self) -> str:
        """The manifest as a file: the same inputs give the same bytes."""
        form: dict[str, Any] = {"cloudsigma": __version__, "sha256": self.digest, **msgspec.to_builtins(self)}
        return json.dumps(form, indent=1, sort_keys=True) + "\n"


def hashed_inputs(paths: Iterable[str | os.PathLike[str]]) -> tuple[tuple[HashedFile, ...], tuple[str, ...]]:
    """The files at paths of this machine with their hashes, and the paths that are elsewhere.

    A file that cannot be read is left to the ledger, which names it as a loss.
    """
    found: list[HashedFile] = []
    elsewhere: list[str] = []
    for given in paths:
        path = os.fspath(given)
        if "://" in path:
            elsewhere.append(path)
            continue
        top = Path(path)
        for file in _files(top):
            try:
                size, digest = _hashed(file)
            except OSError:
                continue
            name = file.relative_to(top).as_posix() if file != top else file.name
            found.append(HashedFile(name, size, digest))
    return tuple(sorted(found)), tuple(sorted(elsewhere))


def _files(top: Path) -> Iterator[Path]:
    if not top.is_dir():
        yield from [top] if top.is_file() else []
        return
    for folder, folders, names in os.walk(top):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names) if Path(folder, name).is_file())


def _hashed(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()

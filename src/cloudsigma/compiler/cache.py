"""Compiled rules on disk, so that the same files need not be compiled twice.

An entry is data (`artifact`), found by a key over everything that decides what comes out: the bytes and paths of the
files, the options, and the versions of all that compiles. Whatever is wrong with an entry, the rules are compiled as if
there were none; and nothing that goes wrong here is an error.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from platformdirs import user_cache_path

from cloudsigma import artifact
from cloudsigma.compiler.files import RuleFile
from cloudsigma.ruleset import RuleSet, from_artifact, to_artifact
from cloudsigma.version import __version__

DIRECTORY_VARIABLE = "CLOUDSIGMA_CACHE_DIR"
"""Names the folder; default: that of the user's caches on the system."""
OFF_VARIABLE = "CLOUDSIGMA_NO_CACHE"
"""Set to anything, no command uses a cache."""
MOST_ENTRIES = 50
"""Entries that are kept; those not used for longest go first."""

_SUFFIX = ".rules.json"
_DIGEST_SIZE = 32
_COMPILERS = {
    "sigma": "pysigma",
    "yaml": "pyyaml",
    "pyparsing": "pyparsing",
    "jsonpath_ng": "jsonpath",
    "re2": "google",
}
"""The packages whose version decides what comes out, by module, with how the names of their distributions begin."""


class Cache:
    """The entries in one folder. Only a folder and files that nobody else can write are believed."""

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        """`folder`: default is `CLOUDSIGMA_CACHE_DIR`, else the user's folder of caches."""
        given = folder if folder is not None else os.environ.get(DIRECTORY_VARIABLE)
        self._folder = Path(given) if given else user_cache_path("cloudsigma", appauthor=False)

    def load(self, key: str) -> RuleSet | None:
        """The rules of this key; `None` where there is no entry that can be believed."""
        path = self._path(key)
        try:
            if not (_is_ours(self._folder) and _is_ours(path)):
                return None
            data = path.read_bytes()
            if hashlib.blake2b(data[_DIGEST_SIZE:], digest_size=_DIGEST_SIZE).digest() != data[:_DIGEST_SIZE]:
                return None
            rules = from_artifact(artifact.decode(data[_DIGEST_SIZE:]))
        except (OSError, artifact.ArtifactProblem):
            return None
        with suppress(OSError):
            os.utime(path)
        return rules

    def store(self, key: str, rules: RuleSet) -> None:
        """Keep the rules under this key, where that is possible."""
        with suppress(OSError, artifact.ArtifactProblem):
            data = artifact.encode(to_artifact(rules), written_by=__version__)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_ours(self._folder):
                return
            handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.blake2b(data, digest_size=_DIGEST_SIZE).digest())
                    file.write(data)
                Path(name).replace(self._path(key))
            except OSError:
                Path(name).unlink()
                raise
            self._forget()

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"

    def _forget(self) -> None:
        """Leave only the entries that were used last."""
        entries = sorted(self._folder.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in entries[MOST_ENTRIES:]:
            path.unlink(missing_ok=True)


def cache_of(choice: bool | str | os.PathLike[str] | None) -> Cache | None:  # noqa: FBT001  # an argument handed on
    """The cache that an argument `cache` asks for: `True` for the default folder, a path for another, else none."""
    if choice is None or choice is False or os.environ.get(OFF_VARIABLE):
        return None
    return Cache() if choice is True else Cache(choice)


def key_of(files: Iterable[RuleFile], options: Mapping[str, Any]) -> str:
    """What the outcome of compiling depends on, as one text; `options` are plain values.

    Raises:
        TypeError: An option has no form as data.
    """
    digest = hashlib.blake2b(digest_size=24)
    settings = [artifact.FORMAT, __version__, sys.version_info[:2], _versions(), _own_code(), options]
    digest.update(msgspec.json.encode(settings, order="deterministic"))
    for file in files:
        digest.update(b"\0%d %d\0" % (len(file.path), len(file.data)))
        digest.update(file.path.encode(errors="surrogateescape"))
        digest.update(file.data)
    return digest.hexdigest()


def _versions() -> list[str]:
    """The versions of what compiles, by the names of the folders that say so.

    The library that reads them properly takes longer to import than all of this to run.
    """
    found: set[str] = set()
    beginnings = tuple(_COMPILERS.values())
    for module in _COMPILERS:
        spec = importlib.util.find_spec(module)
        for place in (spec.submodule_search_locations or [spec.origin or ""]) if spec is not None else ():
            with suppress(OSError):
                names = [entry.name.lower() for entry in Path(place).parent.iterdir()]
                found.update(name for name in names if name.startswith(beginnings) and name.endswith("-info"))
    return sorted(found)


def _own_code() -> list[tuple[str, int, int]]:
    """The state of our own modules, which change without a new version while they are worked on."""
    package = Path(__file__).parents[1]
    modules = [package / "ir.py", *sorted(package.glob("compiler/*.py")), *sorted(package.glob("pipelines/*"))]
    states = [(module.name, module.stat()) for module in modules]
    return [(name, state.st_size, state.st_mtime_ns) for name, state in states]


def _is_ours(path: Path) -> bool:
    """Whether nobody but this user (and root) can have written it."""
    if not hasattr(os, "geteuid"):
        return True  # Windows: a user's folder of caches is the user's own
    status = path.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)

"""Compiled rules on disk, so that the same files need not be compiled twice.

An entry is data (`artifact`). Its key covers all inputs of compiling: the bytes and paths of the files, the options,
and the versions of the packages involved. If an entry is damaged in any way, the rules are compiled again; no failure
of the cache is an error.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from cloudsigma.compiler.files import RuleFile
from cloudsigma.rulesets import compiled_file as artifact
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.rulesets.saved import from_artifact, to_artifact
from cloudsigma.storage.disk_cache import DiskCache, user_folder
from cloudsigma.version import __version__

OFF_VARIABLE = "CLOUDSIGMA_NO_CACHE"
"""Environment variable: if set, no command uses a cache."""
MOST_ENTRIES = 50
"""Most entries kept; the least recently used are removed first."""

_DIGEST_SIZE = 32
_COMPILERS = {
    "sigma": "pysigma",
    "yaml": "pyyaml",
    "pyparsing": "pyparsing",
    "jsonpath_ng": "jsonpath",
    "re2": "google",
}
"""Packages whose version affects the result: module → prefix of the distribution's name."""


class Cache:
    """A cache of rule sets, keyed by the inputs of compiling."""

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        """`folder`: default is the user's folder of caches."""
        self._entries = DiskCache(folder if folder is not None else user_folder(), ".rules.json", most=MOST_ENTRIES)

    def load(self, key: str) -> RuleSet | None:
        """The rules of this key; `None` if there is no entry or it is damaged."""
        data = self._entries.get(key)
        if data is None or _digest(data[_DIGEST_SIZE:]) != data[:_DIGEST_SIZE]:
            return None
        try:
            return from_artifact(artifact.decode(data[_DIGEST_SIZE:]))
        except artifact.ArtifactProblem:
            return None

    def store(self, key: str, rules: RuleSet) -> None:
        """Store the rules under this key; rule sets that JSON cannot hold are skipped."""
        with suppress(artifact.ArtifactProblem):
            data = artifact.encode(to_artifact(rules), written_by=__version__)
            self._entries.put(key, _digest(data) + data)
            self._entries.trim()


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_SIZE).digest()


def cache_of(choice: bool | str | os.PathLike[str] | None) -> Cache | None:  # noqa: FBT001  # an argument handed on
    """The cache that an argument `cache` asks for: `True` for the default folder, a path for another, else none."""
    if choice is None or choice is False or os.environ.get(OFF_VARIABLE):
        return None
    return Cache() if choice is True else Cache(choice)


def key_of(files: Iterable[RuleFile], options: Mapping[str, Any]) -> str:
    """The cache key: a digest of all inputs of compiling; `options` are plain values.

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
    """The versions of the packages involved, from the names of their metadata folders.

    `importlib.metadata` takes longer to import than this function to run.
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
    """The state of our own modules, which change without a new version during development."""
    package = Path(__file__).parents[1]
    modules = sorted(
        path
        for room in ("ir", "compiler", "pipelines")
        for path in (package / room).rglob("*.*")
        if path.suffix != ".pyc"
    )
    states = [(module.name, module.stat()) for module in modules]
    return [(name, state.st_size, state.st_mtime_ns) for name, state in states]

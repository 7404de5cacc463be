"""The driver's part: lists the files at paths and packs their names into tasks; fetches and opens none of them."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterable, Iterator

import msgspec

from cloudsigma.reading.account.ledger import Recorder
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.sources.files import FileSource, listed_file
from cloudsigma.reading.sources.finder import SourceFinder
from cloudsigma.reading.sources.interface import Source, Unreadable
from cloudsigma.reading.sources.s3 import options as s3_options
from cloudsigma.reading.sources.s3.key_layout import parse_location
from cloudsigma.reading.sources.s3.object_store import Fault, ListedObject
from cloudsigma.reading.sources.s3.source import S3Source, object_ahead
from cloudsigma.spark.counts import counts_of

_PACK_FILES, _PACK_BYTES = 64, 4 << 20
"""Files whose names are packed together, at most; the unit of which tasks are made."""
_TASK_FILES, _TASK_BYTES = 2_000, 64 << 20
"""Files of one task, at most: some seconds of work, so that a lost executor costs little."""
_TASKS = 200
"""Small input is cut into up to this many tasks, for clusters with many cores."""
_LEAST_BYTES = 1 << 20
"""A task has at least this many bytes, if there are as many: starting one takes some 10 ms."""

_S3_ALIAS = re.compile(r"s3[an]:/", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"(?!s3:)[a-z][a-z0-9+.-]+:/", re.IGNORECASE)


class Listed(msgspec.Struct, frozen=True, array_like=True):
    """One file, by name."""

    name: bytes
    """Its path as the file system has it, or its URL."""
    size: int | None
    version: str | None


class Notes(msgspec.Struct, frozen=True):
    """The account of the listing: paths that could not be listed, with the reason, and files that were skipped."""

    lost: list[tuple[str, str]]
    counted: dict[str, dict[str, int]]
    """Path → counts, as in the column `counts`."""


class Task(msgspec.Struct, frozen=True):
    """The work of one Spark task."""

    packs: list[bytes]
    """Deflated lists of `Listed`."""
    notes: Notes | None = None
    """In one of the tasks."""


def own_path(path: str | os.PathLike[str]) -> str | None:
    """A path that the project's own sources read, absolute; `None` if it has a scheme that only Hadoop knows."""
    text = os.fspath(path)
    if _S3_ALIAS.match(text):
        return f"s3:/{text[5:]}"
    if text[:3].lower() == "s3:":
        return text
    if text[:5].lower() == "file:":
        return "/" + text[5:].lstrip("/")
    return None if _OTHER_SCHEME.match(text) else os.path.abspath(text)  # noqa: PTH100  # keeps links and patterns


def list_tasks(paths: Iterable[str], selection: Selection) -> list[Task]:
    """The tasks for everything below paths, in the order of the listing; at least one.

    Raises:
        UsageError: An S3 URL is malformed, or the extra that reads S3 is not installed.
    """
    packs = _Packs()
    lost: list[tuple[str, str]] = []
    counted: dict[str, dict[str, int]] = {}
    for path in paths:
        recorder = Recorder()
        found = SourceFinder((path,), selection).find(recorder, packs.take)  # sources are taken, and not fetched
        lost += [(each.name, each.reason) for each in found if isinstance(each, Unreadable)]
        if counts := counts_of(recorder):
            counted[path] = counts
    tasks = packs.tasks()
    notes = Notes(lost, counted)
    return [msgspec.structs.replace(tasks[0], notes=notes), *tasks[1:]] if tasks else [Task([], notes)]


class _Packs:
    """Collects sources in little memory: 5 million take some 150 MB."""

    def __init__(self) -> None:
        self._open: list[Listed] = []
        self._size = 0
        self._packs: list[tuple[int, int, bytes]] = []  # files, bytes, names

    def take(self, source: Source) -> bool:
        """Take a source; `False`: the finder need not fetch it."""
        name = source.key if isinstance(source, FileSource) else source.name.encode()
        self._open.append(Listed(name, source.size, source.version))
        self._size += source.size or 0
        if len(self._open) >= _PACK_FILES or self._size >= _PACK_BYTES:
            self._close()
        return False

    def _close(self) -> None:
        if self._open:
            self._packs.append((len(self._open), self._size, zlib.compress(msgspec.msgpack.encode(self._open))))
            self._open, self._size = [], 0

    def tasks(self) -> list[Task]:
        """The tasks, of about the same size."""
        self._close()
        share = sum(size for _, size, _ in self._packs) // _TASKS
        most = min(max(share, _LEAST_BYTES), _TASK_BYTES)
        tasks: list[Task] = []
        packs: list[bytes] = []
        files = stored = 0
        for count, size, names in self._packs:
            if packs and (files + count > _TASK_FILES or stored + size > most):
                tasks.append(Task(packs))
                packs, files, stored = [], 0, 0
            packs.append(names)
            files += count
            stored += size
        return [*tasks, Task(packs)] if packs else tasks


def sources_of(task: Task) -> Iterator[Source | Unreadable]:
    """The executor's part: the sources of a task; objects in S3 are fetched ahead, 16 at a time."""
    lists = (msgspec.msgpack.decode(zlib.decompress(names), type=list[Listed]) for names in task.packs)
    before: list[Source | Unreadable] = []
    for listed in lists:  # while one pack is read, the next is fetched
        opened = [source_of(each) for each in listed]
        yield from before
        before = opened
    yield from before


def source_of(listed: Listed) -> Source | Unreadable:
    """The source for a listed file on this machine."""
    if listed.name[:4].lower() != b"s3:/":
        return listed_file(os.fsdecode(listed.name))
    location = parse_location(listed.name.decode())
    found = ListedObject(location.prefix, listed.size, listed.version)
    try:
        return object_ahead(location.bucket, found, s3_options.DEFAULT)
    except Fault:
        return S3Source(location.bucket, found, s3_options.DEFAULT)  # opening it raises the reason

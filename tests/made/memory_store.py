"""A bucket in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from cloudsigma.reading.sources.s3.object_store import Body, Fault, ListedObject, ObjectStore, Page
from cloudsigma.reading.sources.s3.retry import Patience

QUICK = Patience(attempts=3, first_wait=0.0)
"""Tries three times, without waits."""


class MemoryStore(ObjectStore):
    """A bucket in memory that answers as S3 does, with pages of a few keys."""

    bucket = "trails"

    def __init__(self, objects: dict[str, bytes] | Iterable[str], page_size: int = 3) -> None:
        self.objects = dict(objects) if isinstance(objects, dict) else dict.fromkeys(objects, b"{}")
        self.page_size = page_size
        self.listed: list[str] = []
        self.fetched: list[str] = []
        self.denied: tuple[str, ...] = ()
        self.closed = False
        self.lock = threading.Lock()

    def page(self, prefix: str, *, to_slash: bool, following: str | None = None) -> Page:
        with self.lock:
            self.listed.append(prefix)
        if prefix.startswith(self.denied or "\0"):
            raise Fault("denied", "AccessDenied")
        groups: dict[str, int | None] = {}
        for key in sorted(self.objects):
            if key.startswith(prefix):
                head, slash, _ = key[len(prefix) :].partition("/")
                groups[prefix + head + "/" if to_slash and slash else key] = None if to_slash and slash else 1
        names = [name for name in sorted(groups) if following is None or name > following]
        here, more = names[: self.page_size], len(names) > self.page_size
        return Page(
            tuple(ListedObject(name, len(self.objects[name])) for name in here if groups[name]),
            tuple(name for name in here if not groups[name]),
            here[-1] if more else None,
        )

    def fetch(self, key: str, *, span: tuple[int, int] | None = None, etag: str | None = None) -> Body:
        with self.lock:
            self.fetched.append(key)
        data = self.objects[key]
        return Body(data[span[0] : span[1]] if span else data, len(data), "etag")

    def close(self) -> None:
        self.closed = True

"""Files in S3 that notifications name: read on request, each once, after all listed sources.

Files named in these files are counted but not read: data must not lead from bucket to bucket without end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cloudsigma.errors import UsageError
from cloudsigma.reading.account.ledger import Recorder
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.sources.bucket_pause import BucketPause
from cloudsigma.reading.sources.interface import Source
from cloudsigma.reading.sources.log_names import packed
from cloudsigma.reading.sources.register import Register
from cloudsigma.reading.sources.s3.clients import check_location
from cloudsigma.reading.sources.s3.key_filter import KeyFilter
from cloudsigma.reading.sources.s3.key_layout import Location, parse_location
from cloudsigma.reading.sources.s3.source import OpenBuckets, named_objects

_LONGEST = 1024
"""Bytes of a key, at most."""


class NamedFiles:
    """Collects the files that notifications name, and returns them as sources."""

    def __init__(self, register: Register, selection: Selection, buckets: frozenset[str] = frozenset()) -> None:
        """`register` stores the names and the sources that were read; `buckets`: the allowed ones, empty for any."""
        self._register = register
        self._selection = selection
        self._buckets = buckets
        self._pause = BucketPause()
        self._open = OpenBuckets()
        self._failed: set[str] = set()
        """Buckets whose clients are dropped before the next call of `sources`."""
        self.repeated = 0
        """Notifications of files that had been named before."""

    def note(self, found: Recorder, recorder: Recorder) -> None:
        """Take the names from `found`; `recorder` counts those that the filters exclude."""
        names, found.references = found.references or [], []
        chosen = KeyFilter(self._selection, recorder)
        for bucket, key in names:
            url = str(Location(bucket, key))
            if not self._register.is_first_named(url):
                self.repeated += 1
                continue
            try:
                parse_location(url)
                possible = 0 < len(key.encode()) <= _LONGEST
            except (UsageError, UnicodeEncodeError):
                possible = False
            why = packed(key) if possible else "a notification names it, but an S3 key cannot have this name"
            if possible and self._buckets and bucket not in self._buckets:
                why = "a notification names it, but its bucket is not among those of --bucket"
            if why is not None:
                recorder.lose(url.encode(errors="backslashreplace").decode(), why)
                self._register.refuse_named(url)
            elif chosen.keeps_named(key):
                self._register.await_named(url)

    def sources(self, wanted: Callable[[Source], bool]) -> Iterator[Source]:
        """The named files that are `wanted` and have not been read, in the order in which they were named."""

        def allowed(source: Source) -> bool:
            return wanted(source) and self._pause.allows(parse_location(source.name).bucket)

        while self._failed:  # new clients find changed credentials
            self._open.drop(self._failed.pop())
        return named_objects(self._register.awaited(), wanted=allowed, buckets=self._open)

    @property
    def paused_buckets(self) -> int:
        """Buckets that deny access and are paused."""
        return self._pause.paused

    def note_attempt(self, source: Source, failure: str | None) -> None:
        """Note that a named file was read, or the kind of its failure (a `FailureKind`)."""
        bucket = parse_location(source.name).bucket
        self._pause.note(bucket, source.name, denied=failure == "denied")
        if failure in {"passing", "denied"}:
            self._failed.add(bucket)

    def close(self) -> None:
        """Close the clients of the buckets."""
        self._open.close()


def check_named_files() -> None:
    """Raise `UsageError` if the extra that reads S3 is not installed."""
    check_location("s3://any")

"""Which sources have been read or named, in a SQLite database: memory does not grow with their number."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Literal

from cloudsigma.reading.sources.interface import Source

Standing = Literal["new", "read", "changed", "failed", "failed, wait"]
"""What is known of a source: `changed` since it was read; `failed`: nothing could be read of it, and it may be tried
again, or, with `wait`, not yet."""

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS sources (
        key BLOB PRIMARY KEY, version TEXT, failures INTEGER NOT NULL, again REAL NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS named (
        number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, awaited INTEGER NOT NULL DEFAULT 0)""",
    "CREATE TEMP TABLE IF NOT EXISTS listed (key BLOB PRIMARY KEY) WITHOUT ROWID",
)
_LONGEST_PAUSE = 3600.0
_PAGE = 1_000


class Register:
    """Notes sources, in the transaction of whoever owns the database."""

    def __init__(
        self, database: sqlite3.Connection, *, pause: float = 0.0, clock: Callable[[], float] = time.time
    ) -> None:
        """`pause`: seconds before a source that failed may be tried again; twice as long after each failure."""
        self._database = database
        self._pause = pause
        self._clock = clock
        for statement in _SCHEMA:
            database.execute(statement)

    def begin_listing(self) -> None:
        """Say that sources are listed from the beginning."""
        self._database.execute("DELETE FROM temp.listed")

    def first_listed(self, source: Source) -> bool:
        """Whether a source comes for the first time in this listing: paths may lead to it twice."""
        found = self._database.execute("INSERT OR IGNORE INTO temp.listed VALUES (?)", (source.key,))
        return found.rowcount == 1

    def standing(self, source: Source) -> Standing:
        """What is known of a source."""
        row = self._database.execute(
            "SELECT version, failures, again FROM sources WHERE key = ?", (source.key,)
        ).fetchone()
        if row is None:
            return "new"
        version, failures, again = row
        if None not in (version, source.version) and version != source.version:
            return "changed" if not failures else "failed"
        if not failures:
            return "read"
        return "failed" if self._clock() >= again else "failed, wait"

    def note(self, source: Source, *, failed: bool = False) -> None:
        """Note that a source was read, or that nothing could be read of it."""
        self._database.execute(
            "INSERT INTO sources VALUES (:key, :version, :failed, :again) ON CONFLICT (key) DO UPDATE SET "
            "version = :version, failures = CASE WHEN :failed THEN failures + 1 ELSE 0 END, again = :again",
            {
                "key": source.key,
                "version": source.version,
                "failed": int(failed),
                "again": self._clock() + self._wait(source) if failed else 0.0,
            },
        )

    def _wait(self, source: Source) -> float:
        row = self._database.execute("SELECT failures FROM sources WHERE key = ?", (source.key,)).fetchone()
        doublings: int = min(row[0], 20) if row is not None else 0
        return float(min(self._pause * 2**doublings, _LONGEST_PAUSE))

    def __len__(self) -> int:
        count: int = self._database.execute("SELECT count(*) FROM sources WHERE failures = 0").fetchone()[0]
        return count

    # --- by their names -----------------------------------------------------------------------------------------

    def is_first_named(self, name: str) -> bool:
        """Whether a source is named for the first time."""
        found = self._database.execute("INSERT OR IGNORE INTO named (key) VALUES (?)", (_key(name),))
        return found.rowcount == 1

    def await_named(self, name: str) -> None:
        """Say that a source that was named is to be read."""
        self._database.execute("UPDATE named SET awaited = 1 WHERE key = ?", (_key(name),))

    def awaited(self) -> Iterator[str]:
        """The names of sources that are to be read and have not been, in the order in which they were named."""
        last = 0
        while rows := self._database.execute(
            "SELECT number, key FROM named WHERE number > ? AND awaited AND NOT EXISTS "
            "(SELECT 1 FROM sources WHERE sources.key = named.key AND failures = 0) ORDER BY number LIMIT ?",
            (last, _PAGE),
        ).fetchall():
            last = rows[-1][0]
            yield from (key.decode(errors="surrogatepass") for _, key in rows)


def _key(name: str) -> bytes:
    """What tells a source from others, as `Source.key` has it of a source without another key."""
    return name.encode(errors="surrogatepass")

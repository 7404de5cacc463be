"""Records in SQLite which sources have been read or named, so that memory does not grow with their number."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Literal

from cloudsigma.reading.sources.interface import Source

Standing = Literal["new", "read", "changed", "failed", "failed, wait"]
"""The state of a source. `changed`: modified since it was read; `failed`: could not be read, and may be retried now;
`failed, wait`: may be retried later."""

NamedState = Literal["done", "damaged", "waits"]
"""What became of a named source: `done`: read, or left out by the filters; `damaged`: not, or not wholly, readable;
`waits`: it is read later."""

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS sources (
        key BLOB PRIMARY KEY, version TEXT, failures INTEGER NOT NULL, again REAL NOT NULL,
        damaged INTEGER NOT NULL, seen REAL NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS named (
        number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, awaited INTEGER NOT NULL DEFAULT 0,
        refused INTEGER NOT NULL DEFAULT 0, seen REAL NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS named_awaited ON named (number) WHERE awaited",
    "CREATE TEMP TABLE IF NOT EXISTS listed (key BLOB PRIMARY KEY) WITHOUT ROWID",
)
_LONGEST_PAUSE = 3600.0
_PAGE = 1_000


class Register:
    """Records sources within transactions that the caller begins and commits."""

    def __init__(
        self, database: sqlite3.Connection, *, pause: float = 0.0, clock: Callable[[], float] = time.time
    ) -> None:
        """`pause`: seconds before a failed source may be retried; doubled after each failure."""
        self._database = database
        self._pause = pause
        self._clock = clock
        for statement in _SCHEMA:
            database.execute(statement)

    def begin_listing(self) -> None:
        """Begin a new listing of all sources."""
        self._database.execute("DELETE FROM temp.listed")

    def first_listed(self, source: Source) -> bool:
        """Whether a source is new in this listing; overlapping paths list it twice."""
        found = self._database.execute("INSERT OR IGNORE INTO temp.listed VALUES (?)", (source.key,))
        return found.rowcount == 1

    def standing(self, source: Source) -> Standing:
        """The state of a source."""
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

    def note(self, source: Source, *, failed: bool = False, damaged: bool = False) -> None:
        """Record that a source was read, with or without losses, or could not be read (`failed`)."""
        self._database.execute(
            "INSERT INTO sources VALUES (:key, :version, :failed, :again, :damaged, :seen) "
            "ON CONFLICT (key) DO UPDATE SET version = :version, again = :again, damaged = :damaged, seen = :seen, "
            "failures = CASE WHEN :failed THEN failures + 1 ELSE 0 END",
            {
                "key": source.key,
                "version": source.version,
                "failed": int(failed),
                "again": self._clock() + self._wait(source) if failed else 0.0,
                "damaged": int(damaged),
                "seen": self._clock(),
            },
        )
        if not failed:  # so that `awaited` looks only at what is left to read
            self._database.execute("UPDATE named SET awaited = 0 WHERE key = ? AND awaited", (source.key,))

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
        found = self._database.execute(
            "INSERT OR IGNORE INTO named (key, seen) VALUES (?, ?)", (_key(name), self._clock())
        )
        return found.rowcount == 1

    def refuse_named(self, name: str) -> None:
        """Mark a named source that is never read."""
        self._database.execute("UPDATE named SET refused = 1 WHERE key = ?", (_key(name),))

    def named_state(self, name: str) -> NamedState:
        """What became of a named source."""
        row = self._database.execute("SELECT failures, damaged FROM sources WHERE key = ?", (_key(name),)).fetchone()
        if row is not None:
            failures, damaged = row
            return "waits" if failures else ("damaged" if damaged else "done")
        row = self._database.execute("SELECT awaited, refused FROM named WHERE key = ?", (_key(name),)).fetchone()
        if row is None:
            return "waits"
        awaited, refused = row
        return "damaged" if refused else ("waits" if awaited else "done")

    def forget(self, age: float) -> None:
        """Forget the sources that were read or named longer than `age` seconds ago."""
        before = self._clock() - age
        self._database.execute("DELETE FROM named WHERE seen < ?", (before,))
        self._database.execute("DELETE FROM sources WHERE seen < ?", (before,))

    def await_named(self, name: str) -> None:
        """Mark a named source for reading."""
        self._database.execute("UPDATE named SET awaited = 1 WHERE key = ?", (_key(name),))

    def awaited(self) -> Iterator[str]:
        """The names of marked sources that have not been read, in the order in which they were named."""
        last = 0
        while rows := self._database.execute(
            "SELECT number, key FROM named WHERE number > ? AND awaited AND NOT EXISTS "
            "(SELECT 1 FROM sources WHERE sources.key = named.key AND failures = 0) ORDER BY number LIMIT ?",
            (last, _PAGE),
        ).fetchall():
            last = rows[-1][0]
            yield from (key.decode(errors="surrogatepass") for _, key in rows)


def _key(name: str) -> bytes:
    """The default of `Source.key` for a source with this name."""
    return name.encode(errors="surrogatepass")

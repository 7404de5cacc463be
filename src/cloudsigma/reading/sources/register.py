"""Which sources have been read, in a SQLite database: memory does not grow with their number."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Literal

from cloudsigma.reading.sources.interface import Source

Standing = Literal["new", "read", "changed", "failed", "failed, wait"]
"""What is known of a source: `changed` since it was read; `failed`: nothing could be read of it, and it may be tried
again, or, with `wait`, not yet."""

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS sources ("
    "key BLOB PRIMARY KEY, version TEXT, failures INTEGER NOT NULL, again REAL NOT NULL) WITHOUT ROWID"
)
_LONGEST_PAUSE = 3600.0


class Register:
    """Notes sources, in the transaction of whoever owns the database."""

    def __init__(
        self, database: sqlite3.Connection, *, pause: float = 0.0, clock: Callable[[], float] = time.time
    ) -> None:
        """`pause`: seconds before a source that failed may be tried again; twice as long after each failure."""
        self._database = database
        self._pause = pause
        self._clock = clock
        database.execute(_SCHEMA)
        database.execute("CREATE TEMP TABLE IF NOT EXISTS listed (key BLOB PRIMARY KEY) WITHOUT ROWID")

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
        if version != source.version:
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

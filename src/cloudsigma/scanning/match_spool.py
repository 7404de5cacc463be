"""Spools matches to disk, and returns them by time once the events that they depend on can be expected.

Sorting by time and linking sessions over all files need every match before the first is shown. A stream has no end:
there, a match waits for the lateness. The matches are kept in a temporary file, not in memory.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from time import monotonic

from cloudsigma.engine.match import Match
from cloudsigma.engine.rule import Rule
from cloudsigma.storage.sqlite import open_temporary


class MatchSpool:
    """Stores matches in any order; iterating returns them by time, those without a time last."""

    def __init__(self) -> None:
        self._database = open_temporary()
        self._database.execute("CREATE TABLE match (time REAL, number INTEGER PRIMARY KEY, added REAL, match BLOB)")
        self._rules: dict[str, Rule] = {}

    def add(self, match: Match) -> None:
        """Store a match."""
        written = io.BytesIO()
        _Pickler(written, self._rules).dump(match)
        time = match.context.time
        self._database.execute(
            "INSERT INTO match (time, added, match) VALUES (?, ?, ?)",
            (time.timestamp() if time is not None else None, monotonic(), written.getvalue()),
        )

    def __iter__(self) -> Iterator[Match]:
        return self._matches("TRUE", ())

    def __len__(self) -> int:
        (count,) = self._database.execute("SELECT count(*) FROM match").fetchone()
        return int(count)

    def release(self, until: float, waited: float) -> Iterator[Match]:
        """Return and remove the matches of events before a time, and those that were added some time ago.

        Args:
            until: Seconds since 1970.
            waited: Seconds since a match was added.
        """
        due, values = "time < ? OR added <= ?", (until, monotonic() - waited)
        yield from self._matches(due, values)
        self._database.execute(f"DELETE FROM match WHERE {due}", values)  # noqa: S608  # the condition above

    def _matches(self, condition: str, values: tuple[float, ...]) -> Iterator[Match]:
        query = f"SELECT match FROM match WHERE {condition} ORDER BY time IS NULL, time, number"  # noqa: S608  # as above
        for (data,) in self._database.execute(query, values):
            match: Match = _Unpickler(io.BytesIO(data), self._rules).load()
            yield match

    def close(self) -> None:
        """Remove the file."""
        self._database.close()


class _Pickler(pickle.Pickler):
    """Writes the ID of a rule in place of the rule, which all its matches share."""

    def __init__(self, file: io.BytesIO, rules: dict[str, Rule]) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._rules = rules

    def persistent_id(self, value: object) -> str | None:
        if not isinstance(value, Rule):
            return None
        self._rules[value.id] = value
        return value.id


class _Unpickler(pickle.Unpickler):
    """Reads only what this process has written to its own temporary file."""

    def __init__(self, file: io.BytesIO, rules: dict[str, Rule]) -> None:
        super().__init__(file)
        self._rules = rules

    def persistent_load(self, rule_id: str) -> Rule:
        return self._rules[rule_id]

"""Spools matches to disk until a scan has ended, then returns them by time.

Sorting by time and linking sessions over all files need every match before the first is shown. The matches are kept in
a temporary file, not in memory.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator

from cloudsigma.engine.match import Match
from cloudsigma.engine.rule import Rule
from cloudsigma.storage.sqlite import open_temporary


class MatchSpool:
    """Stores matches in any order; iterating returns them by time, those without a time last."""

    def __init__(self) -> None:
        self._database = open_temporary()
        self._database.execute("CREATE TABLE match (time REAL, number INTEGER PRIMARY KEY, match BLOB)")
        self._rules: dict[str, Rule] = {}

    def add(self, match: Match) -> None:
        """Store a match."""
        written = io.BytesIO()
        _Pickler(written, self._rules).dump(match)
        time = match.context.time
        self._database.execute(
            "INSERT INTO match (time, match) VALUES (?, ?)",
            (time.timestamp() if time is not None else None, written.getvalue()),
        )

    def __iter__(self) -> Iterator[Match]:
        rows = self._database.execute("SELECT match FROM match ORDER BY time IS NULL, time, number")
        for (data,) in rows:
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

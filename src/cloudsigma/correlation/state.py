"""What a correlator has open, kept in a SQLite file so that a restart neither loses nor doubles a match.

Every entry is a row; a call's changes are one transaction. The file holds data only: rule IDs, groups, and the
records as JSON, from which matches are made anew. It never holds code, and nothing in it is run.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sqlite3
import weakref
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from cloudsigma.correlation.entry import Entry
from cloudsigma.correlation.match import correlation_match
from cloudsigma.engine.evaluate import operators
from cloudsigma.engine.identity import same_event
from cloudsigma.engine.json_form import json_ready
from cloudsigma.engine.match import Match, make_match
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import CloudSigmaError
from cloudsigma.origin import Origin

_log = logging.getLogger("cloudsigma")

_FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY, rule TEXT NOT NULL, digest TEXT NOT NULL, groups TEXT NOT NULL, entry TEXT NOT NULL
);
"""

Group = tuple[str, ...]
_Known = dict[tuple[str, int, str], Any]
"""Records of one entry, by where they came from and what they hold."""


class State:
    """The open entries of a correlator in a file; raises `CloudSigmaError` where the file is no such thing.

    Given an open connection, it writes into the transaction of whoever owns that, who also commits it.
    """

    def __init__(self, path: str | os.PathLike[str] | sqlite3.Connection, rules: Iterable[Rule]) -> None:
        self._owned = not isinstance(path, sqlite3.Connection)
        self._path = "the file" if isinstance(path, sqlite3.Connection) else os.fspath(path)
        self._rules = {rule.id: rule for rule in rules}
        self._numbers: dict[int, int] = {}
        try:
            if isinstance(path, sqlite3.Connection):
                self._file = path
            else:
                self._file = sqlite3.connect(self._path, check_same_thread=False)
                weakref.finalize(self, self._file.close)
                # A killed process loses nothing that was committed; only a machine that goes down may lose the last
                # call.
                self._file.execute("PRAGMA journal_mode = WAL")
                self._file.execute("PRAGMA synchronous = NORMAL")
            for statement in _SCHEMA.split(";")[:-1]:  # not as a script, which would commit
                self._file.execute(statement)
            about = dict(self._file.execute("SELECT key, value FROM about"))
        except sqlite3.Error as error:
            raise CloudSigmaError(f"{self._path} cannot hold the state of correlations ({error})") from error
        if int(about.get("format", _FORMAT)) != _FORMAT:
            raise CloudSigmaError(f"{self._path} is the state of another version; use a new file")
        self.latest: float | None = float(about["latest"]) if "latest" in about else None
        """The latest event time so far."""
        self._committed: float | None = math.nan  # unlike any other: this process has written nothing yet
        highest = self._file.execute("SELECT coalesce(max(number), 0) FROM entries").fetchone()
        self._next = int(highest[0]) + 1

    # --- out --------------------------------------------------------------------------------------------------

    def entries(self) -> Iterator[tuple[str, Group, float, Entry]]:
        """The entries that were open, each with its rule's ID, its group and its time."""
        changed: set[str] = set()
        rows = self._file.execute("SELECT number, rule, digest, groups, entry FROM entries ORDER BY number").fetchall()
        for number, rule_id, digest, groups, text in rows:
            rule = self._rules.get(rule_id)
            if rule is None or rule.identity != digest or rule.correlation is None:
                changed.add(rule_id)
                self._file.execute("DELETE FROM entries WHERE number = ?", (number,))
                continue
            form = json.loads(text)
            entry = self._read(form, {})
            if entry is not None:
                self._numbers[id(entry)] = number
                yield rule_id, tuple(json.loads(groups)), form["time"], entry
        for rule_id in sorted(changed):
            _log.warning("the correlation %s has changed: what was open of it is left out", rule_id)

    def _read(self, form: dict[str, Any], known: _Known) -> Entry | None:
        matches = [match for each in form["matches"] if (match := self._read_match(each, known)) is not None]
        if len(matches) < len(form["matches"]):  # a rule that it refers to is not there any more
            return None
        texts = (texts[0] if len(texts) == 1 else tuple(texts) for texts in form["texts"])
        numbers = map(_read_number, form["numbers"])
        return Entry(
            match=matches[0], rules=tuple(form["rules"]), measured=(*texts, *numbers), others=tuple(matches[1:])
        )

    def _read_match(self, form: dict[str, Any], known: _Known) -> Match | None:
        rule = self._rules.get(form["rule"])
        if rule is None:
            return None
        if "matches" not in form:
            origin = msgspec.convert(form["origin"], Origin) if form["origin"] is not None else None
            record = form["record"]
            if origin is not None:  # a record without an ID is told by being the same object in several matches
                place = (origin.path, origin.position, json.dumps(record, sort_keys=True))
                record = known.setdefault(place, record)
            return make_match(rule, record, origin)
        matches = [match for each in form["matches"] if (match := self._read_match(each, known)) is not None]
        return correlation_match(rule, form["group"], tuple(matches)) if matches else None

    # --- in ---------------------------------------------------------------------------------------------------

    def put(self, rule: Rule, group: Group, time: float, entry: Entry) -> None:
        """Keep an entry that is new or has changed."""
        number = self._numbers.get(id(entry))
        if number is None:
            number = self._numbers[id(entry)] = self._next
            self._next += 1
        counts = rule.correlation is not None and rule.correlation.type == "value_count"
        identity = entry.match.key if entry.match.matches else same_event(entry.match.record)
        form = {
            "time": time,
            "identity": identity if isinstance(identity, str) else None,
            "rules": sorted(entry.rules),
            "matches": [_match_form(match) for match in entry.matches],
            "texts": [value if isinstance(value, tuple) else (value,) for value in entry.measured] if counts else [],
            "numbers": [] if counts else [_number_form(number) for number in entry.measured],
        }
        digest = rule.identity
        row = (number, rule.id, digest, json.dumps(group), json.dumps(form))
        self._file.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?)", row)

    def drop(self, rule: Rule, entries: Iterable[Entry]) -> None:  # noqa: ARG002  # what every journal is told
        """Forget entries that are used up."""
        numbers = [(self._numbers.pop(id(entry)),) for entry in entries if id(entry) in self._numbers]
        self._file.executemany("DELETE FROM entries WHERE number = ?", numbers)

    def commit(self, latest: float | None) -> None:
        """Make everything since the last commit last."""
        if latest != self._committed:
            about = [("format", str(_FORMAT)), *([("latest", repr(latest))] if latest is not None else [])]
            self._file.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", about)
            self._committed = latest
        if self._owned:
            self._file.commit()  # costs nothing where nothing has changed


def _match_form(match: Match) -> dict[str, Any]:
    if match.matches:
        return {"rule": match.rule_id, "group": match.group, "matches": [_match_form(each) for each in match.matches]}
    origin = msgspec.structs.asdict(match.origin) if match.origin is not None else None
    return {"rule": match.rule_id, "record": json_ready(match.record), "origin": origin}


def _number_form(number: int | float) -> str:
    return repr(number) if isinstance(number, float) else operators.text(number) or ""


def _read_number(form: str) -> int | float:
    number = operators.number(form)
    if number is None:
        return float(form)  # infinite, or NaN
    return int(number) if isinstance(number, Decimal) else number

"""The open frames of a correlator in a SQLite file, so that a restart neither loses nor repeats a match.

Every entry is a row; the changes of one call are one transaction. The file holds data only: rule IDs, groups, and the
records as JSON, from which matches are rebuilt. Nothing in it is executed.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import weakref
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

import msgspec

from cloudsigma.correlation.entry import Entry
from cloudsigma.correlation.match import correlation_match
from cloudsigma.correlation.watermark import Watermark
from cloudsigma.engine.evaluate import operators
from cloudsigma.engine.identity import same_event
from cloudsigma.engine.json_form import json_ready
from cloudsigma.engine.match import Match, make_match
from cloudsigma.engine.rule import Rule
from cloudsigma.origin import Origin
from cloudsigma.storage.sqlite import FileKind, checked, open_file, translated

_log = logging.getLogger("cloudsigma")

_KIND = FileKind(
    name="state of correlations",
    user="correlator",
    application=0x63736373,
    version=2,
    schema=(
        "CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE IF NOT EXISTS entries (
            number INTEGER PRIMARY KEY, rule TEXT NOT NULL, digest TEXT NOT NULL, groups TEXT NOT NULL,
            entry TEXT NOT NULL)""",
    ),
)

Group = tuple[str, ...]
_Known = dict[tuple[str, int, str], Any]
"""Records of one entry, by origin and content."""


class State:
    """The open entries of a correlator in a file, which no other correlator can open meanwhile.

    Given an open connection instead, it writes into the transaction of the connection's owner, who also commits it.
    """

    def __init__(self, path: str | os.PathLike[str] | sqlite3.Connection, rules: Iterable[Rule]) -> None:
        """Open the file; raises `CloudSigmaError` if it is in use, of another kind, or damaged."""
        self._owned = not isinstance(path, sqlite3.Connection)
        self._path = "in the checkpoint" if isinstance(path, sqlite3.Connection) else os.fspath(path)
        self._rules = {rule.id: rule for rule in rules}
        self._numbers: dict[int, int] = {}
        self._file = path if isinstance(path, sqlite3.Connection) else open_file(path, _KIND)
        self._close = weakref.finalize(self, self._file.close if self._owned else _keep_open)
        try:
            with checked(self._path, _KIND):
                if not self._owned:
                    for statement in _KIND.schema:
                        self._file.execute(statement)
                self._open()
        except BaseException:
            self._close()
            raise

    def _open(self) -> None:
        about = dict(self._file.execute("SELECT key, value FROM about"))
        self._committed = about.get("watermark", "null")
        self.watermark = msgspec.json.decode(self._committed, type=Watermark | None) or Watermark()
        """The progress of the stream of events; saved by `commit`."""
        highest = self._file.execute("SELECT coalesce(max(number), 0) FROM entries").fetchone()
        self._next = int(highest[0]) + 1

    def _errors(self) -> AbstractContextManager[None]:
        return translated(self._path, _KIND)

    def close(self) -> None:
        """Close the file, so that another correlator can open it."""
        self._close()

    # --- out --------------------------------------------------------------------------------------------------

    def entries(self) -> Iterator[tuple[str, Group, float, Entry]]:
        """The entries that were open, each with its rule's ID, its group and its time."""
        changed: set[str] = set()
        query = "SELECT number, rule, digest, groups, entry FROM entries ORDER BY number"
        with self._errors():
            rows = self._file.execute(query).fetchall()
        for number, rule_id, digest, groups, text in rows:
            rule = self._rules.get(rule_id)
            if rule is None or rule.identity != digest or rule.correlation is None:
                changed.add(rule_id)
                self._delete(number)
                continue
            with checked(self._path, _KIND):
                form, group = json.loads(text), tuple(json.loads(groups))
                entry, time = self._read(form, {}), float(form["time"])
                if len(group) != len(rule.correlation.group_by) or not all(isinstance(name, str) for name in group):
                    raise ValueError(f"entry {number} has no group of its correlation")
            if entry is None:
                changed.add(rule_id)
                self._delete(number)
                continue
            self._numbers[id(entry)] = number
            yield rule_id, group, time, entry
        for rule_id in sorted(changed):
            _log.warning("the correlation %s has changed: its open frames are left out", rule_id)

    def _delete(self, number: int) -> None:
        with self._errors():
            self._file.execute("DELETE FROM entries WHERE number = ?", (number,))

    def _read(self, form: dict[str, Any], known: _Known) -> Entry | None:
        matches = [match for each in form["matches"] if (match := self._read_match(each, known)) is not None]
        if len(matches) < len(form["matches"]):  # a rule that it refers to is missing now
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
            if (
                origin is not None
            ):  # a record without an ID is identified by its object, which several matches may share
                place = (origin.path, origin.position, json.dumps(record, sort_keys=True))
                record = known.setdefault(place, record)
            return make_match(rule, record, origin)
        matches = [match for each in form["matches"] if (match := self._read_match(each, known)) is not None]
        return correlation_match(rule, form["group"], tuple(matches)) if matches else None

    # --- in ---------------------------------------------------------------------------------------------------

    def put(self, rule: Rule, group: Group, time: float, entry: Entry) -> None:
        """Store an entry that is new or has changed."""
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
        with self._errors():
            self._file.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?)", row)

    def drop(self, rule: Rule, entries: Iterable[Entry]) -> None:  # noqa: ARG002  # the signature of `Journal`
        """Delete entries that are used up."""
        numbers = [(self._numbers.pop(id(entry)),) for entry in entries if id(entry) in self._numbers]
        with self._errors():
            self._file.executemany("DELETE FROM entries WHERE number = ?", numbers)

    def commit(self) -> None:
        """Commit everything since the last commit."""
        watermark = msgspec.json.encode(self.watermark).decode()
        with self._errors():
            if watermark != self._committed:
                self._file.execute("INSERT OR REPLACE INTO about VALUES ('watermark', ?)", (watermark,))
                self._committed = watermark
            if self._owned:
                self._file.commit()  # cheap if nothing has changed


def _keep_open() -> None:
    """The connection is closed by its owner."""


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
        return float(form)  # infinity or NaN
    return int(number) if isinstance(number, Decimal) else number

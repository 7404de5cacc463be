"""The open frames of a correlator in a SQLite file, so that a restart neither loses nor repeats a match.

Every entry is a row in the form of `entry_form.py`; the changes of one call are one transaction. The file holds data
only. Nothing in it is executed.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import weakref
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager

import msgspec

from cloudsigma.correlation.entry import Entry
from cloudsigma.correlation.entry_form import entry_form, read_entry
from cloudsigma.correlation.storage import Group, Storage, Stored
from cloudsigma.correlation.watermark import Watermark
from cloudsigma.engine.rule import Rule
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


class State(Storage):
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

    def entries(self) -> Iterator[Stored]:
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
                group = tuple(json.loads(groups))
                read = read_entry(json.loads(text), self._rules)
                if len(group) != len(rule.correlation.group_by) or not all(isinstance(name, str) for name in group):
                    raise ValueError(f"entry {number} has no group of its correlation")
            if read is None:
                changed.add(rule_id)
                self._delete(number)
                continue
            time, entry = read
            self._numbers[id(entry)] = number
            yield rule_id, group, time, entry
        for rule_id in sorted(changed):
            _log.warning("the correlation %s has changed: its open frames are left out", rule_id)

    def _delete(self, number: int) -> None:
        with self._errors():
            self._file.execute("DELETE FROM entries WHERE number = ?", (number,))

    # --- in ---------------------------------------------------------------------------------------------------

    def put(self, rule: Rule, group: Group, time: float, entry: Entry) -> None:
        """Store an entry that is new or has changed."""
        number = self._numbers.get(id(entry))
        if number is None:
            number = self._numbers[id(entry)] = self._next
            self._next += 1
        form = entry_form(rule, time, entry)
        digest = rule.identity
        row = (number, rule.id, digest, json.dumps(group), json.dumps(form))
        with self._errors():
            self._file.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?)", row)

    def drop(self, rule: Rule, entries: Iterable[Entry]) -> None:  # noqa: ARG002  # the signature of `Storage`
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

"""How far a scan has come, in a SQLite file: a killed scan goes on, and loses or doubles nothing.

One transaction holds what belongs together: which sources are done, what they came to, the keys of matches given, what
correlations have open, and how long the output was once all of that had been written to it. Whoever goes on cuts the
output back to that length. The file holds data only, and nothing in it is run.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from cloudsigma.errors import CloudSigmaError, UsageError
from cloudsigma.reading.account.repeats import REMEMBERED
from cloudsigma.reading.scope.time_window import TimeWindow
from cloudsigma.reading.sources.register import Register
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.scan_state import Tally

EVERY = 1.0
"""Seconds between two writings, at least: what a kill can cost, beside the file that is being read."""

_SHARE = 20
"""The time between two writings is at least so many times what a writing takes."""

_FORMAT = 1
_APPLICATION = 0x63736370
"""Tells the file from other databases of SQLite."""
_SCHEMA = (
    "CREATE TABLE scan (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE matches (number INTEGER PRIMARY KEY, key TEXT NOT NULL, path TEXT, position INTEGER)",
)
_TAIL = 1024
"""Bytes before the end of the output that tell whether it is the one that was written."""

Settings = Mapping[str, Any]
"""What must be the same for a scan to go on, as values of JSON, by the name that people know it by."""


class Output(Protocol):
    """Where matches go."""

    def sync(self) -> int:
        """Put everything on the disk; gives the length in bytes."""

    def read_before(self, end: int, most: int) -> bytes:
        """The bytes before a place, `most` of them at most."""

    def cut_back(self, length: int) -> None:
        """Forget what is beyond a length."""


class Checkpoint:
    """An open checkpoint, which no other process can open meanwhile.

    Args:
        path: The file; made where there is none.
        settings: What the scan is made with.
        window: The time that is asked for; of a scan that goes on, that of its first start counts.
        pause: Seconds before a source that could not be read may be tried again.

    Raises:
        UsageError: The checkpoint is of a scan with other settings.
        CloudSigmaError: The file is no checkpoint, is in use, or cannot be written.
    """

    def __init__(
        self, path: str | os.PathLike[str], settings: Settings, window: TimeWindow | None = None, *, pause: float = 0.0
    ) -> None:
        self._path = os.fspath(path)
        given = {name: value for name, value in settings.items() if value not in (None, False, [], "")}
        try:
            self.database = self._opened()
            about = self._about()
            self.resumed = "settings" in about
            """Whether it goes on with an earlier scan."""
            if self.resumed:
                self._compare(json.loads(about["settings"]), given)
            self.finished = about.get("finished") == "1"
            """Whether that scan had come to its end."""
            self.window = _window(about["window"]) if self.resumed else window or TimeWindow()
            """The time that is asked for."""
            self.register = Register(self.database, pause=pause)
            """Which sources are done."""
            if not self.resumed:
                self._write(
                    {"settings": json.dumps(given), "window": _window_form(self.window), "finished": "0", "length": "0"}
                )
                self.database.commit()
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        self.done = len(self.register)
        """Sources that were done when it was opened."""
        self._output: Output | None = None
        self._saved = time.monotonic()
        self._pause = EVERY

    # --- opening ----------------------------------------------------------------------------------------------

    def _opened(self) -> sqlite3.Connection:
        if Path(self._path).is_dir():
            raise CloudSigmaError(f"{self._path} is a folder; name a file for the checkpoint")
        database = sqlite3.connect(self._path, timeout=0.5, check_same_thread=False)
        weakref.finalize(self, database.close)
        # The lock of the first access stays until the end. A killed process loses nothing that was committed; only a
        # machine that goes down may lose the last seconds, and the scan then goes on from before them.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        (application,) = database.execute("PRAGMA application_id").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != _APPLICATION and tables:
            raise CloudSigmaError(f"{self._path} is a database of something else, no checkpoint; name another file")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN IMMEDIATE")
        if not tables:
            database.execute(f"PRAGMA application_id = {_APPLICATION}")
            for statement in _SCHEMA:
                database.execute(statement)
            database.execute("INSERT INTO scan VALUES ('format', ?)", (str(_FORMAT),))
        return database

    def _about(self) -> dict[str, str]:
        about = dict(self.database.execute("SELECT name, value FROM scan"))
        if about.get("format") != str(_FORMAT):
            raise CloudSigmaError(
                f"{self._path} is the checkpoint of another version of cloudsigma; finish with that version, or name "
                "another file and start anew"
            )
        return about

    def _compare(self, then: Settings, now: Settings) -> None:
        differing = [name for name in {**then, **now} if then.get(name) != now.get(name)]
        if differing:
            told = "; ".join(f"{name}: {_difference(then.get(name), now.get(name))}" for name in differing)
            raise UsageError(
                f"the checkpoint {self._path} is of another scan. What differs: {told}. "
                "Give the same again, or another --checkpoint FILE to start anew."
            )

    def _trouble(self, error: sqlite3.Error) -> CloudSigmaError:
        if "locked" in str(error):
            return CloudSigmaError(f"the checkpoint {self._path} is in use by another scan")
        if "not a database" in str(error) or "malformed" in str(error):
            return CloudSigmaError(f"{self._path} is no checkpoint, or a damaged one ({error}); name another file")
        return CloudSigmaError(f"the checkpoint {self._path} cannot be used ({error})")

    # --- going on ---------------------------------------------------------------------------------------------

    def attach(self, output: Output) -> None:
        """Let the output belong to it, cut back to where the scan goes on.

        Raises:
            UsageError: It is not the output that was written.
        """
        about = self._about()
        length = int(about["length"])
        if self.resumed and output.read_before(length, _TAIL) != bytes.fromhex(about.get("tail", "")):
            raise UsageError(
                f"the output is not what the scan of the checkpoint {self._path} had written: its first {length:,} "
                "bytes are missing or others. Give the same file again, or another --checkpoint FILE to start anew."
            )
        output.cut_back(length)
        self._output = output

    def restore(self, tally: Tally) -> None:
        """Give a tally what the scan had come to."""
        try:
            form = self._about().get("tally")
            if form is not None:
                rows = self.database.execute("SELECT key, path, position FROM matches ORDER BY number")
                tally.restore(form.encode(), rows)
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        except msgspec.MsgspecError as error:
            raise CloudSigmaError(f"{self._path} is a damaged checkpoint ({error}); name another file") from error

    # --- keeping ----------------------------------------------------------------------------------------------

    @property
    def due(self) -> bool:
        """Whether it is time to write."""
        return time.monotonic() - self._saved >= self._pause

    def save(self, tally: Tally, *, finished: bool = False) -> None:
        """Write where the scan is: everything that was given so far has been written to the output.

        Raises:
            CloudSigmaError: The file cannot be written.
            OSError: The output cannot be written.
        """
        started = time.monotonic()
        about = {"tally": tally.to_json().decode(), "finished": str(int(finished))}
        if self._output is not None:
            length = self._output.sync()
            about |= {"length": str(length), "tail": self._output.read_before(length, _TAIL).hex()}
        try:
            self._write(about)
            if matches := tally.take_unsaved():
                self.database.executemany("INSERT INTO matches (key, path, position) VALUES (?, ?, ?)", matches)
                (last,) = self.database.execute("SELECT max(number) FROM matches").fetchone()
                self.database.execute("DELETE FROM matches WHERE number <= ?", (last - REMEMBERED,))
            self.database.commit()
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        self._saved = time.monotonic()
        self._pause = max(EVERY, _SHARE * (self._saved - started))

    def _write(self, values: Mapping[str, str]) -> None:
        self.database.executemany("INSERT OR REPLACE INTO scan VALUES (?, ?)", values.items())

    def close(self) -> None:
        """Give the file free; what was not saved is forgotten."""
        self.database.close()


def _difference(then: Any, now: Any) -> str:
    """What was given and what is given, in words; of a table of digests, which entries differ."""
    if isinstance(then, dict) and isinstance(now, dict):
        parts = [
            ("changed", [name for name in then if name in now and then[name] != now[name]]),
            ("not there any more", [name for name in then if name not in now]),
            ("new", [name for name in now if name not in then]),
        ]
        return ", ".join(f"{_few(names)} {what}" for what, names in parts if names)
    return f"{_shown(then)} then, {_shown(now)} now"


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _shown(value: Any) -> str:
    if value is None:
        return "not given"
    if value is True:
        return "given"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _window(form: str) -> TimeWindow:
    return msgspec.json.decode(form, type=TimeWindow)


def _window_form(window: TimeWindow) -> str:
    return msgspec.json.encode(window).decode()


def digests(rules: RuleSet) -> dict[str, str]:
    """What tells rules from others: title and ID → digest of all that a rule means and shows."""
    return {
        f"{rule.title} ({rule.id})": hashlib.sha256(
            msgspec.json.encode([rule.definition, rule.id in rules.hidden, rules.declared])
        ).hexdigest()[:16]
        for rule in rules
    }

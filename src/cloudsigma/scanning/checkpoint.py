"""Saves the progress of a scan in a SQLite file: a killed scan resumes without losing or repeating a match.

One transaction saves the finished sources, the state of the scan, the reported matches, the open entries of
correlations, and the lengths of the outputs after these matches were written. A resumed scan first reads and checks all
of this, then truncates its outputs to the saved lengths. The file contains only data; nothing in it is executed.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec

from cloudsigma.errors import UsageError
from cloudsigma.reading.scope.time_window import TimeWindow
from cloudsigma.reading.sources.register import Register
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.dedup import GENERATION, KnownMatch
from cloudsigma.scanning.rule_digests import digest_of, digests
from cloudsigma.scanning.scan_state import ScanState
from cloudsigma.storage.sqlite import FileKind, checked, open_file

EVERY = 1.0
"""Least seconds between two saves. A kill loses at most this much work and the file being read."""

_SHARE = 20
"""The time between two saves is at least this many times the duration of one save."""
_TAIL = 1024
"""Bytes before the saved end of an output that are hashed to recognize it."""
_UNSAVED = 10_000
"""Most matches held in memory before they are written."""
_SETS = 100
"""Most rule sets that are remembered, the latest ones."""

_KIND = FileKind(
    name="checkpoint",
    user="scan",
    application=0x63736370,
    version=3,
    schema=(
        "CREATE TABLE scan (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE matches (number INTEGER PRIMARY KEY, digest BLOB NOT NULL, path TEXT, position INTEGER)",
    ),
)

Settings = Mapping[str, Any]
"""Settings that must be equal to resume: option name → JSON value."""


class Output(Protocol):
    """An output for matches."""

    def sync(self) -> int:
        """Flush everything to the disk; returns the length in bytes."""

    def read_before(self, end: int, most: int) -> bytes:
        """The bytes before a position, at most `most`."""

    def cut_back(self, length: int) -> None:
        """Truncate to a length in bytes; the next write appends there."""


class _OutputEnd(msgspec.Struct, frozen=True):
    length: int
    tail: bytes


class Checkpoint:
    """An open checkpoint; until it is closed, no other process can open it.

    A `Scan` with a checkpoint restores its state and time window from it, and saves to it.

    Args:
        path: The file; created if it is missing.
        settings: The settings of the scan.
        window: The requested time window; a resumed scan keeps the window of its first start.
        pause: Seconds before a source that could not be read is retried.

    Raises:
        UsageError: The checkpoint belongs to a scan with other settings.
        CloudSigmaError: The file is not a checkpoint, is damaged or in use, or cannot be written.
    """

    def __init__(
        self, path: str | os.PathLike[str], settings: Settings, window: TimeWindow | None = None, *, pause: float = 0.0
    ) -> None:
        self._path = os.fspath(path)
        self._outputs: Sequence[Output] = ()
        self._unsaved: list[KnownMatch] = []
        self._rules: dict[str, str] | None = None
        self._saved = time.monotonic()
        self._pause = EVERY
        self.database = open_file(self._path, _KIND)
        """The connection; other parts of the scan, such as correlations, write within its transactions."""
        self._close = weakref.finalize(self, self.database.close)
        try:
            with self._errors():
                self._open(settings, window or TimeWindow(), pause)
        except BaseException:
            self.close()
            raise

    def _open(self, settings: Settings, window: TimeWindow, pause: float) -> None:
        given = {name: value for name, value in settings.items() if value not in (None, False, [], "")}
        about = self._about()
        self.resumed = "settings" in about
        """Whether the scan resumes an earlier one."""
        if self.resumed:
            self._compare(json.loads(about["settings"]), given)
        self.finished = about.get("finished") == "1"
        """Whether the earlier scan had finished."""
        self.window = msgspec.json.decode(about["window"], type=TimeWindow) if self.resumed else window
        """The requested time window."""
        self._known_rules: dict[str, str] | None = json.loads(about["rules"]) if "rules" in about else None
        self.register = Register(self.database, pause=pause)
        """The sources that are done."""
        self.done = len(self.register)
        """How many sources were done when it was opened."""
        if not self.resumed:
            form = msgspec.json.encode(window).decode()
            self._write({"settings": json.dumps(given), "window": form, "finished": "0", "outputs": "[]"})
            self.database.commit()

    def _about(self) -> dict[str, str]:
        return dict(self.database.execute("SELECT name, value FROM scan"))

    def _errors(self) -> AbstractContextManager[None]:
        return checked(self._path, _KIND)

    def _compare(self, then: Settings, now: Settings) -> None:
        different = [name for name in {**then, **now} if then.get(name) != now.get(name)]
        if different:
            told = "; ".join(f"{name}: {_difference(then.get(name), now.get(name))}" for name in different)
            raise UsageError(
                f"the checkpoint {self._path} belongs to a scan with other settings: {told}. "
                "Give the same settings again, or another --checkpoint FILE to start over."
            )

    # --- resuming ---------------------------------------------------------------------------------------------

    def attach(self, outputs: Sequence[Output]) -> None:
        """Connect the outputs, in the same order in every run, and check their content; does not write to them.

        Raises:
            UsageError: The content of an output differs from that saved.
        """
        with self._errors():
            ends = self._ends()
        for number, output in enumerate(outputs):
            end = ends[number] if number < len(ends) else _OutputEnd(0, b"")
            if output.read_before(end.length, _TAIL) != end.tail:
                raise UsageError(
                    f"the output is not what the scan of the checkpoint {self._path} had written: its first "
                    f"{end.length:,} bytes are missing or differ. Give the same file again, or another "
                    "--checkpoint FILE to start over."
                )
        self._outputs = outputs

    def cut_outputs(self) -> None:
        """Truncate the outputs to their saved lengths."""
        with self._errors():
            ends = self._ends()
        for number, output in enumerate(self._outputs):
            output.cut_back(ends[number].length if number < len(ends) else 0)

    def _ends(self) -> list[_OutputEnd]:
        return msgspec.json.decode(self._about()["outputs"], type=list[_OutputEnd])

    def restore(self, state: ScanState) -> None:
        """Restore the state of the scan; raises `CloudSigmaError` if the file is damaged."""
        with self._errors():
            form = self._about().get("state")
            if form is not None:
                rows = self.database.execute("SELECT digest, path, position FROM matches ORDER BY number")
                state.restore(form.encode(), rows)

    def changed_rules(self, rules: RuleSet) -> str:
        """The difference between the rules last saved and these, for people; empty if there is none."""
        now = digests(rules)
        return _difference(self._known_rules, now) if self._known_rules is not None and self._known_rules != now else ""

    # --- saving -----------------------------------------------------------------------------------------------

    def note_rules(self, rules: RuleSet) -> None:
        """Note the rules from now on; the next `save` stores them, and when they began to be used."""
        self._rules = digests(rules)

    def note_match(self, match: KnownMatch) -> None:
        """Note a reported match; the next `save` stores it."""
        self._unsaved.append(match)
        if len(self._unsaved) >= _UNSAVED:
            with self._errors():
                self._write_matches()

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._saved >= self._pause

    def save(self, state: ScanState, *, finished: bool = False) -> None:
        """Save the state of the scan; all matches reported so far must have been written to the outputs.

        Raises:
            CloudSigmaError: The file cannot be written.
            OSError: An output cannot be written.
        """
        started = time.monotonic()
        ends = [_OutputEnd(length := output.sync(), output.read_before(length, _TAIL)) for output in self._outputs]
        with self._errors():
            self._write(
                {
                    "state": state.to_json().decode(),
                    "finished": str(int(finished)),
                    "outputs": msgspec.json.encode(ends).decode(),
                }
            )
            self._write_rules()
            self._write_matches()
            (last,) = self.database.execute("SELECT max(number) FROM matches").fetchone()
            if last is not None:  # `MatchDedup` remembers this generation and the one before
                kept = (last // GENERATION - 1) * GENERATION
                self.database.execute("DELETE FROM matches WHERE number <= ?", (kept,))
            self.database.commit()
        self._saved = time.monotonic()
        self._pause = max(EVERY, _SHARE * (self._saved - started))

    def _write(self, values: Mapping[str, str]) -> None:
        self.database.executemany("INSERT OR REPLACE INTO scan VALUES (?, ?)", values.items())

    def _write_rules(self) -> None:
        if self._rules is None or self._rules == self._known_rules:
            return
        sets: list[dict[str, str]] = json.loads(self._about().get("rule sets", "[]"))
        since = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        sets.append({"digest": digest_of(self._rules), "since": since})
        self._write({"rules": json.dumps(self._rules), "rule sets": json.dumps(sets[-_SETS:])})
        self._known_rules = self._rules

    def _write_matches(self) -> None:
        self.database.executemany("INSERT INTO matches (digest, path, position) VALUES (?, ?, ?)", self._unsaved)
        self._unsaved.clear()

    @property
    def size(self) -> int:
        """Bytes of the file, with its journal."""
        files = (self._path, f"{self._path}-wal", f"{self._path}-journal")
        return sum(os.path.getsize(file) for file in files if os.path.exists(file))  # noqa: PTH110, PTH202

    def close(self) -> None:
        """Close the file; changes since the last save are lost."""
        self._close()


def _difference(then: Any, now: Any) -> str:
    """Describe the difference between two values of a setting; for tables of digests, name the entries that differ."""
    if isinstance(then, dict) and isinstance(now, dict):
        parts = [
            ("changed", [name for name in then if name in now and then[name] != now[name]]),
            ("missing", [name for name in then if name not in now]),
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

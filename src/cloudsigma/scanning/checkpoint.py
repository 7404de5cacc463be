"""How far a scan is, in a SQLite file: a scan that is killed resumes, and loses or repeats nothing.

One transaction holds what belongs together: which sources are done, the state of the scan, the matches that were given,
what correlations have open, and the lengths of the outputs once all of that had been written to them. A scan that
resumes truncates its outputs to these lengths, after everything else has been read and checked. The file holds data
only, and nothing in it is run.
"""

from __future__ import annotations

import hashlib
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
from cloudsigma.scanning.scan_state import ScanState
from cloudsigma.storage.sqlite import FileKind, checked, open_file

EVERY = 1.0
"""Seconds between two saves, at least: what a kill can cost, beside the file that is being read."""

_SHARE = 20
"""The time between two saves is at least so many times that of one save."""
_TAIL = 1024
"""Bytes before the end of an output by which it is recognized."""
_UNSAVED = 10_000
"""Matches that are held in memory until they are written."""

_KIND = FileKind(
    name="checkpoint",
    user="scan",
    application=0x63736370,
    version=2,
    schema=(
        "CREATE TABLE scan (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE matches (number INTEGER PRIMARY KEY, digest BLOB NOT NULL, path TEXT, position INTEGER)",
    ),
)

Settings = Mapping[str, Any]
"""Settings that must be equal to resume: option name → JSON value."""


class Output(Protocol):
    """Where matches are written."""

    def sync(self) -> int:
        """Flush everything to the disk; returns the length in bytes."""

    def read_before(self, end: int, most: int) -> bytes:
        """The bytes before a position, at most `most`."""

    def cut_back(self, length: int) -> None:
        """Truncate to a length, and write on from there."""


class _OutputEnd(msgspec.Struct, frozen=True):
    length: int
    tail: bytes


class Checkpoint:
    """An open checkpoint; no other process can open it meanwhile.

    A `Scan` that is given a checkpoint restores its state from it, takes its time window, and saves to it.

    Args:
        path: The file; created if it is missing.
        settings: What the scan is configured with.
        window: The time that is asked for; a scan that resumes keeps that of its first start.
        pause: Seconds before a source that could not be read is tried again.

    Raises:
        UsageError: The checkpoint is of a scan with other settings.
        CloudSigmaError: The file is not a checkpoint, is damaged or in use, or cannot be written.
    """

    def __init__(
        self, path: str | os.PathLike[str], settings: Settings, window: TimeWindow | None = None, *, pause: float = 0.0
    ) -> None:
        self._path = os.fspath(path)
        self._outputs: Sequence[Output] = ()
        self._unsaved: list[KnownMatch] = []
        self._saved = time.monotonic()
        self._pause = EVERY
        self.database = open_file(self._path, _KIND)
        """The connection; what else belongs to the scan is written into its transactions."""
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
        """Whether it resumes an earlier scan."""
        if self.resumed:
            self._compare(json.loads(about["settings"]), given)
        self.finished = about.get("finished") == "1"
        """Whether that scan had finished."""
        self.window = msgspec.json.decode(about["window"], type=TimeWindow) if self.resumed else window
        """The time that is asked for."""
        self.register = Register(self.database, pause=pause)
        """Which sources are done."""
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
                f"the checkpoint {self._path} is of another scan. What differs: {told}. "
                "Give the same again, or another --checkpoint FILE to start anew."
            )

    # --- resuming ---------------------------------------------------------------------------------------------

    def attach(self, outputs: Sequence[Output]) -> None:
        """Connect the outputs, in the same order in every run; they are only read here.

        Raises:
            UsageError: One is not the output that was written.
        """
        with self._errors():
            ends = self._ends()
        for number, output in enumerate(outputs):
            end = ends[number] if number < len(ends) else _OutputEnd(0, b"")
            if output.read_before(end.length, _TAIL) != end.tail:
                raise UsageError(
                    f"the output is not what the scan of the checkpoint {self._path} had written: its first "
                    f"{end.length:,} bytes are missing or differ. Give the same file again, or another "
                    "--checkpoint FILE to start anew."
                )
        self._outputs = outputs

    def cut_outputs(self) -> None:
        """Truncate the outputs to where the scan resumes."""
        with self._errors():
            ends = self._ends()
        for number, output in enumerate(self._outputs):
            output.cut_back(ends[number].length if number < len(ends) else 0)

    def _ends(self) -> list[_OutputEnd]:
        return msgspec.json.decode(self._about()["outputs"], type=list[_OutputEnd])

    def restore(self, state: ScanState) -> None:
        """Restore the state of the scan; raises `CloudSigmaError` where the file is damaged."""
        with self._errors():
            form = self._about().get("state")
            if form is not None:
                rows = self.database.execute("SELECT digest, path, position FROM matches ORDER BY number")
                state.restore(form.encode(), rows)

    # --- saving -----------------------------------------------------------------------------------------------

    def note_match(self, match: KnownMatch) -> None:
        """Take a match that was given; it is saved with the state."""
        self._unsaved.append(match)
        if len(self._unsaved) >= _UNSAVED:
            with self._errors():
                self._write_matches()

    @property
    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._saved >= self._pause

    def save(self, state: ScanState, *, finished: bool = False) -> None:
        """Save the state of the scan; the outputs have everything that was given so far.

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

    def _write_matches(self) -> None:
        self.database.executemany("INSERT INTO matches (digest, path, position) VALUES (?, ?, ?)", self._unsaved)
        self._unsaved.clear()

    def close(self) -> None:
        """Close the file; what was not saved is lost."""
        self._close()


def _difference(then: Any, now: Any) -> str:
    """How two values of a setting differ; of tables of digests, which entries do."""
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


def digests(rules: RuleSet) -> dict[str, str]:
    """Title and ID of each rule → digest of everything that it means and shows."""
    return {
        f"{rule.title} ({rule.id})": hashlib.sha256(
            msgspec.json.encode([rule.definition, rule.id in rules.hidden, rules.declared])
        ).hexdigest()[:16]
        for rule in rules
    }

"""The outbox: alerts by group, and messages that are not sent yet, in a file that survives a kill.

Everything is written here before it is sent, and removed when the receiver has taken it. A kill in between repeats a
message with its ID; it never loses one.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable

import msgspec

from cloudsigma.notifying.alert import Alert
from cloudsigma.notifying.channel import Channel, Settings
from cloudsigma.notifying.message import Message, message_id
from cloudsigma.rulesets.levels import LEVELS
from cloudsigma.storage.sqlite import FileKind, checked, open_file

FORGET = 30 * 86400.0
"""Seconds after which the key of a match is forgotten."""
_FRESH = 10
"""New resources that an update names."""
SINGLE = "securityhub"
"""The kind of channel that takes each match alone."""
_MORE, _HEARTBEAT = "more", "heartbeat"
_TOLD = "UPDATE groups SET waiting = 0, fresh = '[]', sequence = sequence + 1, told = ? WHERE channel = ? AND name = ?"
_GROUPS = (
    "CREATE TABLE groups (channel TEXT, name TEXT, alert BLOB, waiting INTEGER, fresh BLOB, sequence INTEGER,"
    " told REAL, PRIMARY KEY (channel, name)) WITHOUT ROWID"
)
KIND = FileKind(
    "outbox", "cloudsigma", 0x636C6F62, 1,
    (
        "CREATE TABLE seen (channel TEXT, key TEXT, at REAL, PRIMARY KEY (channel, key)) WITHOUT ROWID",
        "CREATE INDEX seen_at ON seen (at)",
        _GROUPS,
        "CREATE TABLE messages (place INTEGER PRIMARY KEY, channel TEXT, body BLOB, attempts INTEGER, due REAL)",
        "CREATE TABLE marks (name TEXT PRIMARY KEY, number REAL) WITHOUT ROWID",
    ),
)  # fmt: skip


class Waiting(msgspec.Struct, frozen=True):
    """A message that is not sent yet."""

    place: int
    message: Message
    attempts: int
    due: float
    """The time from which it may be sent (`time.time`)."""


class Outbox:
    """The outbox of some channels; one process at a time."""

    def __init__(self, path: str | os.PathLike[str], settings: Settings) -> None:
        """Open the file; raises `CloudSigmaError` if it cannot be used."""
        self.path = os.fspath(path)
        self._settings = settings
        self._database: sqlite3.Connection = open_file(path, KIND)
        self._run: dict[str, int] = {}
        self._begun: set[tuple[str, str]] = set()
        with checked(self.path, KIND):
            self._database.execute("DELETE FROM seen WHERE at < ?", (time.time() - FORGET,))
            self._commit()

    def close(self) -> None:
        """Commit, and close the file."""
        with checked(self.path, KIND):
            self._database.commit()
            self._database.close()

    def commit(self) -> None:
        """Make what was added survive a kill."""
        with checked(self.path, KIND):
            self._commit()

    def _commit(self) -> None:
        self._database.commit()

    # --- alerts in ------------------------------------------------------------------------------------------

    def add(self, channel: Channel, alert: Alert) -> bool:
        """Take an alert; false if the channel does not want it, or had it before."""
        if (alert.approved and not channel.approved) or alert.severity < _least(channel.level):
            return False
        now, name = time.time(), _group(channel, alert)
        with checked(self.path, KIND):
            took = self._database.execute(
                "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (channel.name, alert.key, now)
            ).rowcount
            if not took:
                return False
            row = self._database.execute(
                "SELECT waiting, fresh, sequence FROM groups WHERE channel = ? AND name = ?", (channel.name, name)
            ).fetchone()
            waiting, fresh, sequence = row if row is not None else (0, b"[]", 0)
            named = msgspec.json.decode(fresh, type=list[str])
            if alert.resource and alert.resource not in named and len(named) < _FRESH:
                named.append(alert.resource)
            self._database.execute(
                "INSERT OR REPLACE INTO groups VALUES (?, ?, ?, ?, ?, ?,"
                " coalesce((SELECT told FROM groups WHERE channel = ? AND name = ?), 0))",
                (channel.name, name, msgspec.json.encode(alert), waiting + 1, msgspec.json.encode(named), sequence,
                 channel.name, name),
            )  # fmt: skip
            single = channel.kind == SINGLE
            if sequence == 0 and (single or self._run.get(channel.name, 0) < self._settings.most):
                self._tell(channel.name, name, now)
        return True

    # --- messages -------------------------------------------------------------------------------------------

    def compose(self, channel: Channel, *, final: bool) -> None:
        """Make messages of the groups that wait: those whose pause is over and, at the end of a run, its own.

        Beyond the most messages of a run, one message counts all other groups.
        """
        now = time.time()
        with checked(self.path, KIND):
            rows = self._database.execute(
                "SELECT name, told, sequence, alert FROM groups WHERE channel = ? AND waiting > 0", (channel.name,)
            ).fetchall()
            due = [
                (msgspec.json.decode(alert, type=Alert), name)
                for name, told, sequence, alert in rows
                if sequence == 0
                or now - told >= self._settings.pause
                or (final and (channel.name, name) in self._begun)
            ]
            due.sort(key=lambda each: (-each[0].severity, each[0].time, each[1]))
            room = max(self._settings.most - self._run.get(channel.name, 0), 0)
            updates = {name for alert, name in due if (channel.name, name) in self._begun}
            for _, name in due:
                if name in updates or room > 0:
                    room -= name not in updates
                    self._tell(channel.name, name, now)
            rest = [name for _, name in due if not self._was_told(channel.name, name)]
            if rest and final:
                self._tell_rest(channel.name, rest, now)
            self._commit()

    def _was_told(self, channel: str, name: str) -> bool:
        (waiting,) = self._database.execute(
            "SELECT waiting FROM groups WHERE channel = ? AND name = ?", (channel, name)
        ).fetchone()
        return not waiting

    def _tell(self, channel: str, name: str, now: float) -> None:
        """Make the message of a group."""
        alert, waiting, fresh, sequence = self._database.execute(
            "SELECT alert, waiting, fresh, sequence FROM groups WHERE channel = ? AND name = ?", (channel, name)
        ).fetchone()
        message = Message(
            message_id(channel, name, sequence), "update" if sequence else "first", name,
            msgspec.json.decode(alert, type=Alert), waiting,
            fresh=tuple(msgspec.json.decode(fresh, type=list[str])) if sequence else (),
        )  # fmt: skip
        self._put(channel, message)
        self._database.execute(_TOLD, (now, channel, name))
        self._begun.add((channel, name))

    def _tell_rest(self, channel: str, names: Iterable[str], now: float) -> None:
        """Make one message of all other groups."""
        count, groups, gravest = 0, 0, None
        for name in names:
            alert, waiting = self._database.execute(
                "SELECT alert, waiting FROM groups WHERE channel = ? AND name = ?", (channel, name)
            ).fetchone()
            count, groups = count + waiting, groups + 1
            gravest = gravest or msgspec.json.decode(alert, type=Alert)
            self._database.execute(_TOLD, (now, channel, name))
        number = self._next(_MORE, channel)
        self._put(
            channel, Message(message_id(channel, _MORE, number), "more", "", gravest, count, groups), counted=False
        )

    def add_heartbeat(self, channel: Channel, text: str) -> None:
        """Make a heartbeat, unless the channel got a message within the interval."""
        now, mark = time.time(), f"last {channel.name}"
        with checked(self.path, KIND):
            row = self._database.execute("SELECT number FROM marks WHERE name = ?", (mark,)).fetchone()
            if row is not None and now - row[0] < self._settings.heartbeat:
                return
            number = self._next(_HEARTBEAT, channel.name)
            self._put(channel.name, Message(message_id(channel.name, _HEARTBEAT, number), "heartbeat", "", text=text))
            self._commit()

    def _put(self, channel: str, message: Message, *, counted: bool = True) -> None:
        self._database.execute(
            "INSERT INTO messages (channel, body, attempts, due) VALUES (?, ?, 0, 0)",
            (channel, msgspec.json.encode(message)),
        )
        self._run[channel] = self._run.get(channel, 0) + (counted and message.kind == "first")
        self._database.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (f"last {channel}", time.time()))

    def _next(self, kind: str, channel: str) -> int:
        mark = f"{kind} {channel}"
        self._database.execute(
            "INSERT INTO marks VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET number = number + 1", (mark,)
        )
        (number,) = self._database.execute("SELECT number FROM marks WHERE name = ?", (mark,)).fetchone()
        return int(number)

    # --- sending --------------------------------------------------------------------------------------------

    def waiting(self, channel: Channel) -> list[Waiting]:
        """The messages of a channel that are not sent, in order."""
        with checked(self.path, KIND):
            rows = self._database.execute(
                "SELECT place, body, attempts, due FROM messages WHERE channel = ? ORDER BY place", (channel.name,)
            ).fetchall()
            return [
                Waiting(place, msgspec.json.decode(body, type=Message), attempts, due)
                for place, body, attempts, due in rows
            ]

    def held(self, channel: Channel) -> int:
        """Matches that wait for the pause of their group."""
        with checked(self.path, KIND):
            (held,) = self._database.execute(
                "SELECT coalesce(sum(waiting), 0) FROM groups WHERE channel = ?", (channel.name,)
            ).fetchone()
            return int(held)

    def done(self, place: int) -> None:
        """Remove a message that was sent, or is among the dead letters."""
        with checked(self.path, KIND):
            self._database.execute("DELETE FROM messages WHERE place = ?", (place,))
            self._commit()

    def failed(self, place: int, due: float) -> None:
        """Note an attempt that failed; the message may be sent again from `due`."""
        with checked(self.path, KIND):
            self._database.execute("UPDATE messages SET attempts = attempts + 1, due = ? WHERE place = ?", (due, place))
            self._commit()

    def restore(self, channel: Channel, message: Message) -> None:
        """Put a dead letter back."""
        with checked(self.path, KIND):
            self._put(channel.name, message, counted=False)
            self._commit()


def _group(channel: Channel, alert: Alert) -> str:
    return alert.key if channel.kind == SINGLE else alert.group


def _least(level: str) -> int:
    return LEVELS.index(level) + 1 if level in LEVELS else 0

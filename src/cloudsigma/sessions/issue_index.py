"""An index of issued credentials by key, session and second, sign-in, and token, in a temporary SQLite file.

SQLite keeps the index out of memory: a year of an organization has millions of sessions.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import msgspec

from cloudsigma.sessions.issue import Issue
from cloudsigma.storage.sqlite import open_temporary

_TABLE = """
CREATE TABLE issue (
    event_id TEXT, key TEXT, arn TEXT, principal_id TEXT, token TEXT, second INTEGER, event_name TEXT, issue BLOB,
    PRIMARY KEY (event_id, key)
) WITHOUT ROWID;
CREATE INDEX by_key ON issue (key, second) WHERE event_name != 'CreateAccessKey';
CREATE INDEX creator ON issue (key, second) WHERE event_name = 'CreateAccessKey';
CREATE INDEX by_arn ON issue (arn, second) WHERE arn IS NOT NULL;
CREATE INDEX by_principal ON issue (principal_id, second) WHERE principal_id IS NOT NULL;
CREATE INDEX by_token ON issue (token, second) WHERE token IS NOT NULL;
"""
# Each index ends with the columns of the primary key, so the first rows by time and event ID are read without sorting:
# a key that thousands of copied records issue costs no more than any other.


class IssueIndex:
    """Finds the events that issued a session; each event counts once, however often it was delivered."""

    def __init__(self) -> None:
        self._database = open_temporary()
        self._database.isolation_level = None
        weakref.finalize(self, self._database.close)
        self._database.executescript(f"PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; {_TABLE}")
        self._encoder, self._decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Issue)

    def __len__(self) -> int:
        (count,) = self._database.execute("SELECT count(*) FROM issue").fetchone()
        return int(count)

    def __iter__(self) -> Iterator[Issue]:
        """All issued credentials, by time."""
        return self._rows("SELECT issue FROM issue ORDER BY second, event_id", ())

    def add(self, issue: Issue) -> None:
        """Add issued credentials."""
        self._database.execute(
            "INSERT OR IGNORE INTO issue VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                issue.event_id,
                issue.key or "",
                issue.arn,
                issue.principal_id,
                issue.token,
                issue.second,
                issue.event_name,
                self._encoder.encode(issue),
            ),
        )

    def by_key(self, key: str) -> list[Issue]:
        """The events that issued this access key: one, or the two records of a call across accounts."""
        return self._found("key = ? AND event_name != 'CreateAccessKey'", key)

    def creators_of(self, key: str) -> list[Issue]:
        """The `CreateAccessKey` events of this key."""
        return self._found("key = ? AND event_name = 'CreateAccessKey'", key)

    def by_session(self, arn: str, second: int) -> list[Issue]:
        """The events that issued a session with this ARN in this second."""
        return self._found("arn = ? AND second = ? AND event_name NOT IN ('ConsoleLogin', 'SwitchRole')", arn, second)

    def sign_ins(self, principal_id: str, second: int) -> list[Issue]:
        """The console sign-ins of a principal in this second."""
        return self._found("principal_id = ? AND second = ? AND event_name = 'ConsoleLogin'", principal_id, second)

    def switches(self, principal_id: str, since: int, until: int) -> list[Issue]:
        """The console's role switches to this session between two seconds, both included."""
        return self._found(
            "principal_id = ? AND second BETWEEN ? AND ? AND event_name = 'SwitchRole'", principal_id, since, until
        )

    def by_token(self, token: str) -> list[Issue]:
        """The `GetWebIdentityToken` events that issued this token."""
        return self._found("token = ? AND event_name = 'GetWebIdentityToken'", token)

    def _found(self, condition: str, *values: str | int) -> list[Issue]:
        return list(self._rows(f"SELECT issue FROM issue WHERE {condition} ORDER BY second, event_id LIMIT 50", values))  # noqa: S608  # conditions are those above

    def _rows(self, query: str, values: tuple[str | int, ...]) -> Iterator[Issue]:
        for (data,) in self._database.execute(query, values):
            yield self._decoder.decode(data)

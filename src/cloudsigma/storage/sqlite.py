"""Opens, locks and versions the project's SQLite files, and translates their errors.

Only one connection can open a file at a time. `application_id` holds the kind of file, `user_version` the version of
its schema. Nothing is written before both have been checked.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from cloudsigma.errors import CloudSigmaError

_PATIENCE = 0.5
"""Seconds to wait for a lock: enough for a process that is just ending."""


class FileKind(msgspec.Struct, frozen=True):
    """A kind of database file."""

    name: str
    """Its name in messages, such as `checkpoint`."""
    user: str
    """The user of the file in messages, such as `scan`."""
    application: int
    """`application_id`, which identifies the kind of database."""
    version: int
    """`user_version`; a file of another version is refused."""
    schema: tuple[str, ...]
    """The statements that create its tables."""


_NONSENSE = (
    ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, msgspec.MsgspecError,
)  # fmt: skip


def open_file(path: str | os.PathLike[str], kind: FileKind) -> sqlite3.Connection:
    """Open a file, or create it, and lock it until the connection is closed.

    The transaction that creates the schema of a new file is left open: if the caller fails before its first commit, the
    file stays empty. Committed data survives a kill; only a crash of the machine may lose the last seconds.

    Raises:
        CloudSigmaError: The file is of another kind or version, is in use, or cannot be read or written.
    """
    path = os.fspath(path)
    if Path(path).is_dir():
        raise CloudSigmaError(f"{path} is a folder; name a file for the {kind.name}")
    with translated(path, kind):
        database = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False)
        try:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            is_new = _check(database, path, kind)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute("BEGIN IMMEDIATE")
            if is_new:
                database.execute(f"PRAGMA application_id = {kind.application}")
                database.execute(f"PRAGMA user_version = {kind.version}")
                for statement in kind.schema:
                    database.execute(statement)
        except BaseException:
            database.close()
            raise
    return database


def open_temporary() -> sqlite3.Connection:
    """A database in a temporary file of SQLite, which is deleted when the connection is closed."""
    return sqlite3.connect("", check_same_thread=False)


def _check(database: sqlite3.Connection, path: str, kind: FileKind) -> bool:
    """Check that a file is of the kind and version; returns whether it is new."""
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if not tables and application in {0, kind.application}:
        return True
    if application != kind.application:
        raise CloudSigmaError(f"{path} is a database of another program, not a {kind.name}; name another file")
    if version != kind.version:
        raise CloudSigmaError(
            f"{path} is the {kind.name} of another version of cloudsigma; finish with that version, or name another "
            "file to start over"
        )
    return False


@contextmanager
def translated(path: str, kind: FileKind) -> Iterator[None]:
    """Translate SQLite's errors to `CloudSigmaError`, with the name of the file and a remedy in the message."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if "locked" in text:
            problem = f"the {kind.name} {path} is in use by another {kind.user}; wait for it, or name another file"
        elif "not a database" in text:
            problem = f"{path} is not a {kind.name}; name another file"
        elif "malformed" in text:
            problem = f"the {kind.name} {path} is damaged ({text}); name another file to start over"
        else:
            problem = f"the {kind.name} {path} cannot be used ({text})"
        raise CloudSigmaError(problem) from error


@contextmanager
def checked(path: str, kind: FileKind) -> Iterator[None]:
    """`translated` for reading, where malformed content may raise any other exception."""
    with translated(path, kind):
        try:
            yield
        except CloudSigmaError:
            raise
        except _NONSENSE as error:
            raise damaged(path, kind, error) from error


def damaged(path: str, kind: FileKind, reason: object) -> CloudSigmaError:
    """The error for a file of the right kind whose content is malformed."""
    return CloudSigmaError(f"the {kind.name} {path} is damaged ({reason}); name another file to start over")

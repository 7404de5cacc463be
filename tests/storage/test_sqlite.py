"""SQLite files of our own: locked, of one kind and version, and every error is one of the package's."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from cloudsigma.errors import CloudSigmaError
from cloudsigma.storage.sqlite import FileKind, checked, open_file, translated

KIND = FileKind("notebook", "writer", 0x1234, 3, ("CREATE TABLE notes (text TEXT NOT NULL)",))


def written(path: Path, kind: FileKind = KIND) -> None:
    database = open_file(path, kind)
    database.execute("INSERT INTO notes VALUES ('kept')")
    database.commit()
    database.close()


def test_a_file_is_created_and_opened_again(tmp_path: Path) -> None:
    written(tmp_path / "db")
    database = open_file(tmp_path / "db", KIND)
    assert database.execute("SELECT text FROM notes").fetchall() == [("kept",)]


def test_a_file_that_was_never_committed_to_is_new(tmp_path: Path) -> None:
    open_file(tmp_path / "db", KIND).close()
    database = open_file(tmp_path / "db", KIND)
    assert database.execute("SELECT count(*) FROM notes").fetchall() == [(0,)]


def test_a_second_connection_is_refused_until_the_first_is_closed(tmp_path: Path) -> None:
    first = open_file(tmp_path / "db", KIND)
    with pytest.raises(CloudSigmaError, match=r"the notebook .*db is in use by another writer"):
        open_file(tmp_path / "db", KIND)
    first.close()
    open_file(tmp_path / "db", KIND).close()


def test_other_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    text, foreign, other, old = (tmp_path / name for name in ("text", "foreign", "other", "old"))
    text.write_text("notes of a person, long enough to be a database\n" * 30)
    with sqlite3.connect(foreign) as database:
        database.execute("CREATE TABLE photos (name TEXT)")
    database.close()
    written(other, FileKind("diary", "writer", 0x99, 3, KIND.schema))
    written(old, FileKind("notebook", "writer", 0x1234, 2, KIND.schema))
    for path, message in (
        (text, "is not a notebook"),
        (foreign, "is a database of another program"),
        (other, "is a database of another program"),
        (old, "of another version"),
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "such", "cannot be used"),
    ):
        before = path.read_bytes() if path.is_file() else None
        with pytest.raises(CloudSigmaError, match=message):
            open_file(path, KIND)
        assert (path.read_bytes() if path.is_file() else None) == before


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "db"
    written(path)
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"\xff" * 200 + data[300:])
    with pytest.raises(CloudSigmaError, match=r"damaged|not a notebook|cannot be used"):
        open_file(path, KIND).execute("SELECT * FROM notes")


def test_no_foreign_exception_leaves(tmp_path: Path) -> None:
    database = open_file(tmp_path / "db", KIND)
    with pytest.raises(CloudSigmaError, match="cannot be used"), translated("db", KIND):
        database.execute("SELECT * FROM missing")
    for error in (ValueError("x"), KeyError("x"), TypeError("x"), RecursionError("x")):
        with pytest.raises(CloudSigmaError, match="the notebook db is damaged"), checked("db", KIND):
            raise error

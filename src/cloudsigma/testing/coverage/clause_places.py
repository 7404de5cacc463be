"""Line and column of clauses: the IR has the place of a test's key, the YAML document that of each value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cloudsigma import ir
from cloudsigma.compiler.document import Document, read_documents
from cloudsigma.compiler.files import read_file
from cloudsigma.errors import RuleError
from cloudsigma.testing.coverage.clauses import Clause

FilePlace = tuple[str | None, int | None, int | None]
"""Path, line and column."""


class Places:
    """Looks up places; each file is read once, on first use."""

    def __init__(self) -> None:
        self._documents: dict[str, list[Document]] = {}
        self._values: dict[str, dict[tuple[int, int], tuple[Document, tuple[Any, ...]]]] = {}

    def of_clause(self, clause: Clause, path: str | None) -> FilePlace:
        """The place of a clause's value. `path` is the rule file; the clause may be in the file of a Sigma filter."""
        test = clause.test
        if clause.selection.filter is not None:
            path = clause.selection.path
        if path is None or test.line is None or test.column is None:
            return path, test.line, test.column
        found = self._in_file(path).get((test.line, test.column))
        if found is not None:
            document, way = found
            if len(test.matchers) > 1 or (*way, 0) in document.values:
                way = (*way, clause.position)
            if place := document.values.get(way):
                return path, place.line, place.column
        return path, test.line, test.column

    def of_key(self, path: str | None, start: int | None, *way: Any) -> FilePlace:
        """The place of a key in the document that starts at a line, or of the nearest node above it."""
        for document in self._read(path) if path is not None else ():
            if document.line == start:
                place = document.place(way)
                return path, place.line, place.column
        return path, start, None

    def _read(self, path: str) -> list[Document]:
        if path not in self._documents:
            data = read_file(Path(path))
            found = [] if isinstance(data, RuleError) else read_documents(data, path)
            self._documents[path] = [each for each in found if isinstance(each, Document)]
        return self._documents[path]

    def _in_file(self, path: str) -> dict[tuple[int, int], tuple[Document, tuple[Any, ...]]]:
        if path not in self._values:
            found: dict[tuple[int, int], tuple[Document, tuple[Any, ...]]] = {}
            for document in self._read(path):
                for places in (document.keys, document.values):
                    for way, place in places.items():
                        found.setdefault((place.line, place.column), (document, way))
            self._values[path] = found
        return self._values[path]


def label(test: ir.Test) -> str:
    """A test's field and modifiers as the rule writes them."""
    return "|".join((test.field or "", *test.modifiers)) or "keywords"

"""Nodes of a YAML document: each knows its place and reads itself as the type it must have."""

from __future__ import annotations

import datetime as dt
import difflib
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cloudsigma.compiler.document import Document, read_documents
from cloudsigma.compiler.limits import DEFAULT_LIMITS
from cloudsigma.compiler.misread import misread_numbers
from cloudsigma.errors import CaseError, Location, RuleError
from cloudsigma.testing.cases.record_files import read_regular


def read_node(path: Path) -> YamlNode:
    """The top node of a YAML file that holds one document; raises `CaseError`."""
    try:
        data = read_regular(path, DEFAULT_LIMITS.file)
    except OSError as error:
        raise CaseError(
            f"it cannot be read ({error.strerror or error})", path=str(path), remedy="Check the path."
        ) from error
    documents: list[Document] = []
    for found in read_documents(data, str(path)):
        if isinstance(found, RuleError):
            raise CaseError(
                f"it is not valid YAML: {found.reason}",
                path=found.path,
                line=found.line,
                column=found.column,
                remedy=found.remedy,
            )
        documents.append(found)
    if len(documents) != 1:
        what = "the file is empty" if not documents else f"the file holds {len(documents)} YAML documents"
        raise CaseError(what, path=str(path), line=1, remedy="It must hold one, a map.")
    [document] = documents
    return YamlNode(document, (), document.value)


@dataclass(frozen=True, slots=True)
class YamlNode:
    """A value of a document and the path to it. Reading it as another type raises `CaseError`."""

    document: Document
    way: tuple[Any, ...]
    """Keys and list positions from the top of the document."""
    value: Any

    @property
    def location(self) -> Location:
        """Place of the node's key, or of the node if it has no key."""
        place = self.document.place(self.way)
        return Location(self.document.path, place.line, place.column)

    def error(self, reason: str, remedy: str | None = None) -> CaseError:
        """Make an error at this node."""
        place = self.location
        return CaseError(reason, path=place.path, line=place.line, column=place.column, remedy=remedy)

    @property
    def label(self) -> str:
        """The node's key, as messages name it."""
        key = self.way[-1] if self.way else None
        if isinstance(key, int):
            return f"{self.way[-2]}[{key}]" if len(self.way) > 1 else str(key)
        return "the file" if not self.way else "null" if key is None else str(key)

    def members(self, known: Collection[str]) -> dict[str, YamlNode]:
        """The members of a map that may have only the keys in `known`."""
        found = dict(self.entries())
        for key, node in found.items():
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
                hint = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(known)}."
                raise node.error(f"unknown key {key!r}", hint)
        return found

    def entries(self) -> Iterator[tuple[str, YamlNode]]:
        """Keys and members of a map whose keys are text."""
        if not isinstance(self.value, dict):
            raise self.error(f"{self.label} is {kind_in_words(self.value)}, but must be a map")
        for key, value in self.value.items():
            node = YamlNode(self.document, (*self.way, key), value)
            if not isinstance(key, str) and key is not None:
                raise node.error(f"the key {key!r} is {kind_in_words(key)}", "Put it in quotation marks.")
            yield "null" if key is None else key, node  # YAML reads the key `null` as None

    def elements(self) -> list[YamlNode]:
        """The elements of a list."""
        if not isinstance(self.value, list):
            raise self.error(f"{self.label} is {kind_in_words(self.value)}, but must be a list")
        return [YamlNode(self.document, (*self.way, at), value) for at, value in enumerate(self.value)]

    def text(self) -> str:
        """Text, not empty, with runs of blanks and line ends as one blank."""
        if not isinstance(self.value, str):
            hint = None if isinstance(self.value, (dict, list)) else "Put it in quotation marks."
            raise self.error(f"{self.label} is {kind_in_words(self.value)}, but must be text", hint)
        if not self.value.strip():
            raise self.error(f"{self.label} is empty", "Write it, or remove the key.")
        return " ".join(self.value.split())

    def flag(self) -> bool:
        """`true` or `false`."""
        if not isinstance(self.value, bool):
            raise self.error(f"{self.label} is {kind_in_words(self.value)}", "Write true or false.")
        return self.value

    def number(self) -> int:
        """A whole number, 0 or above."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < 0:
            raise self.error(f"{self.label} is {kind_in_words(self.value)}", "Write a whole number, 0 or above.")
        return self.value

    def json(self) -> Any:
        """The value, if JSON can hold it: no dates, no bytes, and text as keys."""
        if isinstance(self.value, dict):
            for key, value in self.value.items():
                node = YamlNode(self.document, (*self.way, key), value)
                if not isinstance(key, str):
                    raise node.error(f"the key {key!r} is {kind_in_words(key)}", "Put it in quotation marks.")
                node.json()
        elif isinstance(self.value, list):
            for element in self.elements():
                element.json()
        elif self.way in (misread := _misread(self.document)):
            raise self.error(*misread[self.way])
        elif isinstance(self.value, (dt.date, bytes)) or (
            isinstance(self.value, float) and not math.isfinite(self.value)
        ):
            raise self.error(
                f"YAML reads {self.value!s} as {kind_in_words(self.value)}, which JSON records cannot hold",
                "Put it in quotation marks.",
            )
        return self.value


@lru_cache(maxsize=8)
def _misread(document: Document) -> dict[tuple[Any, ...], tuple[str, str]]:
    """Path → reason and remedy of the numbers that YAML reads differently from their text: `0123`, `1:30`."""
    return {way: (reason, remedy) for way, reason, remedy in misread_numbers(document)}


def kind_in_words(value: Any) -> str:
    """The type of a YAML value, in words: `a number`, `text`."""
    if value is None:
        return "null"
    kinds: tuple[tuple[Any, str], ...] = (
        (bool, "a boolean"),
        ((int, float), "a number"),
        (str, "text"),
        (dict, "a map"),
        (list, "a list"),
        (dt.datetime, "a time"),
        (dt.date, "a date"),
    )
    return next((words for kind, words in kinds if isinstance(value, kind)), "binary data")

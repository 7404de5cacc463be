"""One map of a YAML file: its values as text, each with its place.

Scalars are read as the text that the file has: YAML would read an account that begins with 0 as octal, and a time
without an offset as UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from cloudsigma.compiler.document import Document, Path
from cloudsigma.compiler.remedies import nearest, quoted


class Scalar(NamedTuple):
    """A value as the file has it."""

    text: str
    way: Path
    quoted: bool


class YamlMap:
    """One map of a file."""

    def __init__(self, document: Document, way: Path, tell: Callable[[Path, str, str], None]) -> None:
        self._document = document
        self._way = way
        self._tell = tell
        self._value = _at(document.value, way)

    def tell(self, key: str, reason: str, remedy: str) -> None:
        """Note a mistake at a key of the map, or at the map itself if it lacks the key."""
        self._tell((*self._way, key), reason, remedy)

    def tell_at(self, scalar: Scalar, reason: str, remedy: str) -> None:
        """Note a mistake at a value."""
        self._tell(scalar.way, reason, remedy)

    def is_map(self) -> bool:
        """Whether it is a map at all; a mistake if not."""
        if isinstance(self._value, dict):
            return True
        self._tell(self._way, "it is no map of keys to values", "Write key: value lines, indented below the dash.")
        return False

    def has(self, key: str) -> bool:
        """Whether the map has the key."""
        return key in self._value

    def check_keys(self, keys: Iterable[str]) -> None:
        """Note each key that does not exist."""
        keys = tuple(keys)
        for key in self._value:
            if key not in keys:
                self.tell(key, f"there is no key {quoted(key)}", nearest(str(key), keys))

    def check_names(self) -> None:
        """Note each key that is not text: `1`, `true`."""
        for key in self._value:
            if not isinstance(key, str):
                self.tell(key, f"the key {quoted(key)} is not text", f"Put it in quotation marks: '{key}'.")

    def text(self, key: str) -> str | None:
        """The one value of a key; `None` if the map lacks the key."""
        scalar = self.scalar(key)
        return scalar.text if scalar is not None else None

    def scalar(self, key: str) -> Scalar | None:
        """The one value of a key with its place; `None` if the map lacks the key, or has another kind of value."""
        if key not in self._value:
            return None
        if isinstance(self._value[key], (list, dict)):
            self.tell(key, f"{key} is one value", f"Write {key}: and one value.")
            return None
        return self._scalar((*self._way, key), self._value[key])

    def scalars(self, key: str) -> list[Scalar]:
        """The values of a key: a list, or one value alone."""
        if key not in self._value:
            return []
        value, way = self._value[key], (*self._way, key)
        if isinstance(value, list) and value and not any(isinstance(each, (list, dict)) for each in value):
            found = [self._scalar((*way, at), each) for at, each in enumerate(value)]
        elif isinstance(value, (list, dict)):
            self.tell(key, f"{key} has no list of values", f"Write {key}: [value, …], or leave it out.")
            return []
        else:
            found = [self._scalar(way, value)]
        return [each for each in found if each is not None]

    def has_empty_list(self, key: str) -> bool:
        """Whether the value of a key is a list without values."""
        return bool(self._value.get(key) == [])

    def number(self, key: str) -> int | None:
        """A whole number from 1."""
        scalar = self.scalar(key)
        if scalar is None:
            return None
        if not re.fullmatch(r"[1-9]\d{0,5}", scalar.text, re.ASCII):
            self.tell_at(scalar, f"{key} is {quoted(scalar.text)}", "Write a whole number from 1 to 999999.")
            return None
        return int(scalar.text)

    def flag(self, key: str) -> bool:
        """True or false; false if the map lacks the key."""
        if key not in self._value:
            return False
        if not isinstance(self._value[key], bool):
            self.tell(key, f"{key} is neither true nor false", f"Write {key}: true, or leave it out.")
            return False
        return bool(self._value[key])

    def map(self, key: str) -> YamlMap | None:
        """A map within the map."""
        if key not in self._value:
            return None
        inner = YamlMap(self._document, (*self._way, key), self._tell)
        return inner if inner.is_map() else None

    @property
    def line(self) -> int:
        """Its line."""
        return self._document.place(self._way).line

    @property
    def is_empty(self) -> bool:
        """Whether the map has no key."""
        return not self._value

    @property
    def keys(self) -> list[str]:
        """The keys."""
        return [key for key in self._value if isinstance(key, str)]

    def _scalar(self, way: Path, value: Any) -> Scalar | None:
        if value is None or value == "":
            self._tell(way, "the value is empty", "Write a value, or leave the key out.")
            return None
        spelled = self._document.spelled.get(way)
        text = spelled[0] if spelled is not None else str(value).lower() if isinstance(value, bool) else str(value)
        place = self._document.values.get(way)
        return Scalar(text, way, quoted=place is not None and place.offset == 1)


def _at(value: Any, way: Path) -> Any:
    for key in way:
        value = value[key]
    return value

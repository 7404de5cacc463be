"""A YAML file with a version and one list of maps: read once, every mistake noted with its place and remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cloudsigma.compiler.document import Document, Path, read_documents
from cloudsigma.compiler.yaml_map import YamlMap
from cloudsigma.errors import Location, Mistake, RuleError

_VERSION = "1"


class ListedFile:
    """The file, and the mistakes in it.

    Args:
        data: The text: YAML, or JSON, which is YAML.
        path: The file that it comes from, for messages.
        key: The key of the list.
        subject: The kind of file, for messages.
    """

    def __init__(self, data: bytes | str, path: str | None, key: str, subject: str) -> None:
        self._path = path
        self._key = key
        self._subject = subject
        self.mistakes: list[Mistake] = []
        self.document: Document | None = None
        """The one document, if the file is a map with the list."""
        self._read(data)

    @property
    def _example(self) -> str:
        return f"Write version: 1, then {self._key}: with a list of them."

    def _read(self, data: bytes | str) -> None:
        documents = list(read_documents(data, self._path))
        for each in documents:
            if isinstance(each, RuleError):
                self.mistakes.append(
                    Mistake(each.reason, each.location, each.remedy or "Mend the YAML.", None, self._subject)
                )
        found = [each for each in documents if isinstance(each, Document)]
        if self.mistakes:
            return
        if len(found) != 1 or not isinstance(found[0].value, dict):
            line = found[1].line if len(found) > 1 else 1
            reason = "the file has several YAML documents" if len(found) > 1 else "the file is no map"
            self.mistakes.append(Mistake(reason, Location(self._path, line), self._example, None, self._subject))
            return
        (self.document,) = found

    def top(self, *keys: str) -> YamlMap | None:
        """The map of the file, which may have the version, the list and other keys."""
        if self.document is None:
            return None
        top = YamlMap(self.document, (), self.teller(None))
        top.check_keys(("version", self._key, *keys))
        if top.text("version") != _VERSION:
            top.tell("version", "the version of the file is not 1", "Write version: 1 in its first line.")
        return top

    def entries(self, name_key: str) -> Iterator[tuple[int, YamlMap]]:
        """The maps of the list, numbered from 0; their mistakes bear the value of a key."""
        if self.document is None:
            return
        listed = self.document.value.get(self._key)
        if not isinstance(listed, list):
            top = YamlMap(self.document, (), self.teller(None))
            top.tell(self._key, f"there is no list of {self._key}", self._example)
            return
        for at, value in enumerate(listed):
            named = value.get(name_key) if isinstance(value, dict) else None
            entry = YamlMap(
                self.document, (self._key, at), self.teller(str(named)[:120] if named is not None else None)
            )
            if entry.is_map():
                yield at, entry

    def map_at(self, way: Path) -> YamlMap | None:
        """Another map of the file; `None` if the value is no map."""
        if self.document is None:
            return None
        found = YamlMap(self.document, way, self.teller(None))
        return found if found.is_map() else None

    def line_of(self, way: Path) -> int:
        """The line of a place."""
        return self.document.place(way).line if self.document is not None else 1

    def teller(self, name: str | None) -> Callable[[Path, str, str], None]:
        """Notes mistakes of an entry."""

        def tell(way: Path, reason: str, remedy: str) -> None:
            place = self.document.place(way) if self.document is not None else None
            location = Location(self._path, place.line if place else 1, place.column if place else 1)
            self.mistakes.append(Mistake(reason, location, remedy, name, self._subject))

        return tell

    @property
    def sorted_mistakes(self) -> list[Mistake]:
        """The mistakes in the order of the file."""
        return sorted(self.mistakes, key=lambda each: (each.location.line or 0, each.location.column or 0))

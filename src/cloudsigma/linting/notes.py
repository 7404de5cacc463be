"""What a check reports: a slug, a place in the document, a message and a remedy."""

from __future__ import annotations

from typing import Any, NamedTuple

from cloudsigma.compiler.document import Document, Path, Place


class Note(NamedTuple):
    """A finding before its severity and its end are looked up."""

    slug: str
    place: Place
    message: str
    remedy: str
    fix: str | None = None
    """The text that takes the place of the node, if that is safe."""
    replaces: str = ""
    """The text of the node that it takes the place of."""


class RuleDocument:
    """A document with a detection, a filter or a correlation in it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        value: Any = document.value if isinstance(document.value, dict) else {}
        self.value: dict[Any, Any] = value

    @property
    def selections(self) -> list[tuple[Any, Path]]:
        """The selections of a detection or a filter, each with its way."""
        found: list[tuple[Any, Path]] = []
        for section in ("detection", "filter"):
            part = self.value.get(section)
            if isinstance(part, dict):
                found += [
                    (each, (section, name))
                    for name, each in part.items()
                    if name not in ("condition", "rules", "timeframe") and isinstance(name, str)
                ]
        return found

    def value_place(self, way: Path, at: int, count: int) -> Place:
        """The place of a value of an item: that of the value if there are several, else of the item."""
        place = self.document.values.get((*way, at)) if count > 1 else None
        return place or self.document.values.get(way) or self.document.place(way)

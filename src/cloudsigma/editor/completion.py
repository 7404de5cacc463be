"""What can be written at the cursor: attributes, log sources, fields, modifiers, sources, events, members, values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from cloudsigma.catalogue import Catalogue
from cloudsigma.catalogue.record_fields import VALUES, known_paths
from cloudsigma.editor.cursor import Cursor, cursor_at, document_of, names_below, values_of
from cloudsigma.editor.knowledge import events_named, members_of
from cloudsigma.editor.words import (
    ATTRIBUTES,
    CORRELATION,
    LEVELS,
    LOGSOURCE,
    MODIFIERS,
    STATUSES,
    TYPES,
    WORDS_OF_CONDITIONS,
)

MOST = 500
"""Suggestions at most; the editor asks again when more is typed."""

Kind = Literal["attribute", "field", "modifier", "value", "name"]


class Suggestion(msgspec.Struct, frozen=True):
    """A text that can be written at the cursor."""

    text: str
    kind: Kind
    about: str | None = None
    """A sentence about it."""


class Suggestions(msgspec.Struct, frozen=True):
    """The suggestions for a place."""

    suggestions: tuple[Suggestion, ...]
    cursor: Cursor
    whole: bool = True
    """Whether these are all that fit the word before the cursor."""


def suggestions_at(lines: Sequence[str], line: int, column: int, catalogue: Catalogue) -> Suggestions:
    """The suggestions for a position, counted from 0; each replaces the word under the cursor."""
    cursor = cursor_at(lines, line, column)
    typed = cursor.word[: max(column - cursor.start, 0)].lower()
    found: list[Suggestion] = []
    for each in _all(cursor, document_of(lines, line), catalogue):
        if typed in each.text.lower():
            if len(found) == MOST:
                return Suggestions(tuple(found), cursor, whole=False)
            found.append(each)
    return Suggestions(tuple(found), cursor)


def _all(cursor: Cursor, lines: Sequence[str], catalogue: Catalogue) -> Iterator[Suggestion]:
    section = cursor.way[0] if cursor.way else ""
    if cursor.part == "modifier":
        used = cursor.key.split("|")[1:]
        yield from _described(MODIFIERS, "modifier", [each for each in used if each != cursor.word])
    elif cursor.part == "key":
        yield from _keys(cursor, section, lines, catalogue)
    elif cursor.part == "value":
        yield from _values(cursor, section, lines, catalogue)


def _keys(cursor: Cursor, section: str, lines: Sequence[str], catalogue: Catalogue) -> Iterator[Suggestion]:
    if not cursor.way:
        yield from _described(ATTRIBUTES, "attribute")
    elif cursor.way == ("logsource",):
        yield from _plain(LOGSOURCE, "attribute")
    elif cursor.way == ("correlation",):
        yield from _described(CORRELATION, "attribute")
    elif section in ("detection", "filter"):
        if len(cursor.way) == 1:
            yield from _plain(("condition", "selection", "filter_main_", "filter_optional_"), "attribute")
        else:
            yield from _fields(lines, catalogue)


def _values(cursor: Cursor, section: str, lines: Sequence[str], catalogue: Catalogue) -> Iterator[Suggestion]:
    field = cursor.field
    if not cursor.way and field in ("level", "status"):
        yield from _plain(LEVELS if field == "level" else STATUSES, "value")
    elif cursor.way == ("logsource",):
        yield from _plain(LOGSOURCE.get(field, ()), "value")
    elif field == "fields" or (section == "correlation" and field == "group-by"):
        yield from _fields(lines, catalogue)
    elif section == "correlation" and field == "type":
        yield from _plain(TYPES, "value")
    elif section in ("detection", "filter") and field == "condition":
        names = [name for name in names_below(lines, section) if name not in ("condition", "rules")]
        yield from _plain(names, "name")
        yield from _plain(WORDS_OF_CONDITIONS, "value")
    elif section in ("detection", "filter"):
        yield from _field_values(field, lines, catalogue)


def _field_values(field: str, lines: Sequence[str], catalogue: Catalogue) -> Iterator[Suggestion]:
    if field == "eventSource":
        yield from _plain(catalogue.sources, "value")
    elif field == "eventName":
        named = [source for source in values_of(lines, "eventSource") if catalogue.has_source(source)]
        for source in named or catalogue.sources:
            for event in catalogue.events(source).values():
                yield Suggestion(event.name, "value", f"{source}, {'reads' if event.read_only else 'writes'}")
    elif field in VALUES:
        yield from _plain(sorted(VALUES[field]), "value")


def _fields(lines: Sequence[str], catalogue: Catalogue) -> Iterator[Suggestion]:
    yield from _plain(sorted(known_paths()), "field")
    events = events_named(values_of(lines, "eventSource"), values_of(lines, "eventName"), catalogue)
    for part in ("requestParameters", "responseElements"):
        for name in members_of(events, part, catalogue):
            yield Suggestion(f"{part}.{name}", "field", f"a member of {events[0].name}" if len(events) == 1 else None)


def _plain(texts: Iterable[str], kind: Kind) -> Iterator[Suggestion]:
    return (Suggestion(text, kind) for text in texts)


def _described(words: Mapping[str, str], kind: Kind, without: Iterable[str] = ()) -> Iterator[Suggestion]:
    return (Suggestion(word, kind, about) for word, about in words.items() if word not in without)

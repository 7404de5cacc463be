"""A text about the word under the cursor."""

from __future__ import annotations

from collections.abc import Sequence

from cloudsigma.catalogue import Catalogue, Event
from cloudsigma.editor.cursor import Cursor, cursor_at, document_of, values_of
from cloudsigma.editor.knowledge import about_event, about_field, about_source, events_named
from cloudsigma.editor.words import ATTRIBUTES, CORRELATION, MODIFIERS


def hover_at(lines: Sequence[str], line: int, column: int, catalogue: Catalogue) -> tuple[str, Cursor] | None:
    """Markdown about the word at a position, counted from 0, and its place."""
    cursor = cursor_at(lines, line, column)
    text = _about(cursor, document_of(lines, line), catalogue) if cursor.word else None
    return (text, cursor) if text is not None else None


def _about(cursor: Cursor, lines: Sequence[str], catalogue: Catalogue) -> str | None:
    if cursor.part == "modifier":
        return _word(cursor.word, MODIFIERS.get(cursor.word))
    if cursor.part == "key":
        if not cursor.way:
            return _word(cursor.word, ATTRIBUTES.get(cursor.word))
        if cursor.way[0] == "correlation":
            return _word(cursor.word, CORRELATION.get(cursor.word))
        return about_field(cursor.word, _events(lines, catalogue), catalogue)
    if cursor.part != "value":
        return None
    if cursor.field == "eventSource" and catalogue.has_source(cursor.word):
        return about_source(cursor.word, catalogue)
    if cursor.field == "eventName":
        found = events_named(values_of(lines, "eventSource"), [cursor.word], catalogue)
        return "\n\n---\n\n".join(about_event(event, catalogue) for event in found[:3]) or None
    if cursor.field in ("fields", "group-by"):
        return about_field(cursor.word, _events(lines, catalogue), catalogue)
    return None


def _events(lines: Sequence[str], catalogue: Catalogue) -> tuple[Event, ...]:
    return events_named(values_of(lines, "eventSource"), values_of(lines, "eventName"), catalogue)


def _word(word: str, about: str | None) -> str | None:
    return f"**{word}**: {about}" if about is not None else None

"""Checks of the text of a value: two lines that YAML joins, and words that it reads as booleans."""

from __future__ import annotations

from collections.abc import Iterator

from cloudsigma.compiler.detections import items_of
from cloudsigma.compiler.document import Place
from cloudsigma.compiler.remedies import quoted
from cloudsigma.linting.notes import Note, RuleDocument
from cloudsigma.linting.rule_text import RuleText

_BOOLEANS = frozenset({"yes", "no", "on", "off"})


def token_notes(document: RuleDocument, text: RuleText) -> Iterator[Note]:
    """The notes about the plain tokens of a rule's values."""
    for definition, way in document.selections:
        for key, values, item in items_of(definition, way):
            if not isinstance(key, str):
                continue
            several = isinstance(values, list)
            for at, value in enumerate(values if several else [values]):
                if isinstance(value, (str, bool)):
                    place = document.value_place(item, at, 2 if several else 1)
                    yield from _token(value, place, text)


def _token(value: str | bool, place: Place, text: RuleText) -> Iterator[Note]:  # noqa: FBT001  # a value of a rule
    start = text.offset(place.line, place.column)
    if not text.is_plain(start):
        return
    token = text.text[start : text.offset(*text.end(place.line, place.column))]
    if isinstance(value, bool):
        if token.lower() in _BOOLEANS:
            yield Note("boolean-word", place, f"YAML reads {token} as {str(value).lower()}",
                       f"Write '{token}' for the text, or {str(value).lower()}.")  # fmt: skip
    elif "\n" in token:
        yield Note("folded-value", place, f"the lines are one value to YAML: {quoted(value)}",
                   "Begin each value of a list with a hyphen and a blank, or put the text in quotation marks."
                   )  # fmt: skip

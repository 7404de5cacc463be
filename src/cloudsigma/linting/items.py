"""Checks of one item of a selection: does the field exist, and can it have this value?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import re2

from cloudsigma.catalogue import Catalogue
from cloudsigma.catalogue.record_fields import OBJECTS, TEXTS, known_paths, nearest_field
from cloudsigma.compiler.detections import items_of
from cloudsigma.compiler.doubts.fields import field_doubt
from cloudsigma.compiler.items import TIME_RANGES
from cloudsigma.compiler.remedies import quoted
from cloudsigma.linting.field_values import value_notes
from cloudsigma.linting.notes import Note, RuleDocument

_NUMBERS = frozenset({"lt", "lte", "gt", "gte"})
_TEXT_COMPARISONS = frozenset({"contains", "startswith", "endswith", "neq", "cased", "all"})
_MEMBER = re.compile(r"(?:requestParameters|responseElements)\.\w")


def item_notes(document: RuleDocument, catalogue: Catalogue) -> Iterator[Note]:
    """The notes about the items of a rule or filter, and about the fields that a correlation or `fields` names."""
    for definition, way in document.selections:
        for key, values, item in items_of(definition, way):
            if isinstance(key, str) and key:
                listed = values if isinstance(values, list) else [values]
                yield from _item(document, key, listed, item, catalogue)
    yield from _named_fields(document)


def _named_fields(document: RuleDocument) -> Iterator[Note]:
    fields = document.value.get("fields")
    for at, name in enumerate(fields if isinstance(fields, list) else ()):
        yield from _field(document, name, ("fields", at))
    section = document.value.get("correlation")
    if not isinstance(section, dict):
        return
    aliases = section.get("aliases")
    known = set(aliases) if isinstance(aliases, dict) else set()
    group_by = section.get("group-by")
    for at, name in enumerate(group_by if isinstance(group_by, list) else (group_by,)):
        if name not in known:
            yield from _field(document, name, ("correlation", "group-by", at))
    condition = section.get("condition")
    counted = condition.get("field") if isinstance(condition, dict) else None
    for name in counted if isinstance(counted, list) else (counted,):
        if name not in known:
            yield from _field(document, name, ("correlation", "condition", "field"))
    for alias, fields in aliases.items() if isinstance(aliases, dict) else ():
        for rule, name in fields.items() if isinstance(fields, dict) else ():
            yield from _field(document, name, ("correlation", "aliases", alias, rule))


def _field(document: RuleDocument, name: Any, way: tuple[Any, ...]) -> Iterator[Note]:
    if not isinstance(name, str) or name.startswith("$") or field_doubt(name, aws=True) is not None:
        return  # a JSONPath, or the compiler reports it
    plain = name.split("|")[0]
    known, nearest = nearest_field(plain)
    if not known:
        place = document.document.values.get(way) or document.document.place(way)
        yield _unknown(plain, nearest, place)


def _unknown(name: str, nearest: str | None, place: Any, key: str | None = None) -> Note:
    remedy = f"Did you mean {quoted(nearest)}?" if nearest else "Look it up: cloudsigma fields."
    case_only = nearest is not None and nearest.lower() == name.lower()
    fix = (key or name).replace(name, nearest, 1) if nearest is not None and case_only else None
    return Note("unknown-field", place, f"no CloudTrail record has the field {quoted(name)}", remedy, fix, key or name)


def _item(
    document: RuleDocument, key: str, values: Sequence[Any], way: tuple[Any, ...], catalogue: Catalogue
) -> Iterator[Note]:
    name, *modifiers = key.split("|")
    used = frozenset(modifiers)
    if not name or field_doubt(key, aws=True) is not None:
        return
    known, nearest = nearest_field(name)
    if not known:
        yield _unknown(name, nearest, document.document.place(way), key)
        return
    if name in TEXTS and used & _NUMBERS and not used & TIME_RANGES.keys():
        yield Note(
            "text-compared-as-number", document.document.place(way),
            f"{name} is text, and {', '.join(sorted(used & _NUMBERS))} compares numbers",
            "Use a time part (eventTime|hour|gte: 22), or --since and --until." if name == "eventTime" else
            "Compare it as text.",
        )  # fmt: skip
    for at, value in enumerate(values):
        place = document.value_place(way, at, len(values) if isinstance(values, list) else 1)
        if "re" in used and isinstance(value, str):
            yield from _regex(name, value, place, catalogue, ignores_case="i" in used)
        elif "fieldref" in used:
            yield from _reference(value, place)
        else:
            yield from value_notes(name, value, place, used, catalogue)
            yield from _portability(name, value, place, used)
        if "fieldref" not in used and isinstance(value, str) and _names_field(value):
            yield Note(
                "field-name-as-value", place, f"{quoted(value)} is the name of a field, and is compared as text",
                "Use the modifier fieldref to compare two fields.",
            )  # fmt: skip


def _portability(name: str, value: Any, place: Any, used: frozenset[str]) -> Iterator[Note]:
    """Values that other engines compare in another way."""
    if value == "*" and used <= _TEXT_COMPARISONS:
        yield Note("star-for-exists", place, f"* is any value of {name}, and a text of one character to some engines",
                   f"Write {name}|exists: true.")  # fmt: skip
    elif name in OBJECTS and isinstance(value, str) and used <= _TEXT_COMPARISONS:
        yield Note("object-as-text", place, f"{name} holds an object, and engines disagree on its text",
                   "Name the member that holds the text.")  # fmt: skip


def _names_field(value: str) -> bool:
    """Whether a value is the name of a field: a known one with a dot, or a member of a request or response."""
    return ("." in value and value in known_paths()) or _MEMBER.match(value) is not None


def _regex(name: str, pattern: str, place: Any, catalogue: Catalogue, *, ignores_case: bool) -> Iterator[Note]:
    if name not in ("eventName", "eventSource"):
        return
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not ignores_case
    try:
        compiled = re2.compile(pattern, options)
    except re2.error:
        return
    names: Iterator[str] = (
        iter(catalogue.sources)
        if name == "eventSource"
        else (event.name for source in catalogue.sources for event in catalogue.events(source).values())
    )
    if not any(compiled.search(each) for each in names):
        what = "source" if name == "eventSource" else "event"
        yield Note(
            "regex-meets-nothing", place, f"the expression {quoted(pattern)} is found in no {what} of AWS",
            "Event names have capitals, which re tells apart: re|i ignores them. A * repeats the character before it.",
        )  # fmt: skip


def _reference(value: Any, place: Any) -> Iterator[Note]:
    if isinstance(value, str):
        known, nearest = nearest_field(value)
        if not known:
            yield _unknown(value, nearest, place)

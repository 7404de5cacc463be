"""Checks of one item of a selection: does the field exist, and can it have this value?"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Any

import re2

from cloudsigma.catalogue import Catalogue
from cloudsigma.compiler.detections import items_of
from cloudsigma.compiler.doubts.fields import field_doubt
from cloudsigma.compiler.items import TIME_RANGES
from cloudsigma.compiler.remedies import closest, quoted
from cloudsigma.linting.notes import Note, RuleDocument
from cloudsigma.linting.record_fields import ACCOUNTS, TEXTS, VALUES, known_paths, nearest_field

_NUMBERS = frozenset({"lt", "lte", "gt", "gte"})
_WHOLE = frozenset({"neq", "cased", "all"})
_WILDCARD = re.compile(r"[*?]")
_CLOSED_TEXT = re.compile(r"[A-Za-z0-9_.:/ -]*")
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
    return Note("unknown-field", place, f"no CloudTrail record has the field {quoted(name)}", remedy, fix)


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
        elif used <= _WHOLE and value is not None:
            yield from _whole(name, value, place, used)
        if "fieldref" not in used and isinstance(value, str) and _names_field(value):
            yield Note(
                "field-name-as-value", place, f"{quoted(value)} is the name of a field, and is compared as text",
                "Use the modifier fieldref to compare two fields.",
            )  # fmt: skip


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


def _whole(name: str, value: Any, place: Any, used: frozenset[str]) -> Iterator[Note]:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if _WILDCARD.search(text):
        return
    if name in VALUES and text.lower() not in {each.lower() for each in VALUES[name]}:
        nearest = closest(text, VALUES[name], 0.6)
        remedy = f"Did you mean {quoted(nearest)}?" if nearest else f"There are: {', '.join(sorted(VALUES[name]))}."
        yield Note("unknown-enum-value", place, f"{name} is never {quoted(text)}", remedy)
    elif name in VALUES and "cased" in used and text not in VALUES[name] and not isinstance(value, bool):
        right = next(each for each in VALUES[name] if each.lower() == text.lower())
        yield Note("unknown-enum-value", place, f"{name} is never {quoted(text)} in this letter case",
                   f"Write {right}.", right)  # fmt: skip
    elif name in ACCOUNTS and not re.fullmatch(r"[0-9]{12}", text) and text.lower() not in ("anonymous", ""):
        digits = re.sub(r"[^0-9]", "", text)
        remedy = f"Write '{digits}'." if len(digits) == 12 else "Write the 12 digits, in quotation marks."
        yield Note("account-id", place, f"{quoted(text)} is no account ID, which has 12 digits", remedy)
    elif name == "sourceIPAddress" and re.fullmatch(r"[0-9.]+", text) and not _is_address(text):
        yield Note(
            "impossible-value", place, f"{quoted(text)} is no IP address", "Write the whole address, or use cidr."
        )
    elif name in ("eventName", "eventSource", "eventType") and not _CLOSED_TEXT.fullmatch(text):
        yield Note("impossible-value", place, f"{name} never holds {quoted(text)}: it has letters, digits and dots",
                   "Remove the other characters.")  # fmt: skip


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True

"""Mistakes in the attributes of a rule: title, id, level, tags, dates, log source.

pySigma checks most of them, but names no line and stops at the first mistake. This module reports each at its place.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterator
from typing import Any

from sigma.rule import SigmaLevel, SigmaStatus
from sigma.rule.attributes import SigmaRelatedType

from cloudsigma.compiler.document import Located, Path
from cloudsigma.compiler.remedies import closest, quoted, remedy_for
from cloudsigma.errors import RuleError

LOGSOURCE_KEYS = ("category", "product", "service", "definition")
_TEXTS = ("title", "id", "name", "description", "author", "license", "taxonomy", "level", "status")
_LISTS = ("references", "tags", "fields", "falsepositives", "scope", "related")
_DATE = re.compile(r"([1-3][0-9]{3})(?:-([01][0-9])-([0-3][0-9])|/([01]?[0-9])/([0-3]?[0-9]))", re.ASCII)
_TAG = re.compile(r"[^.]+\..+", re.DOTALL)
_MAX_TITLE = 256


def attribute_errors(value: dict[Any, Any], located: Located) -> Iterator[RuleError]:
    """Every mistake in the attributes that rules, correlations and filters share."""
    if value.get("title") is None:
        yield located.error("schema", "the rule has no title", ("title",), remedy_for("title"))
    for key in _TEXTS:
        if value.get(key) is not None and not isinstance(value[key], str):
            shown = f"{key} is {_kind(value[key])}, not text"
            is_word = isinstance(value[key], (list, dict)) or key in ("level", "status")
            yield located.error(
                "schema",
                shown,
                (key,),
                remedy_for(key) or "Write one text." if is_word else "Put it in quotation marks.",
            )
    for key in _LISTS:
        yield from _list_errors(key, value.get(key), located)
    for key in ("date", "modified"):
        if (date := value.get(key)) is not None and not isinstance(date, dt.date) and not _is_date(str(date)):
            reason = f"{quoted(date)} is not a date"
            yield located.error("schema", reason, (key,), remedy_for(key))
    yield from _word_errors(value, located)


def logsource_errors(value: dict[Any, Any], located: Located) -> Iterator[RuleError]:
    """Every mistake in the log source of a rule or filter."""
    if "logsource" not in value:
        for key in value:
            if isinstance(key, str) and closest(key, ["logsource"], 0.8):
                reason = f"the rule has no logsource, but {quoted(key)}"
                yield located.error("schema", reason, (key,), "Did you mean 'logsource'?")
                return
        yield located.error("schema", "the rule has no logsource", (), remedy_for("logsource"))
        return
    source = value["logsource"]
    if not isinstance(source, dict):
        yield located.error("schema", "logsource is not a map", ("logsource",), remedy_for("logsource"))
        return
    wrong = [key for key in LOGSOURCE_KEYS if not isinstance(source.get(key), (str, type(None)))]
    for key in wrong:
        reason = f"{key} is {_kind(source[key])}, not text"
        yield located.error("schema", reason, ("logsource", key), "Put it in quotation marks.")
    if not wrong and all(source.get(key) is None for key in ("category", "product", "service")):
        for key in source:
            if found := closest(str(key), ("category", "product", "service")):
                reason = f"the log source has no {found}, but {quoted(key)}"
                yield located.error("schema", reason, ("logsource", key), f"Did you mean {quoted(found)}?")
                return
        reason = "the log source names neither product, service nor category"
        yield located.error("schema", reason, ("logsource",), remedy_for("logsource"))


def _list_errors(key: str, value: Any, located: Located) -> Iterator[RuleError]:
    if value is None or (key == "falsepositives" and isinstance(value, str)):
        return
    if not isinstance(value, list):
        remedy = remedy_for("related") if key == "related" else f"Write {key}: [{_short(value)}]."
        yield located.error("schema", f"{key} is {_kind(value)}, not a list", (key,), remedy)
        return
    for at, item in enumerate(value):
        way: Path = (key, at)
        if key == "related":
            if reason := _related_reason(item):
                yield located.error("schema", reason, way, remedy_for("related"))
        elif not isinstance(item, str):
            reason = f"an entry of {key} is {_kind(item)}, not text"
            yield located.error("schema", reason, way, "Put it in quotation marks.")
        elif key == "tags" and not _TAG.fullmatch(item):
            yield located.error("schema", f"the tag {quoted(item)} has no namespace", way, remedy_for("tags"))


def _word_errors(value: dict[Any, Any], located: Located) -> Iterator[RuleError]:
    """Attributes with a fixed set of values, or a fixed format."""
    for key, words in (("level", SigmaLevel), ("status", SigmaStatus)):
        if isinstance(value.get(key), str) and value[key].upper() not in words.__members__:
            known = [word.lower() for word in words.__members__]
            found = closest(value[key], known)
            remedy = f"Did you mean {quoted(found)}?" if found else remedy_for(key)
            yield located.error("schema", f"{quoted(value[key])} is not a {key} of Sigma", (key,), remedy)
    if isinstance(value.get("id"), str) and not _is_uuid(value["id"]):
        yield located.error("schema", f"the id {quoted(value['id'])} is not a UUID", ("id",), remedy_for("id"))
    for key in ("name", "taxonomy"):
        if value.get(key) == "":
            yield located.error("schema", f"{key} is empty", (key,), "Leave it out, or write a word.")
    if isinstance(value.get("title"), str) and len(value["title"]) > _MAX_TITLE:
        reason = f"the title has {len(value['title']):,} characters, and the limit is {_MAX_TITLE}"
        yield located.error("schema", reason, ("title",), "Shorten it; put the rest into the description.")


def _related_reason(item: Any) -> str | None:
    if not isinstance(item, dict):
        return "an entry of related is not a map"
    for key in ("id", "type"):
        if not isinstance(item.get(key), str):
            return f"an entry of related has no {key}" if key not in item else f"the {key} of related is not text"
    if not _is_uuid(item["id"]):
        return f"the related id {quoted(item['id'])} is not a UUID"
    if item["type"].upper() not in SigmaRelatedType.__members__:
        known = [word.lower() for word in SigmaRelatedType.__members__]
        return f"{quoted(item['type'])} is not a type of relation ({', '.join(known)})"
    return None


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _is_date(text: str) -> bool:
    found = _DATE.fullmatch(text)
    if found is None:
        return False
    try:
        dt.date(int(found[1]), int(found[2] or found[4]), int(found[3] or found[5]))
    except ValueError:
        return False
    return True


def _kind(value: Any) -> str:
    """The type as which YAML has read a value, for a message."""
    kinds = (
        (bool, "a boolean"),
        ((int, float), "a number"),
        (dt.date, "a date"),
        (dict, "a map"),
        (list, "a list"),
        (str, "text"),
    )
    return next((kind for types, kind in kinds if isinstance(value, types)), "binary" if value is not None else "null")


def _short(value: Any) -> str:
    return "…" if isinstance(value, (dict, list)) else quoted(value)[1:-1]

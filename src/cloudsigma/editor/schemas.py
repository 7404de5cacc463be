"""JSON Schemas of rules and case files, for editors that check YAML by a schema. Draft 7, which YAML servers read.

They are made from the compiler's tables. They refuse what the compiler refuses as far as a schema can say it, and never
a rule that compiles, except one whose detection is spread over documents by `action: global`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cloudsigma.editor.words import ATTRIBUTES, CORRELATION, LEVELS, LOGSOURCE, MODIFIERS, STATUSES, TYPES
from cloudsigma.testing import case_schema_path

DRAFT = "http://json-schema.org/draft-07/schema#"
KINDS = ("rules", "cases")

_SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean", "null"]}
_VALUES: dict[str, Any] = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}
_TEXTS: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_TEXT_LIST: dict[str, Any] = {"type": ["array", "null"], "items": {"type": "string"}}
_UUID = "^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$"
_DATE = r"^[1-3][0-9]{3}(-[01][0-9]-[0-3][0-9]|/[01]?[0-9]/[0-3]?[0-9])$"
_OPERATORS = ("lt", "lte", "gt", "gte", "eq", "neq")


def schema_of(kind: str) -> dict[str, Any]:
    """The schema of a kind of file: `rules` or `cases`."""
    if kind == "cases":
        schema: dict[str, Any] = json.loads(Path(case_schema_path()).read_text(encoding="utf-8"))
        return schema
    attributes = {name: {**_attribute(name), "description": about} for name, about in ATTRIBUTES.items()}
    return {
        "$schema": DRAFT,
        "title": "Sigma rules for cloudsigma",
        "type": "object",
        "properties": {
            **attributes,
            "detection": {**_detection(), "description": ATTRIBUTES["detection"]},
            "filter": {**_filter(), "description": ATTRIBUTES["filter"]},
            "correlation": {**_correlation(), "description": ATTRIBUTES["correlation"]},
            "logsource": {**_logsource(), "description": ATTRIBUTES["logsource"]},
            "action": {"enum": ["global", "repeat", "reset"]},
        },
        "if": {"required": ["action"]},
        "else": {
            "required": ["title"],
            "anyOf": [
                {"required": ["detection", "logsource"]},
                {"required": ["correlation"]},
                {"required": ["filter", "logsource"]},
            ],
        },
        "definitions": {"item": _item(), "selection": _selection()},
    }


def _attribute(name: str) -> dict[str, Any]:
    """The form of an attribute of the top level."""
    match name:
        case "title":
            return {"type": "string", "maxLength": 256}
        case "id":
            return {"type": ["string", "null"], "pattern": _UUID}
        case "level":
            return {"type": ["string", "null"], "pattern": _any_case(LEVELS)}
        case "status":
            return {"type": ["string", "null"], "pattern": _any_case(STATUSES)}
        case "date" | "modified":
            return {"type": ["string", "null"], "pattern": _DATE}
        case "tags":
            return {"type": ["array", "null"], "items": {"type": "string", "pattern": r"^[^.]+\."}}
        case "references" | "fields" | "scope":
            return _TEXT_LIST
        case "falsepositives":
            return {"anyOf": [{"type": "string"}, _TEXT_LIST]}
        case "related":
            entry = {
                "type": "object",
                "required": ["id", "type"],
                "properties": {"id": {"type": "string", "pattern": _UUID}, "type": {"type": "string"}},
            }
            return {"type": ["array", "null"], "items": entry}
        case _:
            return {"type": ["string", "null"]}


def _any_case(words: Iterable[str]) -> str:
    """An expression for words in any letter case, as draft 7 has no flags."""
    spelled = ("".join(f"[{letter}{letter.upper()}]" for letter in word) for word in words)
    return f"^({'|'.join(spelled)})$"


def _logsource() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**{key: {"type": ["string", "null"]} for key in LOGSOURCE}, "definition": {}},
        "anyOf": [{"required": [key]} for key in LOGSOURCE],
    }


def _item() -> dict[str, Any]:
    """A map of fields: the modifiers of each key are known ones."""
    modifiers = "|".join(map(re.escape, MODIFIERS))
    return {
        "type": "object",
        "minProperties": 1,
        "patternProperties": {rf"^[^|]*(\|({modifiers}))*$": _VALUES},
        "additionalProperties": False,
    }


def _selection() -> dict[str, Any]:
    item = {"$ref": "#/definitions/item"}
    listed = {"type": "array", "minItems": 1, "items": {"anyOf": [item, _SCALAR]}}
    return {"anyOf": [item, listed, _SCALAR]}


def _detection() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["condition"],
        "minProperties": 2,
        "properties": {"condition": _TEXTS},
        "additionalProperties": {"$ref": "#/definitions/selection"},
    }


def _filter() -> dict[str, Any]:
    detection = _detection()
    return {**detection, "properties": {"condition": _TEXTS, "rules": {"anyOf": [*_TEXTS["anyOf"], {"type": "null"}]}}}


def _correlation() -> dict[str, Any]:
    number = {"type": ["number", "string"]}
    operators: Mapping[str, Any] = dict.fromkeys(_OPERATORS, number)
    condition = {
        "type": "object",
        "properties": {**operators, "field": _TEXTS, "percentile": number},
        "additionalProperties": False,
    }
    forms: dict[str, Any] = {
        "type": {"enum": list(TYPES)},
        "rules": _TEXTS,
        "group-by": _TEXTS,
        "timespan": {"type": "string", "pattern": r"^\s*[0-9]+\s*[smhdwMy]\s*$"},
        "condition": {"anyOf": [{"type": "string"}, condition]},
        "aliases": {"type": "object", "additionalProperties": {"type": "object"}},
        "generate": {"type": "boolean"},
    }
    return {
        "type": "object",
        "required": ["type"],
        "properties": {name: {**form, "description": CORRELATION[name]} for name, form in forms.items()},
        "additionalProperties": False,
    }

"""Document → pySigma rule, each part with its place; what pySigma lets pass is checked here.

Everything that goes wrong becomes a `RuleError` with category, place, reason and remedy: pySigma's own exceptions
carry no line, and some malformed rules make it raise what is no `SigmaError` at all.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import sigma.exceptions as upstream
from sigma.correlations import SigmaCorrelationRule
from sigma.modifiers import modifier_mapping
from sigma.rule import SigmaRule
from sigma.rule.detection import SigmaDetection, SigmaDetectionItem

from cloudsigma.compiler.document import Document, Located, Path
from cloudsigma.compiler.policy import QUIET_RE2
from cloudsigma.compiler.remedies import nearest, remedy_for
from cloudsigma.errors import Category, RuleError

_ALIASES = {"utf16le": "wide"}
"""Modifiers of the specification that pySigma knows by another name only."""
_NEEDS_FIELD = frozenset(
    {"lt", "lte", "gt", "gte", "minute", "hour", "day", "week", "month", "year", "fieldref", "exists"}
)
_PLACE_OF: dict[type[Exception], str] = {
    upstream.SigmaTitleError: "title",
    upstream.SigmaIdentifierError: "id",
    upstream.SigmaNameError: "name",
    upstream.SigmaTaxonomyError: "taxonomy",
    upstream.SigmaRelatedError: "related",
    upstream.SigmaLevelError: "level",
    upstream.SigmaStatusError: "status",
    upstream.SigmaTagError: "tags",
    upstream.SigmaDateError: "date",
    upstream.SigmaModifiedError: "modified",
    upstream.SigmaFieldsError: "fields",
    upstream.SigmaFalsePositivesError: "falsepositives",
    upstream.SigmaAuthorError: "author",
    upstream.SigmaDescriptionError: "description",
    upstream.SigmaReferencesError: "references",
    upstream.SigmaLicenseError: "license",
    upstream.SigmaScopeError: "scope",
    upstream.SigmaLogsourceError: "logsource",
    upstream.SigmaDetectionError: "detection",
}


@dataclass
class ItemLocation(upstream.SigmaRuleLocation):
    """The place of a detection item and its values as YAML has them; travels with the item through pipelines."""

    modifiers: tuple[str, ...] = field(default=(), compare=False)
    written: tuple[Any, ...] = field(default=(), compare=False)


def load_rule(document: Document) -> SigmaRule:
    """Parse a detection rule; raises `RuleError`."""
    located = Located(document)
    _check_shape(document.value, located)
    detection = {name: _known_modifiers(definition) for name, definition in document.value["detection"].items()}
    plain = {**document.value, "detection": detection}
    try:
        rule = SigmaRule.from_dict(plain, policy=QUIET_RE2)
    except Exception as error:  # pySigma raises AttributeError, TypeError … on malformed rules
        raise _diagnose(error, plain, located) from error
    file = FilePath(document.path or "<text>")
    for name, parsed in rule.detection.detections.items():
        _attach(parsed, document.value["detection"][name], ("detection", name), document, file)
    return rule


def load_correlation(located: Located) -> SigmaCorrelationRule:
    """Read the attributes that a correlation shares with every rule, with pySigma; raises `RuleError`."""
    value = located.document.value
    _check_attributes(value, located)
    stand_in = {"type": "event_count", "rules": ["any"], "timespan": "1s", "condition": {"gte": 1}}
    try:
        return SigmaCorrelationRule.from_dict({**value, "correlation": stand_in})
    except Exception as error:  # as above
        raise _attribute_error(error, located) from error


# --- shape: what pySigma accepts or trips over --------------------------------------------------------------


def _check_shape(value: Any, located: Located) -> None:
    if not isinstance(value, dict):
        raise located.error("schema", "a rule is a map, this document is none", (), "Start it with title: …")
    _check_attributes(value, located)
    if "logsource" not in value:
        raise located.error("schema", "the rule has no logsource", (), remedy_for("logsource"))
    if isinstance(value["logsource"], dict):
        for key in ("category", "product", "service"):
            if not isinstance(value["logsource"].get(key), (str, type(None))):
                raise located.error("schema", f"{key} is not text", ("logsource", key), "Put it in quotation marks.")
    detection = value.get("detection")
    if not isinstance(detection, dict):
        what = "the rule has no detection" if detection is None else "detection is not a map"
        raise located.error("schema", what, ("detection",), remedy_for("detection"))
    if "timeframe" in detection:
        raise located.error(
            "unsupported",
            "a timeframe in the detection belonged to aggregations in conditions, which Sigma dropped",
            ("detection", "timeframe"),
            "Write a correlation rule with timespan, or remove it.",
        )
    for name, definition in detection.items():
        if name != "condition":
            _check_selection(name, definition, located)


def _check_attributes(value: dict[Any, Any], located: Located) -> None:
    for key in ("title", "id", "name", "description", "author", "license"):
        if key in value and not isinstance(value[key], str) and value[key] is not None:
            raise located.error("schema", f"{key} is not text", (key,), "Put it in quotation marks.")
    for key in ("references", "tags", "fields", "falsepositives"):
        _check_texts(value.get(key), (key,), located)


def _check_texts(value: Any, way: Path, located: Located) -> None:
    """Lists of text: pySigma leaves their members unchecked."""
    if isinstance(value, list):
        for at, item in enumerate(value):
            if not isinstance(item, str):
                raise located.error(
                    "schema", f"{way[0]} has an entry that is not text", (*way, at), "Put it in quotation marks."
                )


def _check_selection(name: Any, definition: Any, located: Located) -> None:
    way: Path = ("detection", name)
    if not isinstance(name, str):
        raise located.error("schema", f"the selection name {name!r} is not text", way, "Put it in quotation marks.")
    if isinstance(definition, (dict, list)):
        _check_members(definition, way, located)
    else:
        _check_values(None, [definition], way, located)


def _check_members(definition: dict[Any, Any] | list[Any], way: Path, located: Located) -> None:
    if not definition:
        raise located.error("schema", "the selection is empty", way, remedy_for("empty selection"))
    if isinstance(definition, list):
        for at, member in enumerate(definition):
            if isinstance(member, (dict, list)):
                _check_members(member, (*way, at), located)
            else:
                _check_values(None, [member], (*way, at), located)
        return
    for key, values in definition.items():
        if not isinstance(key, str):
            raise located.error(
                "schema",
                f"the field name {key!r} is not text",
                (*way, key),
                "Put it in quotation marks (YAML reads on, yes, no and digits as other things).",
            )
        _check_values(key, values if isinstance(values, list) else [values], (*way, key), located)


def _check_values(key: str | None, values: list[Any], way: Path, located: Located) -> None:
    name, *modifiers = (key or "").split("|")
    if key is not None and name != name.strip():
        raise located.error("schema", f"the field name {name!r} begins or ends with a blank", way, "Remove it.")
    if not name and (wrong := next((modifier for modifier in modifiers if modifier in _NEEDS_FIELD), None)):
        raise located.error("modifier", f"{wrong} needs a field, and keywords have none", way, "Name the field.")
    if "re" in modifiers and (wrong := next((m for m in modifiers if m in ("startswith", "endswith")), None)):
        raise located.error(
            "unsupported",
            f"re with {wrong} does not mean more than re alone",
            way,
            "Use ^ or $ in the expression.",
        )
    if key is not None and not name and not values:
        raise located.error("schema", "the list of keywords is empty", way, "Add a keyword or remove the line.")
    for at, value in enumerate(values):
        place: Path = (*way, at) if len(values) > 1 else way
        if isinstance(value, (dict, list)):
            kind = "map" if isinstance(value, dict) else "list inside the list of values"
            raise located.error(
                "value",
                f"a {kind} stands as a value",
                place,
                "Write nested fields as one dotted name: parent.child: value.",
            )
        if isinstance(value, (dt.date, dt.datetime, bytes)) or not _is_finite(value):
            kind = "binary" if isinstance(value, bytes) else "date" if isinstance(value, dt.date) else "number"
            raise located.error(
                "value",
                f"{value!s} is read by YAML as a {kind} that no field can equal",
                place,
                "Put it in quotation marks to compare it as text.",
            )
        if "re" in modifiers and not isinstance(value, str):
            raise located.error(
                "value", f"the regular expression {value!r} is not text", place, "Put it in quotation marks."
            )
        if value is None and not name:
            raise located.error("schema", "null stands as a keyword", place, "Bind it to a field: field: null.")


def _is_finite(value: Any) -> bool:
    try:
        return not isinstance(value, (int, float)) or math.isfinite(value)
    except OverflowError:  # an integer beyond the floats, which pySigma refuses
        return False


def _known_modifiers(definition: Any) -> Any:
    """The detection with the specification's modifier names in the form that pySigma knows."""
    if isinstance(definition, list):
        return [_known_modifiers(member) for member in definition]
    if not isinstance(definition, dict):
        return definition
    return {_known_key(key): _known_modifiers(value) for key, value in definition.items()}


def _known_key(key: Any) -> Any:
    if not isinstance(key, str) or "|" not in key:
        return key
    name, *modifiers = key.split("|")
    return "|".join([name, *(_ALIASES.get(modifier, modifier) for modifier in modifiers)])


# --- places -------------------------------------------------------------------------------------------------


def _items(definition: Any, way: Path) -> Iterator[tuple[str | None, Any, Path]]:
    """The items that pySigma makes of a selection, in its order: key, values, place."""
    if isinstance(definition, dict):
        for key, values in definition.items():
            yield key, values, (*way, key)
    elif isinstance(definition, list) and any(isinstance(member, (dict, list)) for member in definition):
        for at, member in enumerate(definition):
            yield from _items(member, (*way, at))
    else:
        yield None, definition, way


def _attach(detection: SigmaDetection, definition: Any, way: Path, document: Document, file: FilePath) -> None:
    places = _items(definition, way)
    for item in _flat(detection):
        key, values, item_way = next(places)
        place = document.place(item_way)
        written = tuple(values) if isinstance(values, list) else (values,)
        item.source = ItemLocation(
            file,
            place.line,
            place.column,
            tuple((key or "").split("|")[1:]),
            written,
        )


def _flat(detection: SigmaDetection) -> Iterator[SigmaDetectionItem]:
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            yield from _flat(item)
        else:
            yield item


# --- what pySigma said --------------------------------------------------------------------------------------


def _diagnose(error: Exception, plain: dict[str, Any], located: Located) -> RuleError:
    """Find the part that pySigma refused: item by item, then by the kind of the exception."""
    for name, definition in plain["detection"].items():
        if name == "condition":
            continue
        for key, values, way in _items(definition, ("detection", name)):
            try:
                SigmaDetectionItem.from_mapping(key, values, policy=QUIET_RE2)
            except Exception as item_error:  # noqa: BLE001  # as above
                return _item_error(item_error, key, way, located)
    if "condition" not in plain["detection"]:
        return located.error("schema", "the detection has no condition", ("detection",), remedy_for("condition"))
    return _attribute_error(error, located)


def _attribute_error(error: Exception, located: Located) -> RuleError:
    key = next((key for kind, key in _PLACE_OF.items() if isinstance(error, kind)), "")
    if not isinstance(error, upstream.SigmaError):
        reason = f"the rule has a shape that Sigma does not know ({type(error).__name__}: {error})"
        return located.error("schema", reason, (), "Compare it with the Sigma rule schema.")
    return located.error("schema", _reason(error), (key,) if key else (), remedy_for(key))


def _item_error(error: Exception, key: str | None, way: Path, located: Located) -> RuleError:
    modifiers = (key or "").split("|")[1:]
    unknown = next((modifier for modifier in modifiers if modifier not in modifier_mapping), None)
    if unknown is not None:
        remedy = remedy_for("not modifier") if unknown == "not" else nearest(unknown, modifier_mapping)
        return located.error("modifier", f"there is no modifier {unknown!r}", way, remedy)
    reason = _reason(error)
    category: Category = "modifier"
    match error:
        case upstream.SigmaTypeError() if "Invalid CIDR" in reason or "Unsupported type" in reason:
            category = "value"
        case upstream.SigmaModifiedError() | upstream.SigmaRegularExpressionError():
            category = "value"
        case upstream.SigmaModifierError():
            category = "modifier"
        case upstream.SigmaValueError() if "unmodified" in reason or "must be applied to field" in reason:
            category = "modifier"
        case upstream.SigmaError():
            category = "value"
        case ValueError():
            category = "value"
    return located.error(category, reason, way, remedy_for(category))


def _reason(error: Exception) -> str:
    text = str(error.args[0]) if error.args else type(error).__name__
    return " ".join(text.split())[:500].rstrip(".")

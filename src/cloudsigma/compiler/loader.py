"""Document → pySigma rule, each item with its place.

Every mistake becomes a `RuleError` with category, place, reason and remedy; all mistakes of a rule are reported
together. pySigma's own exceptions carry no line, and some malformed rules make it raise other exceptions than
`SigmaError`.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import sigma.exceptions as upstream
from sigma.correlations import SigmaCorrelationRule
from sigma.rule import SigmaRule
from sigma.rule.detection import SigmaDetection, SigmaDetectionItem

from cloudsigma.compiler.attributes import attribute_errors, logsource_errors
from cloudsigma.compiler.detections import detection_errors, items_of
from cloudsigma.compiler.document import Document, Located, Path
from cloudsigma.compiler.items import refusal
from cloudsigma.compiler.policy import QUIET_RE2
from cloudsigma.compiler.remedies import shortened
from cloudsigma.errors import RuleError, one_or_group

_ALIASES = {"utf16le": "wide"}
"""Modifiers of the specification that pySigma knows by another name only."""
_STAND_IN = "\0"
"""Key and value of an item with placeholders while pySigma parses the rule; no field begins with it."""
_ORIGINS = itertools.count(1)


@dataclass
class ItemLocation(upstream.SigmaRuleLocation):
    """The place of a detection item and its values as YAML has them; travels with the item through pipelines."""

    modifiers: tuple[str, ...] = field(default=(), compare=False)
    written: tuple[Any, ...] = field(default=(), compare=False)
    way: Path = field(default=(), compare=False)
    """The way to the item in its document."""
    origin: int = field(default=0, compare=False)
    """A number for each item of a rule; the copies that a pipeline makes of an item keep it."""
    pending: Any = field(default=None, compare=False)
    """The values of an item with `expand` until its placeholders have values (see `expansion`)."""
    compared: tuple[Any, ...] | None = field(default=None, compare=False)
    """The values before a pipeline, one entry per variant (see `processing`)."""
    sizes: tuple[int, ...] = field(default=(), compare=False)
    """How many variants each value had before the pipeline."""


def load_rule(document: Document) -> SigmaRule:
    """Parse a detection rule; raises `RuleError`, or `RuleErrors` where it has several mistakes."""
    located = Located(document)
    value = document.value
    if not isinstance(value, dict):
        kind = "a list" if isinstance(value, list) else "text" if isinstance(value, str) else "a value"
        remedy = "Write one rule in each document, with --- between them." if kind == "a list" else "Start with title:."
        raise located.error("schema", f"a rule is a map, and this document is {kind}", (), remedy)
    errors = [*attribute_errors(value, located), *logsource_errors(value, located), *detection_errors(value, located)]
    if not isinstance(value.get("detection"), dict):
        raise one_or_group(errors)
    plain = {**value, "detection": {name: _known_modifiers(part) for name, part in value["detection"].items()}}
    if isinstance(value.get("falsepositives"), str):
        plain["falsepositives"] = [value["falsepositives"]]
    if not errors:
        try:
            rule = SigmaRule.from_dict(plain, policy=QUIET_RE2)
        except Exception as error:  # pySigma raises AttributeError, TypeError … on malformed rules
            raise one_or_group(_refused_items(plain, located) or [_unforeseen(error, located)]) from error
        _attach_all(rule, document)
        return rule
    raise one_or_group(_in_order([*errors, *_refused_items(plain, located, {_place(error) for error in errors})]))


def load_correlation(located: Located) -> SigmaCorrelationRule:
    """Read the attributes that a correlation shares with every rule, with pySigma; raises as `load_rule` does."""
    value = located.document.value
    if errors := list(attribute_errors(value, located)):
        raise one_or_group(errors)
    stand_in = {"type": "event_count", "rules": ["any"], "timespan": "1s", "condition": {"gte": 1}}
    plain = {**value, "correlation": stand_in}
    if isinstance(value.get("falsepositives"), str):
        plain["falsepositives"] = [value["falsepositives"]]
    try:
        loaded = SigmaCorrelationRule.from_dict(plain)
    except Exception as error:  # as above
        raise _unforeseen(error, located) from error
    for known in ("correlation", "generate"):  # pySigma would treat them as custom attributes
        loaded.custom_attributes.pop(known, None)
    return loaded


def _known_modifiers(definition: Any) -> Any:
    """The detection with the specification's modifier names in the form that pySigma knows."""
    if isinstance(definition, list):
        return [_known_modifiers(member) for member in definition]
    if not isinstance(definition, dict):
        return definition
    known: dict[Any, Any] = {}
    for key, value in definition.items():
        if has_placeholders(key):  # built by `make_item` once its values are known; a reserved key until then
            known[f"{_STAND_IN}{len(known)}"] = _STAND_IN
        else:
            known[_known_key(key)] = _known_modifiers(value)
    return known


def has_placeholders(key: Any) -> bool:
    """Whether the values of a key may hold placeholders: it has the modifier `expand`."""
    return isinstance(key, str) and "expand" in key.split("|")[1:]


def make_item(key: str, values: list[Any], way: Path, located: Located) -> SigmaDetectionItem:
    """One detection item of pySigma, its modifiers applied; raises `RuleError` at the place of `way`."""
    try:
        return SigmaDetectionItem.from_mapping(_known_key(key), values, policy=QUIET_RE2)
    except Exception as error:  # pySigma raises more than its own errors here
        raise refusal(error, _known_key(key), values, way, located) from error


def _known_key(key: Any) -> Any:
    if not isinstance(key, str) or "|" not in key:
        return key
    name, *modifiers = key.split("|")
    return "|".join([name, *(_ALIASES.get(modifier, modifier) for modifier in modifiers)])


# --- errors -------------------------------------------------------------------------------------------------


def _refused_items(plain: dict[str, Any], located: Located, told: Collection[tuple[int, int]] = ()) -> list[RuleError]:
    """The errors of items that pySigma refuses, except for items that already have an error."""
    errors: list[RuleError] = []
    for name, definition in plain["detection"].items():
        if name in ("condition", "timeframe") or not isinstance(name, str):
            continue
        for key, values, way in items_of(definition, ("detection", name)):
            if not isinstance(key, (str, type(None))):
                continue
            try:
                SigmaDetectionItem.from_mapping(key, values, policy=QUIET_RE2)
            except Exception as error:  # noqa: BLE001  # as above
                ways = [way, *((*way, at) for at in range(len(values) if isinstance(values, list) else 0))]
                places = (located.document.place(each) for each in ways)
                if not any((place.line, place.column) in told for place in places):
                    errors.append(refusal(error, key, values, way, located))
    return errors


def _unforeseen(error: Exception, located: Located) -> RuleError:
    """The error of a rule that pySigma refuses for a reason that our checks did not find."""
    said = f" ({shortened(str(error.args[0]))})" if isinstance(error, upstream.SigmaError) and error.args else ""
    reason = f"the rule has a shape that Sigma does not know{said}"
    return located.error("schema", reason, (), "Compare it with the Sigma rule schema.")


def _in_order(errors: list[RuleError]) -> list[RuleError]:
    return sorted(errors, key=_place)


def _place(error: RuleError) -> tuple[int, int]:
    return error.line or 0, error.column or 0


# --- places -------------------------------------------------------------------------------------------------


def _attach_all(rule: SigmaRule, document: Document) -> None:
    file = FilePath(document.path or "<text>")
    for name, parsed in rule.detection.detections.items():
        _attach(parsed, document.value["detection"][name], ("detection", name), document, file)


def _attach(detection: SigmaDetection, definition: Any, way: Path, document: Document, file: FilePath) -> None:
    for item, (key, values, item_way) in zip(_flat(detection), items_of(definition, way), strict=True):
        place = document.place(item_way)
        name, *modifiers = (key or "").split("|")
        item.source = ItemLocation(
            file,
            place.line,
            place.column,
            tuple(modifiers),
            tuple(values) if isinstance(values, list) else (values,),
            item_way,
            next(_ORIGINS),
        )
        if has_placeholders(key):
            item.field = name or None


def _flat(detection: SigmaDetection) -> Iterator[SigmaDetectionItem]:
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            yield from _flat(item)
        else:
            yield item

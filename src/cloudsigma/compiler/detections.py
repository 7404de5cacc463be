"""Mistakes in the shape of a detection: its condition, its selections, and the items in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.compiler.document import Located, Path
from cloudsigma.compiler.items import item_errors
from cloudsigma.compiler.remedies import closest, quoted, remedy_for, shortened, spelled
from cloudsigma.errors import RuleError

Item = tuple[str | None, Any, Path]
"""Key (`None` for keywords without one), values and place of a detection item."""


def detection_errors(value: dict[Any, Any], located: Located) -> Iterator[RuleError]:
    """Every mistake in the shape of the section `detection`."""
    detection = value.get("detection")
    if not isinstance(detection, dict):
        yield _no_detection(value, located)
        return
    if "condition" not in detection:
        yield _no_condition(value, located)
    elif detection["condition"] == []:
        yield located.error("condition", "the list of conditions is empty", ("detection", "condition"), "Add one.")
    if "condition" in detection and all(name in ("condition", "timeframe") for name in detection):
        remedy = "Add a selection: selection: {eventName: CreateUser}."
        yield located.error("schema", "the detection has no selections", ("detection",), remedy)
    if "timeframe" in detection:
        yield located.error(
            "unsupported",
            "a timeframe in the detection belonged to aggregations in conditions, which Sigma dropped",
            ("detection", "timeframe"),
            "Write a correlation rule with timespan, or remove it.",
        )
    for name, definition in detection.items():
        if name not in ("condition", "timeframe"):
            yield from _selection_errors(name, definition, located)


def items_of(definition: Any, way: Path) -> Iterator[Item]:
    """The items that pySigma creates from a selection, in its order."""
    if isinstance(definition, dict):
        for key, values in definition.items():
            yield key, values, (*way, key)
    elif isinstance(definition, list) and any(isinstance(member, (dict, list)) for member in definition):
        for at, member in enumerate(definition):
            yield from items_of(member, (*way, at))
    else:
        yield None, definition, way


def _no_detection(value: dict[Any, Any], located: Located) -> RuleError:
    if "detection" in value:
        return located.error("schema", "detection is not a map", ("detection",), remedy_for("detection"))
    known = {"detection", "correlation", "filter", "logsource", "description"}
    for key in value:
        if isinstance(key, str) and (found := closest(key, known, 0.75)) in ("detection", "correlation", "filter"):
            reason = f"the rule has no {found}, but {quoted(key)}"
            return located.error("schema", reason, (key,), f"Did you mean {quoted(found)}?")
    return located.error("schema", "the rule has no detection", (), remedy_for("detection"))


def _no_condition(value: dict[Any, Any], located: Located) -> RuleError:
    """The error of a detection without a condition, at the place of a misplaced condition if there is one."""
    reason = "the detection has no condition"
    for way in _conditions_elsewhere(value):
        outside = len(way) == 1 or way[0] == "logsource"
        remedy = "Indent it as the selections are" if outside else "Indent it less: as far as the selections"
        reason += ": it is elsewhere in the document"
        return located.error("schema", reason, way, f"{remedy}, inside detection.")
    for key in value["detection"]:
        if isinstance(key, str) and key != "condition" and closest(key, ["condition"], 0.8):
            return located.error("schema", f"{reason}, but {quoted(key)}", ("detection", key), "Write condition.")
    names = [key for key in value["detection"] if isinstance(key, str) and key != "timeframe"]
    name = names[0] if names else "selection"
    return located.error("schema", reason, ("detection",), f"Add condition: {shortened(name)}.")


def _conditions_elsewhere(value: dict[Any, Any]) -> Iterator[Path]:
    if "condition" in value:
        yield ("condition",)
    if isinstance(value.get("logsource"), dict) and "condition" in value["logsource"]:
        yield ("logsource", "condition")
    for name, definition in value["detection"].items():
        if isinstance(definition, dict) and isinstance(definition.get("condition"), str):
            yield ("detection", name, "condition")


def _selection_errors(name: Any, definition: Any, located: Located) -> Iterator[RuleError]:
    way: Path = ("detection", name)
    if not isinstance(name, str):
        reason = f"YAML reads the name of the selection as {spelled(name)}, which is not text"
        yield located.error("schema", reason, way, "Put it in quotation marks.")
    elif definition is None:
        yield from _empty_selection(name, located)
    elif isinstance(definition, (dict, list)):
        yield from _member_errors(definition, way, located)
    else:
        yield from item_errors(None, [definition], way, located)


def _empty_selection(name: str, located: Located) -> Iterator[RuleError]:
    """The error of a selection without members, whose fields may be indented too little."""
    detection = located.document.value["detection"]
    names = list(detection)
    following = names[names.index(name) + 1 : names.index(name) + 2]
    remedy = remedy_for("empty selection") or ""
    if following and following[0] not in ("condition", "timeframe") and not isinstance(detection[following[0]], dict):
        remedy = f"Indent the lines of its fields ({quoted(following[0])}) more than its name."
    yield located.error("schema", f"the selection {quoted(name)} is empty", ("detection", name), remedy)


def _member_errors(definition: dict[Any, Any] | list[Any], way: Path, located: Located) -> Iterator[RuleError]:
    if not definition:
        yield located.error("schema", "the selection is empty", way, remedy_for("empty selection"))
    elif isinstance(definition, list):
        for at, member in enumerate(definition):
            if isinstance(member, (dict, list)):
                yield from _member_errors(member, (*way, at), located)
            else:
                yield from item_errors(None, [member], (*way, at), located)
    else:
        for key, values in definition.items():
            if isinstance(key, str):
                yield from item_errors(key, values if isinstance(values, list) else [values], (*way, key), located)
            else:
                reason = f"YAML reads the field name as {spelled(key)}, which is not text"
                yield located.error("schema", reason, (*way, key), "Put it in quotation marks.")

"""Mistakes in a correlation: time span, threshold, type, group-by, the rules that it refers to and their order."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cloudsigma.compiler.spans import TextNode
from cloudsigma.testing.mutation.edits import (
    Edit,
    Mutant,
    part_rewritten,
    rewritten,
    without_entry,
    without_item,
)
from cloudsigma.testing.mutation.mutants_condition import condition_changes

_TIMESPAN = re.compile(r"([0-9]+)([smhdwMy])", re.ASCII)
_TYPES = {
    "temporal": ("temporal_ordered",),
    "temporal_ordered": ("temporal",),
    "value_count": ("event_count",),
    "value_sum": ("value_avg",),
    "value_avg": ("value_sum", "value_median"),
    "value_median": ("value_avg",),
}
"""Type → types it may be confused with. `event_count` has no field, so it has none."""
_OPERATORS = {
    "gte": ("gt", "eq", "lte"),
    "gt": ("gte", "lt"),
    "lte": ("lt", "gte"),
    "lt": ("lte", "gt"),
    "eq": ("gte", "lte"),
    "neq": ("eq",),
}


def correlation_mutants(text: str, section: TextNode) -> Iterator[Mutant]:
    """The mistakes that can be made in the `correlation` section of a rule."""
    for position, (key, value) in enumerate(section.entries):
        match key.text:
            case "timespan":
                yield from _timespan(text, value)
            case "type":
                yield from _type(text, section, value)
            case "group-by":
                yield from _list(text, section, position, "group-by")
            case "rules":
                if _is_map_or_absent(section.get("condition")):
                    yield from _list(text, section, position, "rules", whole=False)
                    if (kind := section.get("type")) is not None and kind.text == "temporal_ordered":
                        yield from _swapped(text, value)
            case "condition":
                yield from _condition(text, value)


def _is_map_or_absent(node: TextNode | None) -> bool:
    return node is None or node.kind == "map"


def _timespan(text: str, value: TextNode) -> Iterator[Mutant]:
    found = _TIMESPAN.fullmatch(value.text)
    if found is None:
        return
    for number in (int(found[1]) - 1, int(found[1]) + 1):
        changed = f"{number}{found[2]}"
        yield Mutant(f"timespan {value.text}->{changed}", value.line, (_in_place(text, value, changed),))


def _in_place(text: str, value: TextNode, changed: str) -> Edit:
    """Replace a value that needs no quotation marks, and keep those that are there."""
    quoted = value.style in ("'", '"')
    start = value.start + quoted
    if text[start : start + len(value.text)] == value.text:
        return Edit(start, start + len(value.text), changed)
    return rewritten(text, value, changed)


def _type(text: str, section: TextNode, value: TextNode) -> Iterator[Mutant]:
    for other in _TYPES.get(value.text, ()):
        edits = [_in_place(text, value, other)]
        condition = section.get("condition")
        if value.text == "value_count" and condition is not None:  # `event_count` has no field
            position = next((at for at, (key, _) in enumerate(condition.entries) if key.text == "field"), None)
            edit = without_entry(text, condition, position) if position is not None else None
            if edit is None:
                continue
            edits.append(edit)
        yield Mutant(f"type {value.text}->{other}", value.line, tuple(edits))


def _list(text: str, section: TextNode, position: int, name: str, *, whole: bool = True) -> Iterator[Mutant]:
    _, value = section.entries[position]
    items = value.items if value.kind == "list" else (value,)
    if len(items) == 1:
        if whole and (edit := without_entry(text, section, position)):
            yield Mutant(f"{name} {items[0].text} dropped", items[0].line, (edit,))
        return
    for at, item in enumerate(items):
        if edit := without_item(text, value, at):
            yield Mutant(f"{name} {item.text} dropped", item.line, (edit,))


def _swapped(text: str, value: TextNode) -> Iterator[Mutant]:
    for one, other in zip(value.items, value.items[1:], strict=False):
        if one.shared or other.shared:
            continue
        edits = (
            Edit(one.start, one.end, text[other.start : other.end]),
            Edit(other.start, other.end, text[one.start : one.end]),
        )
        yield Mutant(f"rules {one.text} and {other.text} swapped", one.line, edits)


def _condition(text: str, value: TextNode) -> Iterator[Mutant]:
    if value.kind == "scalar":
        for what, (start, end, changed) in condition_changes(value.text):
            yield Mutant(f"condition {what}", value.line, (part_rewritten(text, value, start, end, changed),))
        return
    for key, inner in value.entries:
        for other in _OPERATORS.get(key.text, ()):
            yield Mutant(f"condition {key.text}->{other}", key.line, (_in_place(text, key, other),))
        if (key.text in _OPERATORS or key.text == "percentile") and inner.tag in ("int", "float"):
            try:
                number = int(inner.text) if inner.tag == "int" else float(inner.text)
            except ValueError:
                continue
            for near in (number - 1, number + 1):
                yield Mutant(
                    f"condition {key.text} {inner.text}->{near}", inner.line, (_in_place(text, inner, str(near)),)
                )

"""Resolves a field name in a record: the nodes that it reaches, and the values in them.

A name is split at dots. At an object, one or more segments joined by dots may be a key; every reading that finds
one is followed and the results are pooled. Arrays are transparent. The *nodes* of a field are the objects and scalars
that it reaches; its *values* are all scalars in them, at any depth. See `docs/semantics.md`, "Fields". A value of a
type that JSON lacks is converted by `python_values` once it is reached; a missing value (NaN) counts as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from cloudsigma import ir
from cloudsigma.engine.python_values import JSON_SCALARS, JSON_TYPES, read_value

Values = Sequence[Any]

ABSENT: Any = msgspec.UNSET
"""Marks an absent field, as in a decoder's view of a record."""
UNSURE: Any = object()
"""Marks a field that a dotted name may reach in several ways, or through an array."""

_NOTHING: Values = ()


def nodes(record: Mapping[str, Any], name: str) -> list[Any]:
    """Everything that the dotted `name` reaches in the record, in the order of the record."""
    segments = name.split(".")
    if len(segments) == 1:  # the common case: a top-level field
        node = record.get(name, ABSENT)
        if type(node) not in JSON_TYPES:
            node = read_value(node)
        return [] if node is ABSENT else [node]
    found: list[Any] = []
    _follow(record, segments, 0, found)
    return found


def _follow(node: Any, segments: list[str], start: int, found: list[Any]) -> None:
    if type(node) not in JSON_TYPES:
        node = read_value(node)
        if node is ABSENT:
            return
    if start == len(segments):
        found.append(node)
    elif isinstance(node, Mapping):
        for end in range(start + 1, len(segments) + 1):
            child = node.get(segments[start] if end == start + 1 else ".".join(segments[start:end]), ABSENT)
            if child is not ABSENT:
                _follow(child, segments, end, found)
    elif isinstance(node, (list, tuple)):
        for element in _elements(node):
            _follow(element, segments, start, found)


def _elements(array: Sequence[Any]) -> list[Any]:
    """The elements of nested arrays, flattened at any depth without recursion."""
    if not any(isinstance(element, (list, tuple)) for element in array):
        return list(array)
    flat: list[Any] = []
    stack = [iter(array)]
    while stack:
        for element in stack[-1]:
            if isinstance(element, (list, tuple)):
                stack.append(iter(element))
                break
            flat.append(element)
        else:
            stack.pop()
    return flat


# --- straight down ------------------------------------------------------------------------------------------


def reader(name: str) -> Callable[[Mapping[str, Any]], Any]:
    """A reader of the one node that a name reaches straight down through objects.

    It returns `ABSENT` if the field is absent, and `UNSURE` if only `nodes` can resolve the name: a key joins several
    segments, or a value on the path is not a plain object.
    """
    first, *rest = name.split(".")
    if not rest:
        return lambda record: record.get(name, ABSENT)
    if len(rest) == 1:  # the common case, written out
        (second,) = rest

        def read(record: Mapping[str, Any]) -> Any:
            if name in record:
                return UNSURE
            node = record.get(first)
            if type(node) is dict:
                return node.get(second, ABSENT)
            return ABSENT if node is None else UNSURE

        return read
    *above, (last, _) = _levels(name)

    def read_deep(record: Mapping[str, Any]) -> Any:
        node: Any = record
        for segment, joined in above:
            if type(node) is not dict:
                return ABSENT if node is None else UNSURE
            for key in joined:
                if key in node:
                    return UNSURE
            node = node.get(segment)
        if type(node) is dict:
            return node.get(last, ABSENT)
        return ABSENT if node is None else UNSURE

    return read_deep


def _levels(name: str) -> list[tuple[str, tuple[str, ...]]]:
    """For each segment of a dotted name: the segment, and the keys that join it with the following ones."""
    segments = name.split(".")
    ends = range(len(segments))
    return [
        (segment, tuple(".".join(segments[at : end + 1]) for end in ends if end > at))
        for at, segment in enumerate(segments)
    ]


def values_reader(name: str) -> Callable[[Mapping[str, Any]], Values]:
    """`values` of one field, read straight down if that is unambiguous."""
    if "." not in name:

        def read_top(record: Mapping[str, Any]) -> Values:
            value = record.get(name, _NOTHING)
            if type(value) is str:
                return (value,)
            return scalars(value)  # absent: an empty tuple, so no values

        return read_top
    read = reader(name)

    def read_path(record: Mapping[str, Any]) -> Values:
        node = read(record)
        if type(node) is str:
            return (node,)
        if node is ABSENT:
            return _NOTHING
        return values(record, name) if node is UNSURE else scalars(node)

    return read_path


def selector(path: ir.FieldPath) -> Callable[[Mapping[str, Any]], list[Any]]:
    """`select` of one entry of `fields`, read straight down if that is unambiguous."""
    if path.steps is not None:
        return lambda record: select(record, path)
    read = reader(path.name)

    def select_straight(record: Mapping[str, Any]) -> list[Any]:
        node = read(record)
        if node is ABSENT:
            return []
        return select(record, path) if node is UNSURE or isinstance(node, (list, tuple)) else [node]

    return select_straight


# --- every reading ------------------------------------------------------------------------------------------


def scalars(node: Any) -> Values:
    """All scalars in a node: itself, or those at any depth inside; keys are not values."""
    kind = type(node)
    if kind in JSON_SCALARS:
        return (node,)
    if kind is not dict and kind is not list:
        node = read_value(node)
        if node is ABSENT:
            return _NOTHING
        if not isinstance(node, (Mapping, list, tuple)):
            return (node,)
    found: list[Any] = []
    stack = [iter(node.values() if isinstance(node, Mapping) else node)]
    while stack:
        for child in stack[-1]:
            if type(child) not in JSON_SCALARS:
                child = read_value(child)  # noqa: PLW2901  # the value that it is
                if isinstance(child, Mapping):
                    stack.append(iter(child.values()))
                    break
                if isinstance(child, (list, tuple)):
                    stack.append(iter(child))
                    break
                if child is ABSENT:
                    continue
            found.append(child)
        else:
            stack.pop()
    return found


def values(record: Mapping[str, Any], name: str | None) -> Values:
    """The values of a field, or of the whole record if the name is `None` (keywords)."""
    if name is None:
        return scalars(record)
    reached = nodes(record, name)
    if len(reached) == 1:
        return scalars(reached[0])
    return [scalar for node in reached for scalar in scalars(node)]


def select(record: Mapping[str, Any], path: ir.FieldPath) -> list[Any]:
    """The values shown for an entry of a rule's `fields`: the nodes it reaches, arrays opened, objects whole."""
    if path.steps is None:
        reached = nodes(record, path.name)
    else:
        reached = [record]
        for step in path.steps:
            reached = [child for node in reached for child in _step(node, step)]
    shown: list[Any] = []
    for node in reached:
        shown.extend(_elements(node) if isinstance(node, (list, tuple)) else (node,))
    return shown


def _step(node: Any, step: ir.Step) -> list[Any]:
    match step:
        case ir.Key(names):
            return [node[name] for name in names if name in node] if isinstance(node, Mapping) else []
        case ir.Index(positions):
            if not isinstance(node, (list, tuple)):
                return []
            return [node[position] for position in positions if -len(node) <= position < len(node)]
        case ir.Every():
            return _children(node)
        case ir.Anywhere():
            found = [node]
            for reached in found:  # grows while it is walked: breadth first, no recursion
                found.extend(_children(reached))
            return found


def _children(node: Any) -> list[Any]:
    if isinstance(node, Mapping):
        return list(node.values())
    return list(node) if isinstance(node, (list, tuple)) else []

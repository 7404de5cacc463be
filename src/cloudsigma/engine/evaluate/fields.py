"""What a field name means in a record: which nodes it reaches, and which values stand in them.

A name is split at dots. At an object, one or more segments joined by dots may be a key; every reading that finds
one is followed and the results are pooled. Arrays are transparent. The *nodes* of a field are what is reached;
its *values* are all scalars in them, at any depth. See `docs/semantics.md`, "Fields".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudsigma import ir

Values = Sequence[Any]

_SCALARS = frozenset({str, int, float, bool, type(None)})
_ABSENT: Any = object()


def nodes(record: Mapping[str, Any], name: str) -> list[Any]:
    """Everything that the dotted `name` reaches in the record, in the order of the record."""
    segments = name.split(".")
    if len(segments) == 1:  # the common case: a top-level field
        node = record.get(name, _ABSENT)
        return [] if node is _ABSENT else [node]
    found: list[Any] = []
    _follow(record, segments, 0, found)
    return found


def _follow(node: Any, segments: list[str], start: int, found: list[Any]) -> None:
    if start == len(segments):
        found.append(node)
    elif isinstance(node, Mapping):
        for end in range(start + 1, len(segments) + 1):
            child = node.get(segments[start] if end == start + 1 else ".".join(segments[start:end]), _ABSENT)
            if child is not _ABSENT:
                _follow(child, segments, end, found)
    elif isinstance(node, (list, tuple)):
        for element in _elements(node):
            _follow(element, segments, start, found)


def _elements(array: Sequence[Any]) -> list[Any]:
    """The elements of an array that are no arrays, however deep it nests (without recursion)."""
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


def scalars(node: Any) -> Values:
    """All scalars in a node: itself, or what stands at any depth inside; keys are no values."""
    if type(node) in _SCALARS:
        return (node,)
    if not isinstance(node, (Mapping, list, tuple)):
        return (node,)  # a kind of value that JSON does not have; `operators.text` decides whether it counts
    found: list[Any] = []
    stack = [iter(node.values() if isinstance(node, Mapping) else node)]
    while stack:
        for child in stack[-1]:
            if isinstance(child, Mapping):
                stack.append(iter(child.values()))
                break
            if isinstance(child, (list, tuple)):
                stack.append(iter(child))
                break
            found.append(child)
        else:
            stack.pop()
    return found


def values(record: Mapping[str, Any], name: str | None) -> Values:
    """The values of a field, or of the whole record where the name is `None` (keywords)."""
    if name is None:
        return scalars(record)
    reached = nodes(record, name)
    if len(reached) == 1:
        return scalars(reached[0])
    return [scalar for node in reached for scalar in scalars(node)]


def select(record: Mapping[str, Any], path: ir.FieldPath) -> list[Any]:
    """What an entry of a rule's `fields` shows: the nodes it reaches, arrays opened, objects whole."""
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

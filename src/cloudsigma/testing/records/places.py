"""Places of a field in a record, by Sigma's reading of field names: find them, and set or remove their values.

`changes` reads names as case files do, where a number is a position in a list. Here lists are transparent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudsigma.testing.records.changes import ABSENT, copied, same

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top of a record."""


def paths(record: Any, name: str | None) -> Iterator[KeyPath]:
    """The path of every node that a field name reaches; for `None` the record itself."""
    parts = name.split(".") if name is not None else []

    def follow(node: Any, at: int, path: KeyPath) -> Iterator[KeyPath]:
        if at == len(parts):
            yield path
        elif isinstance(node, Mapping):
            for end in range(at + 1, len(parts) + 1):
                key = ".".join(parts[at:end])
                if key in node:
                    yield from follow(node[key], end, (*path, key))
        elif isinstance(node, list):
            for position, element in enumerate(node):
                yield from follow(element, at, (*path, position))

    return follow(record, 0, ())


def leaves(record: Any, name: str | None) -> Iterator[tuple[KeyPath, Any]]:
    """Path and value of every scalar in a field; for `None` in the whole record."""

    def below(node: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
        if isinstance(node, Mapping):
            for key, inner in node.items():
                yield from below(inner, (*path, key))
        elif isinstance(node, list):
            for position, inner in enumerate(node):
                yield from below(inner, (*path, position))
        else:
            yield path, node

    for path in paths(record, name):
        yield from below(at(record, path), path)


def at(record: Any, path: KeyPath) -> Any:
    """The value at a path."""
    for part in path:
        record = record[part]
    return record


def put(record: Any, path: KeyPath, value: Any) -> None:
    """Set the value at a path and create missing objects; a key applied to a list uses the list's first object."""
    node = record
    for position, part in enumerate(path):
        if isinstance(node, list) and isinstance(part, str):
            if not (node and isinstance(node[0], dict)):
                node[:] = [{}]
            node = node[0]
        if position == len(path) - 1:
            node[part] = value
            return
        inner = node.get(part) if isinstance(node, dict) else node[part]
        if not isinstance(inner, (dict, list)):
            node[part] = {}
        node = node[part]


def remove(record: Any, path: KeyPath) -> None:
    """Remove the value at a path."""
    del at(record, path[:-1])[path[-1]]


def placed(record: Mapping[str, Any], name: str, value: Any) -> dict[str, Any] | None:
    """A copy of the record with a value at each place of a field, or without the field (`ABSENT`).

    `None` if nothing changes. The copy shares the members that the field is not in.
    """
    first = name.partition(".")[0]
    touched = [key for key in record if key == first or key.startswith(f"{first}.")]
    made = {**record, **{key: copied(record[key]) for key in touched}}
    found = list(paths(made, name))
    for path in found:
        if value is ABSENT:
            remove(made, path)
        else:
            put(made, path, value)
    if not found and value is not ABSENT:
        put(made, tuple(name.split(".")), value)
    return None if all(same(made.get(key, ABSENT), record.get(key, ABSENT)) for key in (*touched, first)) else made

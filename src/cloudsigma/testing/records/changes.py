"""Change parts of a record by dotted names, and compare two records.

In an object, a part of the name is a key; several parts may be one key, which has dots then. In a list, a part is a
position, from 0. A record is never modified: a change returns a copy.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


class _Absent:
    """The type of `ABSENT`."""

    def __repr__(self) -> str:
        return "nothing"

    def __reduce__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()
"""In a `Difference`, the value of a part that a record does not have."""


class ChangeError(ValueError):
    """A change that is impossible, or that changes nothing."""

    def __init__(self, reason: str, remedy: str, name: str) -> None:
        super().__init__(f"{reason}. {remedy}")
        self.reason = reason
        self.remedy = remedy
        self.name = name
        """The dotted name of the change."""
        self.operation = "set"
        """`remove`, `null`, `set` or `append`."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A part in which two records differ; `ABSENT` for a record that does not have it."""

    name: str
    """Dotted name."""
    before: Any
    after: Any


def changed(
    record: Mapping[str, Any],
    *,
    remove: Iterable[str] = (),
    null: Iterable[str] = (),
    set: Mapping[str, Any] | None = None,  # noqa: A002  # the word of the case files
    append: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A copy of the record with parts removed, set to null, set and appended to, in this order.

    Args:
        record: The record; it is not modified.
        remove: Names of parts to remove.
        null: Names of parts that become `null`.
        set: Names and values. The parent of a name must exist.
        append: Names of lists, and the value to append to each; a list is appended element by element.

    Raises:
        ChangeError: A name does not exist, or a change changes nothing.
    """
    steps = [
        *(("remove", name, None) for name in remove),
        *(("null", name, None) for name in null),
        *(("set", name, value) for name, value in (set or {}).items()),
        *(("append", name, value) for name, value in (append or {}).items()),
    ]
    result: dict[str, Any] = copied(record)
    for operation, name, value in steps:
        try:
            _OPERATIONS[operation](result, name, value)
        except ChangeError as error:
            error.operation = operation
            raise
    return result


def _remove(record: dict[str, Any], name: str, _: Any) -> None:
    parent, key = _parent(record, name, must_be_there=True)
    del parent[key]


def _append(record: dict[str, Any], name: str, value: Any) -> None:
    parent, key = _parent(record, name, must_be_there=True)
    target = parent[key]
    if not isinstance(target, list):
        raise ChangeError(f"{name} is no list, so nothing can be appended to it", "Use set.", name)
    added = value if isinstance(value, list) else [value]
    if not added:
        raise ChangeError(f"appending an empty list to {name} changes nothing", "Remove it.", name)
    target.extend(copied(added))


def _assign(record: dict[str, Any], name: str, value: Any) -> None:
    parent, key = _parent(record, name, must_be_there=False)
    old = parent[key] if isinstance(parent, list) else parent.get(key, ABSENT)
    if same(old, value):
        raise ChangeError(
            f"{name} has this value already, so the override changes nothing", "Remove it, or correct the value.", name
        )
    parent[key] = copied(value)


_OPERATIONS: Mapping[str, Callable[[dict[str, Any], str, Any], None]] = {
    "remove": _remove,
    "null": _assign,
    "set": _assign,
    "append": _append,
}


def copied(value: Any) -> Any:
    """A deep copy in which no two places share an object."""
    if isinstance(value, Mapping):
        return {key: copied(inner) for key, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; unlike Python's `==`, `1` differs from `true` and from `1.0`."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


# --- names --------------------------------------------------------------------------------------------------


def _parent(record: dict[str, Any], name: str, *, must_be_there: bool) -> tuple[Any, Any]:
    """The object or list that contains the named part, and the part's key or position in it."""
    parts = name.split(".")
    if "" in parts:
        raise ChangeError(f"{name!r} is not a dotted name", "Write it like requestParameters.groupName.", name)
    places = list(_places(record, parts))
    existing = [place for place in places if _has(*place)]
    if existing:
        return existing[0]
    new = [(parent, key) for parent, key in places if isinstance(parent, dict) and key == parts[-1]]
    if new and not must_be_there:
        return new[0]
    raise _not_found(record, parts, name)


def value_at(record: dict[str, Any], name: str) -> Any:
    """The value of the named part; `ABSENT` if the record does not have it."""
    try:
        parent, key = _parent(record, name, must_be_there=True)
    except ChangeError:
        return ABSENT
    return parent[key]


def _places(node: Any, parts: list[str]) -> Iterator[tuple[Any, Any]]:
    """Each reading of a name, the longest keys first: the parent of the last part, and its key there."""
    if isinstance(node, dict):
        for end in range(len(parts), 0, -1):
            key = ".".join(parts[:end])
            if end == len(parts):
                yield node, key
            elif key in node:
                yield from _places(node[key], parts[end:])
    elif isinstance(node, list) and parts[0].isdecimal() and int(parts[0]) < len(node):
        if len(parts) == 1:
            yield node, int(parts[0])
        else:
            yield from _places(node[int(parts[0])], parts[1:])


def _has(parent: Any, key: Any) -> bool:
    return isinstance(parent, list) or key in parent


def _not_found(record: dict[str, Any], parts: list[str], name: str) -> ChangeError:
    node: Any = record
    for position, part in enumerate(parts):
        above = ".".join(parts[:position]) or "the record"
        if isinstance(node, dict):
            if part not in node:
                near = difflib.get_close_matches(part, node, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"Its keys: {', '.join(map(str, node)) or 'none'}."
                return ChangeError(f"{above} has no {part!r}", hint, name)
            node = node[part]
        elif isinstance(node, list):
            if not part.isdecimal() or int(part) >= len(node):
                return ChangeError(f"{above} is a list of {len(node)}", "Positions in lists count from 0.", name)
            node = node[int(part)]
        else:
            shown = "null" if node is None else f"a {_KINDS.get(type(node), type(node).__name__)}"
            return ChangeError(f"{above} is {shown} and has no {part!r}", f"Set {above} as a whole.", name)
    return ChangeError(f"{name} does not exist", "Correct the name.", name)


_KINDS = {str: "text", int: "number", float: "number", bool: "boolean"}


# --- differences --------------------------------------------------------------------------------------------


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """The smallest parts in which two records differ, in the first record's order, then in the second's."""
    return tuple(_differences(before, after, ""))


def _differences(before: Any, after: Any, name: str) -> Iterator[Difference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            inner = f"{name}.{key}" if name else str(key)
            yield from _differences(before.get(key, ABSENT), after.get(key, ABSENT), inner)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for position, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, f"{name}.{position}")
    elif not same(before, after):
        yield Difference(name, before, after)


def changes_between(
    base: Mapping[str, Any], wanted: Mapping[str, Any], ignored: Collection[str] = ()
) -> dict[str, Any] | None:
    """Arguments of `changed` that turn one record into another; `None` if names cannot express the difference.

    Args:
        base: The record to change.
        wanted: The record to get.
        ignored: Top-level keys that need not be equal.
    """
    before, after = _without(base, ignored), _without(wanted, ignored)
    found = list(differences(before, after))
    changes: dict[str, Any] = {
        "remove": [each.name for each in found if each.after is ABSENT],
        "set": {each.name: each.after for each in found if each.after is not ABSENT},
    }
    try:
        return changes if same(changed(before, **changes), copied(after)) else None
    except ChangeError:
        return None


def _without(record: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in keys}

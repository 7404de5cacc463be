"""Names with dots → members of members: `userIdentity.arn` as a key becomes `{"userIdentity": {"arn": …}}`.

A step that ends in `[]`, or is a number, is an element of an array: `resources[].ARN`, `resources.0.ARN`,
`resources[0].ARN`. The value of a name with `[]` is an array with one value for each element, or one value alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_DEEPEST = 31
"""Most dots of a name that are read as steps."""
_LONGEST_ARRAY = 1000
"""Most elements that names with `[]` can create."""
_STEP = re.compile(r"(?P<name>[^\[\]]+)\[(?P<index>\d{0,3})\]")
_ELEMENT = re.compile(r"\[\d{0,3}\]")
"""A key that is a step into an array, while a record is put together."""
_OTHER_SEPARATOR = re.compile(
    r"(?:userIdentity|requestParameters|responseElements|additionalEventData|serviceEventDetails|tlsDetails)([_/])"
)
"""Prefixes of names that are joined by another character than a dot."""

_USUAL = frozenset({
    "additionalEventData", "apiVersion", "awsRegion", "errorCode", "errorMessage", "eventCategory", "eventID",
    "eventName", "eventSource", "eventTime", "eventType", "eventVersion", "managementEvent", "readOnly",
    "recipientAccountId", "requestID", "requestParameters", "resources", "responseElements",
    "sessionCredentialFromConsole", "sharedEventID", "sourceIPAddress", "tlsDetails", "userAgent", "userIdentity",
    "vpcEndpointId",
})  # fmt: skip
"""Members of nearly every record; a record with only these has no dotted names."""


def put(record: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set a nested member, unless it is already present."""
    for name in path[:-1]:
        inner = record.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        record = inner
    record.setdefault(path[-1], value)


def has_joined_names(record: Mapping[str, Any]) -> bool:
    """Whether a key is a path, not a name."""
    if _USUAL.issuperset(record):
        return False
    try:
        names = "\n".join(record)
    except TypeError:  # a key that is not text
        return False
    return (
        "." in names or "[" in names or (("_" in names or "/" in names) and _OTHER_SEPARATOR.search(names) is not None)
    )


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """An object with the members that dotted names describe; where two names disagree, the first counts."""
    record: dict[str, Any] = {}
    arrays = False
    for name, value in flat.items():
        joined_otherwise = _OTHER_SEPARATOR.match(name)
        steps = name.split(joined_otherwise[1] if joined_otherwise else ".", _DEEPEST)
        if len(steps) > 1 or name.endswith("]"):
            steps, in_array = _steps(steps)
            arrays = arrays or in_array
        if isinstance(value, dict):
            for inner, leaf in _leaves(value):
                put(record, [*steps, *inner], leaf)
        else:
            put(record, steps, value)
    return _with_arrays(record) if arrays else record


def _steps(steps: list[str]) -> tuple[list[str], bool]:
    """The steps of a name, with array steps separate, and whether it has array steps."""
    found: list[str] = []
    in_array = False
    for step in steps:
        if found and step.isdecimal() and len(step) < 4:
            found.append(f"[{step}]")
            in_array = True
        elif (parts := _STEP.fullmatch(step)) is not None:
            found += [parts["name"], f"[{parts['index']}]"]
            in_array = True
        else:
            found.append(step)
    return found, in_array


def _leaves(value: dict[str, Any]) -> Iterator[tuple[list[str], Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict) and inner:
            for path, leaf in _leaves(inner):
                yield [name, *path], leaf
        else:
            yield [name], inner


def _with_arrays(node: Any) -> Any:
    """The value with objects whose keys are array steps converted to arrays."""
    if not isinstance(node, dict):
        return node
    made = {name: _with_arrays(inner) for name, inner in node.items()}
    if not made or not all(map(_ELEMENT.fullmatch, made)):
        return {name[1:-1] if _ELEMENT.fullmatch(name) else name: inner for name, inner in made.items()}
    elements: list[Any] = []
    for name, inner in made.items():
        if name != "[]":
            at = int(name[1:-1])
            elements += [None] * (at + 1 - len(elements))
            elements[at] = inner
        elif isinstance(inner, dict):
            elements += _columns(inner)
        else:
            elements += inner if isinstance(inner, list) else [inner]
    return [element for element in elements if element is not None]


def _columns(members: dict[str, Any]) -> list[dict[str, Any]]:
    """Objects from members that hold one value for each object, or one for the only object."""
    columns = {name: inner if isinstance(inner, list) else [inner] for name, inner in members.items()}
    count = min(max(map(len, columns.values()), default=0), _LONGEST_ARRAY)
    return [{name: held[at] for name, held in columns.items() if at < len(held)} for at in range(count)]

"""Field names that a record has with letters of another case: the usual reason why a test sees no value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MAX_STEPS = 10_000
"""Members of a record that are looked at for one name."""


def spelled_otherwise(record: Mapping[str, Any], name: str) -> str | None:
    """The name of a field in the record that differs from `name` only by the case of its letters, if there is one."""
    wanted = name.lower().split(".")
    waiting: list[tuple[Any, int, str]] = [(record, 0, "")]
    steps = 0
    while waiting:
        node, at, path = waiting.pop()
        if at == len(wanted):
            if path[1:] != name:
                return path[1:]
            continue
        if isinstance(node, Mapping):
            steps += len(node)
            for key, value in node.items():
                taken = str(key).lower().split(".")
                if taken == wanted[at : at + len(taken)]:
                    waiting.append((value, at + len(taken), f"{path}.{key}"))
        elif isinstance(node, (list, tuple)):
            steps += len(node)
            waiting.extend((item, at, path) for item in node[:_MAX_STEPS])
        if steps > _MAX_STEPS:
            return None
    return None

"""Field names that differ from the record's in letter case: the usual reason why a test finds no value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MAX_STEPS = 10_000
"""Most members of a record checked for one name."""


def spelled_otherwise(record: Mapping[str, Any], name: str) -> str | None:
    """The record's name of a field that differs from `name` only in letter case, if any."""
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

"""What records are wrapped in, told by content: document → records, or what it is instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.reading.envelope import log_files, notifications
from cloudsigma.reading.envelope.interface import NoForm, Part

_FAMILIES = (notifications, log_files)
"""Asked in this order; each says `None` of what is not its own."""


def unwrap(value: Any, form: str) -> Iterator[Part]:
    """The records of one document, with what holds none; `form` says how the document stood in its file."""
    for family in _FAMILIES:
        parts = family.unwrap(value, form)
        if parts is not None:
            yield from parts
            return
    yield NoForm(describe(value))


def describe(value: Any) -> str:
    """Why a document is no known form, in a few words about what it is."""
    if isinstance(value, dict):
        keys = ", ".join(str(key)[:40] for key in list(value)[:5])
        return f"JSON of no known form (an object with {keys or 'no keys'})"
    kind = {list: "an array", str: "text", bool: "a boolean", type(None): "null"}.get(type(value), "a number")
    return f"JSON of no known form ({kind})"

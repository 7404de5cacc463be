"""Members of a record's objects, read with the type they should have.

CloudTrail promises little: a name may be missing, null, empty, withheld, or a number in a damaged export. What
does not have the expected type counts as not said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WITHHELD = frozenset({"HIDDEN_DUE_TO_SECURITY_REASONS", "<sensitiveDataRemoved>", "***"})


def text(node: Mapping[str, Any], key: str) -> str | None:
    """A text as recorded, or `None` where there is none (the empty text is none)."""
    value = node.get(key)
    if value is None:  # as common as a text
        return None
    return value if isinstance(value, str) and value else None


def name(node: Mapping[str, Any], key: str) -> str | None:
    """A text that names something: `text`, and `None` for what CloudTrail writes in place of a withheld value."""
    value = node.get(key)
    if value is None:
        return None
    return value if isinstance(value, str) and value and value not in _WITHHELD else None


def name_in(value: Any) -> str | None:
    """The value itself where it is such a text."""
    return value if isinstance(value, str) and value and value not in _WITHHELD else None


def mapping(node: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object, or an empty one where there is none."""
    value = node.get(key)
    if type(value) is dict:
        return value
    # Null is as common as an object, and asking an abstract class about it is slow.
    return value if value is not None and isinstance(value, Mapping) else {}


def flag(value: Any) -> bool | None:
    """A boolean, also where CloudTrail or an export wrote it as text (`"true"`, `"Yes"`)."""
    if isinstance(value, bool):
        return value
    return _FLAGS.get(value.lower()) if isinstance(value, str) else None


_FLAGS = {"true": True, "false": False, "yes": True, "no": False}

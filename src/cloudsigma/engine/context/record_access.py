"""Members of a record's objects, read with the type they should have.

CloudTrail promises little: a name may be missing, null, empty, withheld, or a number in a damaged export. A value
without the expected type is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

_WITHHELD = frozenset({"HIDDEN_DUE_TO_SECURITY_REASONS", "<sensitiveDataRemoved>"})
"""Written by CloudTrail in place of a value, beside any number of `*` alone."""

_LOOK_AGAIN = "*<Ha"
"""First letters of withheld values, and of ARNs that may be percent-encoded."""


def text(node: Mapping[str, Any], key: str) -> str | None:
    """A text as recorded; `None` if it is missing or empty."""
    value = node.get(key)
    if value is None:  # as common as a text
        return None
    return value if isinstance(value, str) and value else None


def name(node: Mapping[str, Any], key: str) -> str | None:
    """A text that names something; `None` if it is missing, empty or withheld. Decodes percent-encoded ARNs."""
    value = node.get(key)
    if type(value) is str and value:
        first = value[0]
        if first not in _LOOK_AGAIN or (first == "a" and value[3:4] != "%"):  # nearly all
            return value
    return None if value is None else name_in(value)


def name_in(value: Any) -> str | None:
    """`name` for the value itself."""
    if not isinstance(value, str) or not value or value in _WITHHELD:
        return None
    if value[0] == "*" and not value.strip("*"):
        return None
    # Parts of a URL's path are recorded in the form of the request: arn%3Aaws%3Alambda%3A…
    return unquote(value) if value[3:6] in ("%3A", "%3a") and value.startswith("arn") else value


def mapping(node: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object; an empty one if it is missing."""
    value = node.get(key)
    if type(value) is dict:
        return value
    # Null is as common as an object, and asking an abstract class about it is slow.
    return value if value is not None and isinstance(value, Mapping) else {}


def flag(value: Any) -> bool | None:
    """A boolean, also one that CloudTrail or an export wrote as text (`"true"`, `"Yes"`)."""
    if isinstance(value, bool):
        return value
    return _FLAGS.get(value.lower()) if isinstance(value, str) else None


_FLAGS = {"true": True, "false": False, "yes": True, "no": False}

"""What an envelope gives for a document.

A family of forms is a module with `unwrap(value, form)`, which gives parts, or `None` where the document is not of
the family.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Record(msgspec.Struct, frozen=True):
    """One CloudTrail record."""

    value: dict[str, Any]
    form: str


class NoCalls(msgspec.Struct, frozen=True):
    """Something recognized that holds no API calls."""

    kind: str


class NoForm(msgspec.Struct, frozen=True):
    """Something that fits no known form: a loss."""

    reason: str
    index: int | None = None
    """Which element of the document, counted from 0."""


Part = Record | NoCalls | NoForm

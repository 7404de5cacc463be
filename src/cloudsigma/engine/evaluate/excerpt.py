"""How much explanations and evidence show of what they found, so that neither grows with a record or a rule."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

LONGEST_TEXT = 4_096
"""A longer text of a record is cut."""
MOST_VALUES = 100
"""Values of a record that are shown of those that met one value of a rule."""
MOST_PATTERNS = 100
"""Values of a rule that are shown of one test, or of one field of a selection."""
MOST_EVIDENCE = 500
"""Items of evidence of one match."""
MOST_CHARACTERS = 1 << 18
"""Characters of the texts in the evidence of one match."""
_BEGINNING, _END = 3_000, 1_000
_MOST_BITS = 14_000


def cut(value: Any) -> Any:
    """A value; of a text of more than 4,096 characters the beginning, how many are left out, and the end."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        value = hex(value)
    elif isinstance(value, Decimal) and len(value.as_tuple().digits) > LONGEST_TEXT:
        value = str(value)
    if not isinstance(value, str) or len(value) <= LONGEST_TEXT:
        return value
    left_out = len(value) - _BEGINNING - _END
    return f"{value[:_BEGINNING]}… {left_out:,} characters left out …{value[-_END:]}"


def first(values: Sequence[Any], most: int) -> tuple[Any, ...]:
    """The first of some values, each cut where it is long."""
    return tuple([cut(value) for value in values[:most]])


def characters(values: tuple[Any, ...]) -> int:
    """Characters of the texts among some values."""
    return sum([len(value) for value in values if isinstance(value, str)])

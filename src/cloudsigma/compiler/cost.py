"""Estimates how many values and characters the modifiers of a rule produce, before pySigma applies them.

Each modifier multiplies: twelve times `base64offset` makes half a million variants of one value, 26 times `wide` a
text of half a gigabyte. The estimate is never too low.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cloudsigma.compiler.document import Document, Located, Path
from cloudsigma.compiler.limits import RuleLimits
from cloudsigma.errors import RuleError

_VARIANTS = {"base64offset": 3}
_LONGER = {"wide": 2.0, "utf16": 2.5, "utf16le": 2.0, "utf16be": 2.0, "base64": 4 / 3, "base64offset": 4 / 3}
_ROUNDING = 4
"""Most characters that `base64` and a byte order mark add."""
_DASHES = 3
"""Flags that `windash` expands in one value; more are an error."""
_DASH_VARIANTS = 5
_GROWING = frozenset({*_LONGER, "windash"})


class Cost:
    """The running estimate for one rule or filter."""

    def __init__(self, located: Located, limits: RuleLimits) -> None:
        self.limits = limits
        self._located = located
        self._variants = 0
        self._characters = 0.0

    def add(self, modifiers: Sequence[str], values: Sequence[Any], way: Path) -> None:
        """Add the values of one item; raises `RuleError` where a limit is exceeded."""
        if len(modifiers) > self.limits.modifiers:
            raise self._error(f"the field has {len(modifiers)} modifiers", "modifiers", way, "Remove some.")
        if _GROWING.isdisjoint(modifiers):
            return
        for value in values:
            variants, characters = _estimate(modifiers, str(value))
            if variants > self.limits.expansions:
                reason = f"the modifiers make {variants:,} variants of one value"
                raise self._error(reason, "expansions", way, "Remove modifiers that are repeated.")
            self._variants += variants
            self._characters += variants * characters
        if self._variants > self.limits.variants:
            reason = f"the modifiers make {self._variants:,} variants of the rule's values"
            raise self._error(reason, "variants", way, "Use fewer values, or split the rule.")
        if self._characters > self.limits.characters:
            reason = f"the modifiers make {math.ceil(self._characters):,} characters of the rule's values"
            raise self._error(reason, "characters", way, "Use fewer or shorter values, or split the rule.")

    def _error(self, reason: str, limit: str, way: Path, remedy: str) -> RuleError:
        return self._located.error("value", f"{reason}, more than {self.limits.said(limit)}", way, remedy)


def check_cost(document: Document, cost: Cost) -> None:
    """Add up the values of a rule's selections; raises `RuleError` where a limit is exceeded."""
    detection = document.value.get("detection") if isinstance(document.value, dict) else None
    if isinstance(detection, dict):
        for name, definition in detection.items():
            _add(definition, ("detection", name), cost)


def _add(definition: Any, way: Path, cost: Cost) -> None:
    if isinstance(definition, list):
        for at, member in enumerate(definition):
            if isinstance(member, (dict, list)):
                _add(member, (*way, at), cost)
    elif isinstance(definition, dict):
        for key, value in definition.items():
            if isinstance(key, str) and "|" in key:
                cost.add(key.split("|")[1:], value if isinstance(value, list) else [value], (*way, key))


def _estimate(modifiers: Sequence[str], text: str) -> tuple[int, float]:
    """How many variants the modifiers make of a text at most, and how long each is."""
    variants, length = 1, float(len(text))
    dashes = min(_DASHES, text.count("-") + text.count("/"))
    for modifier in modifiers:
        if modifier == "windash":
            variants *= _DASH_VARIANTS**dashes
        variants *= _VARIANTS.get(modifier, 1)
        if modifier in _LONGER:
            length = length * _LONGER[modifier] + _ROUNDING
        if modifier.startswith("base64"):
            dashes = _DASHES  # encoded text contains slashes
    return variants, length

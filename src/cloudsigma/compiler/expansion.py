"""Expands placeholders: each value is inserted into the rule as if its author had written it.

An item with `expand` is hidden from pySigma at first, since modifiers would process the text `%name%` before it is
replaced: `base64` would encode it, `cidr` would refuse it. The item waits (`Pending`) until every placeholder in it has
values, from the caller or from a pipeline; then it is built from the resulting texts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import re2
from sigma.conditions import ConditionAND
from sigma.rule import SigmaRule
from sigma.rule.detection import SigmaDetection, SigmaDetectionItem
from sigma.types import SigmaExpansion, SigmaType

from cloudsigma.compiler.cost import Cost
from cloudsigma.compiler.document import Located
from cloudsigma.compiler.loader import make_item
from cloudsigma.compiler.placeholders import Placeholders
from cloudsigma.errors import RuleError, one_or_group

ANY = object()
"""Among the values of a placeholder: any text."""
Choices = Callable[[str], Sequence[Any] | None]
"""The values of a placeholder, by its name; `None` if it has no values."""

_PLACEHOLDER = re.compile(r"%([^%\\*?]+)%")
_WANT_NUMBERS = frozenset({"lt", "lte", "gt", "gte", "minute", "hour", "day", "week", "month", "year", "exists"})
"""Modifiers whose values are numbers or booleans: values are read as if written without quotation marks."""
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class _Name:
    """A placeholder that has no values yet."""

    name: str


_Parts = tuple[Any, ...]
"""A text in pieces: text and `_Name`s; or one value that is not text."""


@dataclass(frozen=True, slots=True)
class Pending:
    """The values of an item whose placeholders do not all have values yet."""

    located: Located
    cost: Cost
    literal: bool
    """The values are regular expressions, in which the values of placeholders are literal text."""
    values: tuple[tuple[_Parts, ...], ...]
    """For each value in the rule, its variants so far."""

    def names(self) -> Iterator[str]:
        """The names of placeholders without values."""
        return (
            part.name for variants in self.values for parts in variants for part in parts if isinstance(part, _Name)
        )


def items_of(detection: SigmaDetection) -> Iterator[SigmaDetectionItem]:
    """The items of a selection, at any depth."""
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            yield from items_of(item)
        else:
            yield item


def expand(rule: SigmaRule, located: Located, given: Placeholders, cost: Cost) -> None:
    """Write the given values into the rule's items with `expand`; the others wait. Raises `RuleError`, `RuleErrors`."""
    errors: list[RuleError] = []
    for detection in rule.detection.detections.values():
        for item in items_of(detection):
            source: Any = item.source
            if "expand" in source.modifiers:
                literal = "re" in source.modifiers
                values = tuple((_parts(value),) for value in source.written)
                item.source = replace(source, pending=Pending(located, cost, literal, values))
                try:
                    fill(item, given.get)
                except RuleError as error:
                    errors.append(error)
    if errors:
        raise one_or_group(errors)


def fill(item: SigmaDetectionItem, choices: Choices) -> bool:
    """Write values into an item that waits; build it once no placeholder is left. Returns whether there were any.

    Raises `RuleError`.
    """
    source: Any = item.source
    pending: Pending = source.pending
    known = {name: values for name in dict.fromkeys(pending.names()) if (values := choices(name)) is not None}
    if not known and any(True for _ in pending.names()):
        return False
    values = tuple(
        tuple(variant for parts in variants for variant in _variants(parts, known, pending, (*source.way, at)))
        for at, variants in enumerate(pending.values)
    )
    pending = replace(pending, values=values)
    if any(True for _ in pending.names()):
        item.source = replace(source, pending=pending)
    else:
        _build(item, pending)
    return True


def require_values(rule: SigmaRule) -> None:
    """Raise `RuleError` or `RuleErrors` for placeholders that have no values."""
    errors: list[RuleError] = []
    for detection in rule.detection.detections.values():
        for item in items_of(detection):
            pending: Pending | None = getattr(item.source, "pending", None)
            if pending is not None:
                names = dict.fromkeys(pending.names())
                errors += [missing_value(name, pending.located, getattr(item.source, "way", ())) for name in names]
    if errors:
        raise one_or_group(errors)


def missing_value(name: str, located: Located, way: tuple[str | int, ...]) -> RuleError:
    """The error of a placeholder without values."""
    return located.error(
        "unsupported",
        f"the placeholder %{name}% has no values",
        way,
        f"Give them: placeholders={{{name!r}: [values]}}, or --placeholders FILE.",
    )


def _parts(value: Any) -> _Parts:
    if not isinstance(value, str):
        return (value,)
    pieces = _PLACEHOLDER.split(value)  # text, name, text, name, …, text
    return tuple(_Name(piece) if at % 2 else piece for at, piece in enumerate(pieces) if at % 2 or piece) or ("",)


def _variants(
    parts: _Parts, known: dict[str, Sequence[Any]], pending: Pending, way: tuple[str | int, ...]
) -> list[_Parts]:
    """The text once for each combination of the values of its placeholders that are known."""
    choices = [known.get(part.name, [part]) if isinstance(part, _Name) else [part] for part in parts]
    count = math.prod(map(len, choices))
    limits = pending.cost.limits
    if count > limits.expansions:
        reason = f"its placeholders make {count:,} combinations of values, more than {limits.said('expansions')}"
        raise pending.located.error("value", reason, way, "Give fewer values, or split the value into several.")
    named = [isinstance(part, _Name) and part.name in known for part in parts]
    return [_joined(combination, named, literal=pending.literal) for combination in product(*choices)]


def _joined(combination: Sequence[Any], named: Sequence[bool], *, literal: bool) -> _Parts:
    joined: list[Any] = []
    for piece, is_value in zip(combination, named, strict=True):
        if is_value and piece is ANY:
            before = joined[-1] if joined and isinstance(joined[-1], str) else ""
            escaped = (len(before) - len(before.rstrip("\\"))) % 2 == 1  # the backslash is text, not an escape
            text: Any = ".*" if literal else "\\*" if escaped else "*"
        else:
            text = re2.escape(piece) if is_value and literal else piece
        if joined and isinstance(text, str) and isinstance(joined[-1], str):
            joined[-1] += text
        else:
            joined.append(text)
    return tuple(joined)


def _build(item: SigmaDetectionItem, pending: Pending) -> None:
    """Set the item's values, built by pySigma from the texts."""
    source: Any = item.source
    plain = [modifier for modifier in source.modifiers if modifier != "expand"]
    key = "|".join([item.field or "", *plain])
    numbers = not _WANT_NUMBERS.isdisjoint(plain)
    values: list[SigmaType] = []
    written: list[Any] = []
    for at, variants in enumerate(pending.values):
        texts = [_plain_value(parts[0]) if numbers else parts[0] for parts in variants]
        pending.cost.add(plain, texts, source.way)
        made = make_item(key, texts, (*source.way, at), pending.located)
        item.modifiers, item.value_linking, item.negated = made.modifiers, made.value_linking, made.negated
        if made.value_linking is ConditionAND or len(made.value) == 1:
            values += made.value
            written += texts if len(texts) == len(made.value) else made.value
        else:
            values.append(SigmaExpansion(list(made.value)))
            written.append(source.written[at])
    if not pending.values:
        made = make_item(key, [], source.way, pending.located)
        item.modifiers, item.value_linking, item.negated = made.modifiers, made.value_linking, made.negated
    item.value = values
    item.source = replace(source, pending=None, written=tuple(written))


def _plain_value(value: Any) -> Any:
    """Read a text as YAML would without quotation marks: as a number or boolean if it looks like one."""
    if not isinstance(value, str):
        return value
    if found := _NUMBER.fullmatch(value):
        return float(value) if found[1] else int(value)
    return _BOOLEANS.get(value.lower(), value)

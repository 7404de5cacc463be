"""What a correlation reads in a match of one of its rules: the groups that it belongs to, and what is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import Any

from cloudsigma import ir
from cloudsigma.correlation.entry import Key
from cloudsigma.engine.evaluate import fields, operators
from cloudsigma.engine.match import Match

Quick = Callable[[Mapping[str, Any]], Any]
"""Reads what is simple in a record; `None` where the plain reading has to be asked."""

_TEXTS = frozenset({str})
_NUMBERS = frozenset({int, float})
_DIGITS_OF_DECIMALS = 5000


class Intake:
    """Reads the matches of one rule for one correlation.

    Most records hold one text or number where the correlation looks: `quick_key` and `quick_value` read these. They
    give `None` for everything else, which `keys` and `measured` read in full; where they give more, it is the same.
    """

    def __init__(self, definition: ir.CorrelationRule, rule_id: str) -> None:
        aliases = {alias.name: dict(alias.fields).get(rule_id, alias.name) for alias in definition.aliases}
        threshold = definition.threshold
        measured = threshold.fields if threshold is not None and definition.type.startswith("value_") else ()
        self.rules = (rule_id,)
        """The ID of the rule, as entries have it."""
        self.measures = bool(measured)
        """Whether a match without a value makes no entry."""
        self._group_by = [aliases.get(name, name) for name in definition.group_by]
        self._measured = [aliases.get(name, name) for name in measured]
        self._counts = definition.type == "value_count"
        self.quick_key = _quick_key([_quick(name, _TEXTS) for name in self._group_by])
        self.quick_value: Quick = _nothing
        if len(self._measured) == 1:
            self.quick_value = _quick(self._measured[0], _TEXTS if self._counts else _NUMBERS)

    def keys(self, match: Match) -> list[Key]:
        """Every group that the match belongs to; several where a field has several values."""
        values = [_texts(match, name) for name in self._group_by]
        return list(values[0]) if len(values) == 1 else list(product(*values))

    def measured(self, match: Match) -> tuple[Any, ...]:
        """The different texts, or combinations of texts, that `value_count` counts, or the numbers of other types."""
        if not self._counts:
            return tuple(_numbers(match, self._measured[0])) if self._measured else ()
        values = [_texts(match, name) for name in self._measured]
        return tuple(values[0]) if len(values) == 1 else tuple(product(*values))


# --- in full ------------------------------------------------------------------------------------------------


def _texts(match: Match, name: str) -> list[str]:
    """The different texts of a field: of a correlation's match its group's value, if it has one."""
    if name in match.group:
        return [match.group[name]]
    values = (operators.text(value) for record in match.records for value in fields.values(record, name))
    return list(dict.fromkeys(text for text in values if text is not None))


def _numbers(match: Match, name: str) -> list[int | float]:
    """All numbers of a field."""
    values = (operators.number(value) for record in match.records for value in fields.values(record, name))
    return [_machine_number(number) for number in values if number is not None]


def _machine_number(number: operators.Numeric) -> int | float:
    if not isinstance(number, Decimal):
        return number
    if number.is_finite() and number == number.to_integral_value() and number.adjusted() < _DIGITS_OF_DECIMALS:
        return int(number)
    return float(number)


# --- what is simple -----------------------------------------------------------------------------------------


def _nothing(_: Mapping[str, Any]) -> None:
    return None


def _quick(name: str, kinds: frozenset[type]) -> Quick:
    """Reads a field where one value of these kinds is all that it has: no other reading of its dots finds anything."""
    first, *rest = name.split(".")
    if not rest:
        return lambda record: value if type(value := record.get(name)) in kinds else None
    if len(rest) == 1:
        second = rest[0]

        def read(record: Mapping[str, Any]) -> Any:
            node = record.get(first)
            if type(node) is dict and name not in record:
                value = node.get(second)
                if type(value) in kinds:
                    return value
            return None

        return read
    return _quick_path([first, *rest], kinds)


def _quick_path(segments: list[str], kinds: frozenset[type]) -> Quick:
    last = len(segments) - 1
    steps = [
        (segments[at], [".".join(segments[at:end]) for end in range(at + 2, len(segments) + 1)]) for at in range(last)
    ]
    final = segments[last]

    def read(record: Mapping[str, Any]) -> Any:
        node: Any = record
        for key, joined in steps:
            for other in joined:
                if other in node:
                    return None
            node = node.get(key)
            if type(node) is not dict:
                return None
        value = node.get(final)
        return value if type(value) in kinds else None

    return read


def _quick_key(reads: Sequence[Quick]) -> Quick:
    if not reads:
        return lambda _: ()
    if len(reads) == 1:
        return reads[0]
    if len(reads) == 2:
        one, two = reads

        def read(record: Mapping[str, Any]) -> Any:
            first, second = one(record), two(record)
            return None if first is None or second is None else (first, second)

        return read

    def read_all(record: Mapping[str, Any]) -> Any:
        values = tuple([read(record) for read in reads])
        return None if None in values else values

    return read_all

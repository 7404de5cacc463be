"""Extracts time, groups and measured values from the matches of one rule, for one correlation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import islice, product
from typing import Any

from cloudsigma import ir
from cloudsigma.correlation.entry import Key
from cloudsigma.engine.context.event_time import EVENT_TIME, event_time
from cloudsigma.engine.evaluate import fields, operators
from cloudsigma.engine.match import Match
from cloudsigma.engine.numbers import Numeric

MAX_GROUPS = 1_000
"""Groups that one event may belong to, and combinations of values that it may add to a count: arrays multiply."""

Quick = Callable[[Mapping[str, Any]], Any]
"""Reads a field with one plain value; returns `None` for any other field, which needs the full reading."""

_TEXTS = frozenset({str})
_NUMBERS = frozenset({int, float})
_DIGITS_OF_DECIMALS = 5000


class Extractor:
    """Reads the matches of one rule for one correlation.

    Most records hold one text or number in the correlation's fields: `quick_key` and `quick_value` read these. For all
    others they return `None`, and `keys` and `measured` do the full reading. Both agree.

    Args:
        definition: The correlation.
        rule_id: The rule.
        warn: Called with a kind of problem and a message for the log: an object as a group, or too many groups.
    """

    def __init__(
        self, definition: ir.CorrelationRule, rule_id: str, warn: Callable[[str, str], None] = lambda *_: None
    ) -> None:
        self._title = definition.metadata.title
        self._warn = warn
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
        """Every group that the match belongs to, at most `MAX_GROUPS`; several where a field has several values."""
        values = [self._group_texts(match, name) for name in self._group_by]
        return self._bounded(values, "groups")

    def measured(self, match: Match) -> tuple[Any, ...]:
        """The different texts, or combinations of texts, that `value_count` counts, or the numbers of other types."""
        if not self._counts:
            return tuple(_numbers(match, self._measured[0])) if self._measured else ()
        return tuple(self._bounded([_texts(match, name) for name in self._measured], "combinations of values"))

    def _bounded(self, values: list[list[str]], what: str) -> list[Any]:
        """The combinations of the values, one of each list; of a single list its values."""
        if math.prod(map(len, values)) > MAX_GROUPS:
            message = f"an event has more than {MAX_GROUPS:,} {what}; the first {MAX_GROUPS:,} count"
            self._warn(what, f"the correlation {self._title!r}: {message}")
        combined: Iterable[Any] = values[0] if len(values) == 1 else product(*values)
        return list(islice(combined, MAX_GROUPS))

    def _group_texts(self, match: Match, name: str) -> list[str]:
        """`_texts` of a field that groups. An object is no group: its members would join unrelated events."""
        if name in match.group:
            return [match.group[name]]
        path = ir.FieldPath(name)
        found = [value for record in match.records for value in fields.select(record, path)]
        plain = [value for value in found if not isinstance(value, Mapping)]
        if len(plain) < len(found):
            message = f"groups by {name}, which is an object in some events; these belong to no group"
            remedy = f"Write the field in it that distinguishes them, such as {name}.arn."
            self._warn(name, f"the correlation {self._title!r} {message}. {remedy}")
        texts = map(operators.text, plain)
        return list(dict.fromkeys(text for text in texts if text is not None))


def match_time(match: Match, field: str) -> int | float | None:
    """The event time of a match, in seconds since 1970, from a field of the record; the name may be dotted."""
    if field == EVENT_TIME:
        return event_time(match.record)
    times = (event_time({EVENT_TIME: value}) for value in fields.values(match.record, field))
    return next((time for time in times if time is not None), None)


# --- in full ------------------------------------------------------------------------------------------------


def _texts(match: Match, name: str) -> list[str]:
    """The different texts of a field; of a correlation's match the value of its group, if it groups by the field."""
    if name in match.group:
        return [match.group[name]]
    values = (operators.text(value) for record in match.records for value in fields.values(record, name))
    return list(dict.fromkeys(text for text in values if text is not None))


def _numbers(match: Match, name: str) -> list[int | float]:
    """All numbers of a field."""
    values = (operators.number(value) for record in match.records for value in fields.values(record, name))
    return [_machine_number(number) for number in values if number is not None]


def _machine_number(number: Numeric) -> int | float:
    if not isinstance(number, Decimal):
        return number
    if number.is_finite() and number == number.to_integral_value() and number.adjusted() < _DIGITS_OF_DECIMALS:
        return int(number)
    return float(number)


# --- one plain value -----------------------------------------------------------------------------------------


def _nothing(_: Mapping[str, Any]) -> None:
    return None


def _quick(name: str, kinds: frozenset[type]) -> Quick:
    """Read a field with one value of these types, if its dots can be read in one way only."""
    first, *rest = name.split(".")
    if not rest:
        return lambda record: value if type(value := record.get(name)) in kinds else None
    if len(rest) == 1:  # as `fields.reader`, whose call on top costs a correlation by two such fields 3.6 % of `feed`
        (second,) = rest

        def read(record: Mapping[str, Any]) -> Any:
            node = record.get(first)
            if type(node) is dict and name not in record:
                value = node.get(second)
                if type(value) in kinds:
                    return value
            return None

        return read
    read_node = fields.reader(name)
    return lambda record: value if type(value := read_node(record)) in kinds else None


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

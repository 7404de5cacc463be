"""How to find the rules that match records of one pair of event name and source.

What a plan asks is a pure function of a few values of the record; where these are plain texts, the answer is
remembered by them, within bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from cloudsigma.engine.prefilter.residual import RecordTest, Residual

Positions = tuple[int, ...]
"""Positions of rules, rising."""
Find = Callable[[Mapping[str, Any]], Positions]
"""Gives the rules that match a record."""

ABSENT: Any = msgspec.UNSET
"""Stands for the value of a field that is not there, as it does in a decoder's view of a record."""
_UNSURE: Any = object()
"""Stands for whatever is not simply a text, null, or absent."""
_PLAIN = frozenset({str, type(None), type(ABSENT)})

_ANSWERS = 2_000
"""Answers that one plan or gate remembers; when there are more, all are forgotten."""


# --- rules that the whole record decides --------------------------------------------------------------------


def find_directly(fixed: Sequence[int], left: Sequence[tuple[int, Residual]]) -> Find | None:
    """Rules that the pair decides, and rules with something left to ask; `None` where there are neither."""
    decided = tuple(fixed)
    if not left:
        return (lambda record: decided) if decided else None  # noqa: ARG005  # the form of `Find`
    tests = [(residual.test, position) for position, residual in left]
    if len(tests) == 1 and not decided:
        ((only, position),) = tests
        alone = (position,)
        find: Find = lambda record: alone if only(record) else ()  # noqa: E731  # one of several forms
    else:

        def find(record: Mapping[str, Any]) -> Positions:
            found = tuple(position for test, position in tests if test(record))
            return tuple(sorted(decided + found)) if decided else found

    fields = frozenset().union(*(residual.fields for _, residual in left))
    if None in fields or len(fields) > 2 or any("." in name for name in fields if name):
        return find
    return _remembered(find, sorted(name for name in fields if name))


def _remembered(find: Find, fields: Sequence[str]) -> Find:
    """The same, remembered by the values of one or two top-level fields where they are plain."""
    answers: dict[Any, Positions] = {}

    def keep(key: Any, values: Iterable[Any], record: Mapping[str, Any]) -> Positions:
        found = find(record)
        if all(type(value) in _PLAIN for value in values):
            if len(answers) >= _ANSWERS:
                answers.clear()
            answers[key] = found
        return found

    if len(fields) == 1:
        (name,) = fields

        def find_by_one(record: Mapping[str, Any]) -> Positions:
            value = record.get(name, ABSENT)
            try:
                return answers[value]
            except (KeyError, TypeError):  # not seen yet, or no value that a dict takes
                return keep(value, (value,), record)

        return find_by_one
    first, second = fields

    def find_by_two(record: Mapping[str, Any]) -> Positions:
        values = (record.get(first, ABSENT), record.get(second, ABSENT))
        try:
            return answers[values]
        except (KeyError, TypeError):
            return keep(values, values, record)

    return find_by_two


# --- rules behind a gate ------------------------------------------------------------------------------------


class Gate(dict[Any, Positions]):
    """Value of a field → the rules whose gate lets it through."""

    def __init__(self, name: str, tests: Sequence[tuple[int, RecordTest]]) -> None:
        super().__init__()
        self.name = name
        self._tests = tuple(tests)
        self.all = tuple(position for position, _ in tests)

    def __missing__(self, value: Any) -> Positions:
        if type(value) not in _PLAIN:
            return self.all
        # A dotted name is also read as one key: a record in its smallest form.
        record = {} if value is ABSENT else {self.name: value}
        passed = tuple(position for position, test in self._tests if test(record))
        if len(self) >= _ANSWERS:
            self.clear()
        self[value] = passed
        return passed


def find_gated(find: Find | None, gates: Sequence[Gate], left: Mapping[int, bool | Residual]) -> Find:
    """What `find` gives, and the rules in `left` that pass their gates and what is left of them."""
    asked = [(reader(gate.name), gate) for gate in gates]
    tests = {position: residual.test if isinstance(residual, Residual) else None for position, residual in left.items()}

    def find_with_gates(record: Mapping[str, Any]) -> Positions:
        found = find(record) if find is not None else ()
        for read, gate in asked:
            try:
                passed = gate[read(record)]
            except TypeError:  # no value that a dict takes
                passed = gate.all
            if passed:
                more = tuple([at for at in passed if at in tests and ((test := tests[at]) is None or test(record))])
                if more:
                    found = tuple(sorted(found + more))
        return found

    return find_with_gates


def reader(name: str) -> Callable[[Mapping[str, Any]], Any]:
    """A reader of a field's one value, for top-level fields and members of top-level objects.

    Where the field could have several values, or one that is not simply there, it gives a value of no plain type.
    """
    outer, _, inner = name.partition(".")
    if not inner:
        return lambda record: record.get(name, ABSENT)

    def read(record: Mapping[str, Any]) -> Any:
        if name in record:
            return _UNSURE
        node = record.get(outer)
        if type(node) is dict:
            return node.get(inner, ABSENT)
        return ABSENT if node is None else _UNSURE

    return read

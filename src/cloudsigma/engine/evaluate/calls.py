"""Which functions of the runtime stand for the values of a rule's test.

The code generator writes these calls as source, and `residual` makes them at once: both mean the same functions with
the same arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cloudsigma import ir

Argument = str | int | float | bool | tuple[str | ir.Wildcard, ...]


class Call(NamedTuple):
    """One function of the runtime with its arguments; it makes a test that the values of a field pass or not."""

    function: str
    arguments: tuple[Argument, ...] = ()
    cased: bool = False


PLAIN = frozenset({"is_null", "has_value"})
"""Functions that are tests themselves; the others make one."""
COST = {
    name: rank
    for rank, names in enumerate(
        (
            ("is_null", "has_value", "present"),
            ("equals",),
            ("startswith", "endswith", "is_boolean"),
            ("contains", "equals_number", "compare"),
            ("agrees", "in_network", "like", "time_part"),
            ("search",),
        )
    )
    for name in names
}
"""How dear each function is, in ranks: the cheap ones are asked first."""


def calls(matchers: Iterable[ir.Matcher]) -> list[Call]:
    """Calls of which one must pass, for matchers of which one must be met; matchers of one kind share a call."""
    gathered: dict[tuple[str, bool], dict[Argument, None]] = {}
    single: list[Call] = []
    for matcher in _flat(matchers):
        match matcher:
            case ir.Pattern(parts, cased):
                function, arguments = _pattern(parts)
                gathered.setdefault((function, cased and function != "has_value"), {}).update(dict.fromkeys(arguments))
            case ir.Cidr(network):
                gathered.setdefault(("in_network", False), {})[network] = None
            case ir.Number(value):
                gathered.setdefault(("equals_number", False), {})[value] = None
            case ir.Regex(pattern, flags):
                single.append(Call("search", (pattern, flags) if flags else (pattern,)))
            case ir.Boolean(value):
                single.append(Call("is_boolean", (value,)))
            case ir.Null():
                single.append(Call("is_null"))
            case ir.Exists(value):
                single.append(Call("present", (value,)))
            case ir.Compare(operator, value):
                single.append(Call("compare", (operator, value)))
            case ir.TimePart(unit, operator, value):
                single.append(Call("time_part", (unit, operator, value)))
            case ir.FieldRef(field, comparison, cased):
                single.append(Call("agrees", (field, comparison), cased))
    return [
        *(Call(function, tuple(arguments), cased) for (function, cased), arguments in gathered.items()),
        *single,
    ]


def _flat(matchers: Iterable[ir.Matcher]) -> Iterator[ir.Matcher]:
    for matcher in matchers:
        if isinstance(matcher, ir.OneOf):
            yield from _flat(matcher.variants)
        else:
            yield matcher


def _pattern(parts: tuple[str | ir.Wildcard, ...]) -> tuple[str, tuple[Argument, ...]]:
    """The cheapest function that means the pattern."""
    many = ir.Wildcard.MANY
    match parts:
        case ():
            return "equals", ("",)
        case (str() as text,):
            return "equals", (text,)
        case (ir.Wildcard.MANY,):
            return "has_value", ()
        case (str() as text, last) if last is many:
            return "startswith", (text,)
        case (first, str() as text) if first is many:
            return "endswith", (text,)
        case (first, str() as text, last) if first is many and last is many:
            return "contains", (text,)
        case _:
            return "like", (parts,)

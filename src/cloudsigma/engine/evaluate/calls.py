"""Maps the tests of a rule to functions of the runtime, with their arguments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cloudsigma import ir

Argument = str | int | float | bool | tuple[str | int | float | ir.Wildcard, ...]

Options = tuple[tuple[str, str | bool], ...]


class Call(NamedTuple):
    """A call of a runtime function, which returns a test of the values of a field.

    The arguments of `agrees` and `field` are field names.
    """

    function: str
    arguments: tuple[Argument, ...] = ()
    options: Options = ()
    """Arguments by keyword."""


PLAIN = frozenset({"is_null", "has_value"})
"""Functions that are tests themselves; the others return one."""
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
"""The cost of each function, in ranks: cheap ones are called first."""
_KEYWORDS = 2 * (max(COST.values()) + 1)
"""Added to the cost of a test that walks the whole record."""
_CASED: Options = (("cased", True),)


def calls(matchers: Iterable[ir.Matcher]) -> list[Call]:
    """Calls joined by `or` for matchers joined by `or`; matchers of one kind share a call."""
    gathered: dict[tuple[str, Options], dict[Argument, None]] = {}
    single: list[Call] = []
    options: Options
    for matcher in _flat(matchers):
        match matcher:
            case ir.Pattern(parts, cased):
                function, arguments = _pattern(parts)
                options = _CASED if cased and function != "has_value" else ()
                gathered.setdefault((function, options), {}).update(dict.fromkeys(arguments))
            case ir.Cidr(network):
                gathered.setdefault(("in_network", ()), {})[network] = None
            case ir.Number(value):
                gathered.setdefault(("equals_number", ()), {})[value] = None
            case ir.Regex(pattern, flags):
                options = (("flags", flags),) if flags else ()
                gathered.setdefault(("search", options), {})[pattern] = None
            case ir.Compare(operator, value):
                gathered.setdefault(("compare", ()), {})[operator, value] = None
            case ir.TimePart(unit, operator, value):
                gathered.setdefault(("time_part", ()), {})[unit, operator, value] = None
            case ir.FieldRef(field, comparison, cased):
                options = (("comparison", comparison), *(_CASED if cased else ()))
                gathered.setdefault(("agrees", options), {})[field] = None
            case ir.Boolean(value):
                single.append(Call("is_boolean", (value,)))
            case ir.Null():
                single.append(Call("is_null"))
            case ir.Exists(value):
                single.append(Call("present", (value,)))
    return [
        *(Call(function, tuple(arguments), options) for (function, options), arguments in gathered.items()),
        *dict.fromkeys(single),
    ]


def cost(test: ir.Test) -> int:
    """How much a test costs, as a rank: that of its most expensive call."""
    return max([COST[call.function] for call in calls(test.matchers)], default=0) + (
        _KEYWORDS if test.field is None else 0
    )


def fields_of(test: ir.Test) -> frozenset[str | None]:
    """The fields that a test reads; `None` if it reads the whole record."""
    others = (each.field for each in _flat(test.matchers) if isinstance(each, ir.FieldRef))
    return frozenset((test.field, *others))


def _flat(matchers: Iterable[ir.Matcher]) -> Iterator[ir.Matcher]:
    for matcher in matchers:
        if isinstance(matcher, ir.OneOf):
            yield from _flat(matcher.variants)
        else:
            yield matcher


def _pattern(parts: tuple[str | ir.Wildcard, ...]) -> tuple[str, tuple[Argument, ...]]:
    """The cheapest function that implements the pattern."""
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

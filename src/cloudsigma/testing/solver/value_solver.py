"""Find one value that passes some matchers and fails others, or prove that none exists.

Realistic values are tried first, with `engine/evaluate/operators.py`. Then patterns are walked as automata, which finds
a value or proves that none exists.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice, pairwise
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.evaluate import operators
from cloudsigma.testing.solver import automata, realistic_values
from cloudsigma.testing.solver.regex_automaton import samples

_MAX_TRIED = 400
_MAX_SMALLER = 30
"""Attempts to make a conflict smaller."""
_NUMERIC = (ir.Number, ir.Compare)


@dataclass(frozen=True, slots=True)
class FoundValue:
    """A value was found."""

    value: Any


@dataclass(frozen=True, slots=True)
class NoValue:
    """No value passes all of `wanted` and fails all of `unwanted`."""

    wanted: tuple[ir.Matcher, ...]
    unwanted: tuple[ir.Matcher, ...]
    proved: bool = True
    """Whether this is proved; if not, the search found none."""


Answer = FoundValue | NoValue


def find_value(
    wanted: Sequence[ir.Matcher],
    unwanted: Sequence[ir.Matcher],
    field: str | None,
    hints: Sequence[Any] = (),
    *,
    hasty: bool = False,
) -> Answer:
    """A value of a field that passes all of `wanted` and none of `unwanted`.

    Args:
        wanted: Matchers that test a single value: not `Null`, `Exists`, `FieldRef` or `OneOf`.
        unwanted: Matchers of the same kinds.
        field: The name of the field, for realistic values.
        hints: Values to try first.
        hasty: Whether to give up early, without a proof.
    """
    for hint in hints:
        if meets(hint, wanted, unwanted):
            return FoundValue(hint)
    return _find_value(tuple(wanted), tuple(unwanted), field, hasty)


def meets(value: Any, wanted: Sequence[ir.Matcher], unwanted: Sequence[ir.Matcher]) -> bool:
    """Whether the value passes all of `wanted` and none of `unwanted`."""
    return all(operators.matches(each, value) for each in wanted) and not any(
        operators.matches(each, value) for each in unwanted
    )


@lru_cache(maxsize=8192)
def _find_value(
    wanted: tuple[ir.Matcher, ...],
    unwanted: tuple[ir.Matcher, ...],
    field: str | None,
    hasty: bool,  # noqa: FBT001  # positional, as a cache key
) -> Answer:
    for value in islice(_candidates(wanted, unwanted, field), _MAX_TRIED):
        if meets(value, wanted, unwanted):
            return FoundValue(value)
    if conflict := _direct(wanted, unwanted) or _of_two(wanted, unwanted):
        return conflict
    return _walk(wanted, unwanted, automata.HASTY if hasty else automata.MAX_WORK)


def _candidates(wanted: Sequence[ir.Matcher], unwanted: Sequence[ir.Matcher], field: str | None) -> Iterator[Any]:
    if parts := [each for each in wanted if isinstance(each, ir.TimePart)]:
        yield from realistic_values.times(parts, [each for each in unwanted if isinstance(each, ir.TimePart)])
    if all(isinstance(each, ir.Pattern) and not any(isinstance(part, str) for part in each.parts) for each in wanted):
        yield from realistic_values.usual(field)
    special = [each for each in wanted if not isinstance(each, (ir.Pattern, ir.Regex))]
    yield from chain.from_iterable(realistic_values.for_matcher(each, field) for each in special)
    if any(isinstance(each, _NUMERIC) for each in wanted):
        yield from _between([each for each in (*wanted, *unwanted) if isinstance(each, _NUMERIC)])
    if patterns := [each for each in wanted if isinstance(each, ir.Pattern)]:
        texts = list(realistic_values.of_patterns(patterns, field))
        yield from texts
        yield from (text.upper() for text in texts)
        yield from (text.lower() for text in texts)
    if expressions := [each for each in wanted if isinstance(each, ir.Regex)]:
        yield from realistic_values.usual(field)
        found = [text for each in expressions for text in samples(each.pattern, each.flags)]
        found.append(" ".join(next(iter(samples(each.pattern, each.flags)), "") for each in expressions))
        yield from found
        for text in realistic_values.of_patterns(patterns, field) if patterns else ():
            yield from (f"{text} {more}" for more in found)
            yield from (f"{more}{text}" for more in found)
        found_automata = [each for each in map(automata.automaton, expressions) if each is not None]
        if found_automata:
            walked = automata.texts(found_automata, (), automata.HASTY)
            yield from (text for text in islice(walked, 12) if text is not None)


def _direct(wanted: tuple[ir.Matcher, ...], unwanted: tuple[ir.Matcher, ...]) -> NoValue | None:
    """Conflicts that need no walk: a fixed text or number with another matcher, orders, networks, parts of a time."""
    for each in wanted:
        if each in unwanted:
            return NoValue((each,), (each,))
    for fixed in wanted:
        value: Any
        match fixed:
            case ir.Number(value):
                kinds: tuple[type, ...] = _NUMERIC
            case ir.Pattern(parts, False) if all(isinstance(part, str) for part in parts):
                value = "".join(map(str, parts))
                kinds = (ir.Boolean, ir.Cidr, *_NUMERIC) if value.isascii() else ()
                kinds += (ir.Pattern,)
            case _:
                continue
        for other in wanted:
            if isinstance(other, kinds) and not _is_cased(other) and not operators.matches(other, value):
                return NoValue((fixed, other), ())
        for other in unwanted:
            if isinstance(other, kinds) and not _is_cased(other) and operators.matches(other, value):
                return NoValue((fixed,), (other,))
    return _numbers(wanted, unwanted) or _networks(wanted, unwanted) or _moments(wanted, unwanted)


def _is_cased(matcher: ir.Matcher) -> bool:
    return isinstance(matcher, ir.Pattern) and matcher.cased


def _numbers(wanted: Sequence[ir.Matcher], unwanted: Sequence[ir.Matcher]) -> NoValue | None:
    """Comparisons that exclude every number: each limit and one number of each region between limits is tried."""
    orders = [each for each in wanted if isinstance(each, _NUMERIC)]
    if not orders:
        return None
    against = [each for each in unwanted if isinstance(each, _NUMERIC)]
    tried = _between([*orders, *against])
    if any(meets(value, orders, against) for value in tried):
        return None

    def excludes_numbers(some: Sequence[ir.Matcher], others: Sequence[ir.Matcher]) -> bool:
        # Without an order that it must pass, the value need not be a number.
        return bool(some) and not any(meets(value, some, others) for value in tried)

    return _smallest(orders, against, excludes_numbers)


def _between(orders: Sequence[ir.Number | ir.Compare]) -> list[int | float]:
    """The limits, and one number of each region between them."""
    limits = sorted({each.value for each in orders})
    middle = ((low + high) / 2 for low, high in pairwise(limits))
    return [limits[0] - 1, *limits, limits[-1] + 1, *middle]


def _networks(wanted: Sequence[ir.Matcher], unwanted: Sequence[ir.Matcher]) -> NoValue | None:
    cidrs = [each for each in wanted if isinstance(each, ir.Cidr)]
    for at, one in enumerate(cidrs):
        first = operators.parse_network(one.network)
        for other in cidrs[at + 1 :]:
            if not first.overlaps(operators.parse_network(other.network)):  # also if the IP versions differ
                return NoValue((one, other), ())
        others = [(each, operators.parse_network(each.network)) for each in unwanted if isinstance(each, ir.Cidr)]
        near: list[Any] = [network for _, network in others if network.overlaps(first)]
        for joined in ipaddress.collapse_addresses(near):  # networks side by side may cover it together
            if joined.overlaps(first) and joined.prefixlen <= first.prefixlen:
                return NoValue((one,), tuple(each for each, network in others if network.overlaps(joined)))
    return None


_PARTS = {"minute": range(60), "hour": range(24), "day": range(1, 32), "week": range(1, 54), "month": range(1, 13)}


def _moments(wanted: Sequence[ir.Matcher], unwanted: Sequence[ir.Matcher]) -> NoValue | None:
    """Parts of a time that contradict each other, unit by unit."""
    times = [each for each in wanted if isinstance(each, ir.TimePart)]
    against = [each for each in unwanted if isinstance(each, ir.TimePart)]
    for unit in {each.unit for each in times} | ({each.unit for each in against} if times else set()):
        same = [each for each in times if each.unit == unit]
        opposed = [each for each in against if each.unit == unit]
        parts = _PARTS.get(unit, range(1, 10000))
        if not any(
            all(operators.compare(part, each.operator, each.value) for each in same)
            and not any(operators.compare(part, each.operator, each.value) for each in opposed)
            for part in parts
        ):
            return NoValue(tuple(same or times[:1]), tuple(opposed))
    return None


def _of_two(wanted: Sequence[ir.Matcher], unwanted: Sequence[ir.Matcher]) -> NoValue | None:
    """Two patterns that contradict each other, the commonest kind of conflict."""
    patterns = [each for each in wanted if isinstance(each, ir.Pattern)]
    for at, one in enumerate(patterns):
        sparse = [_filled(one, filler) for filler in ("\0", "")]
        for other in unwanted:
            if all(operators.matches(other, text) for text in sparse) and _is_empty((one,), (other,)):
                return NoValue((one,), (other,))
        for other in patterns[at + 1 :]:
            if _is_empty((one, other), ()):
                return NoValue((one, other), ())
    return None


def _filled(pattern: ir.Pattern, filler: str) -> str:
    """The text of a pattern with a filler for `*` and NUL for `?`."""
    return "".join(
        part if isinstance(part, str) else filler if part is ir.Wildcard.MANY else "\0" for part in pattern.parts
    )


@lru_cache(maxsize=8192)
def _is_empty(wanted: tuple[ir.Matcher, ...], unwanted: tuple[ir.Matcher, ...]) -> bool:
    """Whether it is proved that no text passes all of `wanted` and none of `unwanted`."""
    inside = [found for each in wanted if (found := _widened(each)) is not None]
    outside = [found for each in unwanted if (found := automata.automaton(each)) is not None]
    return not list(islice(automata.texts(inside, outside, automata.HASTY), 1))


def _walk(wanted: tuple[ir.Matcher, ...], unwanted: tuple[ir.Matcher, ...], work: int) -> NoValue | FoundValue:
    """Search all texts. Matchers without an automaton are widened or dropped, so that a proof stays valid."""
    inside = [(each, found) for each in wanted if (found := _widened(each)) is not None]
    outside = [(each, found) for each in unwanted if (found := automata.automaton(each)) is not None]
    complete = True
    for text in islice(automata.texts([each for _, each in inside], [each for _, each in outside], work), 60):
        if text is None:
            complete = False
        elif meets(text, wanted, unwanted):
            return FoundValue(text)
        else:
            complete = False
    if not complete or any(isinstance(each, ir.TimePart) for each in wanted):  # a number may be a time, too
        return NoValue(wanted, unwanted, proved=False)
    return _smallest([each for each, _ in inside], [each for each, _ in outside])


def _widened(matcher: ir.Matcher) -> automata.Automaton | None:
    return automata.number_texts() if isinstance(matcher, _NUMERIC) else automata.automaton(matcher)


def _smallest(wanted: Sequence[ir.Matcher], unwanted: Sequence[ir.Matcher], is_empty: Any = None) -> NoValue:
    """Shrink a conflict, large chunks first; the result may not be minimal."""
    is_empty = is_empty or (lambda some, others: _is_empty(tuple(some), tuple(others)))
    some, others = list(wanted), list(unwanted)
    step, tries = max(1, (len(some) + len(others)) // 3), _MAX_SMALLER
    while True:
        for kept in (others, some):
            at = 0
            while at < len(kept) and tries:
                removed = kept[at : at + step]
                del kept[at : at + step]
                tries -= 1
                if not is_empty(some, others):
                    kept[at:at] = removed
                    at += step
        if step == 1 or not tries:
            return NoValue(tuple(some), tuple(others))
        step = max(1, step // 3)

"""Candidate values: values near the tests of a rule and its mutant, on which the two may differ."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.evaluate import fields, operators
from cloudsigma.testing.coverage.clauses import Predicate
from cloudsigma.testing.records.changes import ABSENT
from cloudsigma.testing.solver.automata import automaton, texts
from cloudsigma.testing.solver.regex_automaton import samples

_WORK = 60_000
"""Limit of the search for a text that one matcher accepts and another rejects; about 40 ms."""
_MOST = 40
"""Approximate number of values to try for a field."""
_FEW_MATCHERS = 8
"""Texts that only one of the two rules accepts are searched if a field has at most this many matchers."""
_FEW = 2
"""Values to try for a matcher that rule and mutant share, if they differ in others."""


class Candidates:
    """Values to try for each field of a rule and its mutant; fields in which the two differ come first."""

    def __init__(self, original: Predicate, mutant: Predicate) -> None:
        ours, theirs = _by_field(original), _by_field(mutant)
        names = list(dict.fromkeys([*ours, *theirs]))
        differing = [name for name in names if ours.get(name) != theirs.get(name)]
        matchers = [clause.matcher for predicate in (original, mutant) for clause in predicate.clauses]
        referred = [each.field for each in matchers if isinstance(each, ir.FieldRef)]
        ordered = [*referred, *differing, *names]  # a field that `fieldref` refers to comes first
        self.fields: tuple[str | None, ...] = tuple(dict.fromkeys(ordered))
        self.differing = frozenset(differing)
        self._matchers = {name: list(dict.fromkeys([*ours.get(name, ()), *theirs.get(name, ())])) for name in names}
        self._changed = {
            name: [
                each
                for each in self._matchers[name]
                if (each in ours.get(name, ())) is not (each in theirs.get(name, ()))
            ]
            for name in names
        }
        """Matchers that only one of the two rules has."""
        self._sides = {name: (ours.get(name, []), theirs.get(name, [])) for name in differing}
        self._telling: dict[str | None, list[str]] = {}

    def values(self, field: str | None, record: Mapping[str, Any]) -> list[Any]:
        """Values for a field of the record, those most likely to make a difference first."""
        matchers = self._matchers.get(field, ())
        changed = self._changed.get(field, ())
        own = [value for matcher in changed for value in _near(matcher, record)]
        near = _MOST if not changed else _FEW
        own += [
            value for matcher in matchers if matcher not in changed for value in islice(_near(matcher, record), near)
        ]
        if len(matchers) > 1:
            own += _together(matchers)
        if field in self._sides and field not in self._telling:
            sides = self._sides[field]
            few = all(len(side) <= _FEW_MATCHERS for side in sides)
            self._telling[field] = list(_telling(*sides)) if few else []
        every = (*own, *self._telling.get(field, ()), ABSENT, None, "", "other")
        found = list({(type(value), repr(value)): value for value in every}.values())
        return found[: _MOST + 4 * min(len(matchers), _MOST)]


def _by_field(predicate: Predicate) -> dict[str | None, list[ir.Matcher]]:
    found: dict[str | None, list[ir.Matcher]] = {}
    for clause in predicate.clauses:
        found.setdefault(clause.test.field, []).append(clause.matcher)
    return found


def _telling(ours: Iterable[ir.Matcher], theirs: Iterable[ir.Matcher]) -> Iterator[str]:
    """Texts that only one of the two rules accepts."""
    for one, other in ((ours, theirs), (theirs, ours)):
        unwanted = [automaton(each) for each in other]
        if None in unwanted:
            continue
        for each in one:
            wanted = automaton(each)
            if wanted is not None and each not in other:
                avoided = [made for made in unwanted if made is not None]
                yield from (text for text in islice(texts([wanted], avoided, _WORK), 2) if text is not None)


def _near(matcher: ir.Matcher, record: Mapping[str, Any]) -> Iterator[Any]:
    match matcher:
        case ir.Pattern(parts):
            for filling in ("", "x"):
                yield from _around("".join(_filled(part, filling) for part in parts))
        case ir.Regex(pattern, flags):
            for sample in samples(pattern, flags):
                yield from _around(sample)
        case ir.Cidr(network):
            yield from _addresses(network)
        case ir.Number(value) | ir.Compare(_, value):
            yield from (value, value - 1, value + 1)
        case ir.Boolean(flag):
            yield from (flag, not flag)
        case ir.TimePart(unit, _, value):
            yield from _times(unit, value)
        case ir.FieldRef(other):
            for value in islice(fields.values(record, other), 3):
                if (text := operators.text(value)) is not None:
                    yield from _around(text)
            yield "alice"
        case ir.OneOf(variants):
            for variant in variants[:10]:
                yield from _near(variant, record)
        case ir.Null() | ir.Exists():
            yield from (None, "", ABSENT)


def _together(matchers: Sequence[ir.Matcher]) -> Iterator[Any]:
    """Values that match several patterns at once: joined texts and lists, of all patterns and of all but one."""
    several = [each.variants[0] if isinstance(each, ir.OneOf) else each for each in matchers]
    plain = ["".join(_filled(part, "") for part in each.parts) for each in several if isinstance(each, ir.Pattern)]
    plain = list(dict.fromkeys(plain))[:8]
    if len(plain) < 2:
        return
    for joined in (" ".join, list):
        yield joined(plain)
        for at, text in enumerate(plain):
            others = [*plain[:at], *plain[at + 1 :]]
            yield joined(others) if len(others) > 1 else others[0]
            yield joined([*plain[:at], text.swapcase(), *plain[at + 1 :]])


def _filled(part: str | ir.Wildcard, filling: str) -> str:
    return part if isinstance(part, str) else filling if part is ir.Wildcard.MANY else "x"


def _around(text: str) -> Iterator[str]:
    yield text
    yield from (f"{text}2", f"x{text}", text.swapcase(), f"x{text}2", text[:-1], text[1:])
    if len(text) > 2:
        yield f"{text[: len(text) // 2]}x{text[len(text) // 2 :]}"


def _addresses(network: str) -> Iterator[str]:
    whole = ipaddress.ip_network(network)
    first, last = int(whole.network_address), int(whole.broadcast_address)
    for number in (first, last, first - 1, last + 1):
        if 0 <= number < 1 << whole.max_prefixlen:
            yield str(type(whole.network_address)(number))


def _times(unit: ir.TimeUnit, value: int) -> Iterator[str]:
    start = dt.datetime(2026, 11, 20, 10, 15, 30, tzinfo=dt.UTC)
    for number in (value, value - 1, value + 1):
        try:
            if unit == "week":
                made = dt.datetime.fromisocalendar(2026, number, 2).replace(hour=10, tzinfo=dt.UTC)
            else:
                made = start.replace(**{unit: number})  # type: ignore[arg-type]  # the units are its arguments
        except ValueError:
            continue
        yield made.strftime("%Y-%m-%dT%H:%M:%SZ")

"""Which detection rules match one record: the index, then what partial evaluation leaves of the rules it names.

For each pair of event name and source a plan is made on first sight: the rules that can match such a record, each
reduced to the tests that the pair does not decide. Rules that no event name tells apart stand behind the gate of one
other field. Where a record is not of the usual form (no event name, one that is no text) nothing is taken for
granted: every predicate is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import compress, count
from typing import Any, NamedTuple

from cloudsigma import ir
from cloudsigma.engine.evaluate.operators import fold
from cloudsigma.engine.memo import Remembered
from cloudsigma.engine.prefilter.index import NAME, SOURCE, Index, build_index
from cloudsigma.engine.prefilter.plan import Find, Gate, Positions, find_directly, find_gated
from cloudsigma.engine.prefilter.residual import Residual, determined_by, holds, residual
from cloudsigma.engine.rule import Rule
from cloudsigma.ir.walk import all_tests

_REMEMBERED = 20_000
"""Event names, and pairs of name and source, that are remembered; when there are more, all are forgotten."""


class _Plan(NamedTuple):
    find: Find | None
    """`None`: no rule can match."""
    direct: bool
    """Whether there are rules that no gate holds back."""
    gated: frozenset[int]
    """Rules that can match once their gate lets the record through."""


class Matcher:
    """Finds the rules that match, for rules whose log source has been found to cover the records."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [rule for rule in rules if isinstance(rule.definition, ir.DetectionRule)]
        self._ids = [rule.id for rule in self._rules]
        self._definitions = [rule.definition for rule in self._rules if isinstance(rule.definition, ir.DetectionRule)]
        self.index: Index = build_index(self._definitions)
        self._gates = {name: Gate(name, tests) for name, tests in self.index.gates.items()}
        self._gate_of = {
            position: self._gates[name] for name, tests in self.index.gates.items() for position, _ in tests
        }
        self._decided_by_pair = [
            [test for test in all_tests(rule) if determined_by(test, NAME, SOURCE)] for rule in self._definitions
        ]
        self._residuals: dict[tuple[int, tuple[bool, ...]], bool | Residual] = {}
        self._plans: dict[tuple[str, str], _Plan] = _remembered(self._plan)
        self._by_name: dict[Any, Find | None] = _remembered(self._find_by_name)
        self.fields: tuple[str, ...] = (NAME, SOURCE, *self._gates) if self.index.unnamed else (NAME,)
        """What `candidates` looks at, as dotted names."""
        self._named = _remembered(self._is_named)
        self._direct = _remembered(self._is_direct)

    @property
    def found_by(self) -> dict[str, str | None]:
        """For each rule, by ID, the field that tells which records could match; `None`: every record is evaluated."""
        return dict(zip(self._ids, self.index.found_by, strict=True))

    # --- whole records ----------------------------------------------------------------------------------------

    def positions(self, record: Mapping[str, Any]) -> Positions:
        """The positions of the rules that match; nothing that is no mapping ever matches."""
        try:
            find = self._by_name[record.get("eventName")]
        except (TypeError, AttributeError):  # a name that is a list, a record that is no mapping
            find = self.run_all
        return find(record) if find is not None else ()

    def matching(self, record: Mapping[str, Any]) -> list[Rule]:
        """The rules that match, in the order of the rules."""
        return [self._rules[position] for position in self.positions(record)]

    def verdicts(self, record: Mapping[str, Any]) -> tuple[str, ...]:
        """The IDs of the rules that match, in the order of the rules."""
        try:  # `positions`, written out: most records end here
            find = self._by_name[record.get("eventName")]
        except (TypeError, AttributeError):
            find = self.run_all
        if find is None or not (found := find(record)):
            return ()
        return tuple([self._ids[position] for position in found])

    def run_all(self, record: Mapping[str, Any]) -> Positions:
        """What `positions` gives, by running every predicate."""
        if not isinstance(record, Mapping):
            return ()
        return tuple(at for at, rule in enumerate(self._rules) if rule.predicate is not None and rule.predicate(record))

    # --- views of records -------------------------------------------------------------------------------------

    def candidates(self, columns: Sequence[Iterator[Any]]) -> list[int]:
        """Which of many records could match, from the values of `fields` alone: their numbers, counted from 0.

        A column holds one field of every record: a text, `None` where it is null, `msgspec.UNSET` where it is absent.
        """
        if len(columns) == 1:
            return list(compress(count(), map(self._named.__getitem__, *columns)))
        names, sources, *others = columns
        seen = list(zip(names, sources, strict=True))
        passed = [map(gate.__getitem__, column) for gate, column in zip(self._gates.values(), others, strict=True)]
        rows = list(zip(map(self._direct.__getitem__, seen), *passed, strict=True))
        return [
            at for at in compress(count(), map(any, rows)) if rows[at][0] or self._can_match(seen[at], rows[at][1:])
        ]

    def _can_match(self, pair: tuple[Any, Any], passed: Sequence[Positions]) -> bool:
        gated = self._plans[pair].gated
        return any(not gated.isdisjoint(positions) for positions in passed)

    # --- plans ------------------------------------------------------------------------------------------------

    def _find_by_name(self, name: Any) -> Find | None:
        """How to find what matches records with this event name; `None`: nothing can."""
        if type(name) is not str:
            return self.run_all
        if not self.index.unnamed and fold(name) not in self.index.named:
            return None
        by_source: dict[Any, Find | None] = _remembered(lambda source: self._find_by_pair(name, source))

        def find(record: Mapping[str, Any]) -> Positions:
            try:
                found = by_source[record.get("eventSource")]
            except TypeError:  # a source that is a list
                return self.run_all(record)
            return found(record) if found is not None else ()

        return find

    def _find_by_pair(self, name: str, source: Any) -> Find | None:
        return self._plans[name, source].find if type(source) is str else self.run_all

    def _is_named(self, name: Any) -> bool:
        return type(name) is not str or fold(name) in self.index.named

    def _is_direct(self, pair: tuple[Any, Any]) -> bool:
        name, source = pair
        return type(name) is not str or type(source) is not str or self._plans[pair].direct

    def _plan(self, pair_of: tuple[str, str]) -> _Plan:
        """What records with this event name and source can match."""
        name, source = pair_of
        pair = {NAME: name, SOURCE: source}
        fixed: list[int] = []
        direct: list[tuple[int, Residual]] = []
        gated: dict[int, bool | Residual] = {}
        for position in (*self.index.named.get(fold(name), ()), *self.index.unnamed):
            left = self._residual(position, pair)
            if left is False:
                continue
            if position in self._gate_of:
                gated[position] = left
            elif isinstance(left, Residual):
                direct.append((position, left))
            else:
                fixed.append(position)
        find = find_directly(sorted(fixed), sorted(direct, key=lambda item: item[0]))
        if gated:
            gates = {id(gate): gate for gate in map(self._gate_of.__getitem__, gated)}
            find = find_gated(find, list(gates.values()), gated)
        return _Plan(find, bool(fixed or direct), frozenset(gated))

    def _residual(self, position: int, pair: Mapping[str, str]) -> bool | Residual:
        """What a pair leaves of a rule; made once for each outcome of the tests that the pair decides."""
        deciding = self._decided_by_pair[position]
        verdicts = tuple([holds(test, pair) for test in deciding])
        key = (position, verdicts)
        if key not in self._residuals:
            known = dict(zip(map(id, deciding), verdicts, strict=True))
            self._residuals[key] = residual(self._definitions[position], lambda test, _: known.get(id(test)))
        return self._residuals[key]


def _remembered(function: Callable[[Any], Any]) -> Remembered:
    return Remembered(function, most=_REMEMBERED, worth=_is_text)


def _is_text(key: object) -> bool:
    """Whether it is one text, or several."""
    return type(key) is str or (type(key) is tuple and all(type(part) is str for part in key))

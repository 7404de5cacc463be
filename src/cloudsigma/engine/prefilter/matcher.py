"""Finds the detection rules that match one record: first by the index, then with partially evaluated rules.

A plan is built for each pair of event name and source when it first occurs: the rules that can still match, each
reduced to the tests that the pair does not decide. Rules without required event names use a prefilter on one other
field. For an unusual record (no event name, or one that is not text) every predicate runs.

A matcher caches plans, predicates and verdicts on texts. Together they take at most `memo.MOST_BYTES` (32 MiB).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import compress, count
from typing import Any, NamedTuple

from cloudsigma import ir
from cloudsigma.engine.evaluate.codegen import generate
from cloudsigma.engine.evaluate.loading import Predicate, Vocabulary
from cloudsigma.engine.evaluate.operators import fold
from cloudsigma.engine.memo import Budget
from cloudsigma.engine.prefilter.index import NAME, SOURCE, Index, build_index
from cloudsigma.engine.prefilter.plan import (
    Find,
    Positions,
    Prefilter,
    find_directly,
    find_prefiltered,
)
from cloudsigma.engine.prefilter.reduction import Reducible, Residual
from cloudsigma.engine.rule import Rule

_ENTRIES = 20_000
"""Most event names, and most pairs of name and source, that are cached."""
_SMALL, _LARGE = 100, 2_000
"""Bytes of a cached verdict, and of a function with its memo."""
_PER_RULE = 100
"""Bytes that a rule takes in a plan."""


class _Plan(NamedTuple):
    find: Find | None
    """`None`: no rule can match."""
    direct: bool
    """Whether there are rules without a prefilter."""
    prefiltered: frozenset[int]
    """Rules that can match if the record passes their prefilter."""
    size: int
    """Bytes that it takes."""


class Matcher:
    """Finds the rules that match, among rules whose log source covers the records."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [rule for rule in rules if isinstance(rule.definition, ir.DetectionRule)]
        self._ids = [rule.id for rule in self._rules]
        self._definitions = [rule.definition for rule in self._rules if isinstance(rule.definition, ir.DetectionRule)]
        self._budget = Budget()
        self._vocabulary = Vocabulary(self._budget)
        self.index: Index = build_index(self._definitions, self._vocabulary)
        self._prefilters = {name: Prefilter(name, tests, self._budget) for name, tests in self.index.prefilters.items()}
        self._prefilter_of = {
            position: self._prefilters[name] for name, tests in self.index.prefilters.items() for position, _ in tests
        }
        memo = self._budget.memo
        self._reducible: dict[int, Reducible] = {}
        self._residuals = memo(self._reduce, entries=_ENTRIES, size=_size_of_residual, worth=bool)
        self._plans = memo(self._plan, entries=_ENTRIES, size=lambda plan: plan.size)
        self._by_name = memo(self._find_by_name, entries=_ENTRIES, size=lambda _: _LARGE)
        self._named = memo(self._is_named, entries=_ENTRIES, size=lambda _: _SMALL)
        self._direct = memo(self._is_direct, entries=_ENTRIES, size=lambda _: _SMALL)
        self.fields: tuple[str, ...] = (NAME, SOURCE, *self._prefilters) if self.index.unnamed else (NAME,)
        """The fields that `candidates` reads, as dotted names."""

    @property
    def found_by(self) -> dict[str, str | None]:
        """Rule ID → index field; `None`: the rule is evaluated on every record."""
        return dict(zip(self._ids, self.index.found_by, strict=True))

    @property
    def remembered(self) -> int:
        """Bytes of the caches, estimated."""
        return self._budget.used

    # --- whole records ----------------------------------------------------------------------------------------

    def positions(self, record: Mapping[str, Any]) -> Positions:
        """The positions of the rules that match; a value other than a mapping matches nothing."""
        try:
            find = self._by_name[record.get("eventName")]
        except (TypeError, AttributeError):  # a name that is a list, a record that is not a mapping
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
        """The result of `positions`, by running every predicate."""
        if not isinstance(record, Mapping):
            return ()
        return tuple([at for at, predicate in enumerate(self._predicates) if predicate(record)])

    @cached_property
    def _predicates(self) -> list[Predicate]:
        return [
            self._vocabulary.load(generate(rule), rule.metadata.path or rule.metadata.id) for rule in self._definitions
        ]

    # --- views of records -------------------------------------------------------------------------------------

    def accepted(self) -> None:
        """Does nothing: this probe counts no records."""

    def candidates(self, columns: Sequence[Iterator[Any]]) -> list[int]:
        """Which of many records could match, from the values of `fields` alone: their numbers, counted from 0.

        A column holds one field of every record: a text, `None` if null, `msgspec.UNSET` if absent.
        """
        if len(columns) == 1:
            return list(compress(count(), map(self._named.__getitem__, *columns)))
        names, sources, *others = columns
        seen = list(zip(names, sources, strict=True))
        passed = [
            map(prefilter.passing.__getitem__, column)
            for prefilter, column in zip(self._prefilters.values(), others, strict=True)
        ]
        rows = list(zip(map(self._direct.__getitem__, seen), *passed, strict=True))
        return [
            at for at in compress(count(), map(any, rows)) if rows[at][0] or self._can_match(seen[at], rows[at][1:])
        ]

    def _can_match(self, pair: tuple[Any, Any], passed: Sequence[Positions]) -> bool:
        prefiltered = self._plans[pair].prefiltered
        return any(not prefiltered.isdisjoint(positions) for positions in passed)

    # --- plans ------------------------------------------------------------------------------------------------

    def _find_by_name(self, name: Any) -> Find | None:
        """How to find the rules that match records with this event name; `None`: no rule can."""
        if type(name) is not str:
            return self.run_all
        if not self.index.unnamed and fold(name) not in self.index.named:
            return None
        by_source = self._budget.memo(
            lambda source: self._find_by_pair(name, source), entries=_ENTRIES, size=lambda _: _SMALL
        )

        def find(record: Mapping[str, Any]) -> Positions:
            try:
                found = by_source[record.get("eventSource")]
            except TypeError:  # a source that is a list
                return self.run_all(record)
            return found(record) if found is not None else ()

        return find

    def _find_by_pair(self, name: str, source: Any) -> Find | None:
        if type(source) is not str:
            return self.run_all
        plan: _Plan = self._plans[name, source]
        return plan.find

    def _is_named(self, name: Any) -> bool:
        return type(name) is not str or fold(name) in self.index.named

    def _is_direct(self, pair: tuple[Any, Any]) -> bool:
        name, source = pair
        return type(name) is not str or type(source) is not str or self._plans[pair].direct

    def _plan(self, pair_of: tuple[str, str]) -> _Plan:
        """The rules that records with this event name and source can match."""
        name, source = pair_of
        pair = {NAME: name, SOURCE: source}
        fixed: list[int] = []
        direct: list[tuple[int, Residual]] = []
        prefiltered: dict[int, bool | Residual] = {}
        for position in (*self.index.named.get(fold(name), ()), *self.index.unnamed):
            left = self._residuals[position, self._rule(position).verdicts(pair)]
            if left is False:
                continue
            if position in self._prefilter_of:
                prefiltered[position] = left
            elif isinstance(left, Residual):
                direct.append((position, left))
            else:
                fixed.append(position)
        find = find_directly(sorted(fixed), sorted(direct, key=lambda item: item[0]), self._budget)
        if prefiltered:
            used = {id(each): each for each in map(self._prefilter_of.__getitem__, prefiltered)}
            find = find_prefiltered(find, list(used.values()), prefiltered)
        size = _LARGE + _PER_RULE * (len(fixed) + len(direct) + len(prefiltered))
        return _Plan(find, bool(fixed or direct), frozenset(prefiltered), size)

    def _rule(self, position: int) -> Reducible:
        rule = self._reducible.get(position)
        if rule is None:
            rule = self._reducible[position] = Reducible(self._definitions[position], (NAME, SOURCE), self._vocabulary)
        return rule

    def _reduce(self, key: tuple[int, bytes]) -> bool | Residual:
        """The reduced rule, built once for each outcome of the tests that a pair decides."""
        position, verdicts = key
        return self._rule(position).residual(verdicts)


def _size_of_residual(left: bool | Residual) -> int:  # noqa: FBT001  # what a memo holds
    return left.size if isinstance(left, Residual) else _SMALL

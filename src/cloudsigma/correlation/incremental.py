"""Whether a condition holds for a sliding frame, updated moment by moment.

A tracker receives the moments that enter the frame at its end, in order of time, and those that leave it at its start.
Its results equal those of `aggregation.holds` for the frame between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from cloudsigma import ir
from cloudsigma.correlation.aggregation import COMPARISONS
from cloudsigma.correlation.chain import Chain
from cloudsigma.correlation.condition import terms, truth
from cloudsigma.correlation.entry import Moment
from cloudsigma.correlation.total import Total


class Tracker(Protocol):
    """Follows one frame."""

    def add(self, time: float, moment: Moment) -> None:
        """A moment enters the frame at its end."""

    def drop(self, moment: Moment) -> None:
        """A moment, the first of the frame, leaves it."""

    def holds(self, start: float) -> bool:
        """Whether the condition holds for the frame that starts at this time."""
        ...


def tracker_of(rule: ir.CorrelationRule) -> Callable[[], Tracker]:
    """A factory of trackers for a condition with sliding frames."""
    if rule.expression is not None:
        if rule.type == "temporal_ordered":
            chains = [[name for name in rule.rules if name in wanted] for wanted, _ in terms(rule.expression)]
            return partial(_Order, [(chain, len(chain)) for chain in chains])
        return partial(_Presence, partial(truth, rule.expression))
    if rule.threshold is None:
        raise AssertionError(rule)
    compares, limit = COMPARISONS[rule.threshold.operator], rule.threshold.value
    match rule.type:
        case "temporal":
            return partial(_Presence, lambda present: compares(len(present), limit))
        case "temporal_ordered":
            enough = [length for length in range(len(rule.rules) + 1) if compares(length, limit)]
            return partial(_Order, [(rule.rules, enough[0])] if enough else [])
        case "value_count":
            return partial(_DifferentValues, compares, limit)
        case "value_sum":
            return partial(_Sum, compares, limit)
        case _:
            return partial(_Count, compares, limit)


Compares = Callable[[int | float, int | float], bool]


class _Count:
    __slots__ = ("_compares", "_count", "_limit")

    def __init__(self, compares: Compares, limit: int | float) -> None:
        self._compares = compares
        self._limit = limit
        self._count = 0

    def add(self, _: float, moment: Moment) -> None:
        self._count += len(moment)

    def drop(self, moment: Moment) -> None:
        self._count -= len(moment)

    def holds(self, _: float) -> bool:
        return self._compares(self._count, self._limit)


class _DifferentValues:
    __slots__ = ("_compares", "_counts", "_limit")

    def __init__(self, compares: Compares, limit: int | float) -> None:
        self._compares = compares
        self._limit = limit
        self._counts: dict[object, int] = {}

    def add(self, _: float, moment: Moment) -> None:
        counts = self._counts
        for entry in moment.values():
            for value in entry.measured:
                counts[value] = counts.get(value, 0) + 1

    def drop(self, moment: Moment) -> None:
        counts = self._counts
        for entry in moment.values():
            for value in entry.measured:
                if counts[value] == 1:
                    del counts[value]
                else:
                    counts[value] -= 1

    def holds(self, _: float) -> bool:
        return self._compares(len(self._counts), self._limit)


class _Sum:
    __slots__ = ("_compares", "_limit", "_total")

    def __init__(self, compares: Compares, limit: int | float) -> None:
        self._compares = compares
        self._limit = limit
        self._total = Total()

    def add(self, _: float, moment: Moment) -> None:
        for entry in moment.values():
            for number in entry.measured:
                self._total.add(number)

    def drop(self, moment: Moment) -> None:
        for entry in moment.values():
            for number in entry.measured:
                self._total.add(number, -1)

    def holds(self, _: float) -> bool:
        return self._compares(self._total.value, self._limit)


class _Presence:
    """Keeps for each rule the latest time of an entry: the rule is in the frame if that is not before its start."""

    __slots__ = ("_holds", "_latest")

    def __init__(self, holds: Callable[[list[str]], bool]) -> None:
        self._holds = holds
        self._latest: dict[str, float] = {}

    def add(self, time: float, moment: Moment) -> None:
        for entry in moment.values():
            for rule in entry.rules:
                self._latest[rule] = time

    def drop(self, moment: Moment) -> None:
        pass

    def holds(self, start: float) -> bool:
        return self._holds([rule for rule, time in self._latest.items() if time >= start])


class _Order:
    """Holds if one of the chains has the required length."""

    __slots__ = ("_chains",)

    def __init__(self, wanted: Sequence[tuple[Sequence[str], int]]) -> None:
        self._chains = [(Chain(rules, length), length) for rules, length in wanted]

    def add(self, time: float, moment: Moment) -> None:
        for chain, _ in self._chains:
            chain.add(time, moment.values())

    def drop(self, moment: Moment) -> None:
        pass

    def holds(self, start: float) -> bool:
        return any(chain.start(length) >= start for chain, length in self._chains)

"""The longest chain of entries for rules in their order (`temporal_ordered`), updated as a frame slides."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from cloudsigma.correlation.entry import Entry

_NEVER = -math.inf


class Chain:
    """For every length of chain, the latest time at which one starts, over the moments added so far.

    Moments are added in order of time. Times of a chain do not decrease, and no entry is used twice; entries of one
    moment may be in any order. A frame that starts at `s` and whose moments have all been added holds a chain of a
    length if the latest start for it is not before `s`: so nothing has to be removed as the frame slides.

    Args:
        rules: IDs in their order.
        longest: The longest length of interest; longer chains count as this long.
    """

    def __init__(self, rules: Sequence[str], longest: int) -> None:
        self._positions = {rule: at for at, rule in enumerate(rules)}
        self._rules = rules
        self._longest = longest
        # starts[j][n]: of a chain of n entries over the first j rules; a chain of none may start at any time
        self._starts = [[math.inf, *[_NEVER] * longest] for _ in range(len(rules) + 1)]

    def start(self, length: int) -> float:
        """The latest time at which a chain of the length starts; minus infinity if no chain is that long."""
        return self._starts[-1][length]

    def add(self, time: float, moment: Iterable[Entry]) -> None:
        """Take the entries of the next time."""
        kinds = {entry.rules for entry in moment}
        if len(kinds) == 1:
            (rules,) = kinds
            if len(rules) == 1:
                if (at := self._positions.get(rules[0])) is not None:
                    self._add_one(time, at)
                return
        self._add_several(time, moment)

    def _add_one(self, time: float, at: int) -> None:
        """A moment in which one rule alone has entries: at most one of them takes part."""
        before = self._starts[at]
        after = self._starts[at + 1 :]
        for length in range(self._longest, 0, -1):
            start = min(before[length - 1], time)
            for row in after:
                if row[length] >= start:
                    break  # rows never decrease
                row[length] = start

    def _add_several(self, time: float, moment: Iterable[Entry]) -> None:
        """Any run of rules can be matched to different entries of the moment."""
        candidates = self._candidates(moment)
        new = [row.copy() for row in self._starts]
        for first in range(len(self._rules)):
            matched: dict[int, int] = {}
            size = 0
            for end in range(first, len(self._rules)):
                size += self._augment(end, candidates, matched, set())
                for length in range(self._longest if size else 0):
                    start = min(self._starts[first][length], time)
                    for more in range(1, size + 1):
                        total = min(length + more, self._longest)
                        new[end + 1][total] = max(new[end + 1][total], start)
        for before, row in pairwise(new):
            row[:] = map(max, before, row)
        self._starts = new

    def _candidates(self, moment: Iterable[Entry]) -> list[frozenset[int]]:
        """The positions that entries can take; of entries that are alike, no more than there are rules."""
        counts: dict[tuple[str, ...], int] = {}
        for entry in moment:
            counts[entry.rules] = min(counts.get(entry.rules, 0) + 1, len(self._rules))
        positions = self._positions
        found = []
        for rules, count in counts.items():
            found += [frozenset(positions[rule] for rule in rules if rule in positions)] * count
        return found

    def _augment(self, at: int, candidates: Sequence[frozenset[int]], matched: dict[int, int], tried: set[int]) -> int:
        """Match the rule at a position to an entry, moving others if necessary; returns 1 on success, else 0."""
        for index, candidate in enumerate(candidates):
            if at in candidate and index not in tried:
                tried.add(index)
                if index not in matched or self._augment(matched[index], candidates, matched, tried):
                    matched[index] = at
                    return 1
        return 0

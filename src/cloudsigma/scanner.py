"""Files to matches: reader, rule set and ledger together."""

from __future__ import annotations

import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from cloudsigma.engine.match import Match
from cloudsigma.reading import Limits, Reader
from cloudsigma.reading.ledger import Ledger
from cloudsigma.ruleset import RuleSet

_REMEMBERED = 1_000_000
"""Keys of matches that are remembered for deduplication; the oldest are forgotten first."""


class Scan:
    """The matches of files, found while it is iterated, and what was read for them.

    Lazy: one file is read at a time. Iterating it again reads the files again.
    """

    def __init__(
        self,
        paths: tuple[str | os.PathLike[str], ...],
        rules: RuleSet,
        *,
        dedup: bool = True,
        progress: Callable[..., None] | None = None,
        stdin: BinaryIO | None = None,
    ) -> None:
        self.rules = rules
        """The rules that are evaluated."""
        self.counts: Counter[str] = Counter()
        """Matches given so far, by rule ID."""
        self.repeated = 0
        """Matches left out so far because the same event had matched the same rule before."""
        self._dedup = dedup
        self._reader = Reader(paths, Limits(), progress, stdin, rules.probe)

    @property
    def ledger(self) -> Ledger:
        """What was read so far, and what was not and why; whole once the iteration has ended."""
        return self._reader.ledger

    def __iter__(self) -> Iterator[Match]:
        self.counts.clear()
        self.repeated = 0
        seen: OrderedDict[str, None] = OrderedDict()
        for match in self.rules.evaluate_with_origin(self._reader.with_origin()):
            if self._dedup:
                if match.key in seen:
                    self.repeated += 1
                    continue
                seen[match.key] = None
                if len(seen) > _REMEMBERED:
                    seen.popitem(last=False)
            self.counts[match.rule_id] += 1
            yield match

    def to_dict(self) -> dict[str, Any]:
        """The account of the scan so far, for JSON."""
        return {"matches": dict(self.counts), "repeated": self.repeated, "ledger": self.ledger.to_dict()}

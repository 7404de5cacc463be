"""The one loop over matches: yields those to report, and those that correlations complete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from cloudsigma.correlation.correlator import Correlator
from cloudsigma.engine.match import Match


class MatchStream:
    """Takes the matches of one record after another, and returns those to report.

    Args:
        suppressed: IDs of rules whose matches only go into correlations.
        correlator: Takes all matches; `None` if no rule is a correlation.
    """

    def __init__(self, suppressed: Collection[str], correlator: Correlator | None) -> None:
        self._suppressed = suppressed
        self.correlator = correlator
        self.left_out: Counter[str] = Counter()
        """Suppressed matches, by rule ID."""

    def feed(self, matches: Iterable[Match], *, correlate: bool = True) -> Iterator[Match]:
        """The reported matches of one record, then those of correlations that they complete."""
        matches = tuple(matches)
        yield from self.shown(matches)
        if self.correlator is not None and matches and correlate:
            yield from self.shown(self.correlator.feed(matches))

    def shown(self, matches: Iterable[Match]) -> Iterator[Match]:
        """The matches to report; the suppressed ones are counted."""
        for match in matches:
            if match.rule_id in self._suppressed:
                self.left_out[match.rule_id] += 1
            else:
                yield match

    def close(self) -> Iterator[Match]:
        """The matches of all frames that are still open, at the end of the input."""
        if self.correlator is not None:
            yield from self.shown(self.correlator.close())

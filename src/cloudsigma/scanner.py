"""Files to matches: sources, reader, rule set, workers and ledger together."""

from __future__ import annotations

import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from cloudsigma.engine.match import Match, make_matches
from cloudsigma.errors import UsageError
from cloudsigma.reading import Progress
from cloudsigma.reading.ledger import Ledger, Recorder
from cloudsigma.reading.selection import Selection
from cloudsigma.reading.sources.finder import SourceFinder
from cloudsigma.ruleset import RuleSet
from cloudsigma.workers import Found, Job, Line, cores, run

_REMEMBERED = 1_000_000
"""Keys of matches that are remembered for deduplication; the oldest are forgotten first."""


class Scan:
    """The matches of files, found while it is iterated, and what was read for them.

    Lazy: files are read one at a time, or as many as there are jobs. Iterating it again reads the files again.
    """

    def __init__(
        self,
        paths: tuple[str | os.PathLike[str], ...],
        rules: RuleSet,
        *,
        dedup: bool = True,
        jobs: int | None = 1,
        progress: Callable[..., None] | None = None,
        stdin: BinaryIO | None = None,
        selection: Selection | None = None,
    ) -> None:
        """`jobs`: processes; `None` for as many as there are cores, where there is enough to read."""
        if jobs is not None and jobs < 1:
            raise UsageError(f"jobs is {jobs}; give 1 or more, or None for as many as there are cores")
        self.rules = rules
        """The rules that are evaluated."""
        self.counts: Counter[str] = Counter()
        """Matches given so far, by rule ID."""
        self.repeated = 0
        """Matches left out so far because the same event had matched the same rule before."""
        self._dedup = dedup
        self._jobs = jobs
        self._progress = progress
        self._selection = selection or Selection()
        self._finder = SourceFinder(paths, self._selection, stdin)
        self._recorder = Recorder()

    @property
    def ledger(self) -> Ledger:
        """What was read so far, and what was not and why; whole once the iteration has ended."""
        return self._recorder.ledger

    def __iter__(self) -> Iterator[Match]:
        seen = self._begin()
        per_record = (_matches(self.rules, found) for found in self._found(lines=False))
        for match in self.rules.evaluate_matches(per_record):
            if self._is_new(match.rule_id, match.key, seen):
                yield match

    def lines(self, *, record: bool = True) -> Iterator[bytes]:
        """`match.to_json_bytes()` of each match, without a line break.

        Where there are several jobs and no correlations, each writes its own, which is quicker than sending matches.
        """
        if any(rule.correlation is not None for rule in self.rules):
            yield from (match.to_json_bytes(record=record) for match in self)
            return
        seen = self._begin()
        for line in self._found(lines=True, record=record):
            if isinstance(line, Line) and self._is_new(line.rule_id, line.key, seen):
                yield line.text

    def _begin(self) -> OrderedDict[str, None]:
        self.counts.clear()
        self.repeated = 0
        return OrderedDict()

    def _found(self, *, lines: bool, record: bool = True) -> Iterator[Found | Line]:
        """What matches in all sources, in their order; counted as it is taken."""
        recorder = self._recorder = Recorder()
        sources = self._finder.find(recorder)
        total = 0
        if self._progress is not None:
            listed = list(sources)
            sources, total = iter(listed), len(listed)
        done = 0

        def advance(part: Recorder | None = None) -> None:
            if self._progress is not None:
                self._progress(Progress(done, total, recorder.records + (part.records if part is not None else 0)))

        job = Job(self.rules, self._selection, lines, record)
        jobs = cores() if self._jobs is None else self._jobs
        for outcome in run(job, sources, jobs, always=self._jobs is not None, tick=advance):
            try:
                yield from outcome.found
            finally:  # whoever stops here, for a reason of their own, is told what was read until then
                recorder.add(outcome.recorder)
            done += outcome.files
            advance()

    def _is_new(self, rule_id: str, key: str, seen: OrderedDict[str, None]) -> bool:
        """Whether a match is to be given: it is counted then."""
        if self._dedup:
            if key in seen:
                self.repeated += 1
                return False
            seen[key] = None
            if len(seen) > _REMEMBERED:
                seen.popitem(last=False)
        self.counts[rule_id] += 1
        return True

    def to_dict(self) -> dict[str, Any]:
        """The account of the scan so far, for JSON."""
        return {"matches": dict(self.counts), "repeated": self.repeated, "ledger": self.ledger.to_dict()}


def _matches(rules: RuleSet, found: Found | Line) -> tuple[Match, ...]:
    if isinstance(found, Line):  # not asked for
        return ()
    return make_matches([rules[rule_id] for rule_id in found.rule_ids], found.record, found.origin)

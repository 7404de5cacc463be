"""What every row needs: corpora, rules, peers, how often and how large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import ours
from contest import Contender, Outcome, hold
from corpora import Corpora, Corpus
from matches import Found, Reader, id_lines, json_lines
from peers import Peers
from process import run
from results import Goal, Line, Row
from rule_folders import RuleFolders


@dataclass(frozen=True)
class Sizes:
    """How many records."""

    small: int = 200_000
    big: int = 2_000_000
    """Where starting up would blur the figure."""
    huge: int = 10_000_000
    """Where memory is looked at; the same files many times over."""
    sample: int = 20_000
    """For engines that take milliseconds a record."""
    least: int = 1_000
    """For those that take ten."""


QUICK = Sizes(small=10_000, big=20_000, huge=100_000, sample=2_000, least=200)


@dataclass
class Bench:
    """One run of the benchmarks."""

    work: Path
    corpora: Corpora
    rules: RuleFolders
    peers: Peers
    sizes: Sizes
    runs: int
    measured_on: str
    _found: dict[tuple[str, ...], Found] = field(default_factory=dict)

    def ours(
        self,
        paths: Sequence[Path],
        records: int,
        *,
        rules: Sequence[Path] = (),
        bundled: bool = True,
        work: str = "",
        expected: Found | None = None,
        read: Reader | None = json_lines,
    ) -> Contender:
        """This project at work on one core, with full output."""
        command = ours.scan(*paths, rules=rules, bundled=bundled)
        return Contender(ours.NAME, command, records, work, ours.environment(self.work), read=read, expected=expected)

    def found(self, path: Path, *, rules: Sequence[Path] = (), bundled: bool = True) -> Found:
        """What this project finds there; scanned once a run."""
        command = ours.scan(path, rules=rules, bundled=bundled, form="ids")
        key = tuple(command)
        if key not in self._found:
            output = self.work / "ids.txt"
            run(command, output, env=ours.environment(self.work))
            self._found[key] = id_lines(output)
        return self._found[key]

    def with_runs(self, runs: int) -> Bench:
        """The same with another number of runs."""
        return replace(self, runs=runs)

    def hold(self, contenders: Sequence[Contender]) -> tuple[list[Outcome], list[str]]:
        """Run contenders in turn; see `contest.hold`."""
        return hold(contenders, self.runs, self.work)

    def row(
        self,
        name: str,
        title: str,
        corpus: Corpus | str,
        *,
        goals: Sequence[Goal] = (),
        lines: Sequence[Line] = (),
        notes: Sequence[str] = (),
    ) -> Row:
        """A row of the table, as of this run."""
        label = corpus if isinstance(corpus, str) else corpus.label
        return Row(name, title, self.measured_on, self.runs, label, tuple(goals), tuple(lines), tuple(notes))


def line_of(outcomes: Sequence[Outcome], name: str) -> Line | None:
    """The line of a contender, where it ran."""
    return next((each.line for each in outcomes if each.line.name == name), None)


def ratio_goal(outcomes: Sequence[Outcome], name: str, what: str, bound: float) -> list[Goal]:
    """The goal that a contender takes at least so many times our time; none where it did not run."""
    line = line_of(outcomes, name)
    return [] if line is None or line.ratio is None else [Goal(what, bound, line.ratio, "x")]

"""Row 8: two jobs against one, and memory as the input grows."""

from __future__ import annotations

from pathlib import Path

import ours
from bench import Bench
from contest import Contender
from msgspec.structs import replace
from process import Taken, cores
from results import Goal, Row, Spread

NAME = "8-jobs-and-memory"
TITLE = "Two jobs against one, by the clock; and peak memory as the input grows"
JOBS = 2


def run(bench: Bench) -> Row:
    """Jobs over many records with few matches; memory over the same files many times."""
    big, small = bench.corpora.main(bench.sizes.big), bench.corpora.main(bench.sizes.small)
    few = bench.corpora.main(bench.sizes.huge // 100)
    many = bench.corpora.repeated(small, max(1, bench.sizes.huge // small.records))
    repeated = small.records * max(1, bench.sizes.huge // small.records)
    notes: list[str] = []
    goals: list[Goal] = []
    contenders = [_scan(bench, big.trail, big.records, 1)]
    if len(cores()) < JOBS:
        notes.append("one job only: this machine has one core")
    else:
        contenders.append(_scan(bench, big.trail, big.records, JOBS))
    outcomes, failed = bench.hold(contenders)
    jobs = len(contenders)
    if len(outcomes) == JOBS:
        one, two = (each.taken for each in outcomes)
        faster = Spread.of(alone.wall / both.wall for alone, both in zip(one, two, strict=True))
        goals.append(Goal("as fast with two jobs", 1.7, faster, "x"))
    growing, more = bench.with_runs(1).hold(
        [
            _scan(bench, few.trail, few.records, jobs, f"{few.records:,} records"),
            _scan(bench, many, repeated, jobs, f"{repeated:,} records"),
        ]
    )
    if len(growing) == 2:
        less, much = (_peak(each.taken) for each in growing)
        goals.append(
            Goal("peak memory of the largest input to that of the smallest", 1.2, _over(much, less), "x", "most")
        )
        goals.append(Goal("peak memory of a process", 200, much, "MB", "most"))
    lines = [*(each.line for each in outcomes), *(replace(each.line, ratio=None) for each in growing)]
    return bench.row(NAME, TITLE, big, goals=goals, lines=lines, notes=[*notes, *failed, *more])


def _scan(bench: Bench, path: Path, records: int, jobs: int, work: str = "") -> Contender:
    command = ours.scan(path, jobs=jobs)
    name = f"{ours.NAME}, {jobs} {'job' if jobs == 1 else 'jobs'}{f', {work}' if work else ''}"
    return Contender(name, command, records, env=ours.environment(bench.work), one_core=False)


def _peak(taken: tuple[Taken, ...]) -> Spread:
    return Spread.of(each.peak / 1e6 for each in taken)


def _over(much: Spread, less: Spread) -> Spread:
    return Spread.of([much.median / less.median])

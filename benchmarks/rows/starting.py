"""Row 7: loading rules, and starting up. Every run is a fresh process."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import ours
from bench import Bench
from contest import Contender, Outcome
from results import Goal, Row, Spread

NAME = "7-starting"
TITLE = "Loading SigmaHQ's main collection, and starting up; fresh processes, CPU time"

LOAD = "import sys, cloudsigma; print(len(cloudsigma.compile_rules(sys.argv[1], on_error='skip', cache=True)))"
PYSIGMA = (
    "import sys; from sigma.collection import SigmaCollection; "
    "print(len(SigmaCollection.load_ruleset([sys.argv[1]], collect_errors=True)))"
)
BARE, IMPORT, HELP, SCAN = "python -c pass", "import cloudsigma", "cloudsigma --help", "scan of ten records, cold"
COLD, WARM, UPSTREAM = "load, cold", "load, warm", "pySigma's load_ruleset"
LEAST_RUNS = 9


def run(bench: Bench) -> Row:
    """A cold run has an empty cache of rules; the bytecode of the modules is there in all of them."""
    ten = bench.corpora.json_lines(bench.corpora.main(bench.sizes.small), 10)
    cold = bench.work / "cold-cache"
    empty = {"XDG_CACHE_HOME": str(cold)}

    def forget() -> None:
        shutil.rmtree(cold, ignore_errors=True)

    starts = [
        Contender(BARE, [sys.executable, "-c", "pass"], 1, unit="start"),
        Contender(IMPORT, [sys.executable, "-c", "import cloudsigma"], 1, unit="start"),
        Contender(HELP, [*ours.COMMAND, "--help"], 1, unit="start"),
        Contender(SCAN, ours.scan(ten), 1, env=empty, prepare=forget, unit="start"),
    ]
    outcomes, notes = _often(bench).hold(starts)
    goals = [
        *_seconds(outcomes, IMPORT, 60, "ms"),
        *_seconds(outcomes, HELP, 120, "ms"),
        *_seconds(outcomes, SCAN, 0.3, "s"),
    ]
    loads, more, loading = _loading(bench, empty, forget)
    lines = [each.line for each in (*outcomes, *loads)]
    return bench.row(NAME, TITLE, "no records", goals=[*loading, *goals], lines=lines, notes=[*notes, *more])


def _loading(
    bench: Bench, empty: dict[str, str], forget: Callable[[], None]
) -> tuple[list[Outcome], list[str], list[Goal]]:
    try:
        rules = bench.rules.everything()
    except FileNotFoundError as error:
        return [], [str(error)], []
    files = sum(1 for _ in Path(rules).rglob("*.yml"))
    command, upstream = [sys.executable, "-c", LOAD, str(rules)], [sys.executable, "-c", PYSIGMA, str(rules)]
    contenders = [
        Contender(COLD, command, files, f"{files:,} files", empty, prepare=forget, unit="files"),
        Contender(WARM, command, files, f"{files:,} files", ours.environment(bench.work), unit="files"),
        Contender(UPSTREAM, upstream, files, f"{files:,} files", unit="files"),
    ]
    outcomes, notes = bench.hold(contenders)
    upstreams = next((each.line.ratio for each in outcomes if each.line.name == UPSTREAM), None)
    goals = [*_seconds(outcomes, COLD, 1.5, "s"), *_seconds(outcomes, WARM, 0.15, "s")]
    if upstreams is not None:
        goals.append(Goal("cold, as fast as pySigma's `load_ruleset`", 3.5, upstreams, "x"))
    return outcomes, notes, goals


def _often(bench: Bench) -> Bench:
    """Starts are short and noisy: more runs cost nothing."""
    return bench.with_runs(max(bench.runs, LEAST_RUNS))


def _seconds(outcomes: list[Outcome], name: str, bound: float, unit: str) -> list[Goal]:
    scale = 1000 if unit == "ms" else 1
    return [
        Goal(name, bound, Spread.of(scale * taken.cpu for taken in each.taken), unit, "most")
        for each in outcomes
        if each.line.name == name
    ]

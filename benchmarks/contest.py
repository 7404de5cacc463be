"""Several contenders at the same work, by turns, so that a machine that drifts drifts for all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matches import Found, Reader, agreement
from process import RunError, Taken, run
from results import Line, Spread


@dataclass(frozen=True)
class Contender:
    """A command and the work that it does."""

    name: str
    command: Sequence[str]
    records: int
    work: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    read: Reader | None = None
    """How its output is read; `None` where it finds nothing by design."""
    expected: Found | None = None
    """What it should have found."""
    at_most: int = 1_000
    """Runs, where one takes long."""
    one_core: bool = True
    prepare: Callable[[], object] = lambda: None
    """Called before each run, and not measured."""
    unit: str = "records"


@dataclass(frozen=True)
class Outcome:
    """Of a contender: its line, and each of its runs."""

    contender: Contender
    line: Line
    taken: tuple[Taken, ...]


def hold(contenders: Sequence[Contender], runs: int, folder: Path) -> tuple[list[Outcome], list[str]]:
    """Run all contenders in turn; ratios are to the first, run by run, for a record.

    One run before the others is not measured: it fills caches, and its output is what is compared.

    Returns:
        What came of those that ran, and a note on each that could not.
    """
    found: dict[str, tuple[int | None, str]] = {}
    notes: list[str] = []
    taken: dict[str, list[Taken]] = {}
    for contender in contenders:
        try:
            found[contender.name] = _tried(contender, folder)
        except RunError as error:
            notes.append(f"{contender.name} failed: {str(error).strip().splitlines()[-1]}")
            continue
        taken[contender.name] = []
    running = [contender for contender in contenders if contender.name in taken]
    for number in range(runs):
        for contender in running:
            if number < contender.at_most:
                taken[contender.name].append(_once(contender, folder))
    outcomes = []
    for contender in running:
        matches, same = found[contender.name]
        ratio = None
        if contender is not contenders[0] and contenders[0] in running:
            ratio = _ratio(contender, taken[contender.name], contenders[0], taken[contenders[0].name])
        seconds = Spread.of(each.cpu for each in taken[contender.name])
        line = Line(
            contender.name,
            contender.work,
            contender.records,
            seconds,
            ratio,
            matches,
            same,
            contender.unit,
            max(each.peak for each in taken[contender.name]) / 1e6,
        )
        outcomes.append(Outcome(contender, line, tuple(taken[contender.name])))
    return outcomes, notes


def _ratio(contender: Contender, taken: list[Taken], first: Contender, its: list[Taken]) -> Spread:
    pairs = zip(taken, its, strict=False)
    return Spread.of((mine.cpu / contender.records) / (ours.cpu / first.records) for mine, ours in pairs)


def _tried(contender: Contender, folder: Path) -> tuple[int | None, str]:
    print(f"  {contender.name} ({contender.records:,} {contender.unit})", file=sys.stderr)
    output = folder / "output.txt"
    contender.prepare()
    run(contender.command, output, env=contender.env, one_core=contender.one_core)
    if contender.read is None:
        return None, ""
    found = contender.read(output)
    output.unlink()
    return len(found), "" if contender.expected is None else agreement(found, contender.expected)


def _once(contender: Contender, folder: Path) -> Taken:
    contender.prepare()
    output = folder / "output.txt"
    taken = run(contender.command, output, env=contender.env, one_core=contender.one_core)
    output.unlink()
    return taken

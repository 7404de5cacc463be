"""Row 5: verdicts over records in memory, against the time that `json.loads` needs to make them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import ours
from bench import Bench
from matches import Found, agreement
from process import run as run_process
from results import Goal, Line, Row, Spread

NAME = "5-in-memory"
TITLE = "`verdicts` over records in memory, as a share of the time of `json.loads` for the same"
PROGRAM = Path(__file__).parent.parent / "verdicts.py"


class Measured(msgspec.Struct, frozen=True):
    """What the program `verdicts.py` measured: seconds of CPU time, run by run."""

    records: int
    rules: int
    loads: list[float]
    verdicts: list[float]
    found: list[tuple[str, str]]


def run(bench: Bench) -> Row:
    """The bundled rules, those that name an event exactly, and all that there are."""
    corpus = bench.corpora.main(bench.sizes.small)
    records = bench.corpora.json_lines(corpus)
    sets: list[tuple[str, float, Sequence[Path], bool, bool]] = [("bundled", 10, (), True, False)]
    notes: tuple[str, ...] = ()
    try:
        more = [bench.rules.suzaku(), bench.rules.sigmahq()]
        sets += [("exact event names", 15, more, True, True), ("all", 35, more, True, False)]
    except FileNotFoundError as error:
        notes = (str(error),)
    goals: list[Goal] = []
    lines: list[Line] = []
    for what, bound, folders, bundled, exact in sets:
        measured = measure(bench, records, folders, bundled=bundled, exact=exact)
        share = Spread.of(100 * mine / loads for mine, loads in zip(measured.verdicts, measured.loads, strict=True))
        goals.append(Goal(f"{measured.rules} rules ({what})", bound, share, "%", "most"))
        same = ""
        if not exact:
            found: Found = frozenset(measured.found)
            same = agreement(found, bench.found(corpus.trail, rules=folders, bundled=bundled))
        seconds = Spread.of(measured.verdicts)
        work = f"verdicts, {measured.rules} rules"
        lines.append(Line(ours.NAME, work, measured.records, seconds, None, len(measured.found), same))
        if what == sets[-1][0]:
            lines.append(Line("json.loads", "makes the records", measured.records, Spread.of(measured.loads)))
    return bench.row(NAME, TITLE, corpus, goals=goals, lines=lines, notes=notes)


def measure(bench: Bench, records: Path, folders: Sequence[Path], *, bundled: bool, exact: bool = False) -> Measured:
    """Run `verdicts.py`, which see."""
    options = [*(["--bundled"] if bundled else []), *(["--exact"] if exact else [])]
    command = [ours.COMMAND[0], str(PROGRAM), str(records), *map(str, folders), "--runs", str(bench.runs), *options]
    output = bench.work / "verdicts.json"
    run_process(command, output, env=ours.environment(bench.work))
    return msgspec.json.decode(output.read_bytes(), type=Measured)

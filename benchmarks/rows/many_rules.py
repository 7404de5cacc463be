"""Row 6: what a record costs with a hundred times the rules."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import ours
from bench import Bench
from results import Goal, Line, Row, Spread
from rule_folders import EXACT_NAMES

from rows.in_memory import measure

NAME = "6-many-rules"
TITLE = "100 against 10,000 generated rules, each with an exact event name"


def run(bench: Bench) -> Row:
    """The same hundred names that occur are in both sets; the other rules are for names that do not."""
    corpus = bench.corpora.main(bench.sizes.small)
    records = bench.corpora.json_lines(corpus)
    names = _names(corpus.trail)[:100]
    lines: list[Line] = []
    taken: list[list[float]] = []
    for count in (100, EXACT_NAMES):
        measured = measure(bench, records, [bench.rules.exact(count, names)], bundled=False)
        taken.append(measured.verdicts)
        work = f"verdicts, {measured.rules:,} rules"
        seconds = Spread.of(measured.verdicts)
        lines.append(Line(ours.NAME, work, measured.records, seconds, None, len(measured.found)))
    few, many = taken
    ratio = Spread.of(more / less for more, less in zip(many, few, strict=True))
    notes = [] if lines[0].matches == lines[1].matches else ["the two sets of rules do not find the same"]
    goals = [Goal("the time a record of a hundredth of the rules", 1.5, ratio, "x", "most")]
    return bench.row(NAME, TITLE, corpus, goals=goals, lines=lines, notes=notes)


def _names(trail: Path) -> list[str]:
    """The event names of some files, the most frequent first."""
    counted: Counter[str] = Counter()
    for path in sorted(trail.rglob("*.json.gz"))[:10]:
        counted.update(record["eventName"] for record in json.loads(gzip.decompress(path.read_bytes()))["Records"])
    return [name for name, _ in counted.most_common()]

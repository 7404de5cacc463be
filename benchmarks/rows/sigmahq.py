"""Row 3: SigmaHQ's rules for CloudTrail and the bundled ones; one record in sixteen matches."""

from __future__ import annotations

from bench import Bench, line_of, ratio_goal
from contest import Contender
from peers import Absent
from peers.registry import FLOOR
from results import Goal, Row

from rows.bundled import floor_on
from rows.other_engines import rsigma_on, rule_engines, suzaku_note

NAME = "3-sigmahq"
TITLE = "SigmaHQ's 57 rules for CloudTrail and the bundled 4, one core"


def run(bench: Bench) -> Row:
    """Against the floor, rsigma, and the engines in Python."""
    big, small = bench.corpora.main(bench.sizes.big), bench.corpora.main(bench.sizes.small)
    added, rules = bench.rules.sigmahq(), bench.rules.sigmahq(bundled=True)
    expected = bench.found(small.trail, rules=[added])
    contenders = [
        bench.ours([big.trail], big.records, rules=[added]),
        floor_on(bench, big),
        rsigma_on(bench, rules, small, expected, full=True),
        rsigma_on(bench, rules, small, expected, full=False),
        *rule_engines(bench, rules, small, bench.sizes.sample, bundled=False),
    ]
    absent = [f"{each.name}: {each.reason}" for each in contenders if isinstance(each, Absent)]
    outcomes, failed = bench.hold([each for each in contenders if isinstance(each, Contender)])
    floor = line_of(outcomes, FLOOR.name)
    goals = [
        *([Goal("part of the floor's speed", 0.3, floor.ratio, "x floor")] if floor and floor.ratio else []),
        *ratio_goal(outcomes, "rsigma", "as fast as rsigma (full output)", 3.5),
    ]
    lines = [each.line for each in outcomes]
    return bench.row(NAME, TITLE, big, goals=goals, lines=lines, notes=[suzaku_note("sigmahq"), *absent, *failed])

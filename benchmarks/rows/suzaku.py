"""Row 4: the Suzaku pack, with which more than half of the records match."""

from __future__ import annotations

from bench import Bench, ratio_goal
from contest import Contender
from peers import Absent
from results import Row

from rows.bundled import floor_on
from rows.other_engines import rsigma_on, rule_engines, suzaku_note

NAME = "4-suzaku"
TITLE = "Suzaku's 733 rules, one core; and with the 61 beside them"
MOST = 1_000_000
"""Records: a full match is 2 KB, and there are 0.6 for a record."""


def run(bench: Bench) -> Row:
    """The 733 that both load against rsigma, and all 794 against the floor."""
    corpus = bench.corpora.main(min(bench.sizes.big, MOST))
    small = bench.corpora.main(bench.sizes.small)
    rules, sigmahq = bench.rules.suzaku(), bench.rules.sigmahq()
    alone = bench.ours([corpus.trail], corpus.records, rules=[rules], bundled=False, work="733 rules")
    contenders = [
        alone,
        rsigma_on(bench, rules, small, bench.found(small.trail, rules=[rules], bundled=False), full=True),
        rsigma_on(bench, rules, small, frozenset(), full=False),
        *rule_engines(bench, rules, small, bench.sizes.sample, bundled=False, slow=bench.sizes.least),
    ]
    absent = [f"{each.name}: {each.reason}" for each in contenders if isinstance(each, Absent)]
    outcomes, failed = bench.hold([each for each in contenders if isinstance(each, Contender)])
    everything = bench.ours([corpus.trail], corpus.records, rules=[rules, sigmahq], work="794 rules")
    floor = floor_on(bench, corpus)
    second, more = bench.hold([everything, *([floor] if isinstance(floor, Contender) else [])])
    goals = [
        *ratio_goal(outcomes, "rsigma", "as fast as rsigma (full output)", 2.5),
    ]
    lines = [each.line for each in (*outcomes, *second)]
    return bench.row(
        NAME, TITLE, corpus, goals=goals, lines=lines, notes=[suzaku_note("suzaku"), *absent, *failed, *more]
    )

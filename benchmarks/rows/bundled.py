"""Row 1: the bundled rules over log files, against the floor."""

from __future__ import annotations

import msgspec
from bench import Bench, line_of
from contest import Contender
from corpora import Corpus
from matches import planted
from peers import Absent
from peers.registry import FLOOR
from results import Goal, Line, Row
from rule_folders import bundled_ids

NAME = "1-bundled"
TITLE = "The bundled rules over .json.gz, one core"


def run(bench: Bench) -> Row:
    """Scan a corpus, one in which nothing is to be found, and one of this project's own records."""
    big = bench.sizes.big
    corpora = [
        ("part of the floor's speed", 0.50, bench.corpora.main(big)),
        ("the same where no file holds a candidate", 0.65, bench.corpora.main(big, planted=False)),
        ("", 0.0, bench.corpora.own(bench.sizes.small)),
    ]
    goals: list[Goal] = []
    lines: list[Line] = []
    notes: list[str] = []
    for what, bound, corpus in corpora:
        contenders = [_ours(bench, corpus)]
        floor = floor_on(bench, corpus)
        contenders += [floor] if isinstance(floor, Contender) else []
        notes += [f"{floor.name}: {floor.reason}"] if isinstance(floor, Absent) else []
        outcomes, failed = bench.hold(contenders)
        notes += failed
        lines += [msgspec.structs.replace(each.line, work=corpus.label) for each in outcomes]
        line = line_of(outcomes, FLOOR.name)
        if what and line is not None and line.ratio is not None:
            goals.append(Goal(what, bound, line.ratio, "x floor"))
    return bench.row(NAME, TITLE, corpora[0][2], goals=goals, lines=lines, notes=dict.fromkeys(notes))


def _ours(bench: Bench, corpus: Corpus) -> Contender:
    expected = planted(corpus.manifest, bundled_ids(bench.rules.bundled()))
    return bench.ours([corpus.trail], corpus.records, expected=expected)


def floor_on(bench: Bench, corpus: Corpus) -> Contender | Absent:
    """The floor over the files of a corpus."""
    peer = bench.peers.get(FLOOR)
    if isinstance(peer, Absent):
        return peer
    return Contender(FLOOR.name, [*peer.command, str(corpus.trail)], corpus.records, "inflate and parse, no more")

"""Row 2: the bundled rules against other engines, and against those who are asked only for the four event names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench import Bench, ratio_goal
from contest import Contender
from corpora import Corpus
from matches import Found, events, json_lines, planted, planted_names
from peers import Absent, PythonPeer
from peers.registry import DUCKDB, ORJSON, POLARS, RULE_ENGINES, SUZAKU, rsigma_eval
from results import Goal, Row, Spread
from rule_folders import bundled_ids

NAME = "2-other-engines"
TITLE = "The bundled rules, one core, against other engines"
NAMES = ("CreateGroup", "DeleteGroup", "CreateProfile", "CreateTrustAnchor")
QUESTION = "which events have one of four names"


def run(bench: Bench) -> Row:
    """All at the same records, the slow ones at the first of them."""
    big, small = bench.corpora.main(bench.sizes.big), bench.corpora.main(bench.sizes.small)
    rules = bench.rules.bundled()
    ids = bundled_ids(rules)
    contenders = [
        bench.ours([big.trail], big.records, expected=planted(big.manifest, ids)),
        rsigma_on(bench, rules, small, planted(small.manifest, ids), full=True),
        _question(bench, POLARS, big, "lazy, told two columns; "),
        _question(bench, DUCKDB, small, "SQL; "),
        _by_hand(bench, small, planted(small.manifest, ids)),
        *rule_engines(bench, rules, small, bench.sizes.sample, bundled=True),
    ]
    absent = [f"{each.name}: {each.reason}" for each in contenders if isinstance(each, Absent)]
    outcomes, failed = bench.hold([each for each in contenders if isinstance(each, Contender)])
    goals = [
        *ratio_goal(outcomes, "rsigma", "as fast as rsigma (JSON lines)", 6),
        *suzaku_goal(outcomes[0].line.records, [each.cpu for each in outcomes[0].taken], "bundled", 11),
        *ratio_goal(outcomes, DUCKDB.name, "as fast as DuckDB (SQL)", 10),
        *ratio_goal(outcomes, POLARS.name, "as fast as Polars (lazy)", 2),
    ]
    lines = [each.line for each in outcomes]
    return bench.row(NAME, TITLE, big, goals=goals, lines=lines, notes=[*absent, *failed])


def rsigma_on(bench: Bench, rules: Path, corpus: Corpus, expected: Found, *, full: bool) -> Contender | Absent:
    """The records of a corpus as JSON lines through rsigma; `full` as in `rsigma_eval`."""
    peer = bench.peers.rsigma()
    if isinstance(peer, Absent):
        return peer
    command = rsigma_eval(peer, rules, bench.corpora.json_lines(corpus), full=full)
    name, work = ("rsigma", "JSON lines, full output") if full else ("rsigma, short", "JSON lines, fields alone")
    read = json_lines if full else None  # without the record nobody knows which event it was
    return Contender(name, command, corpus.records, work, peer.env, read, expected if full else None)


def rule_engines(
    bench: Bench, rules: Path, corpus: Corpus, records: int, *, bundled: bool, slow: int | None = None
) -> list[Contender | Absent]:
    """The engines in Python over the first records of a corpus; `slow` counts them for those that take 10 ms each.

    `rules` are given to them, `bundled` says whether this project adds the bundled ones to find what is expected.
    """
    found: list[Contender | Absent] = []
    for peer in RULE_ENGINES:
        ready = bench.peers.get(peer)
        if isinstance(ready, Absent):
            found.append(ready)
            continue
        count = min(corpus.records, records if slow is None or peer is RULE_ENGINES[0] else slow)
        lines = bench.corpora.json_lines(corpus, count)
        expected = bench.found(lines, rules=() if bundled else [rules], bundled=bundled)
        work = f"JSON lines, the first {count:,}"
        command = [*ready.command, str(rules), str(lines)]
        found.append(Contender(peer.name, command, count, work, ready.env, json_lines, expected, at_most=3))
    return found


def suzaku_goal(records: int, seconds: Sequence[float], rules: str, bound: float) -> list[Goal]:
    """Our speed to Suzaku's, which is quoted and not measured here."""
    measured = Spread.of(records / each / SUZAKU[rules] for each in seconds)
    return [Goal("as fast as Suzaku (quoted, not run)", bound, measured, "x")]


def suzaku_note(rules: str) -> str:
    """What Suzaku does with these rules."""
    return f"Suzaku: {SUZAKU[rules] / 1000:g} thousand records a second, quoted and not run here"


def _question(bench: Bench, peer: PythonPeer, corpus: Corpus, how: str) -> Contender | Absent:
    ready = bench.peers.get(peer)
    if isinstance(ready, Absent):
        return ready
    command, expected = [*ready.command, str(corpus.trail)], planted_names(corpus.manifest, NAMES)
    return Contender(peer.name, command, corpus.records, how + QUESTION, ready.env, _event_lines, expected, at_most=3)


def _event_lines(path: Path) -> Found:
    return events(json_lines(path))


def _by_hand(bench: Bench, corpus: Corpus, expected: Found) -> Contender | Absent:
    ready = bench.peers.get(ORJSON)
    if isinstance(ready, Absent):
        return ready
    command = [*ready.command, str(corpus.trail)]
    return Contender(ORJSON.name, command, corpus.records, "the four rules by hand", read=json_lines, expected=expected)

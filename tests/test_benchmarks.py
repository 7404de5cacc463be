"""The benchmarks run, and what they compare is right: on tiny corpora, without other engines and without a clock."""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sigma.rule import SigmaRule

import cloudsigma

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

from bench import Bench, Sizes
from contest import Contender, hold
from corpora import Corpora, Corpus
from generate import Options, build
from matches import agreement, events, id_lines, json_lines, planted
from peers import Peers
from report import between, figure, markdown
from results import Results, Spread
from rows import bundled
from rule_folders import RuleFolders, bundled_ids, names_an_event

sys.path.remove(str(ROOT / "benchmarks"))

OPTIONS = Options(records=600, attacks=0.02, look_alikes=0.04)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    build(folder, OPTIONS)
    return Corpus(folder, OPTIONS.records, "a tiny corpus")


def records(corpus: Corpus) -> list[dict[str, Any]]:
    files = sorted(corpus.trail.rglob("*.json.gz"))
    return [record for path in files for record in json.loads(gzip.decompress(path.read_bytes()))["Records"]]


def contender(name: str, code: str, **more: Any) -> Contender:
    return Contender(name, [sys.executable, "-c", code], 10, **more)


# --- the generator ------------------------------------------------------------------------------------------


def test_the_bundled_rules_find_what_is_planted_and_nothing_else(corpus: Corpus) -> None:
    found = {(match.rule_id, match.context.event_id or "") for match in cloudsigma.scan(corpus.trail)}
    expected = planted(corpus.manifest, bundled_ids(RuleFolders(corpus.folder, None).bundled()))
    assert len(expected) == 12
    assert agreement(frozenset(found), expected) == "same"


def test_what_is_planted_is_there(corpus: Corpus) -> None:
    manifest, made = json.loads(corpus.manifest.read_bytes()), records(corpus)
    ids = {record["eventID"] for record in made}
    assert len(made) == len(ids) == manifest["records"] == 600
    assert len(manifest["decoys"]) == 24
    assert {entry["eventID"] for entry in [*manifest["attacks"], *manifest["decoys"]]} <= ids


def test_records_vary(corpus: Corpus) -> None:
    made = records(corpus)
    assert len({(record["eventSource"], record["eventName"]) for record in made}) > 200
    assert len({record["userIdentity"].get("arn") for record in made}) > 100
    assert len({record["awsRegion"] for record in made}) == 5
    assert not re.search("<[a-z]+>", json.dumps(made))


def test_files_lie_as_in_s3(corpus: Corpus) -> None:
    pattern = re.compile(
        r"(\d{12})/CloudTrail/([a-z0-9-]+)/\d{4}/\d\d/\d\d/\1_CloudTrail_\2_\d{8}T\d{4}Z_\w{16}\.json\.gz"
    )
    files = [path for path in corpus.trail.rglob("*") if path.is_file()]
    assert [path for path in files if not pattern.fullmatch(path.relative_to(corpus.trail).as_posix())] == []


def test_the_same_options_give_the_same_records(corpus: Corpus, tmp_path: Path) -> None:
    build(tmp_path, OPTIONS)
    assert records(Corpus(tmp_path, OPTIONS.records, "another")) == records(corpus)


def test_a_corpus_without_candidates_has_none(tmp_path: Path) -> None:
    build(tmp_path, Options(records=300, attacks=0, look_alikes=0))
    names = {record["eventName"] for record in records(Corpus(tmp_path, 300, "empty"))}
    assert not names & {"CreateGroup", "DeleteGroup", "CreateProfile", "CreateTrustAnchor"}


def test_a_folder_that_is_in_use_is_left_alone(corpus: Corpus) -> None:
    with pytest.raises(FileExistsError, match="is not empty"):
        build(corpus.folder, OPTIONS)


def test_json_lines_are_the_first_records(corpus: Corpus) -> None:
    path = Corpora(corpus.folder, None).json_lines(corpus, 7)
    assert [json.loads(line) for line in path.read_text("utf-8").splitlines()] == records(corpus)[:7]


def test_repeated_files_take_no_space(corpus: Corpus) -> None:
    trail = Corpora(corpus.folder, None).repeated(corpus, 3)
    assert {path.stat().st_nlink for path in trail.rglob("*.json.gz")} == {4}


# --- comparing ----------------------------------------------------------------------------------------------


def test_every_form_of_a_match_is_read(tmp_path: Path) -> None:
    path = tmp_path / "matches.jsonl"
    forms = [
        {"rule_id": "ours", "context": {"event_id": "1"}, "record": {"eventID": "no"}},
        {"rule_id": "rsigma", "event": {"eventID": "2", "eventName": "CreateGroup"}},
        {"rule_id": "a program", "event_id": "3"},
        {"event_id": "4"},
    ]
    path.write_text("".join(f"{json.dumps(form)}\n" for form in forms), encoding="utf-8")
    assert json_lines(path) == {("ours", "1"), ("rsigma", "2"), ("a program", "3"), ("", "4")}
    assert events(json_lines(path)) == {("", "1"), ("", "2"), ("", "3"), ("", "4")}
    path.write_text("rule\tevent\nother\t\n", encoding="utf-8")
    assert id_lines(path) == {("rule", "event"), ("other", "")}


def test_a_difference_is_told() -> None:
    expected = frozenset({("one", "1"), ("one", "2"), ("two", "1")})
    found = frozenset({("one", "1"), ("two", "3")})
    assert agreement(expected, expected) == "same"
    assert agreement(found, expected) == "differs: 2 missing, 1 more, in 2 rules (two: 2, one: 1)"


def test_contenders_are_compared_and_failures_are_told(tmp_path: Path) -> None:
    prints = """print('{"rule_id": "r", "event_id": "1"}')"""
    expected = frozenset({("r", "1")})
    outcomes, notes = hold(
        [
            contender("first", prints, read=json_lines, expected=expected),
            contender("other", "pass", read=json_lines, expected=expected, at_most=1),
        ],
        2,
        tmp_path,
    )
    first, other = (outcome.line for outcome in outcomes)
    assert (first.matches, first.agreement, first.ratio) == (1, "same", None)
    assert (other.matches, other.agreement[:18]) == (0, "differs: 1 missing")
    assert [len(outcome.taken) for outcome in outcomes] == [2, 1]
    assert other.ratio is not None
    assert other.ratio.least == other.ratio.most > 0
    assert all(taken.cpu > 0 and taken.peak > 1_000_000 for outcome in outcomes for taken in outcome.taken)
    assert notes == []  # exit code 1 is what a scan with matches says


def test_a_contender_that_fails_is_left_out(tmp_path: Path) -> None:
    code = "import sys; print('out of order', file=sys.stderr); sys.exit(7)"
    outcomes, notes = hold([contender("broken", code)], 1, tmp_path)
    assert outcomes == []
    assert notes == ["broken failed: out of order"]


@pytest.mark.parametrize(
    ("detection", "exact"),
    [
        ("{s: {eventName: A}, condition: s}", True),
        ("{s: {eventName: [A, B], readOnly: true}, t: {errorCode: '?*'}, condition: s and not t}", True),
        ("{s: {eventName: A}, t: {eventName: B, errorCode: x}, condition: 1 of them}", True),
        ("{s: {eventName: A*}, condition: s}", False),
        ("{s: {eventName|contains: A}, condition: s}", False),
        ("{s: {eventName: A}, t: {errorCode: x}, condition: s or t}", False),
        ("{s: {eventName: A}, condition: not s}", False),
        ("{s: [A, B], condition: s}", False),
    ],
)
def test_rules_that_name_their_events_are_known(detection: str, exact: bool) -> None:
    rule = SigmaRule.from_yaml(f"title: t\nlogsource: {{product: aws}}\ndetection: {detection}\n")
    assert names_an_event(rule) is exact


# --- a row, and the page ------------------------------------------------------------------------------------


def test_a_row_runs(tmp_path: Path) -> None:
    bench = Bench(
        work=tmp_path,
        corpora=Corpora(tmp_path, None),
        rules=RuleFolders(tmp_path, None),
        peers=Peers(tmp_path, wanted=False),
        sizes=Sizes(small=200, big=4_000, huge=200, sample=10, least=10),
        runs=1,
        measured_on="today",
    )
    row = bundled.run(bench)
    assert [(line.matches, line.agreement) for line in row.lines] == [(2, "same"), (0, "same"), (0, "same")]
    assert row.notes == ("floor: peers were not asked for",)


def test_figures_have_three_digits() -> None:
    assert [figure(value) for value in (0.0123, 0.123, 1.234, 12.34, 1234.5)] == [
        "0.012",
        "0.12",
        "1.23",
        "12.3",
        "1,234",
    ]
    assert figure(2.5, "x") == "2.50x"
    assert between(Spread.of([3, 1, 2]), "ms") == "1.00 to 3.00 ms"


def test_the_page_shows_the_results_that_are_kept() -> None:
    kept = msgspec.json.decode((ROOT / "benchmarks" / "results.json").read_bytes(), type=Results)
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert markdown(kept) in page
    assert not kept.quick

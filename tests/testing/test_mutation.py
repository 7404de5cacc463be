"""Mutation testing tested: which mistakes are made, which are noticed, and that a proposed case kills its survivor."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cloudsigma import compile_text, ir
from cloudsigma.compiler.spans import text_nodes
from cloudsigma.engine.evaluate import operators
from cloudsigma.engine.evaluate.explain import explain
from cloudsigma.testing import MutationReport, RuleMutation, find_tests, mutate
from cloudsigma.testing.mutation.edits import diff, edited
from cloudsigma.testing.mutation.mutants import document_mutants
from cloudsigma.testing.mutation.mutants_condition import condition_changes
from cloudsigma.testing.solver.meaning import has_no_case, meaning
from cloudsigma.testing.solver.questions import Found, Impossible, tell_apart

ROOT = Path(__file__).parent.parent.parent
WEAK = Path(__file__).parent / "weak"
NAMED: dict[str, list[str]] = yaml.safe_load((WEAK / "survivors.yml").read_text(encoding="utf-8"))
HEAD = (
    "title: T\nid: 6c0f5c1e-0000-4000-8000-000000000001\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n"
)


@pytest.fixture(scope="module")
def weak() -> MutationReport:
    return mutate(find_tests(WEAK))


def mutated(tmp_path: Path, detection: str, records: list[tuple[bool, dict[str, Any]]], **more: Any) -> RuleMutation:
    """The mutants of a rule by records, each with the verdict that it must have."""
    (tmp_path / "rule.yml").write_text(HEAD + detection)
    cases = [
        {"name": f"case {number}", "reason": "r", "match": match, "record": record}
        for number, (match, record) in enumerate(records)
    ]
    (tmp_path / "rule.cases.yml").write_text(json.dumps({"cases": cases, **more}))
    report = mutate(find_tests(tmp_path))
    assert report.unread == ()
    [rule] = report.rules
    return rule


def ids(rule: RuleMutation, *status: Any) -> list[str]:
    return [mutant.id for mutant in rule.of(*status)]


def mistakes(detection: str) -> dict[str, str]:
    """For each mutant of a rule its changed lines."""
    text = HEAD + detection
    [(_, mutants)] = document_mutants(text)
    changed = {}
    for mutant in mutants:
        lines = diff(text, edited(text, mutant.edits), "rule.yml").splitlines()[2:]
        changed[mutant.id] = "\n".join(line for line in lines if line[0] == "+")[1:]
    return changed


# --- weak cases ---------------------------------------------------------------------------------------------


def test_there_are_twenty_rules_with_weak_cases() -> None:
    assert len(list(WEAK.glob("*.cases.yml"))) == 20


@pytest.mark.parametrize("title", NAMED)
def test_survivors_are_those_that_a_careful_reader_names(weak: MutationReport, title: str) -> None:
    [rule] = [rule for rule in weak.rules if rule.title == title]
    assert sorted(ids(rule, "survived")) == sorted(NAMED[title])


def test_no_other_rule_has_survivors(weak: MutationReport) -> None:
    assert [rule.title for rule in weak.rules if rule.of("survived") and rule.title not in NAMED] == []
    assert (weak.untested, weak.unread) == ((), ())


@pytest.mark.parametrize("name", sorted(path.name.removesuffix(".cases.yml") for path in WEAK.glob("*.cases.yml")))
def test_proposed_cases_kill_every_survivor(tmp_path: Path, name: str) -> None:
    for suffix in (".yml", ".cases.yml"):
        shutil.copy(WEAK / f"{name}{suffix}", tmp_path)
    report = mutate(find_tests(tmp_path))
    survivors = [mutant for rule in report.rules for mutant in rule.of("survived")]
    proposals = {mutant.proposal.yaml for mutant in survivors if mutant.proposal is not None}
    assert [mutant.id for mutant in survivors if mutant.proposal is None] == []
    assert 0 < len(proposals) <= len(survivors)
    with (tmp_path / f"{name}.cases.yml").open("a") as file:
        file.write("".join(f"  {line}\n" for text in sorted(proposals) for line in text.splitlines()))
    suite = find_tests(tmp_path)
    assert [str(result) for result in suite.run() if not result.passed] == []
    again = mutate(suite)
    assert [ids(rule, "survived") for rule in again.rules if rule.of("survived")] == []
    assert again.score == 100


# --- which mistakes are made --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "a: x",
            {"exact->contains": "a|contains: x", "exact->startswith": "a|startswith: x", "cased added": "a|cased: x"},
        ),
        ("a|contains: x", {"contains->exact": "a: x", "contains->endswith": "a|endswith: x"}),
        ("a|cased: x", {"cased dropped": "a: x", "exact->contains": "a|contains|cased: x"}),
        ("a|contains|all: [x, y]", {"all dropped": "a|contains: [x, y]", "contains->exact": "a|all: [x, y]"}),
        ("a: [x, y]", {"all added": "a|all: [x, y]", "'x' dropped": "a: [y]", "'y' dropped": "a: [x]"}),
        ("a|re: '^x$'", {"i added": "a|re|i: '^x$'", "'^x$'->'x$'": "a|re: 'x$'", "'^x$'->'^x'": "a|re: '^x'"}),
        ("a|re|i: x", {"i dropped": "a|re: x"}),
        ("a|lt: 5", {"lt->lte": "a|lte: 5", "lt->gt": "a|gt: 5", "5->4": "a|lt: 4", "5->6": "a|lt: 6"}),
        ("a|hour|gte: 22", {"gte->gt": "a|hour|gt: 22", "22->23": "a|hour|gte: 23"}),
        ("a|cidr: 10.0.0.0/8", {"'10.0.0.0/8'->'10.0.0.0/9'": "a|cidr: '10.0.0.0/9'"}),
        ("a|exists: true", {"true->false": "a|exists: false"}),
        ("a|fieldref: b", {"fieldref dropped": "a: b", "exact->endswith": "a|fieldref|endswith: b"}),
        ("a|neq: x", {"neq dropped": "a: x"}),
        ("a|windash|contains: ' -x'", {"windash dropped": "a|contains: ' -x'"}),
        ("a|base64offset|contains: xyz", {"base64offset dropped": "a|contains: xyz"}),
        ("a: null", {"null->''": "a: ''"}),
        ("a: ''", {"''->null": "a: null"}),
        ("a: 'x*y?'", {"'x*y?'->'xy?'": "a: 'xy?'", "'x*y?'->'x*y'": "a: 'x*y'"}),
        ('a: "x*\\ty"', {"'x*\\ty'->'x\\ty'": 'a: "x\\ty"'}),
        ("a: 22", {"22->21": "a: 21", "22->23": "a: 23"}),
        ("a: 2.5", {"2.5->1.5": "a: 1.5"}),
        ("a: yes", {"yes->false": "a: false"}),
    ],
)
def test_mistakes_in_a_test(line: str, expected: dict[str, str]) -> None:
    key = line.partition(":")[0]
    found = mistakes(f"  s:\n    {line}\n  condition: s\n")
    assert {name: found.get(f"s.{key} {name}", "").strip() for name in expected} == expected


def test_an_escaped_wildcard_is_none() -> None:
    assert [name for name in mistakes("  s: {a: '\\*\\\\*'}\n  condition: s\n") if "->'" in name] == [
        "s.a '\\\\*\\\\\\\\*'->'\\\\*\\\\\\\\'"
    ]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a", {}),
        ("a and b", {"and->or #1": "a or b", "a dropped": "b", "b dropped": "a "}),
        ("a or b or c", {"or->and #2": "a or b and c", "b dropped": "a  or c"}),
        ("not a and b", {"not dropped #1": "a and b", "not a dropped": "b"}),
        ("not (a or not b)", {"not dropped #1": "(a or not b)", "not dropped #2": "not (a or b)"}),
        ("not (a or not b)", {"a dropped": "not (not b)"}),
        ("1 of x_*", {"1 of x_*->all of": "all of x_*"}),
        ("all of them and not 1 of f*", {"all of them->1 of": "1 of them and not 1 of f*"}),
        ("any of x", {"any of x->all of": "all of x"}),
    ],
)  # fmt: skip
def test_mistakes_in_a_condition(condition: str, expected: dict[str, str]) -> None:
    found = {}
    for what, (start, end, text) in condition_changes(condition):
        found[what] = condition[:start] + text + condition[end:]
    assert {name: text.replace("  ", " ").strip() for name, text in found.items() if name in expected} == {
        name: text.replace("  ", " ").strip() for name, text in expected.items()
    }
    assert bool(found) is bool(expected)


@pytest.mark.parametrize("condition", ["", "a and", "(a", "a b", "and", "1 of", "a) or b"])
def test_a_condition_that_cannot_be_read_has_no_mistakes(condition: str) -> None:
    assert condition_changes(condition) == []


def test_parts_are_taken_away_with_their_lines() -> None:
    found = mistakes(
        "  s:\n    a: x  # why\n    b:\n      # first\n      - y\n      - z\n"
        "  f_one:\n    - c: 1\n      d: 2\n    - e: 3\n  f_two: {g: 1, h: 2}\n  condition: s and not 1 of f_*\n"
    )
    assert {"s.a dropped", "s.b dropped", "s.b 'y' dropped", "f_one.0 dropped", "f_one.1 dropped"} <= set(found)
    assert {"f_one.0.c dropped", "f_one.0.d dropped", "f_two.g dropped", "selection f_one dropped"} <= set(found)
    assert "selection s dropped" not in found
    assert found["f_one.0.c dropped"] == "    - d: 2"
    assert found["f_two.g dropped"] == "  f_two: {h: 2}"
    assert found["f_two.h dropped"] == "  f_two: {g: 1}"


def test_every_mutant_of_a_text_is_yaml_and_changes_it() -> None:
    for path in [*ROOT.glob("sigma_*/**/*.yml"), *WEAK.glob("*.yml")]:
        text = path.read_text(encoding="utf-8")
        before = list(yaml.load_all(text, yaml.CSafeLoader))
        for _, mutants in document_mutants(text) if "cases" not in path.name and path.stem != "survivors" else ():
            assert len({mutant.id for mutant in mutants}) == len(mutants)
            for mutant in mutants:
                changed = edited(text, mutant.edits)
                assert list(yaml.load_all(changed, yaml.CSafeLoader)) != before
                assert len(diff(text, changed, "x").splitlines()) < 25


def test_what_an_alias_stands_for_is_changed_once() -> None:
    found = mistakes("  s:\n    a: &both [x, y]\n    b: *both\n  condition: s\n")
    assert found["s.a 'x' dropped"] == "    a: &both [y]"
    assert "s.b 'x' dropped" not in found
    assert "s.b dropped" not in found


def test_nodes_of_a_text_that_is_no_yaml_are_none() -> None:
    assert text_nodes("a: [") == []
    assert document_mutants("a: [") == []


# --- what is noticed ----------------------------------------------------------------------------------------


def test_a_mutant_names_the_case_that_killed_it(tmp_path: Path) -> None:
    rule = mutated(tmp_path, "  s: {a: x}\n  condition: s\n", [(True, {"a": "x"}), (False, {"a": "xy"})])
    assert {mutant.id: mutant.reason for mutant in rule.of("killed")} == {
        "s.a exact->contains": "case 1",
        "s.a exact->startswith": "case 1",
    }
    assert ids(rule, "survived") == ["s.a exact->endswith", "s.a cased added"]


def test_the_diff_has_the_changed_line_and_the_report_a_case(tmp_path: Path) -> None:
    rule = mutated(tmp_path, "  s: {a: x}  # why\n  condition: s\n", [(True, {"a": "x"}), (False, {"a": "xy"})])
    mutant = rule.of("survived")[0]
    assert mutant.diff.splitlines()[2:] == [
        "@@ -4,3 +4,3 @@",
        " detection:",
        "-  s: {a: x}  # why",
        "+  s: {a|endswith: x}  # why",
        "   condition: s",
    ]
    assert mutant.proposal is not None
    assert mutant.proposal.match is False
    text = str(MutationReport((rule,)))
    assert "2 of 4 mutants killed" in text
    assert "a case that kills it" in text
    assert "mutation score 50.0 %" in text


@pytest.mark.parametrize(
    ("detection", "record", "equivalent"),
    [
        ("s: {a: '?*'}", {"a": "x"}, {"s.a exact->contains", "s.a exact->startswith", "s.a exact->endswith"}),
        ("s: {a|contains: [x, xy]}", {"a": "x"}, {"s.a|contains 'xy' dropped"}),
        ("s: {a: ['1', x]}", {"a": "x"}, set()),
        ("s: {a: x}", {"a": "x"}, set()),
        ("s: {a|exists: true, b: x}\n  t: {b: x}", {"b": "x"}, {"s.a|exists true->false", "s.a|exists dropped"}),
        ("s: {a|cidr: [10.0.0.0/8, 10.1.0.0/16]}", {"a": "10.1.1.1"}, {"s.a|cidr '10.1.0.0/16' dropped"}),
        ("s: {a|lt: 5}\n  t: {a|lt: 3}", {"a": 1}, {"t.a|lt 3->2", "t.a|lt 3->4", "condition t dropped"}),
        ("s: {a|re: '^x', b: y}\n  t: {b: y}", {"b": "y"}, {"s.a|re i added", "s.a|re dropped"}),
    ],
)
def test_equivalent_mutants_are_proved(
    tmp_path: Path, detection: str, record: dict[str, Any], equivalent: set[str]
) -> None:
    condition = "s or t" if "t:" in detection else "s"
    rule = mutated(tmp_path, f"  {detection}\n  condition: {condition}\n", [(True, record)])
    found = {mutant.id: mutant for mutant in rule.of("equivalent")}
    assert equivalent <= set(found)
    assert bool(found) is bool(equivalent)
    assert all(mutant.reason and mutant.diff for mutant in found.values())


def test_equivalent_mutants_do_not_count(tmp_path: Path) -> None:
    rule = mutated(tmp_path, "  s: {a: '?*'}\n  condition: s\n", [(True, {"a": "xy"}), (False, {"a": ""})])
    assert (ids(rule, "survived"), len(ids(rule, "killed")), len(ids(rule, "equivalent"))) == ([], 2, 3)
    assert MutationReport((rule,)).score == 100


def test_the_author_may_name_equivalent_mutants(tmp_path: Path) -> None:
    rule = mutated(
        tmp_path,
        "  s: {a|re: '^\\p{L}+$'}\n  condition: s\n",
        [(True, {"a": "x"}), (False, {"a": "1"})],
        equivalent_mutants=[
            {"mutant": "s.a|re i added", "reason": "letters of both cases are in the class."},
            {"mutant": "s.a|re dropped", "rule": "another rule", "reason": "not of this one."},
        ],
    )
    assert [(mutant.id, mutant.reason) for mutant in rule.of("accepted")] == [
        ("s.a|re i added", "letters of both cases are in the class.")
    ]
    assert rule.problems == ()


def test_entries_of_equivalent_mutants_that_are_wrong_are_reported(tmp_path: Path) -> None:
    rule = mutated(
        tmp_path,
        "  s: {a: x}\n  condition: s\n",
        [(True, {"a": "x"}), (False, {"a": "xy"})],
        equivalent_mutants=[
            {"mutant": "s.a cased added", "reason": "wrong, there is a record."},
            {"mutant": "s.a exact->contains", "reason": "wrong, a case kills it."},
            {"mutant": "s.a exact->nothing", "reason": "there is none."},
        ],
    )
    assert ids(rule, "accepted") == []
    [refuted] = [mutant for mutant in rule.of("survived") if mutant.id == "s.a cased added"]
    assert refuted.proposal is not None
    assert refuted.proposal.records[0]["a"] == "X"
    assert rule.problems == (
        "equivalent_mutants names 's.a cased added', and a record tells it from the rule: see the proposed case",
        "equivalent_mutants names 's.a exact->contains', and the case 'case 1' kills it",
        "equivalent_mutants names 's.a exact->nothing', and the rule has no such mutant",
    )


def test_entries_of_equivalent_mutants_are_read_strictly(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(f"{HEAD}  s: {{a: x}}\n  condition: s\n")
    (tmp_path / "rule.cases.yml").write_text(
        "cases: []\nequivalent_mutants:\n  - {mutant: x}\n  - {mutant: x, reason: r, why: w}\n"
    )
    errors = [result.error for result in find_tests(tmp_path).run()]
    assert [(error.line, error.reason) for error in errors if error] == [
        (3, "the entry has no reason"),
        (4, "unknown key 'why'"),
    ]


def test_a_case_that_fails_already_kills_nothing(tmp_path: Path) -> None:
    rule = mutated(tmp_path, "  s: {a: x}\n  condition: s\n", [(True, {"a": "x"}), (True, {"a": "y"})])
    assert rule.cases == 1
    assert rule.problems == ("the case 'case 1' fails with the unchanged rule",)


def test_a_rule_without_cases_is_named_and_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(f"{HEAD}  s: {{a: x}}\n  condition: s\n")
    report = mutate(find_tests(tmp_path))
    assert (report.rules, report.untested, report.score) == ((), ("T",), 100)


def test_a_sigma_filter_is_mutated_with_the_rules_that_it_narrows(tmp_path: Path) -> None:
    (tmp_path / "narrow.yml").write_text(
        "title: F\nid: 6c0f5c1e-0000-4000-8000-000000000002\nlogsource: {product: aws, service: cloudtrail}\n"
        "filter:\n  rules: any\n  ours: {user: deploy}\n  condition: not ours\n"
    )
    (tmp_path / "rule.yml").write_text(f"{HEAD}  s: {{a: x}}\n  condition: s\n")
    cases: list[dict[str, Any]] = [{"name": "one", "reason": "r", "match": True, "record": {"a": "x"}}]
    (tmp_path / "rule.cases.yml").write_text(json.dumps({"cases": cases}))
    found = {rule.title: rule for rule in mutate(find_tests(tmp_path)).rules}
    assert "filter dropped" in ids(found["F"], "survived")
    cases.append({"name": "two", "reason": "r", "match": False, "record": {"a": "x", "user": "deploy"}})
    (tmp_path / "rule.cases.yml").write_text(json.dumps({"cases": cases}))
    found = {rule.title: rule for rule in mutate(find_tests(tmp_path)).rules}
    assert {"filter dropped", "condition not dropped #1"} <= set(ids(found["F"], "killed"))
    assert ids(found["F"], "survived") == [
        "ours.user exact->contains",
        "ours.user exact->startswith",
        "ours.user exact->endswith",
        "ours.user cased added",
    ]


def test_a_global_document_is_mutated_for_all_of_its_rules(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(
        "action: global\ntitle: G\nlogsource: {product: aws, service: cloudtrail}\n"
        "detection: {s: {a: x}, condition: s}\n---\n"
        "id: 6c0f5c1e-0000-4000-8000-000000000003\nlevel: low\n---\n"
        "id: 6c0f5c1e-0000-4000-8000-000000000004\nlevel: high\n"
    )
    case = {"name": "one", "reason": "r", "match": True, "record": {"a": "x"}}
    case["rule"] = "6c0f5c1e-0000-4000-8000-000000000003"
    (tmp_path / "rule.cases.yml").write_text(json.dumps({"cases": [case]}))
    [rule] = mutate(find_tests(tmp_path)).rules
    assert rule.line == 1
    assert "s.a exact->contains" in ids(rule, "survived")


def test_regression_data_is_mutated_through_its_pipeline(tmp_path: Path) -> None:
    folder = tmp_path / "regression_data" / "r"
    folder.mkdir(parents=True)
    (tmp_path / "rule.yml").write_text(
        "title: W\nid: 6c0f5c1e-0000-4000-8000-000000000005\n"
        "logsource: {product: windows, category: process_creation}\n"
        "detection:\n  s:\n    Image|endswith: '\\evil.exe'\n  condition: s\n"
    )
    (folder / "info.yml").write_text(
        "rule_metadata: [{id: 6c0f5c1e-0000-4000-8000-000000000005}]\n"
        "regression_tests_info:\n  - {name: Positive, type: evtx, match_count: 1, path: regression_data/r/e.evtx}\n"
    )
    event = {"Event": {"System": {"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational"}}}
    event["Event"]["EventData"] = {"Image": "C:\\evil.exe"}  # type: ignore[assignment]
    (folder / "e.json").write_text(json.dumps(event))
    suite = find_tests(tmp_path)
    assert all(result.passed for result in suite.run())
    [rule] = mutate(suite).rules
    assert "s.Image|endswith endswith->startswith" in ids(rule, "killed")
    assert "s.Image|endswith endswith->contains" in ids(rule, "survived")
    assert all(mutant.proposal is not None for mutant in rule.of("survived"))


def test_json_reads_back(weak: MutationReport) -> None:
    form = json.loads(json.dumps(weak.to_dict()))
    assert MutationReport.from_dict(form) == weak
    assert (form["killed"], form["survived"]) == (weak.killed, weak.survived)


# --- proofs are sound ---------------------------------------------------------------------------------------


SELECTIONS = [
    "{a: x}",
    "{a|contains: x}",
    "{a: null}",
    "{a|exists: true}",
    "{b|cased: 'Y'}",
    "{b: [y, '*']}",
    "{a|neq: x}",
]
CONDITIONS = st.recursive(
    st.sampled_from(["s0", "s1", "s2", "1 of s*"]),
    lambda inner: st.one_of(
        st.builds("not ({})".format, inner),
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
    ),
    max_leaves=5,
)
RECORDS: list[dict[str, Any]] = [
    {**a, **b} for a in ({}, {"a": None}, {"a": "x"}, {"a": "xx"}, {"a": ["x", None]}, {"a": "z"})
    for b in ({}, {"b": "Y"}, {"b": "y"}, {"b": ""})
]  # fmt: skip


@given(st.lists(st.sampled_from(SELECTIONS), min_size=3, max_size=3), CONDITIONS, CONDITIONS)
def test_rules_that_are_proved_to_be_the_same_match_the_same(parts: list[str], one: str, other: str) -> None:
    selections = "".join(f"  s{at}: {part}\n" for at, part in enumerate(parts))
    rules = []
    for condition in (one, other):
        [rule] = compile_text(f"{HEAD}{selections}  condition: {condition}\n")
        assert isinstance(rule.definition, ir.DetectionRule)
        rules.append(rule.definition)
    answer = tell_apart(*rules)
    verdicts = [[explain(rule, record).matched for record in RECORDS] for rule in rules]
    if meaning(rules[0]) == meaning(rules[1]):
        assert isinstance(answer, Impossible)
    if isinstance(answer, Impossible):
        assert verdicts[0] == verdicts[1]
    else:
        assert isinstance(answer, Found)
        assert (
            answer.matches is explain(rules[0], answer.record).matched is not explain(rules[1], answer.record).matched
        )


def test_a_character_without_case_is_one_that_no_other_is_folded_to() -> None:
    folded: dict[str, int] = {}
    for code in range(sys.maxunicode + 1):
        letter = operators.fold(chr(code))
        folded[letter] = folded.get(letter, 0) + 1
    alone = [chr(code) for code in range(128) if has_no_case(chr(code))]
    assert len(alone) == 128 - 52
    assert [character for character in alone if folded[character] != 1] == []


# --- the cache ----------------------------------------------------------------------------------------------


def test_what_has_not_changed_is_not_mutated_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules, cache = tmp_path / "rules", tmp_path / "cache"
    rules.mkdir()
    for name in ("exact_name", "contains", "event_count"):
        for suffix in (".yml", ".cases.yml"):
            shutil.copy(WEAK / f"{name}{suffix}", rules)
    first = mutate(find_tests(rules), cache=cache)
    assert len(list(cache.glob("*.json"))) == len(first.rules) == 4
    made: list[str] = []

    def counting(text: str, edits: Any) -> str:
        made.append(text)
        return edited(text, edits)

    monkeypatch.setattr("cloudsigma.testing.mutation.mutate.edited", counting)
    assert mutate(find_tests(rules), cache=cache) == first
    assert made == []
    with (rules / "contains.cases.yml").open("a") as file:
        file.write("  - {name: big, reason: r, match: true, set: {userAgent: KALI}}\n")
    second = mutate(find_tests(rules), cache=cache)
    assert {text.splitlines()[0] for text in made} == {"title: Kali Linux"}
    assert second.survived == first.survived - 1


def test_a_damaged_entry_is_not_there(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    suite = find_tests(WEAK / "contains.yml")
    first = mutate(suite, cache=cache)
    [entry] = cache.glob("*.json")
    for damage in (b"", b"{", b"null", b"[]", b'{"rule_id": 1}', b"\xff\xfe", b"[" * 100_000):
        entry.write_bytes(damage)
        assert mutate(suite, cache=cache) == first
    assert json.loads(entry.read_bytes())["title"] == "Kali Linux"


def test_a_folder_that_cannot_be_used_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    suite = find_tests(WEAK / "contains.yml")
    assert mutate(suite, cache=tmp_path / "file" / "cache") == mutate(suite)


# --- long lists ---------------------------------------------------------------------------------------------


def test_values_of_long_lists_have_the_results_of_compiling_each(
    weak: MutationReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("mutate", "value_drops"):
        monkeypatch.setattr(f"cloudsigma.testing.mutation.{module}.LONG", 1)
    monkeypatch.setattr("cloudsigma.testing.mutation.value_drops.DETAILED", 0)
    quick = mutate(find_tests(WEAK))
    for before, after in zip(weak.rules, quick.rules, strict=True):
        assert [(each.id, each.status, each.diff) for each in before.mutants] == [
            (each.id, each.status, each.diff) for each in after.mutants
        ]
    assert sum(each.proposal is None for rule in quick.rules for each in rule.of("survived")) > 0


def test_a_thousand_values_take_seconds(tmp_path: Path) -> None:
    values = "".join(f"      - Verb{number}Thing\n" for number in range(1000))
    started = time.process_time()
    rule = mutated(
        tmp_path,
        f"  s:\n    eventName:\n{values}  condition: s\n",
        [(True, {"eventName": "Verb7Thing"}), (False, {"eventName": "Other"})],
    )
    assert time.process_time() - started < 10
    assert "s.eventName 'Verb7Thing' dropped" in ids(rule, "killed")
    assert len(ids(rule, "survived")) > 1000


def test_a_brute_force_correlation_takes_two_seconds(tmp_path: Path) -> None:
    base = HEAD.replace("title: T\n", "title: T\nname: failed\n") + "  s: {eventName: ConsoleLogin}\n  condition: s\n"
    (tmp_path / "rule.yml").write_text(
        f"{base}---\ntitle: Brute force\ncorrelation: {{type: event_count, rules: [failed], timespan: 10m, "
        "group-by: [sourceIPAddress], condition: {gte: 30}}\n"
    )
    records = [{"after": f"{at}s"} for at in range(30)]
    cases = [
        {"name": name, "reason": "r", "match": name == "all", "records": records[: 30 - (name != "all")]}
        for name in ("all", "one fewer")
    ]
    record = {"eventName": "ConsoleLogin", "sourceIPAddress": "192.0.2.1"}
    (tmp_path / "rule.cases.yml").write_text(json.dumps({"rule": "Brute force", "record": record, "cases": cases}))
    suite = find_tests(tmp_path)
    started = time.process_time()
    report = mutate(suite)
    assert time.process_time() - started < 2
    assert report.killed > 0
    assert all(mutant.proposal is not None for rule in report.rules for mutant in rule.of("survived"))


def test_letter_case_of_event_names_is_one_mutant_a_rule() -> None:
    detection = "  a: {eventName: [A, B]}\n  b: {eventName: C, eventSource: x}\n  condition: a or b\n"
    cased = {name: changed for name, changed in mistakes(detection).items() if name.endswith("cased added")}
    assert list(cased) == ["b.eventSource cased added", "every eventName cased added"]
    assert cased["every eventName cased added"].count("eventName|cased") == 2


# --- what ships ---------------------------------------------------------------------------------------------


def test_no_mutant_of_the_bundled_rules_survives() -> None:
    report = mutate(find_tests(ROOT / "sigma_rules", ROOT / "sigma_correlations"))
    assert [(rule.title, ids(rule, "survived")) for rule in report.rules if rule.of("survived") or rule.problems] == []
    assert [ids(rule, "accepted") for rule in report.rules if rule.of("accepted")] == []
    assert (report.score, len(report.rules), report.untested, report.unread) == (100, 11, (), ())
    assert report.killed > 200


# --- the commands -------------------------------------------------------------------------------------------


def run(*arguments: str, cwd: Path, module: str = "cloudsigma") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("exact_name", "value_list", "event_count"):
        for suffix in (".yml", ".cases.yml"):
            shutil.copy(WEAK / f"{name}{suffix}", folder)
    return folder


def test_the_command_measures_and_keeps_limits(project: Path) -> None:
    done = run("test", "--cov-rules", "--mutate", ".", cwd=project)
    assert done.returncode == 0
    assert "line 10: selection  eventName: UpdateTrail: never true" in done.stdout
    assert "survived: selection.eventName 'UpdateTrail' dropped" in done.stdout
    assert "condition coverage 44.4 %" in done.stdout
    assert (project.parent / "cache" / "cloudsigma" / "mutation").is_dir()
    low = run("test", "--cov-rules-fail-under", "45", "--mutate-fail-under", "0", ".", cwd=project)
    assert (low.returncode, low.stdout.splitlines()[-1]) == (1, "condition coverage 44.44 % is below 45 %")
    low = run("test", "--mutate-fail-under", "99.5", "-k", "exact_name", ".", cwd=project)
    assert (low.returncode, low.stdout.splitlines()[-1]) == (1, "mutation score 0.00 % is below 99.5 %")
    form = json.loads(run("test", "--cov-rules", "--mutate", "--json", "-", ".", cwd=project).stdout)
    assert (form["coverage"]["total"], form["mutation"]["untested"]) == (9, [])


@pytest.mark.parametrize("processes", [(), ("-n", "2")])
def test_the_plugin_measures_in_one_process_and_in_several(project: Path, processes: tuple[str, ...]) -> None:
    if processes:
        pytest.importorskip("xdist")
    done = run("-q", "--cov-rules", *processes, cwd=project, module="pytest")
    assert done.returncode == 0, done.stdout
    assert "value_list.yml:1: Trail Changed: 2 of 3 clauses (67 %)" in done.stdout
    assert "condition coverage 44.4 %: 4 of 9 clauses, 1 of 4 rules complete" in done.stdout
    low = run("-q", "--cov-rules-fail-under", "45", *processes, cwd=project, module="pytest")
    assert low.returncode == 1
    assert "condition coverage 44.44 % is below 45 %" in low.stdout

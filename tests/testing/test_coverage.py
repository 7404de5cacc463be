"""Condition coverage: which clauses decide, what is reported of the others, and that parts of a run add up."""

from __future__ import annotations

import dataclasses
import itertools
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

from cloudsigma import compile_text, ir
from cloudsigma.engine.evaluate.explain import explain
from cloudsigma.testing import Coverage, RuleCoverage, Suite, find_tests, measure_coverage, mutate
from cloudsigma.testing.coverage.clauses import Predicate

ROOT = Path(__file__).parent.parent.parent
WEAK = Path(__file__).parent / "weak"
BUNDLED = find_tests(ROOT / "sigma_rules", ROOT / "sigma_correlations")
SUITES = {"bundled": BUNDLED, "weak": find_tests(WEAK)}

HEAD = (
    "title: T\nid: 6c0f5c1e-0000-4000-8000-000000000001\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n"
)


def measured(tmp_path: Path, detection: str, records: list[tuple[bool, dict[str, Any]]], **files: str) -> RuleCoverage:
    """The coverage of a rule by records, each with the verdict that it must have."""
    (tmp_path / "rule.yml").write_text(HEAD + detection)
    for name, text in files.items():
        (tmp_path / f"{name}.yml").write_text(text)
    cases = [
        {"name": f"case {number}", "reason": "r", "match": match, "record": record}
        for number, (match, record) in enumerate(records)
    ]
    (tmp_path / "rule.cases.yml").write_text(json.dumps({"cases": cases}))
    suite = find_tests(tmp_path)
    assert [str(result) for result in suite.run() if not result.passed] == []
    [rule] = measure_coverage(suite).rules
    return rule


def missing(rule: RuleCoverage) -> dict[str, str]:
    return {clause.label: clause.missing for clause in rule.clauses}


# --- which clauses decide -----------------------------------------------------------------------------------


def test_each_value_of_a_list_needs_a_record_of_its_own(tmp_path: Path) -> None:
    rule = measured(
        tmp_path,
        "  selection:\n    eventName:\n      - A\n      - B\n  condition: selection\n",
        [(True, {"eventName": "A"}), (False, {"eventName": "C"})],
    )
    assert missing(rule) == {"eventName: A": "", "eventName: B": "never true"}
    assert [(clause.line, clause.column) for clause in rule.clauses] == [(7, 9), (8, 9)]
    assert rule.percent == 50


def test_a_clause_that_another_masks_is_not_covered(tmp_path: Path) -> None:
    rule = measured(
        tmp_path,
        "  selection:\n    a: 1\n    b: 2\n  condition: selection\n",
        [(True, {"a": 1, "b": 2}), (False, {"a": 0, "b": 0})],
    )
    reason = "where it is false, the verdict never depends on it"
    assert missing(rule) == {"a: 1": reason, "b: 2": reason}


def test_masking_lets_other_clauses_differ(tmp_path: Path) -> None:
    """In the two records that show `a`, `b` and `c` differ as well; neither masks it."""
    rule = measured(
        tmp_path,
        "  one:\n    a: 1\n  two:\n    b: 1\n  three:\n    c: 1\n  condition: one and (two or three)\n",
        [
            (True, {"a": 1, "b": 1}),
            (False, {"a": 0, "c": 1}),
            (True, {"a": 1, "c": 1}),
            (False, {"a": 1}),
        ],
    )
    assert set(missing(rule).values()) == {""}


@pytest.mark.parametrize(
    ("detection", "true", "false"),
    [
        ("  s: {a|exists: true}\n  condition: s\n", {"a": None}, {}),
        ("  s: {a: null}\n  condition: s\n", {}, {"a": 1}),
        ("  s: {a|cidr: 10.0.0.0/8}\n  condition: s\n", {"a": "10.1.1.1"}, {"a": "11.1.1.1"}),
        ("  s: {a|re: '^x+$'}\n  condition: s\n", {"a": "xx"}, {"a": "y"}),
        ("  s: {a|lt: 5}\n  condition: s\n", {"a": 4}, {"a": 5}),
        ("  s: {a|fieldref: b}\n  condition: s\n", {"a": "x", "b": "X"}, {"a": "x", "b": "y"}),
        ("  s: [needle]\n  condition: s\n", {"a": {"b": "a needle"}}, {"a": "hay"}),
    ],
)
def test_every_kind_of_clause_counts(tmp_path: Path, detection: str, true: Any, false: Any) -> None:
    rule = measured(tmp_path, detection, [(True, true), (False, false)])
    [clause] = rule.clauses
    assert clause.covered
    assert (clause.true_match, clause.false_no_match) == ("case 0", "case 1")


def test_below_not_a_true_clause_decides_that_there_is_no_match(tmp_path: Path) -> None:
    rule = measured(
        tmp_path, "  s: {a: 1}\n  f: {b: 1}\n  condition: s and not f\n", [(True, {"a": 1}), (False, {"a": 1, "b": 1})]
    )
    filtered = rule.clauses[1]
    assert (filtered.true_no_match, filtered.false_match, filtered.covered) == ("case 1", "case 0", True)
    assert missing(rule)["a: 1"] == "never false"


def test_a_selection_that_no_condition_names_is_reported(tmp_path: Path) -> None:
    rule = measured(tmp_path, "  s: {a: 1}\n  spare: {b: 1}\n  condition: s\n", [(True, {"a": 1, "b": 1}), (False, {})])
    assert missing(rule) == {"a: 1": "", "b: 1": "the condition does not use its selection"}


def test_a_selection_in_two_places_turns_round_in_both(tmp_path: Path) -> None:
    """`x and y or not x and z`: with y and z true, x never decides."""
    rule = measured(
        tmp_path,
        "  x: {a: 1}\n  y: {b: 1}\n  z: {c: 1}\n  condition: (x and y) or (not x and z)\n",
        [(True, {"a": 1, "b": 1, "c": 1}), (True, {"b": 1, "c": 1})],
    )
    assert missing(rule)["a: 1"] == "where it is true, the verdict never depends on it"


def test_clauses_of_a_sigma_filter_are_shown_in_its_file(tmp_path: Path) -> None:
    text = (
        "title: F\nid: 6c0f5c1e-0000-4000-8000-000000000002\nlogsource: {product: aws, service: cloudtrail}\n"
        "filter:\n  rules: any\n  ours:\n    user:\n      - deploy\n      - build\n  condition: not ours\n"
    )
    rule = measured(
        tmp_path, "  s: {a: 1}\n  condition: s\n", [(True, {"a": 1}), (False, {"a": 1, "user": "build"})], narrow=text
    )
    assert [(clause.part, clause.line, clause.missing) for clause in rule.clauses[1:]] == [
        ("F: ours", 8, "never true"),
        ("F: ours", 9, ""),
    ]
    assert rule.clauses[1].path == str(tmp_path / "narrow.yml")


def test_a_rule_without_cases_is_there(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(f"{HEAD}  s: {{a: 1}}\n  condition: s\n")
    coverage = measure_coverage(find_tests(tmp_path))
    assert (coverage.total, coverage.covered, coverage.percent) == (1, 0, 0)
    assert "it has no cases" in str(coverage)


def test_nothing_is_fully_covered() -> None:
    assert (Coverage().percent, str(Coverage())) == (
        100,
        "condition coverage 100.0 %: 0 of 0 clauses, 0 of 0 rules complete",
    )


# --- compared with the plain evaluator -----------------------------------------------------------------------


def detections(suite: Suite) -> list[ir.DetectionRule]:
    return [rule.definition for rule in suite.rules if isinstance(rule.definition, ir.DetectionRule)]


@pytest.mark.parametrize("name", SUITES)
def test_verdicts_are_those_of_the_plain_evaluator(name: str) -> None:
    suite = SUITES[name]
    records = [record for test in suite.tests if test.case for record in test.case.records]
    for rule in detections(suite):
        predicate = Predicate(rule)
        for record in records:
            assert predicate.matches(record) is explain(rule, record).matched


CONDITIONS = st.recursive(
    st.sampled_from(["x", "y", "z", "1 of *", "all of *"]),
    lambda inner: st.one_of(
        st.builds("not ({})".format, inner),
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
    ),
    max_leaves=8,
)
RECORDS = [
    {key: value for key, value in zip("abcd", values, strict=True) if value}
    for values in itertools.product((0, 1), repeat=4)
]


@given(CONDITIONS)
def test_what_decides_is_what_turns_the_verdict_round(condition: str) -> None:
    text = f"{HEAD}  x: {{a: 1}}\n  y: [{{b: 1, c: 1}}, {{d: 1}}]\n  z: {{d: [1, 2]}}\n  condition: {condition}\n"
    [rule] = compile_text(text)
    assert isinstance(rule.definition, ir.DetectionRule)
    predicate = Predicate(rule.definition)
    for record in RECORDS:
        outcomes = predicate.outcomes(record)
        verdict = predicate.verdict(outcomes)
        assert verdict is explain(rule.definition, record).matched
        turned = set()
        for position in range(len(outcomes)):
            other = [outcome is not (at == position) for at, outcome in enumerate(outcomes)]
            if predicate.verdict(other) is not verdict:
                turned.add(position)
        assert predicate.deciding(outcomes) == turned


# --- correlations -------------------------------------------------------------------------------------------


def test_parts_of_a_correlation() -> None:
    coverage = {rule.title: rule for rule in measure_coverage(SUITES["weak"]).rules}
    assert missing(coverage["Failed Logins"]) == {
        "group-by sourceIPAddress": "never false",
        "timespan": "never false",
        "condition gte: 3": "",
    }
    assert missing(coverage["Policy Made and Attached"]) == {
        "rule policy_made": "never false",
        "rule policy_attached": "",
        "order of the rules": "never false",
        "group-by userIdentity.arn": "never false",
        "timespan": "never false",
    }
    assert [clause.line for clause in coverage["Failed Logins"].clauses] == [9, 10, 11]


def test_a_rule_below_a_correlation_decides_if_the_correlation_would_change() -> None:
    coverage = {rule.title: rule for rule in measure_coverage(SUITES["weak"]).rules}
    made = coverage["Policy Made"]
    assert made.cases == ("made only", "one after the other")
    # It is false of the other rule's record, where a match more would be no match of the correlation.
    assert missing(made) == {"eventName: CreatePolicy": "where it is false, the verdict never depends on it"}


# --- a case must ask ----------------------------------------------------------------------------------------

LINES = [
    "a: [x, y]", "a|contains: [x, xy]", "a|contains|all: [x, y]", "a|neq: [x, y]", "a|startswith: [x]", "b: [x, null]",
    "b|exists: true", "b: [1, 2]", "b|gte: [1]",
]  # fmt: skip
VALUES = ["x", "y", "xy", "xyz", "z", None, 1, 2, "", ["x", "y"]]
RECORD = st.fixed_dictionaries({}, optional={"a": st.sampled_from(VALUES), "b": st.sampled_from(VALUES)})


def written(body: list[str]) -> str:
    """A selection with one line for each value."""
    lines = []
    for line in body:
        key, _, values = line.partition(": ")
        lines.append(f"    {key}:" + (f" {values}\n" if values[0] != "[" else "\n"))
        if values[0] == "[":
            lines += [f"      - {value}\n" for value in values[1:-1].split(", ")]
    return "".join(lines)


@fuzz(25)
@given(
    st.lists(
        st.lists(st.sampled_from(LINES), min_size=1, max_size=2, unique_by=lambda line: line[0]), min_size=2, max_size=2
    ),
    st.sampled_from(["s0 and s1", "s0 or s1", "s0 and not s1", "not (s0 or s1)"]),
    st.lists(RECORD, min_size=1, max_size=6, unique_by=lambda record: json.dumps(record, sort_keys=True)),
)
def test_nothing_that_is_covered_has_a_removal_that_survives(
    bodies: list[list[str]], condition: str, records: list[dict[str, Any]]
) -> None:
    detection = "".join(f"  s{at}:\n{written(body)}" for at, body in enumerate(bodies)) + f"  condition: {condition}\n"
    [rule] = compile_text(HEAD + detection)
    assert rule.predicate is not None
    with tempfile.TemporaryDirectory() as folder:
        verdicts = [(rule.predicate(record), record) for record in records]
        covered = {clause.line for clause in measured(Path(folder), detection, verdicts).clauses if clause.covered}
        [mutation] = mutate(find_tests(folder)).rules
    survivors = {mutant.line for mutant in mutation.of("survived") if mutant.id.endswith(" dropped")}
    assert survivors & covered == set()


@pytest.mark.parametrize("name", SUITES)
def test_no_part_that_is_covered_has_a_removal_that_survives(name: str) -> None:
    lines: dict[tuple[str | None, int | None], bool] = {}
    for rule in measure_coverage(SUITES[name]).rules:
        for clause in rule.clauses:
            lines[rule.path, clause.line] = lines.get((rule.path, clause.line), True) and clause.covered
    survivors = {
        (rule.path, mutant.line)
        for rule in mutate(SUITES[name]).rules
        for mutant in rule.of("survived")
        if mutant.id.endswith(" dropped")
    }
    assert survivors & {place for place, covered in lines.items() if covered} == set()


def test_a_record_counts_only_if_its_case_depends_on_it(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(HEAD + "  s:\n    a:\n      - x\n      - y\n  condition: s\n")
    (tmp_path / "rule.cases.yml").write_text(json.dumps({"cases": [
        {"name": "both", "reason": "r", "match": True, "record": {"a": "x"}},
        {"name": "none", "reason": "r", "match": False, "record": {"a": "z"}},
    ]}))  # fmt: skip
    suite = find_tests(tmp_path)
    both, none = suite.tests
    assert both.case is not None
    for count, expected in ((None, "where it is true, the verdict never depends on it"), (2, "")):
        case = dataclasses.replace(both.case, records=({"a": "x"}, {"a": "y"}), bases=(), count=count)
        [rule] = measure_coverage(suite, [dataclasses.replace(both, case=case), none]).rules
        assert set(missing(rule).values()) == {expected}


def test_a_case_that_fails_covers_nothing(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(HEAD + "  s: {a: x}\n  condition: s\n")
    cases = [{"name": verdict, "reason": "r", "match": verdict == "no", "record": {"a": verdict}} for verdict in "xz"]
    (tmp_path / "rule.cases.yml").write_text(json.dumps({"cases": cases}))
    [rule] = measure_coverage(find_tests(tmp_path)).rules
    assert not rule.clauses[0].covered


CORRELATION = """\
---
title: Several
correlation:
  type: event_count
  rules: [single]
  group-by: [userIdentity.arn]
  timespan: 5m
  condition: {gte: 2}
"""
SEQUENCES = """\
rule: Several
bases: {a: {record: {eventName: A, userIdentity: {arn: one}}}, b: {record: {eventName: A, userIdentity: {arn: two}}}}
cases:
  - {name: two, reason: r, match: true%s, records: [{base: a, after: 0s}, {base: b, after: 1s}, {base: a, after: 2s}]}
  - {name: late, reason: r, match: false, records: [{base: a, after: 0s}, {base: a, after: 6m}]}
"""


@pytest.mark.parametrize(
    ("asked", "expected"), [("", "never false"), (", matches: [{group: {userIdentity.arn: one}}]", "")]
)
def test_a_group_is_covered_if_the_case_asks_for_it(tmp_path: Path, asked: str, expected: str) -> None:
    single = HEAD.replace("title: T\n", "title: T\nname: single\n") + "  s: {eventName: A}\n  condition: s\n"
    (tmp_path / "rule.yml").write_text(single + CORRELATION)
    (tmp_path / "rule.cases.yml").write_text(SEQUENCES % asked)
    suite = find_tests(tmp_path)
    assert [str(result) for result in suite.run() if not result.passed] == []
    [rule] = [rule for rule in measure_coverage(suite).rules if rule.title == "Several"]
    assert missing(rule)["group-by userIdentity.arn"] == expected


# --- adding up ----------------------------------------------------------------------------------------------


def test_parts_of_a_run_add_up_to_the_whole() -> None:
    whole = measure_coverage(BUNDLED)
    parts = [measure_coverage(BUNDLED, BUNDLED.tests[start::3]) for start in range(3)]
    for order in itertools.permutations(parts):
        merged = Coverage()
        for part in order:
            merged = merged.merge(part)
        assert merged == whole
    assert whole.merge(whole) == whole
    assert parts[0].covered < whole.covered


def test_json_reads_back() -> None:
    coverage = measure_coverage(SUITES["weak"])
    form = json.loads(json.dumps(coverage.to_dict()))
    assert Coverage.from_dict(form) == coverage
    assert (form["covered"], form["total"]) == (coverage.covered, coverage.total)
    clauses = form["rules"][0]["clauses"]
    assert {"part", "label", "path", "line", "covered", "missing"} <= set(clauses[0])
    with pytest.raises(ValueError, match="rules"):
        Coverage.from_dict({"rules": 1})


# --- what ships ---------------------------------------------------------------------------------------------


def test_the_bundled_rules_are_covered_completely() -> None:
    coverage = measure_coverage(BUNDLED)
    assert [(rule.title, missing(rule)) for rule in coverage.rules if rule.missed] == []
    assert len(coverage.rules) == 11
    assert coverage.percent == 100


def test_the_report_names_line_and_reason() -> None:
    lines = str(measure_coverage(find_tests(WEAK / "value_list.yml"))).splitlines()
    assert lines == [
        f"{WEAK / 'value_list.yml'}:1: Trail Changed: 2 of 3 clauses (67 %)",
        "  line 10: selection  eventName: UpdateTrail: never true",
        "condition coverage 66.7 %: 2 of 3 clauses, 0 of 1 rules complete",
    ]

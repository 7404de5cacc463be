"""Generated records: what is said to match does, near misses differ in one place, what is said to be impossible is."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma import ir, testing
from cloudsigma.cli import main
from cloudsigma.engine.evaluate import operators
from cloudsigma.engine.evaluate.explain import explain
from cloudsigma.engine.rule import Rule
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.testing.generation.near_misses import is_true
from cloudsigma.testing.solver.formula import Formula
from cloudsigma.testing.solver.regex_parser import same_letters
from cloudsigma.testing.solver.value_solver import FoundValue, NoValue, find_value, meets

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))
import generated_records  # noqa: E402  # a script, not installed

sys.path.remove(str(ROOT / "benchmarks"))

OWN: list[Rule] = [
    rule
    for path in sorted((Path(__file__).parent / "generate").glob("*.yml"))
    for rule in cloudsigma.compile_rules(path)
]
CORRELATIONS = cloudsigma.compile_rules(ROOT / "sigma_correlations", ROOT / "sigma_rules")


def check(made: testing.Generated) -> None:
    """Hold what was made against the plain evaluator and the predicate."""
    rule = made.rule
    assert isinstance(rule.definition, ir.DetectionRule)
    assert rule.predicate is not None
    assert (made.match is None) is any(obstacle.test is None for obstacle in made.obstacles)
    for sample in made.matching:
        json.dumps(sample.record)
        assert explain(rule.definition, sample.record).matched, sample
        assert rule.predicate(sample.record), sample
    for miss in made.near_misses:
        assert not explain(rule.definition, miss.record).matched, miss
        assert not rule.predicate(miss.record), miss
        assert testing.differences(miss.matching.record, miss.record) == miss.differences
        assert len(miss.differences) == 1
    if made.match is not None:
        shown = [test for miss in made.near_misses for test in miss.tests]
        parts = [str(part) for part in Formula(rule.definition).parts]
        assert sorted([*shown, *(obstacle.test or "" for obstacle in made.obstacles)]) == sorted(parts)


def one(text: str) -> Rule:
    [rule] = cloudsigma.compile_text(text)
    return rule


def detection(body: str) -> Rule:
    return one(f"title: Own\nlogsource: {{product: aws, service: cloudtrail}}\ndetection: {body}\n")


# --- own rules: each modifier and construct -----------------------------------------------------------------


@pytest.mark.parametrize("rule", OWN, ids=lambda rule: rule.title)
def test_own_rules(rule: Rule) -> None:
    expected = rule.custom["generated"]
    made = testing.generate(rule)
    check(made)
    assert sum(len(miss.tests) for miss in made.near_misses) == expected.get("near_misses", 0)
    assert (made.match.note != "" if made.match else False) is ("note" in expected)
    if "contradiction" in expected:
        [obstacle] = made.obstacles
        assert obstacle.kind == "contradiction"
        assert obstacle.line is not None
        assert [text for text in expected["contradiction"] if text not in obstacle.reason] == []
    else:
        assert [obstacle.kind for obstacle in made.obstacles] == ["dependent"] * len(expected.get("dependent", ()))
        for text, obstacle in zip(expected.get("dependent", ()), made.obstacles, strict=True):
            assert text in str(obstacle)
            assert obstacle.line is not None


@pytest.mark.parametrize("rule", OWN, ids=lambda rule: rule.title)
def test_own_rules_suggest_a_file_of_cases_that_pass(
    rule: Rule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`suggest` itself runs each case; here the file is read by the schema's own reader once more."""
    if OWN.index(rule) % 8:  # variants take a second each in these long files
        monkeypatch.setattr("cloudsigma.testing.mutation.suggestion._variants", lambda *_: ([], ()))
    if "contradiction" in rule.custom["generated"]:
        with pytest.raises(testing.NothingToSuggestError, match="no record can match"):
            testing.suggest(rule, RuleSet((rule,)))
        return
    path = tmp_path / "rule.cases.yml"
    path.write_text(testing.suggest(rule, RuleSet((rule,))), encoding="utf-8")
    read = testing.read_case_file(path)
    assert read.errors == ()
    assert {case.match for case in read.cases} == {True, False}


def test_the_match_starts_from_the_template_of_the_call() -> None:
    made = testing.generate(detection("{a: {eventName: CreateGroup, userIdentity.type: Root}, condition: a}"))
    assert made.match is not None
    assert made.match.template == {"call": "iam:CreateGroup", "principal": "root"}
    assert made.match.record == testing.record("iam:CreateGroup", principal="root")


def test_the_outcome_follows_the_rule() -> None:
    made = testing.generate(detection("{a: {eventName: CreateGroup, errorCode: AccessDenied}, condition: a}"))
    assert made.match is not None
    assert made.match.template == {"call": "iam:CreateGroup", "outcome": "denied"}
    assert "is not authorized" in made.match.record["errorMessage"]


def test_other_logs_have_the_fields_of_the_rule_only() -> None:
    rule = one(
        "title: Own\nlogsource: {product: windows, category: process_creation}\n"
        "detection: {a: {Image|endswith: \\whoami.exe, User: null}, condition: a}\n"
    )
    made = testing.generate(rule)
    assert made.match is not None
    assert made.match.record == {"Image": "C:\\Windows\\System32\\whoami.exe"}


def test_generating_is_repeatable() -> None:
    rules = cloudsigma.bundled_rules()
    assert [testing.generate(rule) for rule in rules] == [testing.generate(rule) for rule in rules]


def test_many_alternatives_take_no_time_that_multiplies() -> None:
    """Thirty filters of three tests each, all of which must fail, and a contradiction behind them."""
    filters = ", ".join(f"f{at}: {{a{at}|contains: x, b{at}|contains: y, shared|endswith: '{at}'}}" for at in range(30))
    rule = detection(f"{{s: {{shared|startswith: z, eventName: A}}, {filters}, condition: s and not 1 of f*}}")
    check(made := testing.generate(rule))
    assert made.obstacles == ()
    never = detection(
        f"{{s: {{shared: z, eventName: A}}, t: {{eventName|neq: A}}, {filters}, condition: s and t and not 1 of f*}}"
    )
    [obstacle] = testing.generate(never).obstacles
    assert obstacle.kind == "contradiction"
    assert len(obstacle.conflict) == 2


def test_a_list_of_thousands_of_values() -> None:
    values = ", ".join(f"evil-{at}.example" for at in range(3000))
    check(made := testing.generate(detection(f"{{a: {{requestParameters.host|endswith: [{values}]}}, condition: a}}")))
    assert len(made.near_misses) == 1


# --- correlations -------------------------------------------------------------------------------------------

BASES = """
title: A
name: a
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: CreateGroup}, condition: s}
---
title: B
name: b
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: DeleteGroup, requestParameters.size|gt: 0}, condition: s}
---
title: C
name: c
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: AddUserToGroup}, condition: s}
---
title: Several A
name: several
correlation: {type: event_count, rules: [a], group-by: [userIdentity.arn], timespan: 5m, condition: {gte: 3}}
---
"""
CASES = {
    "type: event_count, rules: [a], group-by: [userIdentity.arn], timespan: 5m, condition: {gte: 3}": {
        "one event fewer", "the last event is a second too late", "one event with another userIdentity.arn",
    },
    "type: event_count, rules: [a], timespan: 5m, condition: {eq: 2}": {
        "one event fewer", "the last event is a second too late", "more events",
    },
    "type: event_count, rules: [a], timespan: 5m, condition: {lt: 3}": {"more events"},
    "type: value_count, rules: [a], group-by: [awsRegion], timespan: 1h, condition: {field: userIdentity.arn, gt: 2}": {
        "one event fewer", "the last event is a second too late", "one event with another awsRegion",
        "a userIdentity.arn that came before in place of another",
    },
    "type: temporal, rules: [a, c], group-by: [who], timespan: 1h, "
    "aliases: {who: {a: userIdentity.arn, c: userIdentity.principalId}}": {
        "without the event of 'A'", "without the event of 'C'", "the last event is a second too late",
        "one event with another who",
    },
    "type: temporal_ordered, rules: [a, b, c], timespan: 1d": {
        "without the event of 'A'", "without the event of 'B'", "without the event of 'C'",
        "the last event is a second too late", "the events in the opposite order",
    },
    "type: temporal, timespan: 1h, condition: a and not b": {"with an event of 'B'"},
    "type: value_sum, rules: [b], timespan: 1h, condition: {field: requestParameters.size, gte: 100}": {
        "a requestParameters.size on the other side of the limit",
    },
    "type: value_avg, rules: [b], timespan: 1h, condition: {field: requestParameters.size, gt: 9.5}": {
        "a requestParameters.size on the other side of the limit",
    },
    "type: value_median, rules: [b], timespan: 1h, condition: {field: requestParameters.size, lt: 10}": {
        "a requestParameters.size on the other side of the limit",
    },
    "type: value_percentile, rules: [b], timespan: 1h, "
    "condition: {field: requestParameters.size, gte: 7, percentile: 95}": {
        "a requestParameters.size on the other side of the limit",
    },
    "type: temporal_ordered, rules: [several, c], group-by: [userIdentity.arn], timespan: 1h": {
        "without the event of 'A'", "without the event of 'C'", "one event with another userIdentity.arn",
        "the last event is a second too late", "the events in the opposite order",
    },
    "type: event_count, rules: [several], timespan: 1h, condition: {gte: 2}": {
        "one event fewer", "the last event is a second too late",
    },
}  # fmt: skip


@pytest.mark.parametrize("correlation", CASES)
def test_sequences_for_correlations(correlation: str, tmp_path: Path) -> None:
    rules = cloudsigma.compile_text(f"{BASES}title: Own\nname: own\ncorrelation: {{{correlation}}}\n")
    rule = rules["own"]
    made = testing.generate(rule, rules)
    assert made.obstacles == ()
    assert made.match is not None
    assert {miss.reason for miss in made.near_misses} == CASES[correlation]
    own = rules.where(id=rule.id)
    for records, wanted in ((made.match.records, True), *((miss.records, False) for miss in made.near_misses)):
        assert [match.rule_id for match in own.evaluate(records) if match.rule_id == rule.id] == [rule.id] * wanted
    for miss in made.near_misses:
        assert miss.differences
    path = tmp_path / "rule.cases.yml"
    path.write_text(testing.suggest(rule, rules), encoding="utf-8")
    assert testing.read_case_file(path).errors == ()


def test_correlations_that_cannot_have_a_sequence_say_why() -> None:
    text = "title: Own\nname: own\ncorrelation: {type: event_count, rules: [a], timespan: 5m, condition: {%s}}\n"
    for condition, kind, reason in (
        ("eq: 0", "contradiction", "a time frame without events, which does not exist"),
        ("gte: 100000", "not found", "needs 100000 events"),
    ):
        rules = cloudsigma.compile_text(BASES + text % condition)
        [obstacle] = testing.generate(rules["own"], rules).obstacles
        assert obstacle.kind == kind
        assert reason in obstacle.reason


def test_a_correlation_needs_its_rules() -> None:
    [rule] = [each for each in CORRELATIONS if each.correlation and "Profile" in each.title]
    with pytest.raises(cloudsigma.UsageError, match="is a correlation; give generate the rules"):
        testing.generate(rule)


# --- one value ----------------------------------------------------------------------------------------------

DOMAIN: list[Any] = [
    *("".join(letters) for length in range(4) for letters in itertools.product("aB.", repeat=length)),
    *("A", "b", "ab1", "true", "False", "no", "1", "1.0", "2", "1.5", "10.0.0.1", "10.128.0.1", "::1"),
    "2026-02-01T03:00:00Z",
    *(0, 1, 2, 1.5, -1, True, False),
]  # fmt: skip
texts = st.text("aB.", max_size=3)
matchers = st.one_of(
    st.builds(
        ir.Pattern,
        st.lists(st.one_of(texts.filter(bool), st.sampled_from(ir.Wildcard)), max_size=3).map(tuple),
        st.booleans(),
    ),
    st.builds(ir.Regex, st.sampled_from(["^a", "a$", "[aB]{2}", r"\bB", "^(a|B)*$", "[^a]", "", r"^\d+$", r"(?:a\.)+"]),
              st.sampled_from(["", "i"])),
    st.builds(ir.Number, st.sampled_from([0, 1, 2, 1.5])),
    st.builds(ir.Compare, st.sampled_from(["lt", "lte", "gt", "gte"]), st.sampled_from([0, 1, 2])),
    st.builds(ir.Boolean, st.booleans()),
    st.builds(ir.Cidr, st.sampled_from(["10.0.0.0/8", "10.128.0.0/9", "::/64"])),
    st.builds(ir.TimePart, st.sampled_from(["hour", "month"]),
              st.sampled_from(["eq", "lt", "gte"]), st.sampled_from([2, 3])),
)  # fmt: skip


@fuzz(60)
@given(st.lists(matchers, max_size=3), st.lists(matchers, max_size=3))
def test_a_value_is_found_or_there_is_none(wanted: list[ir.Matcher], unwanted: list[ir.Matcher]) -> None:
    answer = find_value(wanted, unwanted, "requestParameters.name")
    if isinstance(answer, FoundValue):
        assert meets(answer.value, wanted, unwanted)
        return
    assert isinstance(answer, NoValue)
    assert set(answer.wanted) <= set(wanted)
    assert set(answer.unwanted) <= set(unwanted)
    if answer.proved:
        assert [value for value in DOMAIN if meets(value, answer.wanted, answer.unwanted)] == []


def test_the_same_letters_are_those_that_fold_alike() -> None:
    for character in "azKsÅéßΣςμİıⅫ9_":
        alike = {chr(code) for code in range(0x11000) if operators.fold(chr(code)) == operators.fold(character)}
        assert alike == set(same_letters(character)) & {chr(code) for code in range(0x11000)}


# --- whole rules against brute force ------------------------------------------------------------------------

LINES = [
    "a: x", "a: y", "a|contains: x", "a|endswith: xy", "a|startswith: x", "a: null", "a|exists: true", "a|neq: x",
    "a|contains|all: [x, y]", "a: [x, y]", "a|re: '^x'", "a|cased: X", "b: x", "b: null", "b|contains: y",
    "b|fieldref: a", "a.c: x", "a.c: null", "a.c|contains: y", "b: 1", "b|gte: 1", "b|lt: 2", "'a|contains|cased': X",
]  # fmt: skip
SINGLE: list[Any] = ["x", "y", "xy", "yx", "X", "", "1", None]
INSIDE: list[Any] = [{"c": "x"}, {"c": "y"}, {"c": None}, {"c": "x", "d": "y"}, ["x", "y"], ["xy", "z"]]
ABSENT = object()
RECORDS = [
    {key: value for key, value in (("a", a), ("b", b), ("a.c", c)) if value is not ABSENT}
    for a in (ABSENT, *SINGLE, *INSIDE)
    for b in (ABSENT, "x", "y", "xy", 1, 2, None, ["x", "y"])
    for c in (ABSENT, "x", "y")
]
PLAIN = [record for record in RECORDS if not any(isinstance(value, (dict, list)) for value in record.values())]
selections = st.lists(st.sampled_from(LINES), min_size=1, max_size=2, unique_by=lambda line: line.split(":")[0])
conditions = st.recursive(
    st.sampled_from(["s0", "s1", "s2", "k"]),
    lambda inner: st.one_of(
        inner.map("not ({})".format),
        st.tuples(inner, inner).map(lambda both: f"({both[0]}) and ({both[1]})"),
        st.tuples(inner, inner).map(lambda both: f"({both[0]}) or ({both[1]})"),
    ),
    max_leaves=5,
)


@fuzz(30)
@given(st.lists(selections, min_size=3, max_size=3), conditions)
def test_generated_rules(bodies: list[list[str]], condition: str) -> None:
    lines = "".join(f"  s{at}:\n" + "".join(f"    {line}\n" for line in body) for at, body in enumerate(bodies))
    rule = one(
        "title: Own\nlogsource: {product: test}\ndetection:\n"
        f"{lines}  k:\n    - xy\n    - z\n  condition: {condition}\n"
    )
    made = testing.generate(rule)
    check(made)
    assert rule.predicate is not None
    assert isinstance(rule.definition, ir.DetectionRule)
    if made.match is None:
        [obstacle] = made.obstacles
        if obstacle.kind == "contradiction":
            assert [record for record in RECORDS if rule.predicate(record)] == []
    for obstacle in made.obstacles:
        if obstacle.kind == "dependent" and obstacle.test is not None:
            single = "each field has one value" in obstacle.reason
            refute(rule.definition, obstacle.test, PLAIN if single else RECORDS)


def refute(rule: ir.DetectionRule, test: str, records: list[dict[str, Any]]) -> None:
    """Look for two records that differ in one field, and in which a test decides that is said not to."""
    formula = Formula(rule)
    [part] = [each for each in formula.parts if str(each) == test]
    if part.field is None:
        return  # keywords look at all fields
    sides: dict[tuple[bool, bool], list[dict[str, Any]]] = {}
    for record in records:
        truths = {each: is_true(each, record) for each in formula.parts}
        verdict = formula.verdict(truths)
        if formula.verdict({**truths, part: not truths[part]}) is not verdict:
            sides.setdefault((verdict, truths[part]), []).append(record)
    for truth in (True, False):
        for before, after in itertools.product(sides.get((True, truth), ()), sides.get((False, not truth), ())):
            changed = {key for key in {*before, *after} if before.get(key, ABSENT) != after.get(key, ABSENT)}
            assert changed != {part.field}, (test, before, after)


# --- public rules -------------------------------------------------------------------------------------------


def test_each_public_cloudtrail_rule_has_a_match_and_a_near_miss_for_every_test(shared_corpus: Path) -> None:
    rules = cloudsigma.compile_rules(shared_corpus / "sigmahq_rules")
    assert len(rules) == 57
    for rule in rules:
        made = testing.generate(rule)
        check(made)
        assert made.obstacles == (), rule.title
        assert made.match is not None
        assert made.match.note == ""
        testing.suggest(rule, RuleSet((rule,)))


def test_every_fortieth_public_rule(shared_corpus: Path) -> None:
    rules = cloudsigma.compile_rules(shared_corpus / "sigmahq_all", on_error="skip")
    counted = generated_records.Tally()
    for rule in rules.rules[::40]:
        made = testing.generate(rule, rules)
        check(made)
        counted.add(rule, made, 0.0)
    for what, count, of in counted.rows():
        print(f"{what:55} {count:6,} of {of:6,}")
    assert counted.unmatched == {}
    assert counted.near_misses >= 0.98 * counted.tests
    assert counted.missing["not found"] <= 0.005 * counted.tests


# --- the command --------------------------------------------------------------------------------------------

RULE = """title: {title}
logsource: {{product: {product}}}
detection: {{s: {{eventName: CreateGroup, errorCode: {code}}}, condition: s}}
"""


@dataclass(frozen=True)
class Done:
    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def suggest(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    def run(*arguments: object) -> Done:
        code = main(["test", "--suggest", *map(str, arguments)])
        return Done(code, *capsys.readouterr())

    return run


def test_the_command_writes_cases_that_pass(tmp_path: Path, suggest: Callable[..., Done]) -> None:
    (tmp_path / "one.yml").write_text(RULE.format(title="One", product="aws", code="null"), encoding="utf-8")
    (tmp_path / "other.yml").write_text(RULE.format(title="Other", product="windows", code="null"), encoding="utf-8")
    done = suggest(tmp_path)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == (
        f"{tmp_path / 'one.cases.yml'} written\n"
        f"{tmp_path / 'other.cases.yml'} written; run with --logsource product=windows\n"
    )
    for product, passed in (("aws", "one"), ("windows", "other")):
        suite = testing.find_tests(tmp_path / f"{passed}.yml", logsource={"product": product})
        results = list(suite.run())
        assert len(results) > 3
        assert all(result.passed for result in results)
        assert testing.mutate(suite).score == testing.measure_coverage(suite).percent == 100


def test_the_command_never_overwrites(tmp_path: Path, suggest: Callable[..., Done]) -> None:
    (tmp_path / "one.yml").write_text(RULE.format(title="One", product="aws", code="null"), encoding="utf-8")
    there = tmp_path / "one.cases.yml"
    there.write_text("cases: []\n", encoding="utf-8")
    done = suggest(tmp_path)
    assert done.exit_code == 1
    assert "exists, so nothing was written" in done.stderr
    assert there.read_text(encoding="utf-8") == "cases: []\n"


def test_the_command_says_why_there_is_nothing(tmp_path: Path, suggest: Callable[..., Done]) -> None:
    never = RULE.format(title="Never", product="aws", code="null, errorCode|contains: x")
    (tmp_path / "never.yml").write_text(never, encoding="utf-8")
    done = suggest(tmp_path)
    assert done.exit_code == 1
    assert (
        "no case for 'Never': no record can match: the condition needs all of these, and they contradict each other"
        in done.stderr
    )
    assert not (tmp_path / "never.cases.yml").exists()


def test_the_command_takes_one_rule_of_a_file_at_a_time(tmp_path: Path, suggest: Callable[..., Done]) -> None:
    both = [RULE.format(title=title, product="aws", code="null") for title in ("One", "Two")]
    (tmp_path / "both.yml").write_text("---\n".join(both).replace("title: Two", "title: Two\nname: two"), "utf-8")
    assert "2 rules would share both.cases.yml" in suggest(tmp_path).stderr
    assert not (tmp_path / "both.cases.yml").exists()
    assert suggest(tmp_path, "--rule-id", "two").exit_code == 0
    assert all(result.passed for result in testing.find_tests(tmp_path).run())


def test_the_command_suggests_sequences(tmp_path: Path, suggest: Callable[..., Done]) -> None:
    name = "correlation_aws_cloudtrail_rolesanywhere_trust_anchor_then_profile.yml"
    text = (ROOT / "sigma_correlations" / name).read_text(encoding="utf-8")
    (tmp_path / name).write_text(text, encoding="utf-8")
    done = suggest(tmp_path)
    assert done.exit_code == 0, done.stderr
    results = list(testing.find_tests(tmp_path).run())
    assert len(results) > 7
    assert all(result.passed for result in results)


def test_the_command_points_out_fields_that_the_call_does_not_have(
    tmp_path: Path, suggest: Callable[..., Done]
) -> None:
    body = "{s: {eventSource: iam.amazonaws.com, eventname: CreateUser, requestParameters.nmae: x}, condition: s}"
    (tmp_path / "dead.yml").write_text(
        f"title: T\nlogsource: {{product: aws, service: cloudtrail}}\ndetection: {body}\n", encoding="utf-8"
    )
    done = suggest(tmp_path)
    assert "has eventName, not eventname: the rule never matches a real record" in done.stderr
    assert "has eventName, not eventname" in (tmp_path / "dead.cases.yml").read_text(encoding="utf-8")


def test_no_cloudtrail_record_has_a_list_of_event_names() -> None:
    for body in ("{eventName|all: [A, B]}", "{eventName: A, eventName|contains: B}", "{userAgent|all: [A, B]}"):
        text = f"title: T\nlogsource: {{product: aws, service: cloudtrail}}\ndetection: {{s: {body}, condition: s}}\n"
        [rule] = cloudsigma.compile_text(text)
        made = testing.generate(rule)
        if made.match is None:
            assert made.obstacles
        else:
            assert not isinstance(made.match.record["eventName"], list)


def test_the_command_reads_the_base_rules_beside_a_correlation(tmp_path: Path, suggest: Callable[..., Done]) -> None:
    head = "logsource: {product: aws, service: cloudtrail}\n"
    (tmp_path / "base.yml").write_text(
        f"title: Base\nname: base\n{head}detection: {{s: {{eventName: CreateGroup}}, condition: s}}\n", encoding="utf-8"
    )
    (tmp_path / "several.yml").write_text(
        "title: Several\nid: 6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d19\ncorrelation:\n  type: event_count\n  rules: [base]\n"
        "  group-by: [userIdentity.arn]\n  timespan: 5m\n  condition: {gte: 3}\n",
        encoding="utf-8",
    )
    (tmp_path / "broken.yml").write_text("title: [\n", encoding="utf-8")
    done = suggest(tmp_path / "several.yml")
    assert f"{tmp_path / 'several.cases.yml'} written" in done.stdout
    assert not (tmp_path / "base.cases.yml").exists()
    (tmp_path / "broken.yml").unlink()
    suite = testing.find_tests(tmp_path)
    assert all(result.passed for result in suite.run())
    assert testing.mutate(suite).score == testing.measure_coverage(suite).percent == 100


def test_the_command_takes_filters_beside_the_rule_into_account(tmp_path: Path, suggest: Callable[..., Done]) -> None:
    ids = "id: 6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d10\n"
    head = "logsource: {product: aws, service: cloudtrail}\n"
    (tmp_path / "rule.yml").write_text(
        f"title: T\n{ids}{head}detection: {{s: {{eventName: CreateGroup}}, condition: s}}\n", encoding="utf-8"
    )
    (tmp_path / "filter.yml").write_text(
        f"title: F\n{head}filter:\n  rules: [6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d10]\n"
        "  own: {userIdentity.type: IAMUser}\n  condition: not own\n",
        encoding="utf-8",
    )
    done = suggest(tmp_path / "rule.yml")
    assert done.exit_code == 0, done.stderr
    suite = testing.find_tests(tmp_path)
    assert all(result.passed for result in suite.run())
    [rule] = testing.measure_coverage(suite).rules
    assert rule.missed == ()


EXPANDED = """title: T
id: 6e1b0c8e-2f7d-4f5b-9d3e-0c6f8a4b2d10
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName|expand: '%names%'}, condition: s}
"""
RENAMED = """title: T
logsource: {product: aws, service: cloudtrail}
detection: {s: {Call: [CreateGroup, DeleteGroup], Source|endswith: .amazonaws.com}, condition: s}
"""


@pytest.mark.parametrize("kind", ["placeholders", "pipelines"])
def test_rules_with_pipelines_or_placeholders_get_variants(
    kind: str, tmp_path: Path, suggest: Callable[..., Done]
) -> None:
    (tmp_path / "rules").mkdir()
    rule, given_file = tmp_path / "rules" / "rule.yml", tmp_path / "given.yml"
    if kind == "placeholders":
        rule.write_text(EXPANDED, encoding="utf-8")
        given_file.write_text("names: [CreateGroup, DeleteGroup]\n", encoding="utf-8")
        options: dict[str, Any] = {"placeholders": {"names": ["CreateGroup", "DeleteGroup"]}}
        done = suggest(rule, "--placeholders", given_file)
    else:
        rule.write_text(RENAMED, encoding="utf-8")
        given_file.write_text(
            "name: own\npriority: 10\ntransformations:\n- id: names\n  type: field_name_mapping\n"
            "  mapping: {Call: eventName, Source: eventSource}\n",
            encoding="utf-8",
        )
        options = {"pipelines": (given_file,)}
        done = suggest(rule, "--pipeline", given_file)
    assert (done.exit_code, done.stderr) == (0, "")
    suite = testing.find_tests(rule, **options)
    assert all(result.passed for result in suite.run())
    assert "with the mistake" in (rule.with_suffix(".cases.yml")).read_text(encoding="utf-8")
    report = testing.mutate(suite)
    assert report.unread == ()
    assert (report.score, [each.id for rule in report.rules for each in rule.of("survived")]) == (100, [])


def test_a_suggestion_says_why_it_has_no_variants(tmp_path: Path) -> None:
    path = tmp_path / "rule.yml"
    path.write_text(EXPANDED, encoding="utf-8")
    given_values = {"names": ["CreateGroup"]}
    rules = cloudsigma.compile_rules(path, placeholders=given_values)
    bare = testing.suggest(rules.rules[0], rules)
    assert "# no variants were made: T: compiling the rule again gave another result" in bare
    assert "no variants" not in testing.suggest(rules.rules[0], rules, placeholders=given_values)
    from_text = cloudsigma.compile_text(RULE.format(title="T", product="aws", code="null"))
    made = testing.suggest(from_text.rules[0], from_text)
    assert "# no variants were made: they need the files of the rules" in made

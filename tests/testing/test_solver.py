"""The solver: records that it finds do what is said of them, and no record refutes what it proves."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

from cloudsigma import compile_rules, compile_text, ir
from cloudsigma.engine.evaluate import operators
from cloudsigma.engine.evaluate.explain import explain
from cloudsigma.testing import differences, record
from cloudsigma.testing.solver.questions import Found, Impossible, satisfy, tell_apart
from cloudsigma.testing.solver.regex_automaton import Expression, samples
from cloudsigma.testing.solver.regex_parser import NotReadError

ROOT = Path(__file__).parent.parent
HOSTILE = ROOT / "corpus" / "cases" / "hostile-rules"


def detection(body: str) -> ir.DetectionRule:
    [rule] = compile_text(f"title: T\nlogsource: {{product: aws, service: cloudtrail}}\ndetection: {{{body}}}\n")
    assert isinstance(rule.definition, ir.DetectionRule)
    return rule.definition


def matches(rule: ir.DetectionRule, made: dict[str, Any]) -> bool:
    return explain(rule, made).matched


# --- a record that a rule matches ---------------------------------------------------------------------------


def test_a_value_outside_every_order_need_not_be_a_number() -> None:
    [rule] = compile_rules(HOSTILE / "unsound.yml")
    assert isinstance(rule.definition, ir.DetectionRule)
    answer = satisfy(rule.definition)
    assert isinstance(answer, Found)
    assert matches(rule.definition, answer.record)


@pytest.mark.parametrize(
    "body",
    [
        "s: {a|lt: 5}, t: {a|lt: 0}, u: {a|gte: 0}, condition: s and not t and not u",
        "s: {a: x}, t: {a|startswith: x}, condition: s and not t",
        "s: {a|cidr: 10.0.0.0/15}, t: {a|cidr: [10.0.0.0/16, 10.1.0.0/16]}, condition: s and not t",
        "s: {a: null}, t: {a: x}, condition: s and t",
    ],
)
def test_a_contradiction_names_its_tests(body: str) -> None:
    answer = satisfy(detection(body))
    assert isinstance(answer, Impossible)
    assert {part.selection for part in answer.parts} >= {"s", "t"}


@pytest.mark.parametrize(
    "body",
    [
        "s: {b: x}, t: {a|lt: 0}, u: {a|gte: 0}, condition: s and not t and not u",
        "s: {a|contains: x}, t: {a|lt: 0}, u: {a|gte: 0}, condition: s and not t and not u",
        "s: {a|exists: true}, t: {a|lt: 0.5}, u: {a|gte: 0.5}, condition: s and not t and not u",
    ],
)
def test_what_is_not_a_number_passes_no_order(body: str) -> None:
    rule = detection(body)
    answer = satisfy(rule)
    assert isinstance(answer, Found)
    assert matches(rule, answer.record)


# --- a record that tells two rules apart --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "field"),
    [
        ("eventName: CreateUser", "eventName|contains: CreateUser", "eventName"),
        ("eventName: CreateUser", "eventName|cased: CreateUser", "eventName"),
        ("eventName: [CreateUser, DeleteUser]", "eventName: [CreateUser]", "eventName"),
        ("eventName: CreateUser, awsRegion: us-east-1", "eventName: CreateUser", "awsRegion"),
        ("sourceIPAddress|cidr: 10.0.0.0/8", "sourceIPAddress|cidr: 10.0.0.0/9", "sourceIPAddress"),
        ("eventTime|hour|gte: 3", "eventTime|hour|gt: 3", "eventTime"),
        ("requestParameters.userName|re: '^a'", "requestParameters.userName|re: 'a'", "requestParameters.userName"),
        ("eventName|fieldref: eventSource", "eventName|fieldref|contains: eventSource", "eventName"),
    ],
)
def test_a_record_near_the_given_one_tells_rules_apart(one: str, other: str, field: str) -> None:
    rules = [detection(f"s: {{{body}}}, condition: s") for body in (one, other)]
    start = record("iam:CreateUser")
    answer = tell_apart(*rules, [start])
    assert isinstance(answer, Found)
    assert answer.near == 0
    assert matches(rules[0], answer.record) is answer.matches is not matches(rules[1], answer.record)
    assert [change.name for change in differences(start, answer.record)] == [field]


def test_rules_that_mean_the_same_are_proved_to() -> None:
    one = detection("s: {a|contains: [x, xy]}, t: {b: 1}, condition: s and not t")
    other = detection("s: {a|contains: x}, t: {b: [1, 1.0]}, condition: not (t or not s)")
    assert isinstance(tell_apart(one, other), Impossible)


# --- regular expressions ------------------------------------------------------------------------------------

PIECES = [
    *("a", "b", "K", "s", ".", "^", "$", "|", "(", ")", "(?:", "(?i)", "(?i:", "(?P<n>", "(?<n>", "(?-s)", "(?s:"),
    *("*", "+", "?", "{2}", "{1,}", "{0,2}", "{", "}", "{,2}", "[ab]", "[^a]", "[a-c]", "[]a]", "[^]a]", "[a-]"),
    *("[[:alpha:]]", "[[:^digit:]]", r"[\d_]", r"\d", r"\D", r"\w", r"\W", r"\s", r"\b", r"\B", r"\A", r"\z", r"\."),
    *(r"\-", r"\x41", r"\x{62}", r"\n", r"\Q.*\E", r"\pL", r"\1", r"\Z", "(?=a)", r"\_", "-", "é", "]", "[", "[:"),
]
SUBJECTS = st.text(st.sampled_from("abcKkSsſ.*-_ \n1]é}{,2A"), max_size=6)


@fuzz(300)
@given(st.lists(st.sampled_from(PIECES), max_size=7).map("".join), st.sampled_from(["", "i", "m", "s"]), SUBJECTS)
def test_automata_read_expressions_as_re2_does(pattern: str, flags: str, subject: str) -> None:
    try:
        automaton = Expression(pattern, flags)
    except NotReadError:
        return
    compiled = operators.compile_regex(pattern, flags)  # what is read here, RE2 reads
    state = automaton.start
    for character in subject:
        state = automaton.step(state, character)
    assert automaton.accepts(state) is (compiled.search(subject) is not None)


@pytest.mark.parametrize(
    "pattern",
    [r"^arn:aws:iam::\d{12}:user/(?:a|b)+$", r"(?i)curl/[0-9.]+", r"[[:alnum:]_-]+\.exe$", r"a{2,}?\b", "a{,2}"],
)
def test_common_expressions_are_read(pattern: str) -> None:
    compiled = operators.compile_regex(pattern, "")
    assert any(compiled.search(text) for text in samples(pattern))
    Expression(pattern)


# --- proofs against random records --------------------------------------------------------------------------

LINES = [
    "a: x", "a: xy", "a|contains: x", "a|endswith: y", "a|startswith: x", "a: null", "a|exists: true", "a|neq: x",
    "a|contains|all: [x, y]", "a: [x, y]", "a|re: '^x'", "a|cased: X", "a|lt: 1", "a|gte: 1", "a|lt: 0", "a|gte: 0.5",
    "b: x", "b: null", "b|fieldref: a", "a.c: x", "a.c|contains: y", "a|cidr: 10.0.0.0/8", "a|cidr: 10.0.0.0/9",
    "b: 1", "b|gt: 1", "b|lte: 2", "b|re|i: 'x$'", "b: true",
]  # fmt: skip
VALUES: list[Any] = [
    *("x", "y", "xy", "yx", "X", "", "1", "0.5", "true", "10.1.2.3", "10.200.2.3"),
    *(0, 1, 2, -1, 0.25, 0.5, True, None, [], ["x", "y"], [1, "x"], {"c": "x"}, {"c": "y"}, {"c": None, "d": "xy"}),
]
CONDITIONS = [
    "s0 and s1", "s0 or s1", "s0 and not s1", "not s0", "s0 and not (s1 or s2)", "(s0 or s1) and not s2", "1 of s*",
    "not (s0 and s1) and s2", "(s0 or s1) and ((not s1 and not s2) or (not s2 and not s0))", "all of s*",
]  # fmt: skip
RECORDS = 6_000


def random_records(seed: int) -> list[dict[str, Any]]:
    chosen = random.Random(seed)  # noqa: S311  # repeatable test data
    absent = object()
    made = []
    for _ in range(RECORDS):
        drawn = {name: chosen.choice([absent, *VALUES]) for name in ("a", "b", "a.c")}
        made.append({name: value for name, value in drawn.items() if value is not absent})
    return made


DRAWN = random_records(22)
selections = st.lists(st.sampled_from(LINES), min_size=1, max_size=2, unique_by=lambda line: line.split(":")[0])
bodies = st.lists(selections, min_size=3, max_size=3)


def written(body: list[list[str]], condition: str) -> ir.DetectionRule:
    parts = [f"s{at}: {{{', '.join(lines)}}}" for at, lines in enumerate(body)]
    return detection(f"{', '.join(parts)}, condition: {condition}")


@fuzz(20)
@given(bodies, st.sampled_from(CONDITIONS))
def test_no_record_refutes_a_proof_that_a_rule_is_impossible(body: list[list[str]], condition: str) -> None:
    rule = written(body, condition)
    answer = satisfy(rule)
    if isinstance(answer, Impossible):
        assert [made for made in DRAWN if matches(rule, made)] == []
    elif isinstance(answer, Found):
        assert matches(rule, answer.record)


@fuzz(20)
@given(bodies, st.sampled_from(CONDITIONS), st.sampled_from(CONDITIONS), st.sampled_from(LINES), st.booleans())
def test_no_record_refutes_a_proof_that_rules_are_equal(
    body: list[list[str]], condition: str, other: str, line: str, keep: bool
) -> None:
    one = written(body, condition)
    two = written(body if keep else [[line], *body[1:]], other)
    answer = tell_apart(one, two, DRAWN[:2])
    if isinstance(answer, Impossible):
        assert [made for made in DRAWN if matches(one, made) is not matches(two, made)] == []
    elif isinstance(answer, Found):
        assert answer.matches is matches(one, answer.record) is not matches(two, answer.record)

"""Partial evaluation: what is left of a rule means what the rule means, whatever is known of its tests."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma import ir
from cloudsigma.engine.evaluate.codegen import generate, generate_part
from cloudsigma.engine.evaluate.explain import explain
from cloudsigma.engine.evaluate.loading import Vocabulary
from cloudsigma.engine.prefilter.partial import PartialEvaluator, prefilter
from cloudsigma.ir.walk import all_tests, leaves_of, members_of

FIELDS = "abcd"
RECORDS = st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(["x", "y", ["x", "y"], None]))


def make_test(field: str, value: str, *, negated: bool) -> ir.Test:
    return ir.Test(field, (), (ir.Pattern((value,)),), (value,), negated=negated)


tests = st.builds(make_test, st.sampled_from(FIELDS), st.sampled_from("xy"), negated=st.booleans())
bodies = st.recursive(
    tests, lambda inner: st.builds(ir.Group, st.lists(inner, min_size=1, max_size=3).map(tuple), st.booleans())
)
names = st.sampled_from(["s0", "s1", "s2"])
expressions = st.recursive(
    st.one_of(
        names.map(ir.Identifier),
        st.builds(ir.Quantified, st.booleans(), st.just("s*"), st.lists(names, min_size=1, max_size=3).map(tuple)),
    ),
    lambda inner: st.one_of(
        st.builds(ir.Not, inner),
        st.builds(ir.And, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(ir.Or, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
)


@st.composite
def rules(draw: st.DrawFn) -> ir.DetectionRule:
    """A rule over three selections, of any shape."""
    return rule_of([draw(bodies) for _ in range(3)], draw(st.lists(expressions, min_size=1, max_size=2)))


def rule_of(
    selections: list[ir.Group | ir.Test], conditions: list[ir.Expression], path: str | None = None
) -> ir.DetectionRule:
    return ir.DetectionRule(
        ir.Metadata(id="r", title="T", path=path),
        ir.LogSource(product="aws"),
        tuple(ir.Selection(f"s{at}", body) for at, body in enumerate(selections)),
        tuple(ir.Condition(each, "", 1) for each in conditions),
    )


def fields_of(body: ir.Group | ir.Test) -> list[str | None]:
    return [leaf.field for leaf in leaves_of(body) if isinstance(leaf, ir.Test)]


def nodes_of(body: ir.Group | ir.Test) -> list[Any]:
    found: list[Any] = [body]
    for node in found:
        found += members_of(node)
    return found


@fuzz(400)
@given(rules(), st.sets(st.sampled_from(FIELDS)), RECORDS)
def test_what_is_left_means_the_same(rule: ir.DetectionRule, known: set[str], record: dict[str, Any]) -> None:
    """With the verdicts of some fields known, the rest of the rule gives the verdict of the whole."""
    truths = {
        id(test): explain(rule_of([test], [ir.Identifier("s0")]), record).matched
        for test in all_tests(rule)
        if test.field in known
    }
    left = PartialEvaluator(rule).reduce(lambda test, _: truths.get(id(test)))
    expected = explain(rule, record).matched
    assert Vocabulary().load(generate(rule), "rule")(record) is expected
    if isinstance(left, bool):
        assert left is expected
        return
    assert set(fields_of(left)).isdisjoint(known)
    assert Vocabulary().load(generate_part(left), "rule")(record) is expected
    assert explain(rule_of([left], [ir.Identifier("s0")]), record).matched is expected
    for node in nodes_of(left):
        if isinstance(node, ir.Group):
            assert len(node.members) > 1
            assert not any(isinstance(each, ir.Group) and each.all_of is node.all_of for each in node.members)


@fuzz(300)
@given(rules(), st.sampled_from(FIELDS), RECORDS)
def test_a_prefilter_holds_wherever_the_rule_does(rule: ir.DetectionRule, field: str, record: dict[str, Any]) -> None:
    """The test of one field never stops a record that matches, and looks at no other field."""
    body = prefilter(PartialEvaluator(rule), field)
    if isinstance(body, bool):
        holds = body
    else:
        assert set(fields_of(body)) == {field}
        holds = Vocabulary().load(generate_part(body), "rule")(record)
    assert holds or not explain(rule, record).matched


def test_cheap_tests_run_first() -> None:
    """Members stand in the order of their cost: comparisons of texts before regular expressions and keywords."""
    text = (
        "title: T\nlogsource: {product: aws}\ndetection:\n"
        "  s: {a|re: x+, b|contains: x, c: x, d|exists: true}\n  k: [word]\n  condition: k and s\n"
    )
    (rule,) = cloudsigma.compile_text(text)
    left = PartialEvaluator(rule.definition).reduce(lambda *_: None)  # type: ignore[arg-type]
    assert isinstance(left, ir.Group)
    assert fields_of(left) == ["d", "c", "b", "a", None]


def test_a_selection_named_often_is_written_once() -> None:
    """The source grows with the rule, not with the product of its condition and its selections."""
    x = {field: make_test(field, "x", negated=False) for field in FIELDS}
    pairs = [ir.Group((make_test("a", f"{at}", negated=False), x["b"]), all_of=True) for at in range(500)]
    large = ir.Group(tuple(pairs), all_of=False)
    named = ir.Or(tuple(ir.And((ir.Identifier("s0"), ir.Identifier("s1"))) for _ in range(200)))
    rule = rule_of([large, x["c"]], [named])
    left = PartialEvaluator(rule).reduce(lambda *_: None)
    assert isinstance(left, ir.Group)
    assert len(generate_part(left).source) < 200_000
    nested: ir.Expression = ir.Identifier("s0")
    for _ in range(30):
        nested = ir.And((ir.Or((nested, ir.Identifier("s1"))), ir.Identifier("s0")))
    left = PartialEvaluator(rule_of([large, x["c"]], [nested])).reduce(lambda *_: None)
    assert isinstance(left, ir.Group)
    program = generate_part(left)
    assert len(program.source) < 200_000
    assert Vocabulary().load(program, "rule")({"a": "7", "b": "x"}) is True


RULE = """\
title: {title}
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection:
    eventName: CreateUser
    userAgent|re: "{pattern}"
    requestParameters.name|contains|all:
      - one
      - two
  condition: selection
"""


@pytest.mark.parametrize("title", ["First", "Second"])
@pytest.mark.parametrize("way", ["predicate", "verdicts", "match"])
def test_tracebacks_show_the_line_of_the_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, title: str, way: str
) -> None:
    """An error below a predicate points into the rule's file, at the test that was run; two rules in one file, too."""
    path = tmp_path / "two.yml"
    path.write_text("---\n".join(RULE.format(title=each, pattern=each) for each in ("First", "Second")))
    rules = cloudsigma.compile_rules(path)
    rules = rules.where(id=[rule.id for rule in rules if rule.title == title])

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("cloudsigma.engine.evaluate.operators.search", broken)
    record = {"eventName": "CreateUser", "userAgent": "x", "requestParameters": {"name": "one two"}}
    call = {"predicate": rules.rules[0].predicate, "verdicts": rules.verdicts, "match": rules.match}[way]
    with pytest.raises(ZeroDivisionError) as caught:
        call(record)  # type: ignore[misc]
    frames = [frame for frame in traceback.extract_tb(caught.value.__traceback__) if frame.filename == str(path)]
    assert {frame.lineno for frame in frames[-1:]} == {6 if title == "First" else 17}
    assert frames[-1].line == f'userAgent|re: "{title}"'

"""The index and partial evaluation change no verdict, whatever the rules and the records."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.engine.evaluate.explain import evidence, explain
from cloudsigma.engine.memo import MOST_BYTES
from cloudsigma.engine.prefilter.matcher import Matcher
from cloudsigma.rulesets.rule_set import RuleSet

NAMES = ["CreateUser", "createuser", "DeleteUser", "Create", "", "ſtop", "STOP", "İ", "*", "a.b"]
SOURCES = ["iam.amazonaws.com", "IAM.amazonaws.com", "s3.amazonaws.com", "aws:s3"]
AGENTS = ["kali", "aws-cli/2 KALI", "", "console"]
odd = st.one_of(
    st.none(), st.booleans(), st.integers(0, 2), st.just(1.0), st.just([]), st.just({}),
    st.lists(st.sampled_from(NAMES), max_size=2), st.dictionaries(st.sampled_from("ab"), st.sampled_from(NAMES)),
)  # fmt: skip


def mostly(usual: list[str]) -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(usual), st.sampled_from(usual), st.sampled_from(usual), odd)


identities = st.one_of(
    st.fixed_dictionaries({}, optional={
        "type": mostly(["Root", "AssumedRole", "root"]), "arn": mostly(["arn:a", "arn:b"]), "type.x": odd,
    }),
    odd,
    st.lists(st.fixed_dictionaries({"type": mostly(["Root"])}), max_size=2),
)  # fmt: skip
records = st.fixed_dictionaries({}, optional={
    "eventName": mostly(NAMES), "eventSource": mostly(SOURCES), "userAgent": mostly(AGENTS),
    "errorCode": mostly(["AccessDenied", "Client.X"]),
    "userIdentity": identities, "userIdentity.type": mostly(["Root"]),
    "requestParameters": st.one_of(odd, st.fixed_dictionaries({}, optional={"a": odd, "name": mostly(NAMES)})),
})  # fmt: skip
tests = st.one_of(
    st.tuples(
        st.sampled_from(["eventName", "eventName|cased", "eventName|startswith", "eventName|neq", "eventName|contains",
                         "eventName|contains|all", "eventName|re", "eventName|windash"]),
        st.one_of(
            st.sampled_from(["CreateUser", "Create", "stop", "x"]),
            st.lists(st.sampled_from([*NAMES, "x"]), min_size=1, max_size=3),
        ),
    ),
    st.tuples(st.just("eventName"), st.sampled_from([None, 1, True, "Create*", "*", "?", ["CreateUser", None], "\\*"])),
    st.tuples(st.sampled_from(["eventSource", "eventSource|endswith"]),
              st.sampled_from([*SOURCES, None, [*SOURCES]])),
    st.tuples(st.sampled_from(["eventName|exists", "eventSource|exists", "userAgent|exists",
           "userIdentity.type|exists"]),
              st.booleans()),
    st.tuples(st.sampled_from(["eventName|fieldref", "userAgent|fieldref", "userIdentity.type|fieldref|neq"]),
              st.sampled_from(["eventSource", "requestParameters.name", "eventName"])),
    st.tuples(st.sampled_from(["userAgent|contains", "userAgent", "userAgent|re", "userAgent|neq"]),
              st.sampled_from(["kali", "Kali", ""])),
    st.tuples(st.sampled_from(["errorCode", "errorCode|startswith", "errorCode|neq"]),
              st.sampled_from(["AccessDenied", None, "Client"])),
    st.tuples(st.sampled_from(["userIdentity.type", "userIdentity.type|contains", "userIdentity.arn"]),
              st.sampled_from(["Root", None, "*", "arn:a"])),
    st.tuples(st.sampled_from(["requestParameters.name", "requestParameters", "requestParameters.a|exists"]),
              st.sampled_from([True, "CreateUser", None])),
)  # fmt: skip
maps = st.lists(tests, min_size=1, max_size=3).map(dict)
keywords = st.lists(st.sampled_from(["kali", "Root", "CreateUser"]), min_size=1, max_size=2)
selections = st.one_of(maps, maps, st.lists(maps, min_size=1, max_size=2), keywords)
CONDITIONS = [
    "s1", "s1 and s2", "s1 and not s2", "s1 or s2", "not s1", "not (s1 and s2)", "1 of s*", "all of s*",
    "not 1 of s*", "s1 and not 1 of s*", "s1 and (s2 or not s3)", "not not s1", ["s1", "s2 and s3"],
]  # fmt: skip


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    """A few rules that load; what does not is left out."""
    texts = [
        yaml.safe_dump({
            "title": f"Rule {at}",
            "logsource": {"product": "aws"},
            "detection": {
                **{f"s{n}": draw(selections) for n in (1, 2, 3)}, "condition": draw(st.sampled_from(CONDITIONS)),
            },
        })
        for at in range(draw(st.integers(1, 4)))
    ]  # fmt: skip
    return cloudsigma.compile_text("---\n".join(texts), on_error="skip")


def judged(rules: RuleSet, record: Any) -> tuple[str, ...]:
    """The verdicts of the plain evaluator, rule by rule."""
    return tuple(rule.id for rule in rules if explain(rule.definition, record).matched)


def columns(matcher: Matcher, given_records: Iterable[dict[str, Any]]) -> tuple[list[Any], list[dict[str, Any]]]:
    """The views that a decoder gives of those records whose looked-at fields are texts, null or absent."""
    rows: list[list[Any]] = []
    viewed: list[dict[str, Any]] = []
    for record in given_records:
        row: list[Any] = []
        for name in matcher.fields:
            outer, _, inner = name.partition(".")
            value = record.get(outer, msgspec.UNSET)
            if inner:
                if name in record or not isinstance(value, (dict, type(None), type(msgspec.UNSET))):
                    break
                value = value.get(inner, msgspec.UNSET) if isinstance(value, dict) else msgspec.UNSET
            if value is not None and value is not msgspec.UNSET and type(value) is not str:
                break
            row.append(value)
        else:
            rows.append(row)
            viewed.append(record)
    return [iter(column) for column in zip(*rows, strict=True)], viewed


@fuzz(400)
@given(rule_sets(), st.lists(records, min_size=1, max_size=6))
def test_index_changes_no_verdict(rules: RuleSet, given_records: list[dict[str, Any]]) -> None:
    """Random rule sets: plans, prefilters and memos give what the plain evaluator gives."""
    matcher = rules._matcher
    expected = [judged(rules, record) for record in given_records]
    before = json.dumps(given_records)
    for _ in range(2):  # the second time everything is remembered
        assert [rules.verdicts(record) for record in given_records] == expected
    assert [tuple(rules.rules[at].id for at in matcher.run_all(record)) for record in given_records] == expected
    assert json.dumps(given_records) == before
    views, viewed = columns(matcher, given_records)
    if viewed:
        let_through = matcher.candidates(views)
        for at, record in enumerate(viewed):
            assert at in let_through or not judged(rules, record)


@pytest.mark.parametrize("folder", ["sigmahq_rules", "suzaku_rules"])
def test_index_on_real_records(shared_corpus: Path, folder: str) -> None:
    """On every real record and every probe the index finds exactly what running all predicates finds."""
    rules = cloudsigma.compile_rules(shared_corpus / folder, on_error="skip")
    matcher = rules._matcher
    real = [*cloudsigma.read_records(shared_corpus / "invictus", shared_corpus / "stratus")]
    probes = [json.loads(line)["record"] for line in (shared_corpus / "sigmahq_probes.jsonl").read_text().splitlines()]
    every = [*real, *probes]
    found = [matcher.positions(record) for record in every]
    assert found == [matcher.run_all(record) for record in every]
    assert sum(map(len, found)) > 500
    for record, positions in zip(every, found, strict=True):
        for rule in (rules.rules[at] for at in positions):
            read = rules._evidence.read(rule.definition, record)
            assert repr(read) == repr(evidence(explain(rule.definition, record)))
    views, viewed = columns(matcher, every)
    let_through = set(matcher.candidates(views))
    for at, record in enumerate(viewed):
        assert at in let_through or not matcher.positions(record)


def test_index_of_known_rules(shared_corpus: Path) -> None:
    """All but a handful of public CloudTrail rules are found by event name, and none has to be evaluated always."""
    rules = cloudsigma.compile_rules(shared_corpus / "sigmahq_rules", shared_corpus / "suzaku_rules", on_error="skip")
    index = rules._matcher.index
    assert len(index.unnamed) == 7
    assert None not in index.found_by
    assert set(index.prefilters) == {"userAgent", "errorCode", "userIdentity.arn", "userIdentity.type"}


def test_rules_without_a_witness_are_evaluated_always() -> None:
    """Keywords and plain negations match records of any event."""
    rules = cloudsigma.compile_text(
        "title: K\nlogsource: {product: aws}\ndetection: {k: [evil], condition: k}\n---\n"
        "title: N\nlogsource: {product: aws}\ndetection: {s: {eventName: GetUser}, condition: not s}\n---\n"
        "title: E\nlogsource: {product: aws}\ndetection: {s: {eventName: GetUser}, condition: s}\n"
    )
    assert list(rules.found_by.values()) == [None, None, "eventName"]
    keyword, negation, exact = (rule.id for rule in rules)
    assert rules.verdicts({"eventName": "X", "eventSource": "y", "z": {"deep": ["Evil"]}}) == (keyword, negation)
    assert rules.verdicts({"eventName": "GetUser", "eventSource": "evil"}) == (keyword, exact)
    assert rules.verdicts({"eventName": "X", "eventSource": "y"}) == (negation,)


def test_what_is_remembered_is_bounded() -> None:
    """A trail that never repeats itself does not fill the memory."""
    rules = cloudsigma.compile_text(
        "title: A\nlogsource: {product: aws}\ndetection: {s: {userAgent|contains: kali, errorCode: X}, condition: s}\n"
    )
    matcher = rules._matcher
    for number in range(50_000):
        record = {"eventName": f"N{number}", "eventSource": "s", "userAgent": f"a{number}", "errorCode": f"e{number}"}
        assert rules.verdicts(record) == ()
    remembered = [matcher._by_name, matcher._plans, *(each.passing for each in matcher._prefilters.values())]
    assert all(len(held) <= 20_000 for held in remembered)
    assert matcher.remembered <= MOST_BYTES

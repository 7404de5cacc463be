"""Correlation documents that cannot do what their author meant: an error or a warning that says what to write."""

from __future__ import annotations

import json
from typing import Any

import pytest

import cloudsigma
from cloudsigma.rulesets.rule_set import RuleSet

BASE = {
    "title": "base",
    "name": "base",
    "logsource": {"product": "aws"},
    "detection": {"s": {"eventName": "A"}, "condition": "s"},
}
SECOND = {**BASE, "title": "second", "name": "second"}
SECTION = {"type": "event_count", "rules": ["base"], "group-by": ["user"], "timespan": "10m", "condition": {"gte": 3}}
TEMPORAL = {"type": "temporal", "rules": ["base", "second"], "condition": ...}


def compiled(section: dict[str, Any] | None = None, top: dict[str, Any] | None = None, **options: Any) -> RuleSet:
    """`...` removes a key."""
    merged = {key: value for key, value in {**SECTION, **(section or {})}.items() if value is not ...}
    rule = {"title": "C", "name": "c", "correlation": merged, **(top or {})}
    return cloudsigma.compile_text("\n---\n".join(map(json.dumps, [BASE, SECOND, rule])), **options)


ERRORS: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    ("both kinds", {}, {"detection": BASE["detection"], "logsource": {}}, "schema", "Write two documents"),
    ("event_count with field", {"condition": {"gte": 3, "field": "ip"}}, {}, "condition", "type: value_count"),
    ("temporal with field", {**TEMPORAL, "condition": {"gte": 1, "field": "ip"}}, {}, "condition", "remove field"),
    ("threshold above the rules", {**TEMPORAL, "condition": {"gte": 3}}, {}, "condition", "Write gte: 2"),
    ("threshold at the rules", {**TEMPORAL, "condition": {"gt": 2}}, {}, "condition", "Write gte: 2"),
    ("equal above the rules", {**TEMPORAL, "condition": {"eq": 3}}, {}, "condition", "Write gte: 2"),
    ("group-by as one text", {"group-by": "user, ip"}, {}, "schema", "Write a list: [user, ip]."),
    ("field as one text", {"type": "value_count", "condition": {"gte": 2, "field": "a, b"}}, {}, "condition", "a list"),
    ("rules as one text", {"rules": "base, second"}, {}, "reference", "Write a list: [base, second]."),
    ("timespan in words", {"timespan": "10min"}, {}, "value", "Write 10m."),
    ("timespan in parts", {"timespan": "1h30m"}, {}, "value", "Write 90m."),
    ("timespan with a blank", {"timespan": "2 hours"}, {}, "value", "Write 2h."),
    ("timespan as a number", {"timespan": 600}, {}, "value", "Write 10m."),
    ("condition as text", {"condition": "gte 3"}, {}, "condition", "Write condition: {gte: 3}."),
    ("number as text", {"condition": {"gte": "3"}}, {}, "condition", "Remove the quotation marks: gte: 3."),
    ("condition beside", {"condition": ...}, {"condition": {"gte": 3}}, "schema", "Indent condition"),
    ("group-by beside", {"group-by": ...}, {"group-by": ["user"]}, "schema", "Indent group-by"),
    ("timespan beside", {"timespan": ...}, {"timespan": "10m"}, "schema", "Indent timespan"),
    ("generate as text", {"generate": "yes"}, {}, "schema", "without quotation marks"),
    ("generate as text beside", {}, {"generate": "yes"}, "schema", "without quotation marks"),
    ("generate twice", {"generate": False}, {"generate": True}, "schema", "Write it once."),
]


@pytest.mark.parametrize(("section", "top", "category", "remedy"), [e[1:] for e in ERRORS], ids=[e[0] for e in ERRORS])
def test_a_mistake_is_an_error_with_what_to_write(
    section: dict[str, Any], top: dict[str, Any], category: str, remedy: str
) -> None:
    with pytest.raises(cloudsigma.RuleError) as caught:
        compiled(section, top)
    assert caught.value.category == category
    assert remedy in str(caught.value)
    assert caught.value.line is not None


WARNINGS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("never less than one", {"condition": {"lt": 1}}, {}, "lt: 1 can never hold"),
    ("never none", {"condition": {"eq": 0}}, {}, "eq: 0 can never hold"),
    ("never none at most", {"condition": {"lte": 0}}, {}, "lte: 0 can never hold"),
    ("never half", {"condition": {"eq": 2.5}}, {}, "eq: 2.5 can never hold"),
    ("no different values", {"type": "value_count", "condition": {"eq": 0, "field": "ip"}}, {}, "can never hold"),
    ("none of the rules", {**TEMPORAL, "condition": {"lt": 1}}, {}, "can never hold"),
    ("always some", {"condition": {"gte": 0}}, {}, "gte: 0 always holds"),
    ("always another count", {"condition": {"neq": 0}}, {}, "neq: 0 always holds"),
    ("always as few", {**TEMPORAL, "condition": {"lte": 2}}, {}, "lte: 2 always holds"),
    ("months", {"timespan": "10M"}, {}, "Write 10m for minutes, or 304d if months are meant."),
    ("unused alias", {"aliases": {"who": {"base": "user"}}}, {}, "'who' is not used"),
    ("log source", {}, {"logsource": {"product": "aws"}}, "the logsource of a correlation is ignored"),
]


@pytest.mark.parametrize(("section", "top", "said"), [w[1:] for w in WARNINGS], ids=[w[0] for w in WARNINGS])
def test_a_doubtful_correlation_is_a_warning(section: dict[str, Any], top: dict[str, Any], said: str) -> None:
    (warning,) = compiled(section, top).warnings
    assert said in str(warning)
    assert warning.line is not None
    assert (warning.rule, warning.severity) == ("C", "warning")


@pytest.mark.parametrize(
    "section",
    [
        {}, {"condition": {"lt": 3}}, {"condition": {"neq": 2}}, {"condition": {"gt": 0}}, {"condition": {"gte": 1}},
        {"condition": {"eq": 1}}, {"timespan": "1y"}, TEMPORAL, {**TEMPORAL, "condition": {"eq": 1}},
        {**TEMPORAL, "condition": {"lte": 1}}, {"type": "value_sum", "condition": {"lt": 0, "field": "n"}},
        {"group-by": "user"}, {"aliases": {"who": {"base": "user"}}, "group-by": ["who"]},
    ],
    ids=str,
)  # fmt: skip
def test_a_good_correlation_is_quiet(section: dict[str, Any]) -> None:
    rules = compiled(section)
    assert rules.warnings == ()
    assert len(rules) == 3


@pytest.mark.parametrize(
    ("section", "top", "shows"),
    [({}, {}, False), ({"generate": True}, {}, True), ({}, {"generate": True}, True), ({}, {"generate": False}, False),
     ({"generate": True}, {"generate": True}, True)],
)  # fmt: skip
def test_generate_works_at_the_top_level_and_within_the_correlation(
    section: dict[str, Any], top: dict[str, Any], *, shows: bool
) -> None:
    rules = compiled(section, top)
    assert (rules["base"].id not in rules.hidden) is shows
    assert rules["c"].custom == {}


def test_custom_attributes_of_a_correlation_are_those_that_its_author_wrote() -> None:
    assert compiled({}, {"my_own": {"x": 1}, "owner": "me"})["c"].custom == {"my_own": {"x": 1}, "owner": "me"}
    assert compiled()["c"].custom == {}


def test_conditions_with_too_many_sequences_are_refused_in_linear_time() -> None:
    names = [f"r{n}" for n in range(60)]
    pairs = " and ".join(f"({one} or {other})" for one, other in zip(names[::2], names[1::2], strict=True))
    bases = [{**BASE, "title": name, "name": name} for name in names]
    rule = {"title": "C", "correlation": {"type": "temporal_ordered", "timespan": "1m", "condition": pairs}}
    with pytest.raises(cloudsigma.RuleError, match=r"1,073,741,824 sequences, more than 256"):
        cloudsigma.compile_text("\n---\n".join(map(json.dumps, [*bases, rule])))
    rule["correlation"]["type"] = "temporal"  # type: ignore[index]
    assert len(cloudsigma.compile_text("\n---\n".join(map(json.dumps, [*bases, rule])))) == 61

"""Rules that could not have matched: told from the events that occurred, never one too many."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma.engine.prefilter.reachability import asked_for, could_have_matched

CORPUS = Path(__file__).parents[1] / "corpus"
EVENTS = [
    (source, name)
    for source in ("iam.amazonaws.com", "sts.amazonaws.com", None)
    for name in ("CreateGroup", "creategroup", "UpdateFunction20150331", "GetUser", "", None)
]

ALL = {name for _, name in EVENTS}


def rule(detection: str, extra: str = "") -> str:
    return f"title: T{extra}\nlogsource: {{product: aws}}\ndetection: {{{detection}}}\n"


@pytest.mark.parametrize(
    ("detection", "matching"),
    [
        ("s: {eventName: CreateGroup}, condition: s", {"CreateGroup", "creategroup"}),
        ("s: {eventName|cased: CreateGroup}, condition: s", {"CreateGroup"}),
        ("s: {eventName|startswith: UpdateFunction}, condition: s", {"UpdateFunction20150331"}),
        ("s: {eventName: [GetUser, PutUser]}, condition: s", {"GetUser"}),
        ("s: {eventName: GetUser}, condition: not s", ALL - {"GetUser"}),
        ("s: {eventName: null}, condition: s", {None}),
        ("s: {eventName|exists: false}, condition: s", {None}),
        ("s: {eventName: ''}, condition: s", {""}),
        ("s: {userAgent|contains: x}, condition: s", ALL),
        ("s: {eventName: Other}, condition: s", set()),
    ],
)  # fmt: skip
def test_a_rule_by_its_event_names(detection: str, matching: set[str | None]) -> None:
    (made,) = cloudsigma.compile_text(rule(detection))
    for name in ALL:
        could = made.id in could_have_matched([made], [("iam.amazonaws.com", name)])
        assert could is (name in matching), name


def test_source_and_name_count_together() -> None:
    (made,) = cloudsigma.compile_text(rule("s: {eventName: A, eventSource: x.amazonaws.com}, condition: s"))
    assert not could_have_matched([made], [("y.amazonaws.com", "A"), ("x.amazonaws.com", "B")])
    assert could_have_matched([made], [("y.amazonaws.com", "A"), ("X.amazonaws.com", "a")])


@pytest.mark.parametrize(
    "detection",
    [
        "a: {eventName: A}, b: {eventSource: [x, y]}, condition: a and not b",
        "a: [{eventName: A}, {eventSource: x}], b: {eventName|endswith: B}, condition: a or b",
        "a: {eventName: [A, B]}, b: {eventSource|startswith: x}, condition: not a and b",
        "a: {eventName|fieldref: eventSource}, condition: a",
        "a: {eventName|re: '^[AB]$'}, b: {eventSource: null}, condition: a and b",
        "a: {eventName|exists: true}, b: {eventSource|exists: false}, condition: a and b",
    ],
)
def test_it_is_never_one_too_many(detection: str) -> None:
    """No rule is named as silent that matches a record with an event that occurred; nor one too few here."""
    (made,) = cloudsigma.compile_text(rule(detection))
    absent: Any = object()
    for source, name in itertools.product((absent, None, "x", "y", "A"), (absent, None, "A", "B", "xB")):
        record = {key: value for key, value in (("eventSource", source), ("eventName", name)) if value is not absent}
        event = (record.get("eventSource"), record.get("eventName"))
        could = made.id in could_have_matched([made], [event])
        assert made.predicate is not None
        if made.predicate(record):
            assert could
        elif could:  # null and absent are one event: another record with it matches
            spoken = [
                [(key, value)] if value is not None else [(key, None), (key, absent)]
                for key, value in zip(("eventSource", "eventName"), event, strict=True)
            ]
            others = [
                {key: value for key, value in pairs if value is not absent} for pairs in itertools.product(*spoken)
            ]
            assert any(made.predicate(other) for other in others)


def test_correlations_need_rules_that_could_match() -> None:
    text = "\n---\n".join(
        [
            rule("s: {eventName: A}, condition: s", "a\nname: a"),
            rule("s: {eventName: B}, condition: s", "b\nname: b"),
            "title: both\nname: both\ncorrelation: {type: temporal, rules: [a, b], timespan: 1h}",
            "title: one\ncorrelation: {type: temporal, rules: [a, b], timespan: 1h, condition: {gte: 1}}",
            "title: count\ncorrelation: {type: event_count, rules: [a, b], timespan: 1h, condition: {gte: 9}}",
            "title: chain\ncorrelation: {type: event_count, rules: [both], timespan: 1h, condition: {gte: 2}}",
        ]
    )
    rules = cloudsigma.compile_text(text)

    def titles(*names: str) -> set[str]:
        return {each.title for each in rules.silent([("iam.amazonaws.com", name) for name in names])}

    assert titles() == {"Ta", "Tb", "both", "one", "count", "chain"}
    assert titles("A") == {"Tb", "both", "chain"}
    assert titles("A", "B") == set()


def test_names_are_shown_as_the_rule_spells_them() -> None:
    (made,) = cloudsigma.compile_text(
        rule("s: {eventName: [PutUser, GetUSER]}, f: {eventName: X}, condition: s and not f")
    )
    assert asked_for(made) == ("GetUSER", "PutUser")
    (made,) = cloudsigma.compile_text(rule("s: {eventName|contains: User}, condition: s"))
    assert asked_for(made) == ()


def test_rules_that_never_apply_are_not_named() -> None:
    rules = cloudsigma.compile_text(
        "title: W\nlogsource: {product: windows}\ndetection: {s: {eventName: A}, condition: s}\n"
    )
    assert rules.silent([]) == ()

"""Correlations: the same matches whatever the order of the records, at once, in a stream, or late."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.correlation import Correlator
from cloudsigma.correlation.aggregation import percentile
from cloudsigma.rulesets.rule_set import RuleSet

START = datetime(2025, 3, 4, 10, tzinfo=UTC)


def base(name: str, **changes: Any) -> dict[str, Any]:
    """A rule for records with this event name."""
    return {
        "title": name,
        "name": name,
        "logsource": {"product": "aws", "service": "cloudtrail"},
        "detection": {"selection": {"eventName": name.upper()}, "condition": "selection"},
        **changes,
    }


def correlation(kind: str, condition: Any = None, *, name: str = "corr", **changes: Any) -> dict[str, Any]:
    section = {"type": kind, "rules": ["a", "b"], "group-by": ["user"], "timespan": "10s", **changes}
    if condition is not None:
        section["condition"] = condition
    return {
        "title": name,
        "name": name,
        "correlation": {key: value for key, value in section.items() if value is not None},
    }


def compiled(*rules: dict[str, Any]) -> RuleSet:
    return cloudsigma.compile_text("\n---\n".join(map(json.dumps, rules)))


def event(name: str, second: int, user: str = "u", **more: Any) -> dict[str, Any]:
    when = (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"eventName": name.upper(), "eventTime": when, "user": user, **more}


def shown(matches: Any) -> list[Any]:
    """What matches say, in an order of its own."""
    return sorted(
        (match.rule.title, sorted(match.group.items()), sorted(str(record["eventID"]) for record in match.records))
        for match in matches
    )


KINDS = {
    "event_count gte": correlation("event_count", {"gte": 3}),
    "event_count lt": correlation("event_count", {"lt": 3}),
    "event_count eq, no group": correlation("event_count", {"eq": 2}, **{"group-by": None}),
    "value_count": correlation("value_count", {"gte": 2, "field": "n"}),
    "value_sum": correlation("value_sum", {"gt": 4, "field": "n"}),
    "value_avg": correlation("value_avg", {"gte": 2, "field": "n"}),
    "value_percentile": correlation("value_percentile", {"gte": 2, "field": "n", "percentile": 75}),
    "value_median": correlation("value_median", {"lte": 1, "field": "n"}),
    "temporal": correlation("temporal"),
    "temporal_ordered": correlation("temporal_ordered"),
    "extended": correlation("temporal", "a and not b", rules=None),
    "extended, ordered": correlation("temporal_ordered", "a and b or b and not a", rules=None),
}

events = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 60), st.sampled_from("uv"), st.integers(0, 4)), max_size=25
)


def records_of(drawn: list[tuple[str, int, str, int]]) -> list[dict[str, Any]]:
    return [event(name, second, user, n=n, eventID=str(at)) for at, (name, second, user, n) in enumerate(drawn)]


CHAIN = correlation("event_count", {"gte": 2}, name="chain", rules=["corr"], timespan="30s")
COMPILED = [compiled(base("a"), base("b"), rule, CHAIN) for rule in KINDS.values()]


@pytest.mark.parametrize("rules", COMPILED, ids=KINDS)
@fuzz(30)
@given(drawn=events, seed=st.randoms(use_true_random=False))
def test_order_never_changes_matches(
    rules: RuleSet, drawn: list[tuple[str, int, str, int]], seed: random.Random
) -> None:
    """Shuffled input, a stream in event time, and a stream late within the lateness give the same matches."""
    records = records_of(drawn)
    expected = shown(rules.evaluate(records))
    shuffled = records.copy()
    seed.shuffle(shuffled)
    assert shown(rules.evaluate(shuffled)) == expected
    in_order = sorted(records, key=lambda record: record["eventTime"])
    assert shown(rules.evaluate(in_order, lateness=timedelta(0))) == expected
    late = sorted(
        records, key=lambda record: datetime.fromisoformat(record["eventTime"]).timestamp() + seed.uniform(0, 15)
    )
    assert shown(rules.evaluate(late, lateness=timedelta(seconds=15))) == expected


def test_stream_gives_a_frame_once_nothing_can_change_it() -> None:
    """With a lateness, a match is given as soon as no record within it can change the frame, not before."""
    rules = compiled(base("a"), base("b"), correlation("event_count", {"gte": 2}))
    given_after: list[int] = []

    def source() -> Any:
        for at, second in enumerate((0, 4, 12, 15, 16, 40)):
            taken.append(at)
            yield event("a", second, eventID=str(at))

    taken: list[int] = []
    for match in rules.evaluate(source(), lateness=timedelta(seconds=5)):
        given_after.append(taken[-1])
        assert match.rule.title == "corr"
    assert given_after == [4, 5]  # the frame from 0 to 10 is closed by the record of second 16: 16 - 5 > 10


def test_match_of_a_correlation_has_everything() -> None:
    """A correlation match has group, matches, records in event-time order, the last record's context, and a key."""
    rules = compiled(base("a", id="11111111-1111-4111-8111-111111111111"), base("b"), correlation("temporal_ordered"))
    records = [
        event("b", 5, userIdentity={"type": "Root", "arn": "arn:aws:iam::111122223333:root"}, awsRegion="us-east-1"),
        event("a", 1),
    ]
    (match,) = rules.evaluate(records)
    assert match.group == {"user": "u"}
    assert [one.rule.title for one in match.matches] == ["a", "b"]
    assert match.records == (records[1], records[0])
    assert match.record is records[0]
    assert str(match.context.principal) == "arn:aws:iam::111122223333:root"
    assert match.key == next(rules.evaluate(records[::-1])).key
    form = json.loads(match.to_json())
    assert form["group"] == {"user": "u"}
    assert [one["rule"]["title"] for one in form["matches"]] == ["a", "b"]


def test_base_rules_show_only_where_every_correlation_generates() -> None:
    """A rule that correlations refer to gives its own matches only if all of them say `generate: true`."""
    records = [event("a", 0), event("a", 1)]
    count = {"gte": 2}
    for generate, titles in (((True,), ["a", "a", "corr"]), ((False,), ["corr"]), ((True, False), ["corr", "other"])):
        correlations = [
            correlation("event_count", count, name=name, rules=["a"], generate=flag)
            for name, flag in zip(("corr", "other"), generate, strict=False)
        ]
        rules = compiled(base("a"), *correlations)
        assert sorted(match.rule.title for match in rules.evaluate(records)) == titles
        assert [match.rule.title for match in rules.match(records[0])] == ["a"]


def test_where_keeps_what_correlations_need() -> None:
    """Choosing a correlation keeps its base rules, which then give no matches of their own."""
    rules = compiled(base("a", level="low"), base("b"), correlation("event_count", {"gte": 2}, generate=True))
    chosen = rules.where(id="corr")
    records = [event("a", 0), event("b", 1)]
    assert [match.rule.title for match in chosen.evaluate(records)] == ["corr"]
    assert [match.rule.title for match in rules.where(exclude="corr").evaluate(records)] == ["a", "b"]
    assert (chosen + rules.where(level="low")).hidden == frozenset({rules["b"].id})


def test_correlator_takes_matches_in_any_order() -> None:
    """Feeding matches gives nothing before `advance` or `close` says that frames are complete."""
    rules = compiled(base("a"), base("b"), correlation("event_count", {"gte": 2}))
    correlator = Correlator(rules)
    for record in (event("b", 3), event("a", 0), event("c", 1)):
        assert correlator.feed(rules.match(record)) == ()
    assert correlator.advance(START + timedelta(seconds=10)) == ()
    (match,) = correlator.advance(START + timedelta(seconds=11))
    assert len(match.records) == 2
    assert correlator.close() == ()


def test_matches_that_come_too_late_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """A match from before the lateness is left out, counted and told to the logger."""
    rules = compiled(base("a"), correlation("event_count", {"gte": 2}, rules=["a"]))
    correlator = Correlator(rules, lateness=timedelta(seconds=5))
    correlator.feed(rules.match(event("a", 100)))
    correlator.feed(rules.match(event("a", 94)))
    assert correlator.too_late == 1
    assert "no part in correlations" in caplog.text


def test_event_delivered_twice_counts_once() -> None:
    """H5: two deliveries of one event are one entry; two events without an ID are two."""
    rules = compiled(base("a"), correlation("event_count", {"gte": 2}, rules=["a"]))
    assert list(rules.evaluate([event("a", 0, eventID="x"), event("a", 0, eventID="x")])) == []
    assert len(list(rules.evaluate([event("a", 0), event("a", 0)]))) == 1


def test_percentile_interpolates() -> None:
    """Rank p/100 x (n - 1) of the sorted numbers, linear between neighbors."""
    assert [percentile([4, 1, 3, 2], rank) for rank in (0, 50, 75, 100)] == [1, 2.5, 3.25, 4]
    assert percentile([], 50) is None


def test_explaining_a_correlation_points_at_its_rules() -> None:
    """A correlation has no predicate and is not explained on one record."""
    rules = compiled(base("a"), correlation("event_count", {"gte": 2}, rules=["a"]))
    assert rules["corr"].predicate is None
    assert rules["corr"].source is None
    assert rules["corr"].correlation.timespan == 10  # type: ignore[union-attr]
    with pytest.raises(cloudsigma.UsageError, match="is a correlation"):
        rules.explain({}, "corr")


def test_suzaku_correlations_are_refused_with_what_to_write(shared_corpus: Any) -> None:
    """733 of the 738 files load; the five correlations that name rules by title are told what to write."""
    rules = cloudsigma.compile_rules(shared_corpus / "suzaku_rules", on_error="skip")
    assert len(rules.errors) == 5
    assert {error.category for error in rules.errors} == {"reference"}
    assert all("titles are no references" in error.reason for error in rules.errors), rules.errors
    assert all("Refer to it by its ID" in (error.remedy or "") for error in rules.errors)


# --- edges of the data ----------------------------------------------------------------------------------------


def test_an_object_is_no_group_and_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Members of an object, such as the type of an identity, would join the events of different users."""
    rules = compiled(base("a"), correlation("event_count", {"gte": 2}, **{"rules": ["a"], "group-by": ["who"]}))
    people = [{"who": {"type": "IAMUser", "arn": name}} for name in ("alice", "bob")]
    records = [event("a", at, eventID=str(at), **person) for at, person in enumerate(people * 2)]
    assert [match for match in rules.evaluate(records) if match.matches] == []
    assert "groups by who, which is an object" in caplog.text
    assert "who.arn" in caplog.text
    assert len(caplog.records) == 1
    by_arn = compiled(base("a"), correlation("event_count", {"gte": 2}, **{"rules": ["a"], "group-by": ["who.arn"]}))
    assert [match.group for match in by_arn.evaluate(records) if match.matches] == [
        {"who.arn": "alice"},
        {"who.arn": "bob"},
    ]


def test_products_of_arrays_are_bounded_and_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    rules = compiled(base("a"), correlation("event_count", {"gte": 2}, **{"rules": ["a"], "group-by": ["x", "y"]}))
    many = {"x": [str(n) for n in range(3000)], "y": [str(n) for n in range(3000)]}
    correlator = Correlator(rules)
    for at in range(2):
        correlator.feed(rules.match(event("a", at, eventID=str(at), **many)))
    assert len(correlator.close()) == 1_000
    assert "more than 1,000 groups" in caplog.text
    assert len(caplog.records) == 1


def test_records_without_a_time_are_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    rules = compiled(base("a"), base("b"), correlation("event_count", {"gte": 1}, rules=["a"]))
    correlator = Correlator(rules)
    for name, when in (("a", "soon"), ("a", None), ("b", None), ("a", "2025-03-04T10:00:00Z")):
        correlator.feed(rules.match({"eventName": name.upper(), "eventTime": when, "user": "u"}))
    assert len(correlator.close()) == 1
    assert correlator.without_time == 2
    assert "no time that can be read" in caplog.text
    assert "2 matches whose records have no time" in caplog.text


@pytest.mark.parametrize("name", ["event_created", "event.created"])
def test_under_a_pipeline_that_moves_the_time_the_moved_one_counts(name: str, tmp_path: Path) -> None:
    pipeline = tmp_path / "p.yml"
    mapping = {"eventTime": name, "user": "source_user"}
    items = [{"id": "m", "type": "field_name_mapping", "mapping": mapping}]
    pipeline.write_text(json.dumps({"name": "p", "priority": 1, "transformations": items}))
    documents = [base("a"), correlation("temporal_ordered", None), base("b")]
    rules = cloudsigma.compile_text("\n---\n".join(map(json.dumps, documents)), pipelines=[pipeline])

    def moved(event_name: str, second: int) -> dict[str, Any]:
        when = event(event_name, second)["eventTime"]
        timed = {"event": {"created": when}} if "." in name else {name: when}
        return {"eventName": event_name.upper(), "source_user": "u", "eventID": event_name, **timed}

    (match,) = [match for match in rules.evaluate([moved("b", 5), moved("a", 3)]) if match.matches]
    assert [record["eventID"] for record in match.records] == ["a", "b"]
    assert [m for m in rules.evaluate([moved("b", 3), moved("a", 5)]) if m.matches] == []
    assert [m for m in rules.evaluate([moved("b", 50), moved("a", 3)]) if m.matches] == []


def test_a_call_and_its_network_activity_are_one_entry() -> None:
    rules = compiled(base("a"), correlation("event_count", {"gte": 2}, rules=["a"]))
    twins = [event("a", 1, eventID=each, sharedEventID="s") for each in ("call", "network")]
    assert [match for match in rules.evaluate(twins) if match.matches] == []
    other = event("a", 2, eventID="other", sharedEventID="t")
    assert len([match for match in rules.evaluate([*twins, other]) if match.matches]) == 1


# --- why a correlation matches, or why not ---------------------------------------------------------------------


def test_explaining_shows_groups_values_and_the_nearest_frame() -> None:
    rules = compiled(base("a"), correlation("event_count", {"gte": 3}, rules=["a"]))
    records = [
        *(event("a", second, "alice", eventID=f"a{second}") for second in (0, 5, 30)),
        event("a", 1, "bob", eventID="b"),
        {"eventName": "A", "user": "carol", "eventID": "c"},
        {"eventName": "A", "eventTime": "2025-03-04T10:00:00Z", "eventID": "d"},
        event("other", 1, eventID="o"),
    ]
    why = rules.explain(iter(records), "corr")
    assert not why.matched
    assert why.wanted == "event_count gte 3 within 10s by user"
    assert (why.records, why.without_time, why.without_group, why.without_value) == (7, 1, 1, 0)
    assert list(why.matches.values()) == [6]
    nearest, other = why.groups
    assert (nearest.group, nearest.events, nearest.value, nearest.matched) == ({"user": "alice"}, 3, 2, False)
    assert (nearest.start, nearest.end) == (START, START + timedelta(seconds=5))
    assert (other.group, other.value) == ({"user": "bob"}, 1)
    shown = str(why)
    assert "does not match" in shown
    assert "user=alice: 3 events; nearest: 2" in shown
    assert "1 that have no time" in shown
    assert json.loads(json.dumps(why.to_dict()))["groups"][0]["value"] == 2


def test_explaining_orders_expressions_values_and_chains() -> None:
    rules = compiled(
        base("a"),
        base("b"),
        correlation("value_count", {"gte": 2, "field": "ip"}, name="values", rules=["a"]),
        correlation("temporal", "a and not b", name="without", rules=None),
        correlation("temporal_ordered", name="ordered"),
        correlation("event_count", {"gte": 2}, name="parent", rules=["values"]),
    )
    records = [event("b", 0, eventID="1"), event("a", 1, eventID="2", ip="x"), event("a", 2, eventID="3")]
    values = rules.explain(records, "values")
    assert (values.without_value, values.groups[0].value) == (1, 1)
    assert "rules" not in str(values.groups[0].group)
    without = rules.explain(records, "without")
    assert not without.matched
    assert sorted(without.groups[0].rules.values()) == [1, 2]
    assert rules.explain(records, "ordered").groups[0].value == 1
    assert rules.explain([records[1], event("b", 5, eventID="9")], "ordered").matched
    many = [event("a", second, eventID=str(second), ip=str(second)) for second in (0, 1, 50, 51)]
    parent = rules.explain(many, "parent")
    assert list(parent.matches.values()) == [2]
    assert parent.groups[0].events == 2
    assert rules.explain([], "parent").groups == ()
    assert "no event is in any group" in str(rules.explain([], "parent"))


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from("uv")), max_size=10), st.integers(1, 4))
def test_explaining_agrees_with_the_correlator(drawn: list[tuple[int, str]], limit: int) -> None:
    rules = compiled(base("a"), correlation("event_count", {"gte": limit}, rules=["a"]))
    records = [event("a", second, user, eventID=str(at)) for at, (second, user) in enumerate(drawn)]
    expected = {match.group["user"] for match in rules.evaluate(records) if match.matches}
    assert {each.group["user"] for each in rules.explain(records, "corr").groups if each.matched} == expected

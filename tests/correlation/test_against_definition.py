"""The correlator against the definition, read step by step over all events at once (`docs/semantics.md`)."""

from __future__ import annotations

import itertools
import json
import math
import random
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.correlation.total import Total
from cloudsigma.rulesets.rule_set import RuleSet

START = datetime(2025, 3, 4, 10, tzinfo=UTC)
SPAN = 10
Event = dict[str, Any]
Frame = Sequence[Event]


def compiled(kind: str, condition: Any, *, group_by: bool = True) -> RuleSet:
    section: dict[str, Any] = {"type": kind, "timespan": f"{SPAN}s", "generate": False}
    if not isinstance(condition, str):
        section["rules"] = ["a", "b", "c"]
    if condition is not None:
        section["condition"] = condition
    if group_by:
        section["group-by"] = ["user"]
    bases = [
        {
            "title": name, "name": name, "logsource": {"product": "aws"},
            "detection": {"s": {f"is{name}": True}, "condition": "s"},
        }
        for name in "abc"
    ]  # fmt: skip
    return cloudsigma.compile_text("\n---\n".join(map(json.dumps, [*bases, {"title": "corr", "correlation": section}])))


def rules_of(event: Event) -> set[str]:
    return {name for name in "abc" if event.get(f"is{name}")}


def present(frame: Frame) -> set[str]:
    return set().union(*map(rules_of, frame))


def chain(frame: Frame, order: str) -> int:
    """The longest chain of different events for rules in their order, by trying every choice."""
    for size in range(len(order), 0, -1):
        for names in itertools.combinations(order, size):
            for chosen in itertools.permutations(frame, size):
                fits = all(name in rules_of(event) for name, event in zip(names, chosen, strict=True))
                if fits and all(one["at"] <= two["at"] for one, two in itertools.pairwise(chosen)):
                    return size
    return 0


def numbers(frame: Frame) -> list[float]:
    return [event["n"] for event in frame if event["n"] is not None]


def total(frame: Frame) -> float:
    values = numbers(frame)
    return sum(values) if all(isinstance(value, int) for value in values) else math.fsum(map(float, values))


def measured(frame: Frame, measure: Callable[[list[float]], float], holds: Callable[[float], bool]) -> bool:
    values = [float(value) for value in numbers(frame)]
    return bool(values) and holds(measure(values))


# Name: type, condition; whether a frame that does not hold slides on by its first moment; whether it holds.
KINDS: dict[str, tuple[str, Any, bool, Callable[[Frame], bool]]] = {
    "event_count gte": ("event_count", {"gte": 3}, True, lambda f: len(f) >= 3),
    "event_count lt": ("event_count", {"lt": 3}, False, lambda f: len(f) < 3),
    "event_count neq": ("event_count", {"neq": 2}, False, lambda f: len(f) != 2),
    "value_count": ("value_count", {"gt": 1, "field": "n"}, True, lambda f: len({str(n) for n in numbers(f)}) > 1),
    "value_sum": ("value_sum", {"gte": 5, "field": "n"}, True, lambda f: total(f) >= 5),
    "value_avg": (
        "value_avg", {"gte": 2, "field": "n"}, False,
        lambda f: measured(f, lambda v: math.fsum(v) / len(v), lambda x: x >= 2),
    ),
    "value_median": (
        "value_median", {"lte": 1, "field": "n"}, False, lambda f: measured(f, statistics.median, lambda x: x <= 1),
    ),
    "temporal": ("temporal", None, True, lambda f: present(f) == set("abc")),
    "temporal gte": ("temporal", {"gte": 2}, True, lambda f: len(present(f)) >= 2),
    "temporal_ordered": ("temporal_ordered", None, True, lambda f: chain(f, "abc") == 3),
    "temporal_ordered gte": ("temporal_ordered", {"gte": 2}, True, lambda f: chain(f, "abc") >= 2),
    "extended": ("temporal", "a and not b", False, lambda f: "a" in present(f) and "b" not in present(f)),
    "extended or": ("temporal", "a and b or c", True, lambda f: present(f) >= set("ab") or "c" in present(f)),
    "extended ordered": (
        "temporal_ordered", "b and a or c", True,
        lambda f: "c" in present(f) or chain(f, "ba") == 2,
    ),
}  # fmt: skip
COMPILED = {name: compiled(kind, condition) for name, (kind, condition, _, _) in KINDS.items()}


def by_definition(events: Sequence[Event], name: str) -> list[list[str]]:
    """The IDs in every frame that holds: the earliest event that is not used up starts a frame."""
    kind, _, slides, holds = KINDS[name]
    found = []
    for user in {event["user"] for event in events}:
        # An event without a value is none for a type that measures one; one that no rule matches is none at all.
        unused = [
            event for event in sorted(events, key=lambda event: event["at"])
            if event["user"] == user and rules_of(event) and (event["n"] is not None or not kind.startswith("value"))
            and (name not in ("extended", "extended or", "extended ordered") or rules_of(event) & referred(name))
        ]  # fmt: skip
        while unused:
            frame = [event for event in unused if event["at"] <= unused[0]["at"] + SPAN]
            if holds(frame):
                found.append(sorted(event["eventID"] for event in frame))
                unused = unused[len(frame) :]
            elif slides:
                unused = [event for event in unused if event["at"] > unused[0]["at"]]
            else:
                unused = unused[len(frame) :]
    return sorted(found)


def referred(name: str) -> set[str]:
    return set(KINDS[name][1]) & set("abc") - set("nd or") if name != "extended" else {"a", "b"}


values = st.one_of(
    st.none(), st.integers(-3, 6), st.sampled_from([0.1, 0.2, -0.3, 1e16, -1e16, 2**60, -(2**60), 1e-300])
)
seconds = st.one_of(st.integers(0, 45), st.integers(0, 450).map(lambda tenths: Fraction(tenths, 10)))
"""Most events have whole seconds; fractions count where a record has them."""
events_drawn = st.lists(st.tuples(st.sets(st.sampled_from("abc")), seconds, st.sampled_from("uv"), values), max_size=12)


def written(second: int | Fraction) -> str:
    return (START + timedelta(milliseconds=int(second * 1000))).isoformat().replace("+00:00", "Z")


def made(drawn: list[tuple[set[str], int | Fraction, str, Any]]) -> list[Event]:
    return [
        {
            **{f"is{name}": True for name in rules}, "at": second, "user": user, "n": n, "eventID": f"{at:02}",
            "eventName": "X", "eventTime": written(second),
        }
        for at, (rules, second, user, n) in enumerate(drawn)
    ]  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
@fuzz(30)
@given(drawn=events_drawn, chance=st.randoms(use_true_random=False))
def test_frames_are_those_of_the_definition(name: str, drawn: Any, chance: random.Random) -> None:
    """All at once, and in a stream that is late within the lateness."""
    events = made(drawn)
    expected = by_definition(events, name)
    late = sorted(events, key=lambda event: float(event["at"]) + chance.uniform(0, 15))
    for records, lateness in ((events, None), (late, timedelta(seconds=15))):
        matches = [m for m in COMPILED[name].evaluate(records, lateness=lateness) if m.rule.title == "corr"]
        assert sorted(sorted(record["eventID"] for record in match.records) for match in matches) == expected


@fuzz(100)
@given(st.lists(st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False)), max_size=12), st.data())
def test_a_sum_that_slides_is_the_sum_counted_anew(drawn: list[int | float], data: st.DataObject) -> None:
    """Whatever is put in and taken out, nothing is lost to rounding on the way."""
    running = Total()
    for number in drawn:
        running.add(number)
    gone = data.draw(st.integers(0, len(drawn)))
    for number in drawn[:gone]:
        running.add(number, -1)
    anew = Total()
    for number in drawn[gone:]:
        anew.add(number)
    assert repr(running.value) == repr(anew.value)
    left = drawn[gone:]
    if left and all(isinstance(number, float) and math.isfinite(number) for number in left):
        try:
            assert anew.value == math.fsum(left)
        except OverflowError:
            assert math.isinf(anew.value) or abs(anew.value) > 1e308

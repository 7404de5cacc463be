"""One time far in the future does not end a stream: what moves the watermark, and what does not."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterable
from typing import Any

import pytest

import cloudsigma
from cloudsigma.correlation.watermark import CONFIRMATIONS, LEAP, SKEW, Watermark

DAY = 86_400.0
START = 1_740_000_000.0
RULES = cloudsigma.compile_text(
    """
title: Call
name: call
logsource: {product: aws}
detection: {s: {eventName: Call}, condition: s}
---
title: Pair
correlation: {type: event_count, rules: [call], group-by: [user], timespan: 10m, condition: {gte: 2}}
"""
)


def after(times: Iterable[float], now: float = float("inf")) -> Watermark:
    mark = Watermark()
    for time in times:
        mark.note(time, now=now)
    return mark


def test_it_follows_times_within_the_leap() -> None:
    assert after([START, START + 60, START + DAY - 1]).latest == START + DAY - 1
    assert after([START, START - 60]).latest == START
    assert after([]).bound(60) == -float("inf")
    assert after([START]).bound(60) == START - 60


@pytest.mark.parametrize("ahead", [2 * LEAP, 30 * DAY, 365 * DAY, 70_000 * DAY])
@pytest.mark.parametrize("at", [0, 1, 2, 10, 39])
@pytest.mark.parametrize("count", [1, 2, CONFIRMATIONS - 1])
def test_a_few_times_far_ahead_do_not_move_it(ahead: float, at: int, count: int) -> None:
    times = [START + minute * 60 for minute in range(40)]
    times[at:at] = [START + ahead + number for number in range(count)]
    assert after(times).latest == START + 39 * 60


def test_outliers_now_and_then_never_add_up() -> None:
    times: list[float] = []
    for minute in range(1000):
        times += [START + minute * 60] * 2 + [START + (2 + minute) * 30 * DAY] * (minute % 2)
    assert after(times).latest == START + 999 * 60


def test_a_stream_that_goes_on_later_is_followed() -> None:
    """A quiet trail, with more than a day between events: each moves it once enough have come behind it."""
    mark = after(START + number * 2 * DAY for number in range(20))
    assert mark.latest == START + (20 - CONFIRMATIONS) * 2 * DAY
    mark = after([START, *(START + 5 * DAY + minute for minute in range(CONFIRMATIONS))])
    assert mark.latest == START + 5 * DAY + CONFIRMATIONS - 1


def test_times_beyond_now_never_move_it() -> None:
    now = START + 100
    assert after([START, now + SKEW], now).latest == now + SKEW
    assert after([START, *[now + SKEW + 1] * 100], now).latest == START


def test_it_is_set_without_confirmation() -> None:
    mark = after([START])
    mark.set(START + 300 * DAY)
    assert mark.latest == START + 300 * DAY
    mark.set(START)
    assert mark.latest == START + 300 * DAY


# --- in streams ---------------------------------------------------------------------------------------------


def call(minute: float, user: str, number: int, when: str | None = None) -> dict[str, Any]:
    time = dt.datetime.fromtimestamp(START, dt.UTC) + dt.timedelta(minutes=minute)
    return {
        "eventName": "Call", "user": user, "eventID": f"{user} {number}",
        "eventTime": when or time.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }  # fmt: skip


def stream() -> list[dict[str, Any]]:
    """Forty pairs, one after another."""
    return [call(12 * pair + number, f"u{pair}", number) for pair in range(40) for number in range(2)]


def pairs(records: Iterable[dict[str, Any]], lateness: dt.timedelta | None) -> list[str]:
    return [match.group["user"] for match in RULES.evaluate(records, lateness=lateness) if match.matches]


@pytest.mark.parametrize("when", ["2099-01-01T00:00:00Z", "2025-03-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("at", [0, 1, 2, 3, 40, 79])
def test_one_record_far_ahead_leaves_all_matches(when: str, at: int) -> None:
    """There were none of the forty."""
    records = stream()
    records.insert(at, call(0, "far", 0, when))
    assert pairs(records, dt.timedelta(minutes=5)) == [f"u{pair}" for pair in range(40)]


def test_matches_are_still_given_as_the_stream_goes_on() -> None:
    """Not all at its end, because of one record."""
    records = stream()
    records.insert(10, call(0, "far", 0, "2099-01-01T00:00:00Z"))
    taken = 0

    def source() -> Iterable[dict[str, Any]]:
        nonlocal taken
        for record in records:
            taken += 1
            yield record

    given = [taken for match in RULES.evaluate(source(), lateness=dt.timedelta(minutes=5)) if match.matches]
    assert given[5] < 30


def test_random_streams_with_outliers_have_the_matches_of_all_at_once() -> None:
    choice = random.Random(11)  # noqa: S311  # any order does
    for _ in range(30):
        records = stream()
        for _ in range(choice.randint(1, 6)):
            year = choice.choice([2026, 2031, 2099])
            at = choice.randrange(len(records))
            records.insert(at, call(0, f"far{at}", 0, f"{year}-0{choice.randint(1, 9)}-01T00:00:00Z"))
        assert sorted(pairs(records, dt.timedelta(minutes=5))) == sorted(pairs(records, None))


def test_a_correlator_restores_its_watermark(tmp_path: Any) -> None:
    state, lateness = tmp_path / "state", dt.timedelta(minutes=5)
    records = stream()
    records.insert(3, call(0, "far", 0, "2099-01-01T00:00:00Z"))
    found: list[str] = []
    for record in records:
        correlator = cloudsigma.Correlator(RULES, lateness=lateness, state=state)
        found += [match.group["user"] for match in correlator.feed(RULES.match(record))]
        correlator.release()
    found += [match.group["user"] for match in cloudsigma.Correlator(RULES, state=state).close()]
    assert found == [f"u{pair}" for pair in range(40)]


def test_it_serializes() -> None:
    import msgspec

    mark = after([START, START + 5 * DAY])
    assert msgspec.json.decode(msgspec.json.encode(mark), type=Watermark) == mark
    assert json.loads(msgspec.json.encode(mark))["ahead"] == [START + 5 * DAY]

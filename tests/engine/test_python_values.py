"""Values that JSON does not have, in records that a program made: pandas, NumPy and Python's own kinds."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import ipaddress
import json
import math
import pathlib
import uuid
from collections import UserDict, UserString
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.engine.context.context import read_context
from cloudsigma.engine.identity import match_key
from cloudsigma.engine.python_values import plain_record, read_value

np = pytest.importorskip("numpy", reason="pandas is not installed: ITS VALUES ARE NOT TESTED")
pd = pytest.importorskip("pandas", reason="pandas is not installed: ITS VALUES ARE NOT TESTED")

ROOT = pathlib.Path(__file__).parent.parent.parent
RECORDS: list[dict[str, Any]] = json.loads((ROOT / "tests/reading/forms/records.json").read_text(encoding="utf-8"))
CREATED = RECORDS[0]
WHEN = dt.datetime(2025, 3, 4, 10, 15, 30, tzinfo=dt.UTC)
TEXT = "2025-03-04T10:15:30Z"


class Timestamp(dt.datetime):
    """A subclass, as pendulum, freezegun and pandas have."""


class Color(enum.StrEnum):
    RED = "red"


class Broken(dt.tzinfo):
    """A time zone that does not know itself."""


MISSING = [math.nan, np.float64("nan"), np.float32("nan"), decimal.Decimal("NaN"), decimal.Decimal("sNaN"),
    pd.NaT, pd.NA, np.datetime64("NaT"), np.ma.masked]  # fmt: skip
READ: list[tuple[Any, Any]] = [
    (np.str_("a"), "a"),
    (np.int64(7), 7),
    (np.uint8(7), 7),
    (np.float64(1.5), 1.5),
    (np.bool_(True), True),  # noqa: FBT003  # the value
    (np.datetime64("2025-03-04T10:15:30", "ns"), TEXT),
    (np.array(["a", "b"]), ["a", "b"]),
    (np.array([1, 2]), [1, 2]),
    (np.array([{"ARN": "x"}], dtype=object), [{"ARN": "x"}]),
    (np.array("a"), "a"),
    (pd.Timestamp("2025-03-04T10:15:30Z"), TEXT),
    (pd.Timestamp("2025-03-04T12:15:30+02:00"), TEXT),
    (pd.Timestamp("2025-03-04T10:15:30"), TEXT),
    (pd.Series({"a": 1}), {"a": 1}),
    (Timestamp(2025, 3, 4, 10, 15, 30, tzinfo=dt.UTC), TEXT),
    (WHEN, TEXT),
    (WHEN.astimezone(dt.timezone(dt.timedelta(hours=-5))), TEXT),
    (WHEN.replace(tzinfo=None), TEXT),
    (WHEN.replace(microsecond=5), "2025-03-04T10:15:30.000005Z"),
    (WHEN.date(), "2025-03-04"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (b"text", "text"),
    (bytearray(b"\xff\x00"), "/wA="),
    (Color.RED, "red"),
    ({"b", "a"}, ["a", "b"]),
    (collections.deque(["a"]), ["a"]),
    ({"x": "a"}.values(), ["a"]),
    (ipaddress.ip_address("192.0.2.1"), "192.0.2.1"),
    (pathlib.PurePosixPath("/a"), "/a"),
    (decimal.Decimal("1.50"), decimal.Decimal("1.50")),
    (("a",), ("a",)),
]


def kinds_of(values: Iterable[Any]) -> list[str]:
    """IDs that are the same in every process; the `repr` of some values has an address or an order of its own."""
    return [f"{at}-{type(value).__name__}" for at, value in enumerate(values)]


@pytest.mark.parametrize("value", MISSING, ids=kinds_of(MISSING))
def test_a_missing_value_is_not_there(value: Any) -> None:
    """In a filter, for `exists`, in a nested object and as an element of an array."""
    rules = cloudsigma.compile_text(RULE)
    for record in ({**CREATED, "errorCode": value}, {**CREATED, "errorCode": [value]}):
        (match,) = cloudsigma.evaluate([record])
        assert match.context.outcome == "success"
        assert match.context.error_code is None
        json.loads(match.to_json())
    assert rules.verdicts({"errorCode": value, "a": {"b": value}}) == ("11111111-1111-4111-8111-111111111111",)
    assert plain_record({"a": value, "b": [value, 1], "c": {"d": value}}) == {"b": [None, 1], "c": {}}


RULE = """
title: Missing
id: 11111111-1111-4111-8111-111111111111
logsource: {product: aws, service: cloudtrail}
detection:
    there:
        - errorCode|exists: true
        - a.b|exists: true
        - errorCode: '*'
        - a.b|contains: n
    'null':
        errorCode: null
        a.b: null
    condition: not there and null
"""


@pytest.mark.parametrize(("value", "read"), READ, ids=kinds_of(value for value, _ in READ))
def test_a_value_is_read_as_what_it_is(value: Any, read: Any) -> None:
    found = read_value(value)
    assert type(found) is type(read)
    assert found == read
    json.loads(cloudsigma.compile_text(ANY).match({"eventName": "x", "v": value})[0].to_json())


ANY = """
title: Any
logsource: {product: aws, service: cloudtrail}
detection:
    any:
        eventName: '*'
    condition: any
"""

EARLIER = dt.timezone(dt.timedelta(hours=-9))
ODD = [object(), lambda: None, WHEN.replace(tzinfo=Broken()), dt.datetime.max.replace(tzinfo=EARLIER),
    UserString("a"), UserDict({"a": math.nan}), MappingProxyType({"a": 1}), {1: 2, None: 3}, range(3), 1j, iter(()),
    pd.DataFrame({"a": [1]}), pd.Interval(1, 2), np.array([[1], [2]]), {"a": {"b": {"c": {1, 2}}}}]  # fmt: skip
EVERY = [*ODD, *MISSING, *(value for value, _ in READ)]


@pytest.mark.parametrize(
    "member", ["eventTime", "errorCode", "userIdentity", "requestParameters", "eventName", "eventID"]
)
@pytest.mark.parametrize("value", EVERY, ids=kinds_of(EVERY))
def test_nothing_raises_and_the_stream_goes_on(value: Any, member: str) -> None:
    if isinstance(value, dt.datetime) and isinstance(value.tzinfo, Broken) and member in ("eventName", "errorCode"):
        pytest.skip("the value has no hash, by which rules are found")
    matches = list(cloudsigma.evaluate([{**CREATED, member: value}, CREATED], rules=cloudsigma.bundled_rules()))
    assert matches[-1].record is CREATED
    for match in matches:
        json.loads(match.to_json())
        assert repr(match)


def dressed(value: Any, choose: Callable[[], int]) -> Any:
    """The same value with some of its parts in the kinds that pandas and NumPy have."""
    if isinstance(value, dict):
        made: Any = {name: dressed(inner, choose) for name, inner in value.items()}
        return MappingProxyType(made) if choose() == 0 else made
    if isinstance(value, list):
        elements = [dressed(element, choose) for element in value]
        if choose() == 0:
            array = np.empty(len(elements), dtype=object)
            array[:] = elements
            return array
        return tuple(elements) if choose() == 1 else elements
    if isinstance(value, str):
        return (np.str_(value), value.encode(), value)[choose() % 3]
    if isinstance(value, bool):
        return np.bool_(value) if choose() else value
    return np.int64(value) if isinstance(value, int) and abs(value) < 2**60 else value


@given(st.sampled_from(RECORDS), st.lists(st.integers(0, 3), min_size=1, max_size=50))
def test_verdicts_and_context_are_those_of_the_plain_record(record: dict[str, Any], choices: list[int]) -> None:
    turn = iter(choices * 100)
    other: Mapping[str, Any] = dressed(record, lambda: next(turn, 2))
    assert plain_record(other) == record
    rules = cloudsigma.bundled_rules()
    assert rules.verdicts(other) == rules.verdicts(record)
    for ours, theirs in zip(rules.match(other), rules.match(record), strict=True):
        assert (ours.context, ours.evidence, ours.key) == (theirs.context, theirs.evidence, theirs.key)
        assert match_key(ours.rule_id, other) == theirs.key
        assert ours.record is other


@given(st.sampled_from(RECORDS))
def test_a_plain_record_is_itself(record: dict[str, Any]) -> None:
    assert plain_record(record) is record


def test_joined_names_give_the_context_of_nested_ones() -> None:
    for record in RECORDS:
        (flat,) = pd.json_normalize([record]).to_dict("records")
        assert any("." in name for name in flat)
        assert read_context(plain_record(flat)) == read_context(record)
        assert [match.context for match in cloudsigma.evaluate([flat])] == [
            match.context for match in cloudsigma.evaluate([record])
        ]


def test_a_notebook_over_the_sample_trail_gives_the_four_matches() -> None:
    """Read the trail, look at it with pandas, evaluate its rows: nested, flattened, and with times as timestamps."""
    trail = ROOT / "examples/trail"
    four = sorted(match.key for match in cloudsigma.scan(trail))
    assert len(four) == 4
    records = list(cloudsigma.read_records(trail))
    for frame in (pd.DataFrame(records), pd.json_normalize(records), pd.DataFrame(records).convert_dtypes()):
        assert sorted({match.key for match in cloudsigma.evaluate(frame.to_dict("records"))}) == four
        frame["eventTime"] = pd.to_datetime(frame["eventTime"])
        assert sorted({match.key for match in cloudsigma.evaluate(frame.to_dict("records"))}) == four
        assert sorted({match.key for match in cloudsigma.evaluate(row for _, row in frame.iterrows())}) == four
        matches = list(cloudsigma.scan(frame.to_dict("records")))
        assert sorted({match.key for match in matches}) == four
        rows = pd.DataFrame([match.context.to_dict() for match in matches])
        assert set(rows["outcome"]) == {"success"}


def test_a_data_frame_itself_is_refused_with_what_to_give() -> None:
    frame = pd.DataFrame(RECORDS)
    for call in (cloudsigma.evaluate, cloudsigma.read_records, cloudsigma.scan):
        with pytest.raises(cloudsigma.UsageError, match=r'its rows: df.to_dict\("records"\)'):
            call(frame)

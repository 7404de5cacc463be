"""The JSON line of a match: the fast encoder writes what the plain way writes, whatever the record holds."""

from __future__ import annotations

import datetime as dt
import json
import math
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from effort import fuzz
from hypothesis import given
from hypothesis import strategies as st

import cloudsigma
from cloudsigma.engine.json_form import json_values
from cloudsigma.engine.match import make_match

RULES = cloudsigma.compile_text(
    "title: T\nlogsource: {product: aws}\ndetection: {s: {eventName: CreateGroup}, condition: s}\n"
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**80), 2**80),
    st.floats(),
    st.decimals(places=3, min_value=-1000, max_value=1000),
    st.text(st.characters(), max_size=12),
    st.sampled_from(["NaN", "Infinity", "\ud800", "\x7f", "\u2028", "\u202e", "\x1b[31m", "é", ""]),
    st.datetimes(timezones=st.none() | st.just(dt.UTC)),
    st.uuids(),
)
RECORDS = st.dictionaries(
    st.text(st.characters(), max_size=8),
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_size=5,
)


def returned(value: Any) -> Any:
    """A value as FastAPI and other web frameworks return it."""
    return json.loads(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())


def kinds(value: Any) -> set[type]:
    """The types of a value and of all values in it."""
    inner = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {type(value)}.union(*map(kinds, inner))


class Stamp(dt.datetime):
    """A subclass, as pandas' `Timestamp` is one."""


class Nothing(Stamp):
    """A time that equals nothing, as pandas' `NaT`."""

    __hash__ = dt.datetime.__hash__

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True


def test_times_of_other_libraries_are_times() -> None:
    record = {
        "eventName": "CreateGroup",
        "eventTime": Stamp(2025, 3, 4, 10, 15, 30, tzinfo=dt.UTC),
        "n": Nothing(1970, 1, 1),
    }
    match = make_match(RULES.rules[0], record)
    written = json.loads(match.to_json())
    assert written["record"]["eventTime"] == written["context"]["time"] == "2025-03-04T10:15:30Z"
    assert written["record"]["n"] is None
    assert match.key == make_match(RULES.rules[0], {**record, "eventTime": "2025-03-04T10:15:30Z"}).key


@fuzz(100)
@given(RECORDS, st.booleans())
def test_the_fast_line_is_the_plain_line(extra: dict[str, Any], record: bool) -> None:
    match = make_match(RULES.rules[0], {**extra, "eventName": "CreateGroup"})
    line = match.to_json(record=record)
    form = match.to_dict(record=record)
    assert json_values(json.loads(line)) == form == returned(form)
    assert line == match.to_json_bytes(record=record).decode()
    assert not any(ord(character) < 32 or character in "\x7f\u2028\u202e\ud800" for character in line)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (math.nan, None),
        (-math.inf, None),
        (Decimal("NaN"), "NaN"),
        (2**64, 2**64),
        (-(2**70), -(2**70)),
        pytest.param(16**5000, hex(16**5000), id="an integer of 6000 digits"),
        (Decimal("1.50"), "1.50"),
        (Decimal("7" * 5000), "7" * 5000),
        (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "2026-01-02T00:00:00Z"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"ab", "YWI="),
    ],
)
def test_what_json_has_no_form_for(value: Any, written: Any) -> None:
    match = make_match(RULES.rules[0], {"eventName": "CreateGroup", "value": value})
    assert json.loads(match.to_json())["record"]["value"] == written
    assert match.to_dict()["record"]["value"] == written


JSON = {dict, list, str, int, float, bool, type(None)}


@pytest.mark.parametrize("trail", ["invictus", "stratus"])
def test_the_dictionary_of_a_real_match_holds_only_values_of_json(shared_corpus: Path, trail: str) -> None:
    rules = cloudsigma.compile_rules(shared_corpus / "sigmahq_rules", on_error="skip")
    forms = [match.to_dict() for match in cloudsigma.scan(shared_corpus / trail, rules=rules)]
    forms += [make_match(rules.rules[0], record).to_dict() for record in cloudsigma.read_records(shared_corpus / trail)]
    assert len(forms) > 300
    assert kinds(forms) <= JSON
    assert returned(forms) == forms


def test_the_dictionary_of_a_correlation_holds_only_values_of_json(root: Path) -> None:
    rules = cloudsigma.bundled_rules(correlations=True)
    [match] = [match for match in cloudsigma.scan(root / "examples" / "trail", rules=rules) if match.matches][:1]
    form = match.to_dict()
    assert form["matches"]
    assert kinds(form) <= JSON
    assert returned(form) == form == json.loads(match.to_json())


def test_a_match_of_python_values_can_be_returned() -> None:
    record = {
        "eventName": "CreateGroup",
        "eventTime": dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        "half": "\ud800",
        "\udc80": {math.nan, 1.5},
        "rest": (Decimal("1.5"), b"ab", uuid.UUID(int=1), math.inf, dt.timedelta(hours=1), object),
        7: {None: [{"deep": float("-inf")}]},
    }
    form = make_match(RULES.rules[0], record).to_dict()
    assert kinds(form) <= JSON
    assert returned(form) == form
    assert form["record"]["half"] == "\\ud800"
    assert form["context"]["time"] == "2026-01-02T00:00:00Z"

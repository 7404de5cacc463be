"""Timesketch: an event for each record, with the members that it requires."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable

from cloudsigma.engine.match import Match
from cloudsigma.sinks.timesketch import events


def test_each_record_is_an_event(sample_matches: list[Match]) -> None:
    made = [event for match in sample_matches for event in events(match)]
    assert len(made) == sum(max(len(match.matches), 1) for match in sample_matches)
    for event in made:
        assert {"message", "datetime", "timestamp_desc"} <= set(event)
        assert dt.datetime.fromisoformat(event["datetime"]).tzinfo is not None
        assert "\n" not in json.dumps(event)


def test_a_record_without_a_time_has_no_place(match_of: Callable[..., Match]) -> None:
    assert list(events(match_of(eventTime=None))) == []

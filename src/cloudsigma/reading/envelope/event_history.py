"""CloudTrail's event history as `lookup-events` returns it: each record is text in `CloudTrailEvent`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.reading.envelope.interface import Carried, Found, NoForm

_NAME = "lookup_events"


def unwrap(value: Any, form: str) -> Iterator[Found] | None:  # noqa: ARG001  # the signature of every family
    """The records of an answer of `lookup-events`, or of one event of it."""
    if not isinstance(value, dict):
        return None
    if "CloudTrailEvent" in value:
        return iter((_event(value),))
    events = value.get("Events")
    if not isinstance(events, list) or not all(isinstance(event, dict) and "EventId" in event for event in events):
        return None
    return (_event(event, f"event {index}") for index, event in enumerate(events))


def _event(event: dict[str, Any], place: str | None = None) -> Found:
    content = event.get("CloudTrailEvent")
    if content is None:
        return NoForm("the event has no CloudTrailEvent, which would hold the record", place)
    return Carried(content, _NAME, place)

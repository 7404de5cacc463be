"""Recognizes CloudTrail records among other objects, and normalizes their shape.

A record names an event or its source as text. Exporters write records in two other ways: with the names of members
joined by dots (`userIdentity.arn` as a key of the record), and with whole objects as JSON text. `as_recorded` undoes
both, so that rules and context see the record as CloudTrail wrote it.
"""

from __future__ import annotations

from typing import Any

from cloudsigma.engine.context.dotted_names import has_joined_names, nested
from cloudsigma.reading.content.document import loads
from cloudsigma.reading.scope.limits import DEEPEST

INSIGHT = "AwsCloudTrailInsight"
"""The `eventType` of an Insights event, which reports an unusual rate of calls and is not a call."""
AGGREGATED = "AwsAggregatedEvent"
"""The `eventType` of an aggregated event, which counts the data events of five minutes and is not a call."""
NO_CALLS = {INSIGHT: "Insights event", AGGREGATED: "aggregated event"}
"""`eventType` → the name in the ledger, for CloudTrail's own events that record no call."""
OBJECTS = ("userIdentity", "requestParameters", "responseElements", "additionalEventData", "serviceEventDetails")
"""Members of a record that hold objects; some exporters write them as JSON text."""
LAMBDA_SOURCE = "aws:"
"""Prefix of `eventSource` in the events that Lambda passes to functions, which have no `eventType`."""
COUNTED_AS_TEXT = "requestParameters"
"""If this member is JSON text, the record's objects were written as text."""
TEXT_PARAMETERS = "text_parameters"
"""The form of records in which that member was JSON text."""

TOO_DEEP: list[Any] = []
"""Replaces JSON too deep for any decoder: every limit on depth refuses the record that holds it."""
for _ in range(DEEPEST):
    TOO_DEEP = [TOO_DEEP]


def names_an_event(value: dict[str, Any]) -> bool:
    """Whether it has a field that suggests a CloudTrail record; `shape_problem` decides."""
    return "eventName" in value or "eventSource" in value or value.get("eventType") in _NO_CALL_TYPES


_NO_CALL_TYPES = tuple(NO_CALLS)  # a tuple, since `eventType` may be a list, which has no hash


def shape_problem(value: dict[str, Any]) -> str | None:
    """Why an object is not a CloudTrail record; `None` for a record."""
    name, source = value.get("eventName"), value.get("eventSource")
    for member, held in (("eventName", name), ("eventSource", source)):
        if held is not None and not isinstance(held, str):
            return f"no CloudTrail record: its {member} is {_KINDS.get(type(held), 'a number')}, not text"
    if not name and not source:
        keys = ", ".join(str(key)[:40] for key in list(value)[:5])
        return f"no CloudTrail record: it has neither eventName nor eventSource (it has {keys or 'no keys'})"
    if source is not None and source.startswith(LAMBDA_SOURCE) and not isinstance(value.get("eventType"), str):
        return f"no CloudTrail record: an event of {source[:40]}, which carries none"
    return None


_KINDS: dict[type, str] = {dict: "an object", list: "an array", bool: "a boolean"}


def as_recorded(record: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """A record as CloudTrail would write it, and whether its `requestParameters` were decoded from JSON text.

    If nothing has to change, the record itself is returned. It is never modified.
    """
    if has_joined_names(record):
        record = nested(record)
    decoded = False
    for member in OBJECTS:
        if type(text := record.get(member)) is str and (inner := _object_in(text)) is not None:
            record = {**record, member: inner}
            decoded = decoded or member == COUNTED_AS_TEXT
    return record, decoded


def _object_in(text: str) -> Any:
    """The object or array that a JSON text holds; `None` if it holds neither."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = loads(text)
    except RecursionError:
        return TOO_DEEP
    except ValueError:
        return None
    return value if isinstance(value, (dict, list)) else None

"""CloudWatch Logs: subscriptions, `filter-log-events` and `get-log-events`, Logs Insights. Records are text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.engine.context.dotted_names import nested
from cloudsigma.reading.envelope.encoded import from_base64
from cloudsigma.reading.envelope.field_mapping import spelled
from cloudsigma.reading.envelope.interface import (
    TABLES,
    Carried,
    Found,
    NoCalls,
    NoForm,
    as_record,
    inside,
    is_field_list,
    is_text,
)

_SUBSCRIPTION = "log_subscription"
_INSIGHTS = "logs_insights"
_TIME = "@timestamp"
_FLAT = ("userIdentity.", "requestParameters.", "responseElements.")
"""Prefix of the names in a row of a query for single fields."""


def unwrap(value: Any, form: str) -> Iterator[Found] | None:
    """The log events of one delivery, one answer, or one query."""
    if is_field_list(value):
        return iter((_row(_fields(value), inside(form, _INSIGHTS)),))
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("awslogs"), dict):
        return iter((from_base64(value["awslogs"].get("data"), "", kind="log subscription"),))
    if value.get("messageType") == "CONTROL_MESSAGE":
        return iter((NoCalls("control message"),))
    if isinstance(value.get("logEvents"), list):
        return _messages(value["logEvents"], _SUBSCRIPTION)
    events = value.get("events")
    if isinstance(events, list) and (not events or (isinstance(events[0], dict) and "message" in events[0])):
        return _messages(events, "log_events")
    results = value.get("results")
    if isinstance(results, list) and (is_field_list(results[0]) if results else "statistics" in value):
        return _results(results, inside(form, _INSIGHTS))
    if form not in TABLES and (is_text(value.get("@message")) or isinstance(value.get("@message"), dict)):
        return iter((_row(value, form),))
    if isinstance(value.get("eventName"), str) and _TIME in value and any(name.startswith(_FLAT) for name in value):
        return iter((_row(value, inside(form, _INSIGHTS)),))
    return None


def _messages(events: list[Any], name: str) -> Iterator[Found]:
    for index, event in enumerate(events):
        message = event.get("message") if isinstance(event, dict) else None
        if message is None:
            yield NoForm("the log event has no message", f"log event {index}")
        else:
            yield Carried(message, name, f"log event {index}")


def _results(results: list[Any], form: str) -> Iterator[Found]:
    for index, row in enumerate(results):
        place = f"row {index}"
        if is_field_list(row):
            yield _row(_fields(row), form, place)
        else:
            yield NoForm("the row is no list of fields with values", place)


def _fields(row: list[Any]) -> dict[str, Any]:
    return {str(cell["field"]): cell.get("value") for cell in row}


def _row(fields: dict[str, Any], form: str, place: str | None = None) -> Found:
    if "@message" in fields:
        return Carried(fields["@message"], _INSIGHTS, place)
    fields = {name: value for name, value in fields.items() if not name.startswith("@")}
    if isinstance(fields.get("eventName"), str):
        return as_record(spelled(nested(fields)), form)
    shown = ", ".join(list(fields)[:5]) or "none of it"
    return NoForm(f"the row has neither @message nor the fields of a record (it has {shown})", place)

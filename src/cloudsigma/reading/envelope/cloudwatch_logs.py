"""CloudWatch Logs: subscriptions, `filter-log-events` and `get-log-events`, Logs Insights. Records are text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.reading.envelope.encoded import from_base64
from cloudsigma.reading.envelope.field_mapping import nested, spelled
from cloudsigma.reading.envelope.interface import Carried, Found, NoCalls, NoForm, as_record, inside

_SUBSCRIPTION = "log_subscription"
_INSIGHTS = "logs_insights"


def unwrap(value: Any, form: str) -> Iterator[Found] | None:
    """The log events of one delivery, one answer, or one query."""
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
    if isinstance(results, list) and ((not results and "statistics" in value) or (results and _is_row(results[0]))):
        return _results(results, inside(form, _INSIGHTS))
    return None


def _messages(events: list[Any], name: str) -> Iterator[Found]:
    for index, event in enumerate(events):
        message = event.get("message") if isinstance(event, dict) else None
        if message is None:
            yield NoForm("the log event has no message", f"log event {index}")
        else:
            yield Carried(message, name, f"log event {index}")


def _is_row(row: Any) -> bool:
    return isinstance(row, list) and bool(row) and all(isinstance(cell, dict) and "field" in cell for cell in row)


def _results(results: list[Any], form: str) -> Iterator[Found]:
    for index, row in enumerate(results):
        place = f"row {index}"
        if not _is_row(row):
            yield NoForm("the row is no list of fields with values", place)
            continue
        fields = {str(cell["field"]): cell.get("value") for cell in row}
        if "@message" in fields:
            yield Carried(fields["@message"], _INSIGHTS, place)
            continue
        fields = {name: value for name, value in fields.items() if not name.startswith("@")}
        if isinstance(fields.get("eventName"), str):
            yield as_record(spelled(nested(fields)), form)
        else:
            shown = ", ".join(list(fields)[:5]) or "none of it"
            yield NoForm(f"the row has neither @message nor the fields of a record (it has {shown})", place)

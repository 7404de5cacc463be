"""Windows events as JSON, as tools for .evtx files write them: `{"Event": {"System": {…}, "EventData": {…}}}`.

They are not CloudTrail records; rules for Windows match them unchanged, through the pipeline `evtx_json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.reading.envelope.interface import Found, Record, inside


def unwrap(value: Any, form: str) -> Iterator[Found] | None:
    """The event of a document, unchanged."""
    event = value.get("Event") if isinstance(value, dict) else None
    if not isinstance(event, dict) or not isinstance(event.get("System"), dict) or "eventName" in value:
        return None
    return iter((Record(value, inside(form, "evtx")),))

"""CloudTrail's own files, and records that stand alone: `Records`, arrays, single records, lines.

Every object in `Records` is taken for a record. One that stands alone or in a bare array must have one of the fields
that name a CloudTrail event, so that other JSON beside the logs is named as what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.reading.envelope.interface import NoCalls, NoForm, Part, Record

INSIGHT = "AwsCloudTrailInsight"
"""The `eventType` of what CloudTrail Insights finds: it tells of calls and is none."""
_NAMING_FIELDS = ("eventName", "eventSource", "eventID", "eventVersion", "userIdentity")
_FORMS = {"whole": "record", "rescued": "log_file"}


def unwrap(value: Any, form: str) -> Iterator[Part] | None:
    """The parts of a log file, an array, a record or a digest; `None` of anything else."""
    if isinstance(value, list):
        return _elements(value, "array", named=True)
    if not isinstance(value, dict):
        return None
    if (elements := _records(value)) is not None:
        return _elements(elements, "log_file", named=False)
    if "digestS3Object" in value or ("digestStartTime" in value and "logFiles" in value):
        return iter((NoCalls("digest"),))
    if value.get("messageType") == "CONTROL_MESSAGE":
        return iter((NoCalls("control message"),))
    if form == "rescued" or any(field in value for field in _NAMING_FIELDS):
        return iter((_record(value, _FORMS.get(form, form)),))
    return None


def _records(value: dict[str, Any]) -> list[Any] | None:
    """The elements of `Records`, whatever the case of the key; an object with `eventName` is itself a record."""
    elements = value.get("Records")
    if elements is None and "eventName" not in value:
        elements = next((item for key, item in value.items() if key.lower() == "records"), None)
    return elements if isinstance(elements, list) else None


def _elements(elements: list[Any], form: str, *, named: bool) -> Iterator[Part]:
    for index, element in enumerate(elements):
        if not isinstance(element, dict):
            yield NoForm(f"a {_kind(element)} stands among the records", index)
        elif named and not any(field in element for field in _NAMING_FIELDS):
            yield NoForm("an object that is no CloudTrail record stands in the array", index)
        else:
            yield _record(element, form)


def _record(value: dict[str, Any], form: str) -> Part:
    if value.get("eventType") == INSIGHT:
        return NoCalls("Insights event")
    return Record(value, form)


def _kind(value: Any) -> str:
    kinds: dict[type, str] = {str: "text", bool: "boolean", list: "list", type(None): "null"}
    return kinds.get(type(value), "number")

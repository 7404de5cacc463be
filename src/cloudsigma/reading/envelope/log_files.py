"""CloudTrail's own files, and records without an envelope: `Records`, arrays, single records, lines, digests.

Each element of a list is examined separately, since messages may be mixed with records. Other JSON among the logs is a
loss that names its keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.reading.content.document import RECORDS_KEYS
from cloudsigma.reading.envelope.interface import (
    TABLES,
    UNNAMED,
    Carried,
    Found,
    NoCalls,
    NoForm,
    as_record,
    inside,
    is_field_list,
    is_plain_record,
    is_text,
)
from cloudsigma.reading.envelope.record_shape import names_an_event


def unwrap(value: Any, form: str) -> Iterator[Found] | None:
    """The parts of a plain record, a log file, an array or a digest; `None` for anything else."""
    if isinstance(value, list) and not is_field_list(value):
        return _elements(value, form, "array" if form in UNNAMED else "")
    if is_text(value):  # JSON written as a JSON string
        return iter((Carried(value),))
    if not isinstance(value, dict):
        return None
    if is_plain_record(value) and form not in TABLES:
        return iter((as_record(value, form),))
    if value.get("Type") != "Notification" and (elements := _records(value)) is not None:
        return _elements(elements, form, "log_file")
    if "digestS3Object" in value or ("digestStartTime" in value and "logFiles" in value):
        return iter((NoCalls("digest"),))
    if "hashSignature" in value and "queryCompleteTime" in value:  # `result_sign.json` of CloudTrail Lake
        return iter((NoCalls("signature of query results"),))
    return None


def unwrap_bare(value: Any, form: str) -> Iterator[Found] | None:
    """An object without a known envelope that has a field naming a CloudTrail event."""
    if isinstance(value, dict) and names_an_event(value):
        return iter((as_record(value, form),))
    return None


def _records(value: dict[str, Any]) -> list[Any] | None:
    """The elements of `Records`, whatever the case of the key; an object with `eventName` is itself a record."""
    elements = value.get("Records")
    if "eventName" not in value:
        lists = [item for key, item in value.items() if key in RECORDS_KEYS and isinstance(item, list)]
        if len(lists) > 1:
            return [element for one in lists for element in one]
        if elements is None:
            elements = next((item for key, item in value.items() if key.lower() == "records"), None)
    return elements if isinstance(elements, list) else None


def _elements(elements: list[Any], form: str, name: str) -> Iterator[Found]:
    for index, element in enumerate(elements):
        if name != "log_file" and _may_hold(element):
            yield Carried(element, name, f"record {index}")
        elif not isinstance(element, dict):
            yield _stranger(element, index)
        elif (name == "log_file" and isinstance(element.get("eventType"), str)) or is_plain_record(element):
            yield as_record(element, inside(form, name), f"record {index}")
        else:
            yield Carried(element, name, f"record {index}")


def _may_hold(element: Any) -> bool:
    """Whether an element other than an object may hold records: a text, or a list, which CLI queries produce."""
    if isinstance(element, list):
        return any(isinstance(inner, (dict, list)) or is_text(inner) for inner in element)
    return is_text(element)


def _stranger(element: Any, index: int) -> NoForm:
    kinds: dict[type, str] = {str: "text", bool: "boolean", list: "list", type(None): "null"}
    return NoForm(f"a {kinds.get(type(element), 'number')} is among the records", f"record {index}")

"""Security Lake: OCSF events, which carry the record (`raw_data`), or whose fields are mapped back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.reading.content.document import loads
from cloudsigma.reading.envelope.field_mapping import OCSF, mapped, nested, put, spelled
from cloudsigma.reading.envelope.interface import (
    Carried,
    Found,
    NoCalls,
    NoForm,
    as_record,
    bytes_of,
    inside,
    names_an_event,
)
from cloudsigma.reading.envelope.struct_text import KEPT_AS_TEXT, decoded

_NAME = "ocsf"


def unwrap(value: Any, form: str) -> Iterator[Found] | None:
    """The record of one OCSF event; events of other products are recognized."""
    if not isinstance(value, dict) or "class_uid" not in value or not isinstance(value.get("metadata"), dict):
        return None
    product = value["metadata"].get("product")
    name = product.get("name") if isinstance(product, dict) else product
    if name is not None and name != "CloudTrail":
        return iter((NoCalls("OCSF event of another product"),))
    for member in ("raw_data", "unmapped"):
        held = value.get(member)
        if (record := _whole_record(held)) is not None:
            return iter((Carried(record, _NAME, size=bytes_of(held) if isinstance(held, str) else 0),))
    return iter((_mapped(value, inside(form, _NAME)),))


def _whole_record(held: Any) -> dict[str, Any] | str | None:
    """The record, or its text where it nests too deep to be read, which is told as that."""
    record = held
    if isinstance(held, str):
        try:
            record = loads(held)
        except RecursionError:
            return held
        except ValueError:
            return None
    if isinstance(record, dict) and "eventName" in record and names_an_event(record):
        return record
    return None


def _mapped(event: dict[str, Any], form: str) -> Found:
    record = mapped(event, OCSF)
    if not isinstance(record.get("eventName"), str):
        return NoForm("an OCSF event without api.operation, which would be the event name")
    left = event.get("unmapped")
    left = decoded(left) if isinstance(left, str) else left
    if isinstance(left, dict):
        _add(record, spelled(nested({name: _inner(name, value) for name, value in left.items()})))
    return as_record(record, form)


def _inner(name: str, value: Any) -> Any:
    """A value of a map of texts, which may be JSON."""
    return decoded(value) if isinstance(value, str) and name.rsplit(".", 1)[-1] not in KEPT_AS_TEXT else value


def _add(record: dict[str, Any], more: dict[str, Any]) -> None:
    """What the mapped fields leave over, where they have no value."""
    for name, value in more.items():
        held = record.get(name)
        if isinstance(held, dict) and isinstance(value, dict):
            _add(held, value)
        else:
            put(record, [name], value)

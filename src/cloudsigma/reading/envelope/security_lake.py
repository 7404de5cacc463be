"""Security Lake: OCSF events, which carry the record (`raw_data`), or whose fields are mapped back.

Source of the mapping: https://github.com/ocsf/examples, `mappings/markdown/AWS/v1.1.0/CloudTrail`, which also has the
tables of 1.0.0-rc.2; 1.3 keeps the paths of 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.engine.context.dotted_names import nested, put
from cloudsigma.reading.content.document import loads
from cloudsigma.reading.envelope.field_mapping import OCSF, mapped, spelled
from cloudsigma.reading.envelope.interface import (
    TABLES,
    Carried,
    Found,
    NoCalls,
    NoForm,
    as_record,
    bytes_of,
    inside,
)
from cloudsigma.reading.envelope.struct_text import KEPT_AS_TEXT, decoded

_NAME = "ocsf"
_MFA = {True: "Yes", False: "No", "true": "Yes", "false": "No"}
_STATUS = {1: "Success", 2: "Failure", "1": "Success", "2": "Failure"}


def unwrap(value: Any, form: str) -> Iterator[Found] | None:
    """The record of one OCSF event; events of other products are recognized."""
    if not isinstance(value, dict):
        return None
    if any(name.startswith(("metadata.", "api.")) for name in value):
        value = nested(value)
    if form in TABLES and "class_uid" in value:
        value = {name: decoded(cell) if isinstance(cell, str) else cell for name, cell in value.items()}
    if "class_uid" not in value or not isinstance(value.get("metadata"), dict):
        return None
    if not _is_cloudtrail(value):
        return iter((NoCalls("OCSF event of another product"),))
    for member in ("raw_data", "unmapped"):
        held = value.get(member)
        if (record := _whole_record(held)) is not None:
            return iter((Carried(record, _NAME, size=bytes_of(held) if isinstance(held, str) else 0),))
    return iter((_mapped(value, inside(form, _NAME)),))


def _is_cloudtrail(event: dict[str, Any]) -> bool:
    """Whether an event is CloudTrail's: by the product's name, in any spelling, else by its vendor and call."""
    metadata = event["metadata"]
    product = metadata.get("product")
    product = product if isinstance(product, dict) else {"name": product}
    name = product.get("name")
    if name is None or any("cloudtrail" in str(each).lower() for each in (name, metadata.get("log_provider"))):
        return True
    vendor = str(product.get("vendor_name")).lower()
    if not ("aws" in vendor or "amazon" in vendor):
        return False
    source = _member(event, "api", "service", "name")
    return isinstance(source, str) and source.endswith(".amazonaws.com") and bool(_member(event, "api", "operation"))


def _member(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _whole_record(held: Any) -> dict[str, Any] | str | None:
    """The record; if it nests too deep for a decoder, its text, which is reported as a loss with that reason."""
    record = held
    if isinstance(held, str):
        try:
            record = loads(held)
        except RecursionError:
            return held
        except ValueError:
            return None
    return record if isinstance(record, dict) and "eventName" in record else None


def _mapped(event: dict[str, Any], form: str) -> Found:
    event = _with_doer(event)
    record = mapped(event, OCSF)
    if not isinstance(record.get("eventName"), str):
        return NoForm("an OCSF event without api.operation, which would be the event name")
    left = event.get("unmapped")
    left = decoded(left) if isinstance(left, str) else left
    if isinstance(left, dict):
        flat = {name: _inner(name, value) for name, value in left.items() if value is not None}
        _add(record, spelled(nested(flat)))
    if _member(event, "api", "request", "data") is None:
        _add_parameters(record, event)
    if record["eventName"] == "ConsoleLogin" or record.get("eventType") == "AwsConsoleSignIn":
        _add_sign_in(record, event)
    return as_record(record, form)


def _with_doer(event: dict[str, Any]) -> dict[str, Any]:
    """The event with `user` as the actor if it has no `actor.user`; otherwise `user` is the target of the call."""
    actor = event.get("actor")
    actor = actor if isinstance(actor, dict) else {}
    doer = actor.get("user")
    if isinstance(doer, dict) and any(value not in (None, "", {}) for value in doer.values()):
        return event
    return {**event, "actor": {**actor, "user": event.get("user")}, "user": None}


def _add_parameters(record: dict[str, Any], event: dict[str, Any]) -> None:
    """Parameters that 1.0.0-rc.2 keeps only in `user`: of a sign-in as a role, and of a change to a user or role."""
    user, name = event.get("user"), record["eventName"]
    if not isinstance(user, dict):
        return
    if name.startswith("AssumeRole"):
        _put_text(record, ("requestParameters", "roleSessionName"), user.get("name"))
        arn = user.get("uuid") or user.get("uid")
        if isinstance(arn, str) and ":role/" in arn:
            _put_text(record, ("requestParameters", "roleArn"), arn)
    elif str(event.get("class_uid")) == "3001":
        member = "roleName" if "Role" in name and "User" not in name else "userName"
        _put_text(record, ("requestParameters", member), user.get("name"))


def _add_sign_in(record: dict[str, Any], event: dict[str, Any]) -> None:
    """Add the members of a sign-in that OCSF names differently."""
    multi_factor = next((event[name] for name in ("is_mfa", "mfa") if isinstance(event.get(name), (bool, str))), None)
    _put_text(record, ("additionalEventData", "MFAUsed"), _MFA.get(multi_factor))
    _put_text(record, ("additionalEventData", "LoginTo"), _member(event, "dst_endpoint", "svc_name"))
    status = event.get("status")
    status = status if isinstance(status, str) and status else _STATUS.get(event.get("status_id"))
    _put_text(record, ("responseElements", record["eventName"]), status)


def _put_text(record: dict[str, Any], path: tuple[str, str], value: Any) -> None:
    if isinstance(value, str) and value:
        put(record, path, value)


def _inner(name: str, value: Any) -> Any:
    """A value of a map of texts, which may be JSON."""
    return decoded(value) if isinstance(value, str) and name.rsplit(".", 1)[-1] not in KEPT_AS_TEXT else value


def _add(record: dict[str, Any], more: dict[str, Any]) -> None:
    """Add members that the record lacks, at any depth."""
    for name, value in more.items():
        held = record.get(name)
        if isinstance(held, dict) and isinstance(value, dict):
            _add(held, value)
        else:
            put(record, [name], value)

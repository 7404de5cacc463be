"""Defines which records belong to one event, and the keys of matches.

Deduplication, correlations, checkpoints and case files all use this module.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from msgspec import UNSET

from cloudsigma.engine.context.event_time import EVENT_TIME
from cloudsigma.engine.json_form import json_ready
from cloudsigma.engine.python_values import plain_record, read_value

_UNIT = "\x1f"
"""Separator between joined parts; never occurs raw in the JSON fallback."""
_UNITS = 3
_ONLY_TEXTS = frozenset({str})


def event_id(record: Mapping[str, Any]) -> str | None:
    """The ID that all records of one event share; `None` if the record has no ID.

    That is `sharedEventID`, if the record has it: CloudTrail records a call through a VPC endpoint twice, as the call
    and as network activity, and a call between accounts once in each account, always with another `eventID`. Otherwise
    it is `eventID`. IDs are not trusted alone: see `event_identity`.
    """
    for name in ("sharedEventID", "eventID"):
        value = _member(record, name)
        if isinstance(value, str) and value:
            return value
    return None


def _member(record: Mapping[str, Any], name: str) -> Any:
    """A member of a record, converted to a JSON value; `None` if it is missing."""
    value = record.get(name)
    if type(value) is str or value is None:
        return value
    value = read_value(value)
    return None if value is UNSET else value


def event_identity(record: Mapping[str, Any]) -> str:
    """A text that all records of one event share, in any process.

    Records of one event have the same ID (`event_id`), `eventTime` and `eventName` and, unless the ID is a
    `sharedEventID`, the same `recipientAccountId`. Without an ID, equal records have the same identity.
    """
    get = record.get
    if get("sharedEventID") is None:  # nearly every record, with four texts
        usual: tuple[Any, ...] = (get("eventID"), get(EVENT_TIME), get("eventName"), get("recipientAccountId"))
        if _ONLY_TEXTS.issuperset(map(type, usual)) and usual[0]:
            joined = _UNIT.join(usual)
            if joined.count(_UNIT) == _UNITS:
                return joined
    shared = _member(record, "sharedEventID")
    if shared is None or not isinstance(shared, str) or not shared:
        event = _member(record, "eventID")
        if not isinstance(event, str) or not event:
            return _written([plain_record(record)])
        parts: list[Any] = [event, *(_member(record, name) for name in (EVENT_TIME, "eventName", "recipientAccountId"))]
    else:
        parts = ["shared", shared, *(_member(record, name) for name in (EVENT_TIME, "eventName"))]
    if all(type(part) is str for part in parts):
        joined = _UNIT.join(parts)
        if joined.count(_UNIT) == len(parts) - 1:
            return joined
    return _written(parts)


def same_event(record: Mapping[str, Any]) -> object:
    """`event_identity`, except that a record without an ID equals only itself: two equal ones may be two events."""
    return event_identity(record) if event_id(record) else id(record)


def match_key(rule_id: str, record: Mapping[str, Any]) -> str:
    """The key of a detection rule's match, which all records of one event share, in any run."""
    return key_of_identity(rule_id, event_identity(record))


def key_of_identity(rule_id: str, identity: str) -> str:
    """`match_key` for a record whose `event_identity` is known."""
    return hashlib.blake2b(f"{rule_id}\n{identity}".encode(errors="replace"), digest_size=16).hexdigest()


def _written(parts: list[Any]) -> str:
    return json.dumps(json_ready(parts), sort_keys=True, separators=(",", ":"))

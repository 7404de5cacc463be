"""Elastic: answers of searches, exported hits, ECS events with the record (`event.original`) or its fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.engine.context.dotted_names import nested, put
from cloudsigma.reading.content.document import loads
from cloudsigma.reading.envelope.field_mapping import ECS, mapped
from cloudsigma.reading.envelope.interface import Carried, Found, NoCalls, NoForm, as_record, bytes_of, inside

_NAME = "elastic"
_ACTIONS = ("index", "create")


def unwrap(value: Any, form: str) -> Iterator[Found] | None:
    """The hits of a search, one hit, or one event."""
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("hits"), dict) and isinstance(value["hits"].get("hits"), list):
        return (Carried(hit, _NAME, f"hit {index}") for index, hit in enumerate(value["hits"]["hits"]))
    if isinstance(value.get("_source"), dict):
        return iter((Carried(value["_source"], _NAME),))
    if isinstance(value.get("fields"), dict) and ("_index" in value or "_id" in value):
        return iter((_event(_without_arrays(value["fields"]), inside(form, _NAME)),))
    if len(value) == 1 and any(isinstance(value.get(action), dict) for action in _ACTIONS):
        return iter((NoCalls("Elasticsearch bulk action"),))
    if "event.original" in value or "event.action" in value:
        return iter((_event(nested(value), inside(form, _NAME)),))
    if isinstance(value.get("event"), dict) and (
        "original" in value["event"] or ("action" in value["event"] and _cloudtrail(value))
    ):
        return iter((_event(value, inside(form, _NAME)),))
    return None


def _cloudtrail(event: dict[str, Any]) -> bool:
    return "aws.cloudtrail" in event or (isinstance(event.get("aws"), dict) and "cloudtrail" in event["aws"])


def _event(event: dict[str, Any], form: str) -> Found:
    held = event.get("event")
    original = held.get("original") if isinstance(held, dict) else None
    if isinstance(original, str):
        try:
            record = loads(original)
        except RecursionError:
            return Carried(original, _NAME)  # a loss with that reason, though the fields could be mapped
        except ValueError:
            record = None  # perhaps truncated: fall back to the fields
        if isinstance(record, dict):
            return Carried(record, _NAME, size=bytes_of(original))
    record = mapped(event, ECS)
    _add_issuer(record)
    _add_tls(record, event)
    if not isinstance(record.get("eventName"), str) or not _cloudtrail(event):
        return NoForm("an event of Elastic without event.original and without fields of aws.cloudtrail")
    return as_record(record, form)


def _add_issuer(record: dict[str, Any]) -> None:
    """Move the user name to the session's issuer, if there is one: the integration writes both names as `user.name`.

    Source: https://github.com/elastic/integrations, the ingest pipeline of `packages/aws/data_stream/cloudtrail`.
    """
    identity = record.get("userIdentity")
    if isinstance(identity, dict) and "userName" in identity:
        session = identity.get("sessionContext")
        if isinstance(session, dict) and session.get("sessionIssuer"):
            put(record, ("userIdentity", "sessionContext", "sessionIssuer", "userName"), identity.pop("userName"))


def _add_tls(record: dict[str, Any], event: dict[str, Any]) -> None:
    """Join the TLS version, which the integration splits: `TLSv1.3` becomes `tls` and `1.3`."""
    tls = event.get("tls")
    if isinstance(tls, dict) and isinstance(version := tls.get("version"), (str, float)):
        protocol = str(tls.get("version_protocol") or "tls").upper()
        put(record, ("tlsDetails", "tlsVersion"), f"{protocol}v{version}")


def _without_arrays(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields as a search for `fields` returns them: each an array, names with dots."""
    return nested(
        {name: value[0] if isinstance(value, list) and len(value) == 1 else value for name, value in fields.items()}
    )

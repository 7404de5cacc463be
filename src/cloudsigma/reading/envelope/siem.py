"""Exports of Splunk, Wazuh, Panther and Logstash, and of shippers that write like Logstash.

Fields that they add beside the record's own are kept there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cloudsigma.reading.envelope.field_mapping import as_time, spelled
from cloudsigma.reading.envelope.interface import (
    LOG_TYPE,
    TABLES,
    Carried,
    Found,
    NoCalls,
    as_record,
    inside,
    is_text,
)
from cloudsigma.reading.envelope.record_shape import names_an_event

_HEC = ("sourcetype", "source", "host", "index", "time")
"""Members beside `event` in messages to Splunk's HTTP Event Collector."""

_OF_AWS = re.compile(r'"integration"\s*:\s*"aws"')
"""In a log that Wazuh's module for AWS has read."""


def unwrap(value: Any, form: str) -> Iterator[Found] | None:
    """The content of an exported event."""
    if not isinstance(value, dict):
        return None
    for family in (_splunk, _wazuh, _panther, _logstash):
        if (found := family(value, form)) is not None:
            return found
    return None


def _splunk(value: dict[str, Any], form: str) -> Iterator[Found] | None:  # noqa: ARG001  # one signature for four
    if isinstance(value.get("_raw"), str):
        return iter((Carried(value["_raw"], "splunk"),))
    if isinstance(value.get("result"), dict):
        return iter((Carried(value["result"], "splunk"),))
    if "result" not in value and value.keys() >= {"preview", "lastrow"}:
        return iter((NoCalls("Splunk's last line"),))
    results = value.get("results")
    if isinstance(results, list) and all(isinstance(result, dict) for result in results):
        return (Carried(result, "splunk", f"result {index}") for index, result in enumerate(results))
    event = value.get("event")
    if (is_text(event) or (isinstance(event, dict) and names_an_event(event))) and any(name in value for name in _HEC):
        return iter((Carried(event, "splunk"),))
    return None


def _wazuh(value: dict[str, Any], form: str) -> Iterator[Found] | None:
    data = value.get("data")
    held = data.get("aws") if isinstance(data, dict) else None
    if held is None and value.get("integration") == "aws":
        held = value.get("aws")
    if not isinstance(held, dict):
        return _wazuh_elsewhere(value)
    if held.get("source", "cloudtrail") != "cloudtrail" or not names_an_event(held):
        return iter((NoCalls("Wazuh event of another source"),))
    return iter((as_record(spelled(held), inside(form, "wazuh")),))


def _wazuh_elsewhere(value: dict[str, Any]) -> Iterator[Found] | None:
    """An alert or a line of an archive without decoded AWS fields; its raw log may still be a record."""
    rule = value.get("rule")
    alert = isinstance(rule, dict) and "level" in rule
    archived = isinstance(value.get("manager"), dict) and any(
        name in value for name in ("full_log", "decoder", "location")
    )
    if not isinstance(value.get("agent"), dict) or not (alert or archived):
        return None
    log = value.get("full_log")
    if is_text(log) and _OF_AWS.search(log):
        return iter((Carried(log, "wazuh"),))
    return iter((NoCalls("Wazuh event of another source"),))


def _panther(value: dict[str, Any], form: str) -> Iterator[Found] | None:
    kind = value.get(LOG_TYPE)
    if kind is None and form in TABLES:
        kind = next((held for name, held in value.items() if name.lower() == LOG_TYPE), None)
    if not isinstance(kind, str):
        return None
    if kind == "AWS.CloudTrailDigest":
        return iter((NoCalls("digest"),))
    if kind == "AWS.CloudTrailInsight":
        return iter((NoCalls("Insights event"),))
    if not kind.startswith("AWS.CloudTrail"):
        return iter((NoCalls("Panther event of another log type"),))
    return iter((as_record(spelled(value), inside(form, "panther")),))


def _logstash(value: dict[str, Any], form: str) -> Iterator[Found] | None:
    if is_text(value.get("message")) or (isinstance(value.get("message"), dict) and names_an_event(value["message"])):
        return iter((Carried(value["message"], "logstash"),))
    if isinstance(value.get("eventName"), str) and "@timestamp" in value:
        time = {} if isinstance(value.get("eventTime"), str) else {"eventTime": as_time(value["@timestamp"])}
        return iter((as_record({**value, **time}, inside(form, "logstash")),))
    return None

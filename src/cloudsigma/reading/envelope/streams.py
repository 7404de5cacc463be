"""Kinesis and Firehose: records of a stream, whose data is base64 and may be compressed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.reading.envelope.encoded import from_base64
from cloudsigma.reading.envelope.interface import Found

_KINESIS = "Kinesis record"
_FIREHOSE = "Firehose record"


def unwrap(value: Any, form: str) -> Iterator[Found] | None:  # noqa: ARG001  # the signature of every family
    """The data of one record of a stream, from the event of a function or from `get-records`."""
    if not isinstance(value, dict) or isinstance(value.get("eventType"), str):
        return None
    if isinstance(value.get("kinesis"), dict):
        return iter((from_base64(value["kinesis"].get("data"), "kinesis", kind=_KINESIS),))
    if "recordId" in value and "data" in value:
        return iter((from_base64(value["data"], "firehose", kind=_FIREHOSE),))
    if "Data" in value and ("SequenceNumber" in value or "PartitionKey" in value):
        return iter((from_base64(value["Data"], "kinesis", kind=_KINESIS),))
    if "rawData" in value and "attemptsMade" in value:  # records that Firehose could not process or deliver
        return iter((from_base64(value["rawData"], "firehose", kind=_FIREHOSE),))
    if set(value) == {"data"} and isinstance(value["data"], str):  # of Firehose's delivery to an HTTP endpoint
        return iter((from_base64(value["data"], "firehose", kind=_FIREHOSE),))
    return None

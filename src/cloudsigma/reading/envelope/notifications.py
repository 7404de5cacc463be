"""Messages that tell of files or carry other messages, in the same word `Records` that log files use.

They are recognized and counted; what they carry is not read yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.reading.envelope.interface import NoCalls, Part

_BY_MEMBER = (
    ("s3", "S3 notification"),
    ("Sns", "SNS message"),
    ("kinesis", "Kinesis record"),
    ("body", "SQS message"),
)


def unwrap(value: Any, form: str) -> Iterator[Part] | None:  # noqa: ARG001  # the signature of every family
    """The notifications in a document; `None` where it holds none."""
    if not isinstance(value, dict):
        return None
    if value.get("Type") == "Notification" and "TopicArn" in value:
        return iter((NoCalls("SNS message"),))
    elements = value.get("Records")
    if not isinstance(elements, list) or not elements:
        return None
    kinds = [_kind(element) for element in elements]
    if any(kind is None for kind in kinds):
        return None
    return iter([NoCalls(kind) for kind in kinds if kind is not None])


def _kind(element: Any) -> str | None:
    if not isinstance(element, dict) or isinstance(element.get("eventType"), str):
        return None  # no notification has an `eventType`, every CloudTrail record has one
    if element.get("eventID") is not None and "eventVersion" in element and "kinesis" not in element:
        return None
    source = element.get("eventSource", element.get("EventSource"))
    for member, kind in _BY_MEMBER:
        if member in element and (source is None or (isinstance(source, str) and source.startswith("aws:"))):
            return kind
    return None

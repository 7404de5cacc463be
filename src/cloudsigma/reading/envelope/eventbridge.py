"""EventBridge: the record is in `detail`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.reading.envelope.interface import Carried, Found, NoCalls, Reference
from cloudsigma.reading.envelope.record_shape import names_an_event


def unwrap(value: Any, form: str) -> Iterator[Found] | None:  # noqa: ARG001  # the signature of every family
    """The content of an event; events that are not CloudTrail's are recognized."""
    if not isinstance(value, dict) or not isinstance(value.get("detail-type"), str) or "detail" not in value:
        return None
    kind, detail = value["detail-type"], value["detail"]
    if kind == "AWS Insight via CloudTrail":
        return iter((NoCalls("Insights event"),))
    if isinstance(detail, str) or (
        isinstance(detail, dict) and (kind.endswith("via CloudTrail") or names_an_event(detail))
    ):
        return iter((Carried(detail, "eventbridge", empty="EventBridge event"),))
    if value.get("source") == "aws.s3" and kind == "Object Created" and isinstance(detail, dict):
        bucket, stored = detail.get("bucket"), detail.get("object")
        if isinstance(bucket, dict) and isinstance(stored, dict):
            return iter((Reference("S3 notification", str(bucket.get("name")), str(stored.get("key"))),))
    return iter((NoCalls("EventBridge event that is not CloudTrail's"),))

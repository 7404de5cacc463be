"""Messages of SNS, SQS and S3, which name files or carry records: the element of a `Records` array, or alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

from cloudsigma.reading.content.document import VALIDATION
from cloudsigma.reading.envelope.interface import Carried, Found, NoCalls, NoForm, Reference

_S3 = "S3 notification"
_SNS = "SNS message"
_SQS = "SQS message"
_CONFIG = "AWS Config notification"
_OF_CONFIG = ("Config", "OversizedConfig", "ComplianceChange")
"""Prefix of `messageType` in the messages of AWS Config, which often share a topic with CloudTrail's."""
_DELIVERY = "delivery notification"
"""CloudTrail's own notices to a topic."""


def unwrap(value: Any, form: str) -> Iterator[Found] | None:  # noqa: ARG001  # the signature of every family
    """The content of one message, or the files that it names; `None` for anything else."""
    if isinstance(value, str) and value.lstrip().startswith(VALIDATION):
        return iter((NoCalls(_SNS),))
    if not isinstance(value, dict) or isinstance(value.get("eventType"), str):
        return None  # no message has an `eventType`, every CloudTrail record has one
    if isinstance(value.get("Messages"), list):  # of `receive-message`
        return _received(value["Messages"])
    found = _sns(value) or _sqs(value) or _s3(value) or _config(value)
    if found is not None:
        return iter((found,))
    return _delivery(value)


def _received(messages: list[Any]) -> Iterator[Found]:
    for index, message in enumerate(messages):
        body = message.get("Body") if isinstance(message, dict) else None
        yield Carried(body, "sqs", f"message {index}", empty=_SQS)


def _source(value: dict[str, Any]) -> str | None:
    source = value.get("eventSource", value.get("EventSource"))
    return source if isinstance(source, str) else None


def _sns(value: dict[str, Any]) -> Found | None:
    if "TopicArn" in value and isinstance(value.get("Type"), str):
        if value["Type"] != "Notification":
            return NoCalls(_SNS)  # the confirmation of a subscription
        return _of_topic(value)
    if isinstance(value.get("Sns"), dict) and _source(value) in (None, "aws:sns"):
        return _of_topic(value["Sns"])
    return None


def _of_topic(message: dict[str, Any]) -> Found:
    text = message.get("Message")
    if isinstance(text, str) and text.startswith(VALIDATION):
        return NoCalls(_SNS)
    return Carried(text, "sns", empty=_SNS)


def _sqs(value: dict[str, Any]) -> Found | None:
    if "body" in value and (_source(value) == "aws:sqs" or ("messageId" in value and _source(value) is None)):
        return Carried(value["body"], "sqs", empty=_SQS)
    if "Body" in value and "MessageId" in value:
        return Carried(value["Body"], "sqs", empty=_SQS)
    return None


def _s3(value: dict[str, Any]) -> Found | None:
    if value.get("Event") == "s3:TestEvent":
        return NoCalls(_S3)
    stored = value.get("s3")
    if not isinstance(stored, dict) or _source(value) not in (None, "aws:s3"):
        return None
    name = value.get("eventName")
    if isinstance(name, str) and not name.removeprefix("s3:").startswith("ObjectCreated"):
        return NoCalls(_S3)  # of a file that was removed, restored, tagged
    bucket, file = stored.get("bucket"), stored.get("object")
    if not isinstance(bucket, dict) or not isinstance(file, dict) or not isinstance(file.get("key"), str):
        return NoCalls(_S3)
    return Reference(_S3, str(bucket.get("name", "")), unquote_plus(file["key"], errors="surrogateescape"))


def _config(value: dict[str, Any]) -> Found | None:
    kind = value.get("messageType")
    return NoCalls(_CONFIG) if isinstance(kind, str) and kind.startswith(_OF_CONFIG) else None


def _delivery(value: dict[str, Any]) -> Iterator[Found] | None:
    bucket, keys = value.get("s3Bucket"), value.get("s3ObjectKey")
    if not isinstance(bucket, str) or keys is None or "logFiles" in value:
        return None
    named = keys if isinstance(keys, list) else [keys]
    return (
        Reference(_DELIVERY, bucket, key)
        if isinstance(key, str)
        else NoForm("the name of a file is no text", f"file {index}")
        for index, key in enumerate(named)
    )

"""Events that other AWS services hand to a Lambda function or an EventBridge pipe, known by `eventSource: aws:…`.

Messages that brokers carry in base64 are unwrapped. An event of any other source is not a CloudTrail record; it is
reported as a loss that names the source.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.reading.envelope.encoded import from_base64
from cloudsigma.reading.envelope.interface import Carried, Found, NoForm
from cloudsigma.reading.envelope.record_shape import LAMBDA_SOURCE

_SELF_MANAGED_KAFKA = "SelfManagedKafka"
_BROKERS = {
    "aws:mq": "mq",
    "aws:rmq": "mq",
    "aws:kafka": "kafka",
    _SELF_MANAGED_KAFKA: "kafka",
    "aws:kinesis": "kinesis",
    "aws:sqs": "sqs",
}
"""`eventSource` → the name of the form."""
_LISTS = ("messages", "records", "rmqMessagesByQueue")
"""Members that hold messages: a list, or lists by topic or queue."""
_PAYLOADS = ("data", "value", "body")
"""Members of a message that hold its content."""


def unwrap(value: Any, form: str) -> Iterator[Found] | None:  # noqa: ARG001  # the signature of every family
    """The messages of a broker's event; `None` for an object that names no AWS service or only CloudTrail."""
    if not isinstance(value, dict) or isinstance(value.get("eventType"), str):
        return None
    source = value.get("eventSource", value.get("EventSource"))
    if not isinstance(source, str):
        return _other(value)
    if not (source.startswith(LAMBDA_SOURCE) or source == _SELF_MANAGED_KAFKA):
        return None
    name = _BROKERS.get(source)
    if name is None:
        return iter((NoForm(f"an event of {source[:40]}, which carries no CloudTrail records"),))
    return _messages(value, name, source)


def _other(value: dict[str, Any]) -> Iterator[Found] | None:
    """The loss for an event without a source: S3 Object Lambda's has a request for an object."""
    if "getObjectContext" in value and "userRequest" in value:
        return iter((NoForm("an event of S3 Object Lambda, which carries no CloudTrail records"),))
    return None


def _messages(value: dict[str, Any], name: str, source: str) -> Iterator[Found]:
    kind = f"message of {source}"
    found = False
    for member in _LISTS:
        held = value.get(member)
        groups = held if isinstance(held, dict) else {"": held}
        for group, messages in groups.items():
            for index, message in enumerate(messages if isinstance(messages, list) else ()):
                found = True
                place = f"message {index}" + (f" of {str(group)[:80]}" if group else "")
                yield _message(message, name, kind, place)
    if not found:
        yield _message(value, name, kind, None)


def _message(message: Any, name: str, kind: str, place: str | None) -> Found:
    content = (
        next((message[member] for member in _PAYLOADS if member in message), ...) if isinstance(message, dict) else ...
    )
    if content is ...:
        return NoForm(f"the {kind} has no content", place)
    if name == "sqs":
        return Carried(content, name, place, empty=kind)
    return from_base64(content, name, place, kind=kind)

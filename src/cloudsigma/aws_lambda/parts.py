"""Splits the event of a function into the parts that can fail alone: messages of SQS, records of Kinesis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from cloudsigma.errors import WrongTypeError


class Part(msgspec.Struct, frozen=True):
    """A part of an event."""

    value: Any
    """An envelope, for the reader."""
    identifier: str | None
    """By which Lambda is told that this part failed; `None`: only the invocation as a whole can fail."""
    ordered: bool = False
    """Whether Lambda repeats all later parts, too, when this one fails: a record of a stream."""


def parts_of(event: Any) -> Iterator[Part]:
    """The parts of an event, in order; raises `WrongTypeError` for what is no event."""
    if not isinstance(event, (Mapping, list)):
        raise WrongTypeError("the event", event, "an event is an object, as Lambda hands it over")
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, (list, tuple)) or not records:
        yield Part(event, None)
        return
    rest: list[Any] = []
    for record in records:
        part = _message(record) or _of_stream(record)
        if part is None:
            rest.append(record)
        else:
            yield part
    if rest:
        yield Part({"Records": rest}, None)


def _message(record: Any) -> Part | None:
    if isinstance(record, Mapping) and record.get("eventSource") == "aws:sqs":
        identifier = record.get("messageId")
        if isinstance(identifier, str) and identifier:
            return Part({"Records": [record]}, identifier)
    return None


def _of_stream(record: Any) -> Part | None:
    stream = record.get("kinesis") if isinstance(record, Mapping) else None
    identifier = stream.get("sequenceNumber") if isinstance(stream, Mapping) else None
    if isinstance(identifier, str) and identifier:
        return Part({"Records": [record]}, identifier, ordered=True)
    return None

"""The parts that an envelope is unwrapped into.

A family of forms is a module with `unwrap(value, form)`, which returns parts, or `None` for a document of another
family. `form` says how the file held the document, or names the envelopes around it, outermost first:
`sqs/eventbridge`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeGuard

import msgspec

from cloudsigma.reading.envelope.record_shape import (
    LAMBDA_SOURCE,
    NO_CALLS,
    TEXT_PARAMETERS,
    as_recorded,
    shape_problem,
)

LOG_TYPE = "p_log_type"
"""Panther's member for the type of a log; in tables of any case."""
NO_PLAIN_RECORD = (
    *("Records", "TopicArn", "digestS3Object", "logFiles", "messageType"),
    *("s3", "Sns", "kinesis"),
    *("_raw", "@timestamp", LOG_TYPE, "eventJson"),
)
"""Members that no CloudTrail record has: an object with one may be an envelope, even if it has an `eventName`."""
UNNAMED = frozenset({"whole", "lines", "objects", "rescued", "array", "log_file"})
"""Forms of documents without an envelope."""
TABLES = frozenset({"csv", "parquet"})
"""Forms of documents that are rows."""
_BARE = {"whole": "record", "rescued": "record"}


class Record(msgspec.Struct, frozen=True):
    """One CloudTrail record."""

    value: dict[str, Any]
    form: str


class NoCalls(msgspec.Struct, frozen=True):
    """A recognized document that holds no API calls."""

    kind: str


class Reference(msgspec.Struct, frozen=True):
    """A message that names a file in S3."""

    kind: str
    bucket: str
    key: str


class NoForm(msgspec.Struct, frozen=True):
    """A part that cannot be read: a loss."""

    reason: str
    place: str | None = None
    """Where in the document, outermost first: `event 3`, `message 0, record 17`."""


class Refused(msgspec.Struct, frozen=True):
    """A record that exceeds a limit: a loss, unless no rule could match it."""

    reason: str
    value: dict[str, Any]
    form: str


class Carried(msgspec.Struct, frozen=True):
    """The content of an envelope, which may be an envelope itself."""

    content: Any
    """A JSON value; or text or bytes that hold documents, bytes perhaps compressed."""
    name: str = ""
    """The form of the envelope; empty if it only encloses others."""
    place: str | None = None
    empty: str | None = None
    """The kind to report if it carries no records."""
    size: int = 0
    """Bytes of a JSON value's text, if the envelope held it as text."""


Part = Record | Refused | NoCalls | Reference | NoForm
Found = Part | Carried
Family = Callable[[Any, str], Iterator[Found] | None]


def inside(form: str, name: str) -> str:
    """The form of the content of an envelope of this name inside `form`."""
    if form in UNNAMED:
        return name or form
    if not name or form == name or form.endswith("/" + name):
        return form
    return f"{form}/{name}"


def is_plain_record(value: dict[str, Any]) -> bool:
    """Whether it is a record as CloudTrail writes it, beyond doubt."""
    if type(value.get("eventName")) is not str or any(member in value for member in NO_PLAIN_RECORD):
        return False
    source = value.get("eventSource")
    return source is None or (type(source) is str and not source.startswith(LAMBDA_SOURCE))


def as_record(value: dict[str, Any], form: str, place: str | None = None) -> Part:
    """The record that an object is; CloudTrail's events other than calls are recognized, and anything else is a loss.

    Names joined by dots are unfolded, and objects that an exporter wrote as JSON text are decoded.
    """
    kind = value.get("eventType")
    if isinstance(kind, str) and kind in NO_CALLS:
        return NoCalls(NO_CALLS[kind])
    record, decoded = as_recorded(value)
    problem = shape_problem(record)
    if problem is not None:
        return NoForm(problem, place)
    counted = decoded and form != "log_file"  # the fast path does not read the parameters of a log file
    return Record(record, inside(form, TEXT_PARAMETERS) if counted else _BARE.get(form, form))


def is_field_list(value: Any) -> bool:
    """Whether it is a row of Logs Insights: a list of fields with their values."""
    return isinstance(value, list) and bool(value) and all(isinstance(cell, dict) and "field" in cell for cell in value)


def bytes_of(text: str) -> int:
    """Bytes of a text as UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def is_text(value: Any) -> TypeGuard[str]:
    """Whether it is text that may hold a JSON object."""
    return isinstance(value, str) and value.lstrip("\ufeff \t\r\n")[:1] == "{"

"""The rows that Spark gets: a public contract, the same for files, tables and streams. New columns come at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from cloudsigma.engine.match import Match

if TYPE_CHECKING:
    import pyarrow as pa

MATCH, SUPPRESSED, FILE, LISTING, LOSS = "match", "suppressed", "file", "listing", "loss"

COLUMNS: dict[str, tuple[str, str]] = {
    "kind": ("string", "`match`, `suppressed`, `file`, `listing` or `loss`"),
    "path": ("string", "the file; of a table's rows the name of their batch"),
    "position": ("bigint", "which record of the file, from 0; of matches"),
    "rule_id": ("string", "ID of the rule"),
    "rule_title": ("string", "title of the rule"),
    "level": ("string", "level of the rule"),
    "key": ("string", "for deduplication: the same rule and event give the same key in any run"),
    "event_id": ("string", "CloudTrail's ID of the record"),
    "event_time": ("timestamp", "time of the event"),
    "account": ("string", "account that was affected"),
    "region": ("string", "region that took the call"),
    "principal": ("string", "the caller: the ARN, else the best identifier there is"),
    "resource": ("string", "the object of the call: the ARN, else the name"),
    "source_ip": ("string", "address of the caller, or the name of a service"),
    "outcome": ("string", "`success`, `denied`, `failed`, `unknown`"),
    "group": ("map<string,string>", "of a correlation: field → value"),
    "match": ("string", "the match as one line of JSON (match-json.md)"),
    "records": ("bigint", "of a file: records read; of a loss: records of the same file that were read"),
    "stored_bytes": ("bigint", "of a file: bytes as stored"),
    "reason": ("string", "of a loss: why it could not be read"),
    "rules_digest": ("string", "digest of the rule set that was used"),
    "place": ("string", "of a loss: the place in the file, if known"),
    "counts": ("map<string,bigint>", "of a file, a listing or a loss: the other numbers of the ledger"),
}
"""The columns in their order: name → type in Spark's DDL, and meaning."""

SCHEMA = ", ".join(f"`{name}` {kind}" for name, (kind, _) in COLUMNS.items())
"""The columns as Spark's DDL."""

_ROWS = 512
"""Rows of one Arrow batch, at most."""
_BYTES = 4 << 20
"""Bytes of matches in one Arrow batch, after which it ends."""
_MATCH_AT = list(COLUMNS).index("match")

Row = tuple[Any, ...]
"""The values of one row, in the order of the columns."""


def row(kind: str, **values: Any) -> Row:
    """A row of a kind; columns without a value are null."""
    values["kind"] = kind
    return tuple(map(values.get, COLUMNS))


def match_row(match: Match, kind: str, digest: str) -> Row:
    """The row of a match."""
    context, rule, origin = match.context, match.rule, match.origin
    return (
        kind,
        origin.path if origin is not None else None,
        origin.position if origin is not None else None,
        rule.id,
        rule.title,
        rule.level,
        match.key,
        context.event_id,
        context.time,
        context.account,
        context.region,
        context.principal.text if context.principal is not None else None,
        str(context.resource) if context.resource is not None else None,
        context.source_ip,
        context.outcome,
        match.group or None,
        match.to_json_bytes().decode(),
        None,
        None,
        None,
        digest,
        None,
        None,
    )


def record_batches(rows: Iterable[Row]) -> Iterator[pa.RecordBatch]:
    """Rows as Arrow batches of a few MB."""
    held: list[Row] = []
    size = 0
    for each in rows:
        held.append(each)
        size += len(each[_MATCH_AT] or "")
        if len(held) >= _ROWS or size >= _BYTES:
            yield _record_batch(held)
            held, size = [], 0
    if held:
        yield _record_batch(held)


def _record_batch(rows: list[Row]) -> pa.RecordBatch:
    import pyarrow as pa

    schema = _arrow_schema()
    try:
        arrays = [pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), schema, strict=True)]
    except UnicodeEncodeError:  # half of a character, in the name of a file or in a record
        rows = [tuple(map(_encodable, each)) for each in rows]
        arrays = [pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(name): _encodable(each) for name, each in value.items()}
    return value


def _arrow_schema() -> pa.Schema:
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "bigint": pa.int64(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "map<string,string>": pa.map_(pa.string(), pa.string()),
        "map<string,bigint>": pa.map_(pa.string(), pa.int64()),
    }
    return pa.schema([(name, types[kind]) for name, (kind, _) in COLUMNS.items()])

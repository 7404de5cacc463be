"""Results of queries: Athena and CloudTrail Lake by their APIs, and rows of tables (CSV, Parquet, JSON lines)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.engine.context.dotted_names import has_joined_names, nested
from cloudsigma.reading.content.missing_cells import is_missing
from cloudsigma.reading.envelope.field_mapping import normal_name, spelled, undecoded
from cloudsigma.reading.envelope.interface import (
    LOG_TYPE,
    TABLES,
    Carried,
    Found,
    NoForm,
    as_record,
    inside,
)
from cloudsigma.reading.envelope.record_shape import NO_CALLS

_CARRYING = (
    ("eventjson", ""),
    ("_raw", "splunk"),
    ("@message", "logs_insights"),
    ("cloudtrailevent", "lookup_events"),
    ("event.original", "elastic"),
)
"""Columns that hold the whole record → the name of the form."""
_LOWER = ("eventname", "event_name", "eventJson", "eventjson", "cloud_trail_event")
"""Names that only table rows have, also as JSON; a record has `eventName`, with a capital."""
_BESIDE = ("eventsource", "eventid", "eventtime", "useridentity", "eventversion")
"""A row with `eventname` must have one of these, too."""


def unwrap(value: Any, form: str) -> Iterator[Found] | None:
    """The rows of a result, or one row."""
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("QueryResultRows"), list):
        return _lake(value["QueryResultRows"], inside(form, "lake"))
    result = value.get("ResultSet")
    if isinstance(result, dict) and isinstance(result.get("Rows"), list):
        return _athena(result["Rows"], _columns(result), inside(form, "athena"))
    if form in TABLES and any(name.lower() == LOG_TYPE for name in value):
        return None
    if form in TABLES or any(name in value for name in _LOWER):
        return iter(found) if (found := _row(value, form)) else None
    return None


def _row(row: dict[str, Any], form: str, name: str = "", place: str | None = None) -> list[Found]:
    """The record of a row, and a loss for each cell that could not be decoded.

    Empty if the row has none of the columns that would hold a record.
    """
    lower = {normal_name(key): key for key in row if isinstance(key, str)}
    for column, carrier in _CARRYING:
        if column in lower and isinstance(row[lower[column]], (str, dict)):
            return [Carried(row[lower[column]], carrier or name or _dialect(lower), place)]
    event_type = row.get(lower.get("eventtype", ""))
    if "eventname" not in lower and not (isinstance(event_type, str) and event_type in NO_CALLS):
        return []
    if not any(column in lower for column in _BESIDE):
        return []
    flat = has_joined_names(row)
    record = spelled(nested(row) if flat else row, texts=True)
    return [
        as_record(record, inside(form, name or _dialect(lower)), place),
        *(
            NoForm(f"the cell of {member} is neither JSON nor a struct that can be read: it is kept as text", place)
            for member in undecoded(record)
        ),
    ]


def _dialect(lower: dict[str, str]) -> str:
    """Athena writes names in lower case; CloudTrail Lake keeps the letter case of the query."""
    return "athena" if all(name == name.lower() for name in lower.values()) else "lake"


def _lake(rows: list[Any], form: str) -> Iterator[Found]:
    for index, cells in enumerate(rows):
        place = f"row {index}"
        if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
            yield NoForm("the row is no list of columns with values", place)
            continue
        row = {str(name): value for cell in cells for name, value in cell.items() if not _is_missing(value)}
        yield from _row(row, form, "lake", place) or [_strange([name for cell in cells for name in cell], place)]


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and is_missing(value))


def _columns(result: dict[str, Any]) -> list[Any]:
    """The names of the columns, which every page has; an empty list if one is missing."""
    metadata = result.get("ResultSetMetadata")
    columns = metadata.get("ColumnInfo") if isinstance(metadata, dict) else None
    names = [column.get("Name") for column in columns if isinstance(column, dict)] if isinstance(columns, list) else []
    return names if all(isinstance(name, str) for name in names) else []


def _athena(rows: list[Any], columns: list[Any], form: str) -> Iterator[Found]:
    names: list[Any] | None = columns or None
    for index, row in enumerate(rows):
        place = f"row {index}"
        cells = row.get("Data") if isinstance(row, dict) else None
        if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
            yield NoForm("the row has no list of data", place)
            continue
        values = [cell.get("VarCharValue") for cell in cells]
        if index == 0 and _is_header(values, columns):
            names = names or values
        elif names is None:
            shown = ", ".join(str(value)[:40] for value in values[:5])
            yield NoForm(
                "the rows have no names: there is no ResultSetMetadata.ColumnInfo, and the first row is no header "
                f"(it has {shown})"
            )
            return
        elif len(names) != len(values):
            yield NoForm(f"the row has {len(values):,} cells, and there are {len(names):,} columns", place)
        else:
            made = {str(name): value for name, value in zip(names, values, strict=True) if not _is_missing(value)}
            yield from _row(made, form, "athena", place) or [_strange(names, place)]


def _is_header(values: list[Any], columns: list[Any]) -> bool:
    """Whether the first row of a page names the columns, as on the first page only."""
    lower = [str(value).lower() for value in values]
    if columns:
        return lower == [name.lower() for name in columns]
    return "eventname" in lower or any(column in lower for column, _ in _CARRYING)


def _strange(names: list[Any], place: str) -> NoForm:
    shown = ", ".join(str(name)[:40] for name in names[:5]) or "none"
    return NoForm(f"the row has no columns that make a CloudTrail record (it has {shown})", place)

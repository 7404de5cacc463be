"""Tables as JSON: by columns (`DataFrame.to_json()`), by index, or column names beside rows of cells.

Each row becomes one object, which is unwrapped like any other; nulls in a row are missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.reading.envelope.field_mapping import normal_name
from cloudsigma.reading.envelope.interface import Carried, Found, NoForm
from cloudsigma.reading.envelope.record_shape import names_an_event

_NAME = "table"
_TELLING = frozenset({"eventname", "eventsource", "cloudtrailevent", "eventjson"})
"""A table by columns has at least one of these columns, by normal name."""
_ROWS = ("rows", "data")


def unwrap(value: Any, form: str) -> Iterator[Found] | None:  # noqa: ARG001  # the signature of every family
    """The rows of a table; `None` for an object that is not a table."""
    if not isinstance(value, dict):
        return None
    tables = value.get("tables")
    if isinstance(tables, list) and all(isinstance(table, dict) and "columns" in table for table in tables):
        return (row for table in tables for row in _of_cells(table) or ())  # Azure's API for logs
    return _of_cells(value) or _by_columns(value) or _by_index(value)


def _of_cells(value: dict[str, Any]) -> Iterator[Found] | None:
    """Rows of a table that names its columns once: `{"columns": […], "rows": [[…]]}`; or objects beside a schema."""
    rows = next((value[name] for name in _ROWS if isinstance(value.get(name), list)), None)
    columns = value.get("columns")
    if rows is None or not (isinstance(columns, list) or isinstance(value.get("schema"), dict)):
        return None
    if all(isinstance(row, dict) for row in rows):
        return (Carried(_without_nulls(row), _NAME, f"row {index}") for index, row in enumerate(rows))
    names = [column.get("name") if isinstance(column, dict) else column for column in columns or ()]
    if not names or not all(isinstance(name, str) for name in names):
        return None
    return (_row(row, names, index) for index, row in enumerate(rows))


def _row(row: Any, names: list[Any], index: int) -> Found:
    place = f"row {index}"
    if not isinstance(row, list):
        return NoForm("the row is no list of cells", place)
    if len(row) != len(names):
        return NoForm(f"the row has {len(row):,} cells, and there are {len(names):,} columns", place)
    return Carried(_without_nulls(dict(zip(names, row, strict=True))), _NAME, place)


def _by_columns(value: dict[str, Any]) -> Iterator[Found] | None:
    """Rows of a table that holds one object or list for each column: `{"eventName": {"0": …}, "eventSource": …}`."""
    if not value or not any(normal_name(name) in _TELLING for name in value):
        return None
    columns = list(value.values())
    kind = type(columns[0])
    if kind not in (dict, list) or any(type(column) is not kind for column in columns):
        return None
    if kind is list:
        columns = [dict(enumerate(column)) for column in columns]
    keys = dict.fromkeys(key for column in columns for key in column)
    if kind is list and any(len(column) != len(keys) for column in columns):
        return iter((NoForm("a table by columns, which are not of the same length"),))
    return (
        Carried(
            {name: column[key] for name, column in zip(value, columns, strict=True) if column.get(key) is not None},
            _NAME,
            f"row {key}",
        )
        for key in keys
    )


def _by_index(value: dict[str, Any]) -> Iterator[Found] | None:
    """Rows of a table that holds one object for each number: `{"0": {"eventName": …}, "1": …}`."""
    if not value or not all(name.isdecimal() and isinstance(row, dict) for name, row in value.items()):
        return None
    if not any(names_an_event(row) for row in value.values()):
        return None
    return (Carried(_without_nulls(row), _NAME, f"row {name}") for name, row in value.items())


def _without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    return {name: cell for name, cell in row.items() if cell is not None}

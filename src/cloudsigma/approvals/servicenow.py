"""Changes exported from ServiceNow (CSV or JSON of `change_request`) → drafts of approvals, never approvals.

An export does not name rules and principals, and its times have no zone. Columns have their names (`start_date`) or
their English labels (`Planned start date`).
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
import zoneinfo
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cloudsigma.approvals.yaml_lines import entry_text
from cloudsigma.errors import UsageError

_LABELS = {
    "planned start date": "start_date",
    "planned end date": "end_date",
    "requested by": "requested_by",
    "assignment group": "assignment_group",
    "configuration item": "cmdb_ci",
    "short description": "short_description",
}
_ENDED = frozenset({"canceled", "cancelled", "4"})
"""States of changes that do not take place."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)", re.ASCII)
_NUMBER = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


class Imported(NamedTuple):
    """The result of an import."""

    entries: list[str]
    """The drafts as YAML."""
    left_out: list[str]
    """Changes without a draft, each with the reason."""
    notes: list[str]
    """Changes whose draft needs a look, each with the reason."""


def read_zone(text: str) -> dt.tzinfo:
    """A time zone: a name such as `Europe/Berlin`, `UTC`, or an offset such as `+01:00`; raises `UsageError`."""
    if text in {"UTC", "Z"}:
        return dt.UTC
    if found := _OFFSET.fullmatch(text):
        span = dt.timedelta(hours=int(found[2]), minutes=int(found[3]))
        if span < dt.timedelta(days=1):
            return dt.timezone(-span if found[1] == "-" else span)
    try:
        return zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(
            f"there is no time zone {text!r}; give a name such as Europe/Berlin (where the system has the database of "
            "zones), UTC, or an offset such as +01:00"
        ) from error


def import_changes(data: bytes, zone: dt.tzinfo) -> Imported:
    """The drafts for the approved changes of an export.

    Args:
        data: The export: CSV with a header, or JSON (a list, or `result` with a list).
        zone: The zone of times without an offset.

    Raises:
        UsageError: The data are neither, or lack a column.
    """
    made = Imported([], [], [])
    seen: set[str] = set()
    for at, row in enumerate(_rows(data), start=1):
        number = row.get("number", "")
        name = number or f"row {at}"
        try:
            _note_number(number, seen)
            made.entries.append(_draft(row, zone, made.notes))
        except _UnusableError as error:
            made.left_out.append(f"{name}: {error}")
    return made


class _UnusableError(Exception):
    """No draft can be made of a change."""


def _note_number(number: str, seen: set[str]) -> None:
    if not _NUMBER.fullmatch(number):
        raise _UnusableError("it has no number")
    if number in seen:
        raise _UnusableError("the number is used twice")
    seen.add(number)


def _rows(data: bytes) -> Iterator[dict[str, str]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError("the export is not UTF-8 text; export it again as UTF-8") from error
    rows = _of_json(text) if text.lstrip()[:1] in {"{", "["} else _of_csv(text)
    for at, row in enumerate(rows):
        found = {_column(key): _cell(value) for key, value in row.items() if isinstance(key, str)}
        if at == 0 and (missing := {"number", "start_date", "end_date"} - set(found)):
            raise UsageError(f"the export has no {', no '.join(sorted(missing))}; add the columns to the export")
        yield found


def _of_csv(text: str) -> Iterator[Mapping[str, Any]]:
    try:
        yield from csv.DictReader(io.StringIO(text), strict=True)
    except csv.Error as error:
        raise UsageError(f"the export is not CSV ({error})") from error


def _of_json(text: str) -> Iterator[Mapping[str, Any]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the export is not JSON ({error})") from error
    found = document.get("result", document.get("records")) if isinstance(document, dict) else document
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise UsageError("the export holds no list of changes; export a list, or the answer of the table API")
    yield from found


def _column(key: str) -> str:
    name = key.strip().lower()
    return _LABELS.get(name, name)


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):  # sysparm_display_value=all
        value = value.get("display_value") or value.get("value")
    return value.strip() if isinstance(value, str) else "" if value is None else str(value)


def _draft(row: Mapping[str, str], zone: dt.tzinfo, notes: list[str]) -> str:
    approval, state = row.get("approval", "approved").lower(), row.get("state", "").lower()
    if approval != "approved":
        raise _UnusableError(f"its approval is {approval!r}" if approval else "its approval is empty")
    if state in _ENDED:
        raise _UnusableError("it was canceled")
    start, until = _moment(row, "start_date", zone, notes), _moment(row, "end_date", zone, notes)
    if until <= start:
        raise _UnusableError("it does not end after it begins")
    values = {
        "id": row["number"],
        "draft": True,
        "owner": row.get("assignment_group") or row.get("requested_by"),
        "reason": row.get("short_description"),
        "from": start,
        "until": until,
    }
    about = [
        f"{label}: {row[name]}"
        for name, label in (("requested_by", "requested by"), ("cmdb_ci", "configuration item"))
        if row.get(name)
    ]
    comments = [*about, "add rules, and principals or resources; then remove draft: true to approve"]
    return entry_text({key: value for key, value in values.items() if value}, comments)


def _moment(row: Mapping[str, str], column: str, zone: dt.tzinfo, notes: list[str]) -> dt.datetime:
    text = row.get(column, "")
    if not _TIME.fullmatch(text):
        raise _UnusableError(f"its {column} is {text!r}; export times as yyyy-MM-dd HH:mm:ss")
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        raise _UnusableError(f"its {column} is {text!r}, which is no time") from None
    if when.tzinfo is not None:
        return when.astimezone(dt.UTC)
    first, second = (when.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1))
    if first.astimezone(zone).replace(tzinfo=None) != when:
        raise _UnusableError(f"its {column} is {text}, which clocks skip in this zone")
    if first != second:
        notes.append(
            f"{row['number']}: its {column} is {text}, which occurs twice in this zone; the wider window is used"
        )
    return first if column == "start_date" else second

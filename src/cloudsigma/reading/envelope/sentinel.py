"""Microsoft Sentinel's table AWSCloudTrail, from the portal (CSV), the API or `az monitor log-analytics query` (JSON).

Source: https://learn.microsoft.com/azure/azure-monitor/reference/tables/awscloudtrail. Other tables that join
the names of members without a dot (`userIdentityarn`) are read by the same names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cloudsigma.engine.context.dotted_names import put
from cloudsigma.reading.envelope.field_mapping import as_time, normal_name, spelled
from cloudsigma.reading.envelope.interface import Found, as_record, inside

_NAME = "sentinel"
_PATHS: dict[str, tuple[str, ...]] = {
    normal_name(column): tuple(path.split("."))
    for column, path in json.loads(Path(__file__).with_name("sentinel_fields.json").read_text(encoding="utf-8")).items()
}
"""Column → path in a record, by normal names."""
_TELLING = ("awseventid", "useridentityarn", "useridentitytype", "useridentityaccountid")
"""One of these columns beside `EventName` identifies the table."""
_TIME = re.compile(r"timegenerated(?: \[utc\])?")
_OF_TABLE = frozenset({"tenantid", "sourcesystem", "type", "operationname", "resourceid", "timegenerated"})
"""Columns that every table of Azure has, by normal names; none of them is CloudTrail's."""
_PARAMETER = re.compile(r"(requestparameters|responseelements)(\w+)", re.IGNORECASE)
_PARAMETERS = {"requestparameters": "requestParameters", "responseelements": "responseElements"}


def unwrap(value: Any, form: str) -> Iterator[Found] | None:
    """The record of one row of the table."""
    if not isinstance(value, dict):
        return None
    lower = {normal_name(name) for name in value}
    if "eventname" not in lower or not any(name in lower for name in _TELLING):
        return None
    return iter((as_record(_mapped(value), inside(form, _NAME)),))


def _mapped(row: dict[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    generated = None
    for name, value in row.items():
        if value is None or value == "":
            continue
        normal = normal_name(name)
        if _TIME.fullmatch(normal):
            generated = as_time(value)
        elif (path := _PATHS.get(normal)) is not None:
            put(record, path, value)
        elif (parameter := _PARAMETER.fullmatch(name)) is not None:
            put(record, (_PARAMETERS[parameter[1].lower()], parameter[2]), value)
        elif normal not in _OF_TABLE:
            put(record, (name,), value)
    record = spelled(record)
    if generated is not None:
        record.setdefault("eventTime", generated)
    return record

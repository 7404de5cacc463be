"""Fields under other names → CloudTrail's names and kinds, by tables that are data: the JSON files beside it."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from cloudsigma.engine.context.dotted_names import put
from cloudsigma.reading.envelope.struct_text import KEPT_AS_TEXT, decoded

_TIME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d+))?\s*"
    r"(?P<zone>Z|UTC|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_AMERICAN_TIME = re.compile(
    r"(\d{1,2}/\d{1,2}/\d{4}),? (\d{1,2}:\d\d:\d\d)(?:\.\d+)? ?([AP]M)", re.ASCII | re.IGNORECASE
)
"""A time as the portal of Azure exports it: `3/4/2025, 10:15:30.000 AM`."""
_EPOCH = re.compile(r"\d{9,13}(?:\.0)?", re.ASCII)
_MILLISECONDS = 100_000_000_000
"""Larger numbers are milliseconds since 1970, others seconds: as seconds this is the year 5138."""
_LONGEST_ARRAY = 1000
"""Elements of an array of resources that are mapped one by one."""


def _data(name: str) -> Any:
    return json.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


_NAMES: dict[str, Any] = _data("field_names.json")


class Source(msgspec.Struct, frozen=True):
    """Where another schema has a CloudTrail field."""

    field: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]
    """Tried in this order."""
    begins: str
    begins_not: str | None

    def value(self, event: dict[str, Any]) -> Any:
        """The first value that exists and fits, or `None`."""
        for path in self.paths:
            value = _at(event, path)
            if value is None or value == "":
                continue
            if self.begins and not str(value).startswith(self.begins):
                continue
            if self.begins_not is None or not str(value).startswith(self.begins_not):
                return value
        return None


Table = tuple[Source, ...]


def _table(name: str) -> Table:
    return tuple(
        Source(
            tuple(field.split(".")),
            tuple(tuple(path.split(".")) for path in source["from"]),
            source.get("begins", ""),
            source.get("begins_not"),
        )
        for field, source in _data(name).items()
    )


OCSF = _table("ocsf_fields.json")
"""From Security Lake's fields."""
ECS = _table("ecs_fields.json")
"""From the fields that Elastic's integration writes."""


def _by_lower_case(names: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    found: dict[str, tuple[str, Any]] = {}
    for name, kind in names.items():
        inner: Any = kind
        if isinstance(kind, dict):
            inner = _by_lower_case(kind)
        elif isinstance(kind, list):
            inner = [_by_lower_case(kind[0])]
        found[name.lower()] = (name, inner)
    return found


_SPELLING = _by_lower_case(_NAMES)


def spelled(row: dict[str, Any], *, texts: bool = False) -> dict[str, Any]:
    """A record from members whose names may have lost their capitals and whose values may be text; nulls are left out.

    Members that CloudTrail does not have are kept unchanged.

    Args:
        row: The members.
        texts: Whether objects may be maps of texts, as in some tables. JSON text in a map is decoded, unless CloudTrail
            itself records that parameter as text.
    """
    return _spelled(row, _SPELLING, texts)


def normal_name(name: str) -> str:
    """A name in lower case and without underscores, by which CloudTrail's name is found."""
    return name.lower().replace("_", "")


def _spelled(row: dict[str, Any], names: dict[str, tuple[str, Any]], texts: bool) -> dict[str, Any]:  # noqa: FBT001  # passed on by position
    record: dict[str, Any] = {}
    for key, value in row.items():
        if value is None:
            continue
        name, kind = names.get(key.lower()) or names.get(normal_name(key), (key, None))
        made = _converted(value, kind, texts)
        if made is not None:
            record[name] = made
    return record


def _converted(value: Any, kind: Any, texts: bool) -> Any:  # noqa: FBT001  # passed on by position
    if isinstance(kind, dict):
        inner = decoded(value) if isinstance(value, str) else value
        return _spelled(inner, kind, texts) if isinstance(inner, dict) else inner
    if isinstance(kind, list):
        inner = decoded(value) if isinstance(value, str) else value
        elements = [inner] if isinstance(inner, dict) else inner
        if not isinstance(elements, list):
            return inner
        return [_spelled(element, kind[0], texts) if isinstance(element, dict) else element for element in elements]
    if kind == "json":
        return _as_json(value, texts)
    return _CONVERSIONS[kind](value) if isinstance(kind, str) else value


def undecoded(record: dict[str, Any]) -> list[str]:
    """Members that should be objects but are text that looks like a printed object and cannot be parsed."""
    return [
        name
        for name, value in record.items()
        if isinstance(value, str) and name in _OBJECTS and _PRINTED.match(value) is not None
    ]


_OBJECTS = frozenset(name for name, kind in _NAMES.items() if kind == "json" or isinstance(kind, (dict, list)))


_PRINTED = re.compile(r"\s*(?:@?[\[{]|\w+[(\[{]|\()")
"""How printed objects begin, of whatever program: `{`, `[`, `@{`, `Row(`, `map[`."""


def _as_text(value: Any) -> Any:
    return str(value) if type(value) in (int, float) else value


def _as_account(value: Any) -> Any:
    """An account ID has twelve digits; pandas makes numbers of them, and of a column with gaps `111122223333.0`."""
    if type(value) in (int, float):
        return f"{value:.0f}".zfill(12)
    if isinstance(value, str) and len(digits := value.removesuffix(".0")) > 8 and digits.isdecimal():
        return digits.zfill(12)
    return value


def _as_boolean(value: Any) -> Any:
    return {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}.get(
        str(value).lower(), value
    )


def _as_word(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else _as_text(value)


def as_time(value: Any) -> Any:
    """A time as CloudTrail writes it, `2025-03-04T10:15:30Z`; any other value is returned unchanged."""
    if type(value) in (int, float):
        seconds = value / 1000 if value > _MILLISECONDS else value
        try:
            return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        except (ValueError, OverflowError, OSError):
            return value
    if not isinstance(value, str):
        return value
    value = value.strip()
    found = _TIME.fullmatch(value)
    if found is None:
        return _other_time(value)
    day, time, zone = found["day"], found["time"], found["zone"]
    fraction = (found["fraction"] or "").rstrip("0")
    if zone not in (None, "Z", "UTC") and zone[1:].strip("0:"):
        zone = zone if len(zone) > 3 else f"{zone}00"
        try:
            moment = dt.datetime.strptime(f"{day} {time} {zone}", "%Y-%m-%d %H:%M:%S %z")
            day, time = moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S").split(" ")
        except (ValueError, OverflowError):
            return value
    return f"{day}T{time}{'.' if fraction else ''}{fraction}Z"


def _other_time(value: str) -> Any:
    """A time as text that is not ISO 8601: of the portal of Azure, or seconds or milliseconds since 1970."""
    if _EPOCH.fullmatch(value):
        return as_time(int(value.removesuffix(".0")))
    if (found := _AMERICAN_TIME.fullmatch(value)) is None:
        return value
    try:
        moment = dt.datetime.strptime(" ".join(found.groups()), "%m/%d/%Y %I:%M:%S %p")  # noqa: DTZ007  # UTC, as the column says
    except ValueError:
        return value
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _as_json(value: Any, texts: bool) -> Any:  # noqa: FBT001  # passed on by position
    """An object that may have become text; with `texts`, of a map of texts the JSON in each, too."""
    if isinstance(value, str):
        return None if value == "null" else decoded(value)
    if not isinstance(value, dict):
        return value
    if not texts or not all(inner is None or isinstance(inner, str) for inner in value.values()):
        return {name: inner for name, inner in value.items() if inner is not None}
    return {
        name: decoded(inner) if name not in KEPT_AS_TEXT else inner
        for name, inner in value.items()
        if inner is not None
    }


_CONVERSIONS = {
    "text": _as_text,
    "account": _as_account,
    "boolean": _as_boolean,
    "word": _as_word,
    "time": as_time,
}


def mapped(event: dict[str, Any], table: Table) -> dict[str, Any]:
    """A record from the fields of an event of another schema."""
    record: dict[str, Any] = {}
    resources: dict[str, list[Any]] = {}
    for source in table:
        value = source.value(event)
        if value is None:
            continue
        if source.field[0] == "resources":
            resources[source.field[1]] = value if isinstance(value, list) else [value]
        else:
            put(record, source.field, value)
    if resources:
        count = min(max(map(len, resources.values())), _LONGEST_ARRAY)
        record["resources"] = [
            {name: values[at] for name, values in resources.items() if at < len(values) and values[at] is not None}
            for at in range(count)
        ]
    return spelled(record)


def _at(node: Any, path: Sequence[str]) -> Any:
    for at, name in enumerate(path):
        if isinstance(node, dict):
            node = node.get(name)
        elif isinstance(node, list):
            found = [_at(element, path[at:]) for element in node[:_LONGEST_ARRAY]]
            return found if any(value is not None for value in found) else None
        else:
            return None
    return node

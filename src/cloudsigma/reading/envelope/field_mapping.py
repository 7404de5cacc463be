"""Fields under other names → CloudTrail's spelling, by tables that are data: `field_names.json` and its neighbors."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from cloudsigma.reading.envelope.struct_text import KEPT_AS_TEXT, decoded

_TIME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d+))?\s*(?P<zone>Z|UTC|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_MILLISECONDS = 100_000_000_000
"""Numbers above count milliseconds since 1970, others seconds: as seconds this is the year 5138."""
_LONGEST_ARRAY = 1000
"""Elements of an array of resources that are mapped one by one."""

_DEEPEST = 31
"""Dots of a name that are taken for steps inside."""


def _data(name: str) -> Any:
    return json.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


_NAMES: dict[str, Any] = _data("field_names.json")


class Source(msgspec.Struct, frozen=True):
    """Where a field of CloudTrail's is in another schema."""

    field: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]
    """Looked at in this order."""
    begins: str
    begins_not: str | None

    def value(self, event: dict[str, Any]) -> Any:
        """The first value that is there and fits; `None` where there is none."""
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


def spelled(row: dict[str, Any]) -> dict[str, Any]:
    """A record from members whose names may have lost their capitals and whose values may be text; nulls are left out.

    Members that CloudTrail does not have are kept as they are.
    """
    return _spelled(row, _SPELLING)


def _spelled(row: dict[str, Any], names: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for key, value in row.items():
        if value is None:
            continue
        name, kind = names.get(key.lower(), (key, None))
        made = _converted(value, kind)
        if made is not None:
            record[name] = made
    return record


def _converted(value: Any, kind: Any) -> Any:
    if isinstance(kind, dict):
        inner = decoded(value) if isinstance(value, str) else value
        return _spelled(inner, kind) if isinstance(inner, dict) else inner
    if isinstance(kind, list):
        inner = decoded(value) if isinstance(value, str) else value
        elements = [inner] if isinstance(inner, dict) else inner
        if not isinstance(elements, list):
            return inner
        return [_spelled(element, kind[0]) if isinstance(element, dict) else element for element in elements]
    return _CONVERSIONS[kind](value) if isinstance(kind, str) else value


def _as_text(value: Any) -> Any:
    return str(value) if type(value) in (int, float) else value


def _as_account(value: Any) -> Any:
    return str(value).zfill(12) if type(value) is int else value


def _as_boolean(value: Any) -> Any:
    return {"true": True, "false": False, "1": True, "0": False}.get(str(value).lower(), value)


def _as_word(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else _as_text(value)


def as_time(value: Any) -> Any:
    """A time as CloudTrail writes it, `2025-03-04T10:15:30Z`; what is no time stays what it is."""
    if type(value) in (int, float):
        seconds = value / 1000 if value > _MILLISECONDS else value
        try:
            return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        except (ValueError, OverflowError, OSError):
            return value
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return value
    day, time, zone = found["day"], found["time"], found["zone"]
    fraction = (found["fraction"] or "").rstrip("0")
    if zone not in (None, "Z", "UTC") and zone.replace(":", "")[1:] != "0000":
        try:
            moment = dt.datetime.strptime(f"{day} {time} {zone}", "%Y-%m-%d %H:%M:%S %z")
            day, time = moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S").split(" ")
        except (ValueError, OverflowError):
            return value
    return f"{day}T{time}{'.' if fraction else ''}{fraction}Z"


def _as_json(value: Any) -> Any:
    """What was an object before it became text; of a map of texts each text that holds JSON too."""
    if isinstance(value, str):
        return None if value == "null" else decoded(value)
    if isinstance(value, dict):
        return {
            name: decoded(inner) if isinstance(inner, str) and name not in KEPT_AS_TEXT else inner
            for name, inner in value.items()
            if inner is not None
        }
    return value


_CONVERSIONS = {
    "text": _as_text,
    "account": _as_account,
    "boolean": _as_boolean,
    "word": _as_word,
    "time": as_time,
    "json": _as_json,
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


def put(record: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set a member of a member; one that is there already is kept."""
    for name in path[:-1]:
        inner = record.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        record = inner
    record.setdefault(path[-1], value)


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Members with dots in their names as members of members."""
    record: dict[str, Any] = {}
    for name, value in flat.items():
        if isinstance(value, dict):
            for inner, leaf in _leaves(value):
                put(record, [*name.split(".", _DEEPEST), *inner], leaf)
        else:
            put(record, name.split(".", _DEEPEST), value)
    return record


def _leaves(value: dict[str, Any]) -> Iterator[tuple[list[str], Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict) and inner:
            for path, leaf in _leaves(inner):
                yield [name, *path], leaf
        else:
            yield [name], inner

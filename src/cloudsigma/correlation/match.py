"""The match of a correlation, made of the matches that contribute to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from cloudsigma.engine import fields, operators
from cloudsigma.engine.context import read_context
from cloudsigma.engine.match import Match, record_identity
from cloudsigma.engine.rule import Rule


def event_time(record: Mapping[str, Any]) -> float | None:
    """The `eventTime` of a record in seconds since 1970; only text counts as one."""
    value = record.get("eventTime")
    when = operators.moment(value) if isinstance(value, str) else None
    return when.timestamp() if when is not None else None


def identity_of(record: Mapping[str, Any]) -> object:
    """Equal for two deliveries of one event; a record without an `eventID` is only itself."""
    return record_identity(record) if record.get("eventID") else id(record)


def correlation_match(rule: Rule, group: dict[str, str], matches: tuple[Match, ...]) -> Match:
    """The match of a correlation: context and origin are those of its last record, the key that of all of them."""
    records = _contributing(matches)
    last = records[-1]
    shown = {path.name: fields.select(last, path) for path in rule.definition.field_paths}
    content = [rule.id, *(f"{name}={value}" for name, value in group.items()), *sorted(map(record_identity, records))]
    return Match(
        rule=rule,
        record=last,
        context=read_context(last, shown),
        evidence=(),
        key=hashlib.sha256("\n".join(content).encode(errors="replace")).hexdigest()[:32],
        origin=next((match.origin for match in reversed(matches) if match.record is last), None),
        group=group,
        matches=matches,
        contributing=records,
    )


def _contributing(matches: Iterable[Match]) -> tuple[Mapping[str, Any], ...]:
    """The records of matches without repetition, in order of event time."""
    seen: dict[object, Mapping[str, Any]] = {}
    for match in matches:
        for record in match.records:
            seen.setdefault(identity_of(record), record)
    return tuple(sorted(seen.values(), key=lambda record: event_time(record) or 0.0))

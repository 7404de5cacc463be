"""The match of a correlation, made of the matches that contribute to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from cloudsigma.correlation.extractor import match_time
from cloudsigma.engine.context.context import read_context
from cloudsigma.engine.context.event_time import EVENT_TIME
from cloudsigma.engine.identity import event_identity, same_event
from cloudsigma.engine.match import Match
from cloudsigma.engine.rule import Rule


def correlation_match(rule: Rule, group: dict[str, str], matches: tuple[Match, ...]) -> Match:
    """The match of a correlation: its last record gives context and origin, all records give the key."""
    seen, times = _contributing(rule, matches)
    records = tuple(sorted(seen.values(), key=lambda record: times[id(record)] or 0))
    last = records[-1]
    identities = [key if isinstance(key, str) else event_identity(record) for key, record in seen.items()]
    content = [rule.id, *(f"{name}={value}" for name, value in group.items()), *sorted(identities)]
    return Match(
        rule=rule,
        record=last,
        context=read_context(last, rule.shown(last)),
        evidence=(),
        key=hashlib.sha256("\n".join(content).encode(errors="replace")).hexdigest()[:32],
        origin=next((match.origin for match in reversed(matches) if match.record is last), None),
        group=group,
        matches=matches,
        contributing=records,
    )


def _contributing(
    rule: Rule, matches: Iterable[Match]
) -> tuple[dict[object, Mapping[str, Any]], dict[int, int | float | None]]:
    """The distinct records of matches by identity; and the time of each, by its `id`."""
    seen: dict[object, Mapping[str, Any]] = {}
    times: dict[int, int | float | None] = {}
    waiting = [(rule, match) for match in matches][::-1]
    while waiting:
        above, match = waiting.pop()
        if match.matches:
            waiting += [(match.rule, each) for each in reversed(match.matches)]
            continue
        key = same_event(match.record)
        if key not in seen:
            seen[key] = match.record
            field = above.correlation.time_field if above.correlation is not None else EVENT_TIME
            times[id(match.record)] = match_time(match, field)
    return seen, times

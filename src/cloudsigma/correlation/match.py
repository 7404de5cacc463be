"""The match of a correlation, made of the matches that contribute to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from cloudsigma.engine.context.context import read_context
from cloudsigma.engine.context.event_time import event_time
from cloudsigma.engine.identity import event_identity, same_event
from cloudsigma.engine.match import Match
from cloudsigma.engine.rule import Rule


def correlation_match(rule: Rule, group: dict[str, str], matches: tuple[Match, ...]) -> Match:
    """The match of a correlation: context and origin are those of its last record, the key that of all of them."""
    seen = _contributing(matches)
    records = tuple(sorted(seen.values(), key=lambda record: event_time(record) or 0))
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


def _contributing(matches: Iterable[Match]) -> dict[object, Mapping[str, Any]]:
    """The records of matches by what identifies them, without repetition."""
    seen: dict[object, Mapping[str, Any]] = {}
    for match in matches:
        for record in match.contributing or (match.record,):
            seen.setdefault(same_event(record), record)
    return seen

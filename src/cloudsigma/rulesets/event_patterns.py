"""Patterns of EventBridge by which a bus hands on only the events that rules could match; never too few.

Source: EventBridge's guide, "Comparison operators for use in event patterns".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from cloudsigma.catalogue import Catalogue
from cloudsigma.engine.prefilter.index import NAME, SOURCE
from cloudsigma.engine.prefilter.reachability import asked_for, could_have_matched
from cloudsigma.engine.rule import Rule

LONGEST = 2048
"""Characters of a pattern, at most, unless AWS has raised the quota of the account."""

_DETAIL_TYPE = [{"suffix": " via CloudTrail"}]
"""Calls, console sign-ins, service events: each has a detail type of its own with this ending."""
_ANY = ""
"""In place of a source or a name: any."""


class EventPatterns(msgspec.Struct, frozen=True):
    """The patterns of rules, and what they leave out."""

    patterns: tuple[dict[str, Any], ...]
    """Each of at most 2,048 characters as JSON; the patterns of different rules for one event source are one."""
    without: tuple[Rule, ...] = ()
    """Rules that require neither an event name nor an event source: only all events would do for them."""
    read_only: tuple[str, ...] = ()
    """Names of events that only read. A bus gets these only for rules in the state
    `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`."""


def event_patterns(rules: Iterable[Rule], catalogue: Catalogue | None = None) -> EventPatterns:
    """The patterns of the events that the detection rules could match."""
    known = catalogue or Catalogue.load()
    wanted: dict[str, dict[str, str]] = {}  # source → folded name → name as spelled
    without = []
    for rule in rules:
        if rule.correlation is not None:
            continue
        pairs = list(_pairs(rule))
        if (_ANY, _ANY) in pairs:
            without.append(rule)
            continue
        for source, name in pairs:
            wanted.setdefault(source.lower(), {}).setdefault(name.lower(), name)
    everywhere = wanted.get(_ANY, {})
    patterns: list[dict[str, Any]] = []
    read_only: set[str] = set()
    for source, names in sorted(wanted.items()):
        if _ANY in names:
            patterns.append(_pattern(source, ()))
            continue
        left = {key: name for key, name in names.items() if source == _ANY or key not in everywhere}
        spelled = sorted((_spelled(name, source, known) for name in left.values()), key=str)
        patterns += _in_pieces(source, spelled)
        read_only |= {
            event.name
            for key in left
            for each in ([source] if source else known.sources_of(key))
            if (event := known.event(each, key)) is not None and event.read_only
        }
    return EventPatterns(tuple(patterns), tuple(without), tuple(sorted(read_only)))


def _pairs(rule: Rule) -> Iterator[tuple[str, str]]:
    """The pairs of source and name that the rule could match."""
    sources, names = asked_for(rule, SOURCE), asked_for(rule)
    for source in sources or (_ANY,):
        for name in names or (_ANY,):
            if not (sources and names) or could_have_matched([rule], [(source, name)]):
                yield source, name


def _spelled(name: str, source: str, known: Catalogue) -> str | Mapping[str, str]:
    """The name as CloudTrail spells it; patterns distinguish letter case, rules do not."""
    sources = [source] if source else known.sources_of(name)
    found = {event.name for each in sources if (event := known.event(each, name)) is not None and not event.undated}
    return found.pop() if len(found) == 1 else {"equals-ignore-case": name}


def _in_pieces(source: str, names: list[str | Mapping[str, str]]) -> Iterator[dict[str, Any]]:
    """The pattern of a source, in as many pieces as its length asks for."""
    if not names:
        return
    pattern = _pattern(source, names)
    if len(json.dumps(pattern)) <= LONGEST or len(names) == 1:
        yield pattern
        return
    half = len(names) // 2
    yield from _in_pieces(source, names[:half])
    yield from _in_pieces(source, names[half:])


def _pattern(source: str, names: Iterable[str | Mapping[str, str]]) -> dict[str, Any]:
    detail: dict[str, Any] = {}
    if source:
        detail[SOURCE] = [source]
    if listed := list(names):
        detail[NAME] = listed
    return {"detail-type": _DETAIL_TYPE, "detail": detail}

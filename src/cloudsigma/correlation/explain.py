"""Explains why a correlation matches records or not: its groups, their values, and the nearest frame."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from cloudsigma import ir
from cloudsigma.correlation.aggregation import Frame, holds, measured, slides
from cloudsigma.correlation.extractor import Extractor, match_time
from cloudsigma.correlation.group_windows import GroupWindows, OpenEntries
from cloudsigma.engine.match import Match
from cloudsigma.engine.rule import Rule
from cloudsigma.escaping import printable
from cloudsigma.ir.walk import names_in

_SHOWN = 10
"""Groups that the text shows; `to_dict` has all that are kept."""
_KEPT = 1_000
"""Groups that an explanation holds, the nearest first."""
_STARTS = 2_000
"""Most frames of one group that are examined."""


class GroupExplanation(msgspec.Struct, frozen=True):
    """One group of a correlation, and the frame in it that is nearest to the condition."""

    group: dict[str, str]
    """Field or alias → value; empty without group-by."""
    events: int
    """Events of the group, in any frame."""
    value: int | float | None
    """The value of the nearest frame; for an expression, how many of its rules have an event in the frame."""
    matched: bool
    """Whether the condition holds for the frame."""
    start: dt.datetime
    """The first event of the frame, in UTC."""
    end: dt.datetime
    """Its last event."""
    rules: dict[str, int]
    """Events in the frame by rule ID, also of rules without any."""


class CorrelationExplanation(msgspec.Struct, frozen=True):
    """Why a correlation matches some records, or why not."""

    rule_id: str
    title: str
    matched: bool
    wanted: str
    """The condition in words: `event_count gte 5 within 10m by userIdentity.arn`."""
    records: int
    """Number of records."""
    matches: dict[str, int]
    """Matches of each rule that the correlation refers to, by ID."""
    titles: dict[str, str]
    """Titles of these rules, by ID."""
    without_time: int
    """Matches that take no part, since their record has no time."""
    without_group: int
    """Matches that take no part, since their record lacks a field of group-by."""
    without_value: int
    """Matches that take no part, since their record lacks the field that is measured."""
    groups: tuple[GroupExplanation, ...]
    """The groups, the nearest to the condition first; at most 1,000."""
    more_groups: int = 0
    """Groups beyond these."""

    def to_dict(self) -> dict[str, Any]:
        """The explanation as plain values, for JSON."""
        made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return made

    def __str__(self) -> str:
        verdict = "matches" if self.matched else "does not match"
        lines = [f"{self.title} ({self.rule_id}) {verdict}", f"  wants {self.wanted}"]
        lines += [
            f"  {count:,} of {self.records:,} records match {self.titles[rule_id]!r}"
            for rule_id, count in self.matches.items()
        ]
        for count, lack in (
            (self.without_time, "have no time that can be read"),
            (self.without_group, "lack a field of group-by"),
            (self.without_value, "lack the field that is measured"),
        ):
            if count:
                lines.append(f"  left out: {count:,} that {lack}")
        if not self.groups:
            lines.append("  no event is in any group")
        lines += [self._line(each) for each in self.groups[:_SHOWN]]
        more = len(self.groups) - _SHOWN + self.more_groups
        if more > 0:
            lines.append(f"  and {more:,} more groups")
        return "\n".join(map(printable, lines))

    def _line(self, group: GroupExplanation) -> str:
        named = ", ".join(f"{name}={value}" for name, value in group.group.items()) or "all events"
        per_rule = "; ".join(
            f"{self.titles.get(rule_id, rule_id)}: {count:,}" for rule_id, count in group.rules.items()
        )
        value = "no value" if group.value is None else f"{group.value:,}"
        stretch = f"{_shown(group.start)} to {_shown(group.end)}"
        sign = "holds" if group.matched else "nearest"
        events = f"{group.events:,} event{'' if group.events == 1 else 's'}"
        return f"  {named}: {events}; {sign}: {value}, {stretch} ({per_rule})"


def explain_correlation(
    rule: Rule, rules: Iterable[Rule], matches_of: Callable[[Any], Sequence[Match]], records: Iterable[Any]
) -> CorrelationExplanation:
    """Explain a correlation over records.

    Args:
        rule: The correlation.
        rules: The rules that it refers to, directly or through others, among any.
        matches_of: The matches of a record, of every detection rule.
        records: The records.
    """
    if rule.correlation is None:
        raise AssertionError(rule)
    known = {each.id: each for each in rules}
    definition = rule.correlation
    seen = 0
    found: dict[str, list[Match]] = {}
    for record in records:
        seen += 1
        for match in matches_of(record):
            found.setdefault(match.rule_id, []).append(match)
    windows = GroupWindows(rule, definition, None, OpenEntries(), referred=False)
    counts: Counter[str] = Counter()
    per_rule: dict[str, int] = {}
    for rule_id in definition.rules:
        take, extractor = windows.taker(rule_id), Extractor(definition, rule_id)
        timed = _timed(known, definition, rule_id, found)
        per_rule[rule_id] = len(timed)
        for match, when in timed:
            if when is None:
                counts["time"] += 1
            elif not extractor.keys(match):
                counts["group"] += 1
            elif extractor.measures and not extractor.measured(match):
                counts["value"] += 1
            else:
                take(match, when)
    ranked = sorted((_nearest(definition, group, frame) for group, frame in windows.groups()), key=lambda pair: pair[0])
    groups = tuple(explanation for _, explanation in ranked[:_KEPT])
    return CorrelationExplanation(
        rule.id, rule.title, any(each.matched for each in groups), _wanted(definition), seen, per_rule,
        {each: known[each].title for each in definition.rules if each in known},
        counts["time"], counts["group"], counts["value"], groups, max(0, len(ranked) - _KEPT),
    )  # fmt: skip


def _timed(
    known: Mapping[str, Rule], definition: ir.CorrelationRule, rule_id: str, found: Mapping[str, list[Match]]
) -> list[tuple[Match, int | float | None]]:
    """The matches of one rule with their times; for a correlation, from the matches of its rules."""
    child = known[rule_id].correlation if rule_id in known else None
    if child is None:
        return [(match, match_time(match, definition.time_field)) for match in found.get(rule_id, ())]
    windows = GroupWindows(known[rule_id], child, None, OpenEntries(), referred=True)
    for each in child.rules:
        take = windows.taker(each)
        for match, when in _timed(known, child, each, found):
            if when is not None:
                take(match, when)
    return list(windows.close(None))


def _nearest(
    rule: ir.CorrelationRule, group: dict[str, str], entries: Frame
) -> tuple[tuple[bool, float, int], GroupExplanation]:
    """The best frame of a group, with its rank: frames that hold sort first, then the nearest."""
    best: tuple[tuple[bool, float, int], Frame, int | float | None] | None = None
    at, end, looked_at = 0, 0, 0
    while at < len(entries) and looked_at < _STARTS:
        last = entries[at][0] + rule.timespan
        while end < len(entries) and entries[end][0] <= last:
            end += 1
        frame = entries[at:end]
        at = at + 1 if slides(rule) else end
        looked_at += 1
        value = _value(rule, frame)
        rank = (not holds(rule, frame), _distance(rule, value), -sum(len(moment) for _, moment in frame))
        if best is None or rank < best[0]:
            best = rank, frame, value
    if best is None:
        raise AssertionError(group)
    rank, frame, value = best
    per_rule = Counter(dict.fromkeys(rule.rules, 0))
    per_rule.update(rule_id for _, moment in frame for entry in moment.values() for rule_id in entry.rules)
    return rank, GroupExplanation(
        group, sum(len(moment) for _, moment in entries), value, not rank[0],
        _moment(frame[0][0]), _moment(frame[-1][0]), dict(per_rule),
    )  # fmt: skip


def _value(rule: ir.CorrelationRule, frame: Frame) -> int | float | None:
    if rule.threshold is not None:
        return measured(rule, rule.threshold, frame)
    return len({rule_id for _, moment in frame for entry in moment.values() for rule_id in entry.rules})


def _distance(rule: ir.CorrelationRule, value: int | float | None) -> float:
    """How far a value is from the threshold; of an expression, how many of its rules have no event."""
    if value is None:
        return float("inf")
    wanted = rule.threshold.value if rule.threshold is not None else len(rule.rules)
    try:
        return abs(float(value) - float(wanted))
    except OverflowError:
        return float("inf")


def _wanted(rule: ir.CorrelationRule) -> str:
    if rule.threshold is not None:
        field = f" of {', '.join(rule.threshold.fields)}" if rule.threshold.fields else ""
        condition = f"{rule.type}{field} {rule.threshold.operator} {rule.threshold.value}"
    else:
        expression = rule.expression
        named = ", ".join(dict.fromkeys(names_in(expression))) if expression is not None else ""
        condition = f"{rule.type}, an expression over {named}"
    by = f" by {', '.join(rule.group_by)}" if rule.group_by else ""
    unit, name = next((size, name) for size, name in _UNITS if rule.timespan % size == 0)
    return f"{condition} within {rule.timespan // unit}{name}{by}"


_UNITS = ((604800, "w"), (86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def _moment(seconds: float) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)


def _shown(when: dt.datetime) -> str:
    return when.isoformat().replace("+00:00", "Z")

"""Correlation rules over a stream of matches.

Matches may come in any order within the lateness. A time frame is closed, and its match given, once no event that
could change it can still come: then, and not before, the same matches come out whatever the order they came in.
Event time alone counts, never the clock. See `docs/semantics.md`, "Correlations".
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from cloudsigma import ir
from cloudsigma.correlation.measure import Entry, holds, slides
from cloudsigma.correlation.window import Window
from cloudsigma.engine import fields, operators
from cloudsigma.engine.context import read_context
from cloudsigma.engine.match import Match, record_identity
from cloudsigma.engine.rule import Rule

_log = logging.getLogger("cloudsigma")

Group = tuple[str, ...]


class Correlator:
    """Takes matches of rules and gives matches of correlations.

    Args:
        rules: The rules; only correlations among them do anything.
        lateness: How much later than an event's time it may come, measured against the latest event time so far.
            `None`: no frame is closed before `close`.
    """

    def __init__(self, rules: Iterable[Rule], *, lateness: dt.timedelta | None = None) -> None:
        self._lateness = lateness.total_seconds() if lateness is not None else None
        self._counters = _referred_first(
            [_Counter(rule, rule.correlation) for rule in rules if rule.correlation is not None]
        )
        self._latest: float | None = None
        self.too_late = 0
        """Matches left out because they came later than the lateness allows."""

    def feed(self, matches: Iterable[Match]) -> tuple[Match, ...]:
        """Take matches of detection rules, the hidden ones too; returns the correlation matches now complete."""
        for match in matches:
            when = event_time(match.record)
            if when is None:
                continue
            if self._lateness is not None and self._latest is not None and when < self._latest - self._lateness:
                self.too_late += 1
                _log.warning("a match came more than the lateness after its time and takes no part in correlations")
                continue
            self._latest = when if self._latest is None else max(self._latest, when)
            for counter in self._counters:
                counter.take(match, when)
        if self._lateness is None or self._latest is None:
            return ()
        return self._close(self._latest - self._lateness)

    def advance(self, time: dt.datetime) -> tuple[Match, ...]:
        """Say that no event from before `time` will come any more; returns the matches that this completes."""
        moment = time.replace(tzinfo=time.tzinfo or dt.UTC).timestamp()
        if self._lateness is not None:
            self._latest = max(moment + self._lateness, self._latest or moment)
        return self._close(moment)

    def close(self) -> tuple[Match, ...]:
        """Say that the input has ended; returns the matches of all frames that are still open."""
        return self._close(None)

    def _close(self, until: float | None) -> tuple[Match, ...]:
        """Close frames rule by rule: correlations stand after those they refer to, and take their matches first."""
        given: list[Match] = []
        earliest: dict[str, float] = {}  # when the next match of a correlation may be, at the earliest
        for counter in self._counters:
            bound = until
            if until is not None:
                bound = min([until, *(earliest.get(rule_id, until) for rule_id in counter.definition.rules)])
            found = list(counter.close(bound))
            given += [match for match, _ in found]
            for match, when in found:
                for other in self._counters:
                    other.take(match, when)
            if bound is not None:
                earliest[counter.rule.id] = bound if counter.start is None else min(counter.start, bound)
        return tuple(given)


def _referred_first(counters: list[_Counter]) -> list[_Counter]:
    """The counters in an order in which each comes after those that it refers to."""
    ordered: list[_Counter] = []
    waiting = list(counters)
    while waiting:
        ids = {counter.rule.id for counter in waiting}
        ready = [counter for counter in waiting if not ids & set(counter.definition.rules)]
        if not ready:  # a circle, which the compiler refuses
            return ordered + waiting
        ordered += ready
        waiting = [counter for counter in waiting if counter not in ready]
    return ordered


def event_time(record: Mapping[str, Any]) -> float | None:
    """The `eventTime` of a record in seconds since 1970; only text counts as one."""
    value = record.get("eventTime")
    when = operators.moment(value) if isinstance(value, str) else None
    return when.timestamp() if when is not None else None


class _Counter:
    """The open windows of one correlation rule."""

    def __init__(self, rule: Rule, definition: ir.CorrelationRule) -> None:
        self.rule = rule
        self.definition = definition
        self._slides = slides(definition)
        self._windows: dict[Group, Window[Entry]] = {}
        self._aliases = {
            (alias.name, rule_id): field for alias in definition.aliases for rule_id, field in alias.fields
        }
        threshold = definition.threshold
        self._measured = threshold.fields if threshold is not None and definition.type.startswith("value_") else ()

    @property
    def start(self) -> float | None:
        """The earliest time of any entry that no closed frame has used up."""
        return min((window.start for window in self._windows.values() if window.start is not None), default=None)

    # --- in ---------------------------------------------------------------------------------------------------

    def take(self, match: Match, when: float) -> None:
        """Make an entry of a match in every group that it belongs to."""
        if match.rule_id not in self.definition.rules:
            return
        source = _Source(match, self._aliases)
        texts: set[tuple[str, ...]] = set()
        numbers: list[operators.Numeric] = []
        if self._measured:
            if self.definition.type == "value_count":
                texts = set(product(*(source.texts(name) for name in self._measured)))
            else:
                numbers = source.numbers(self._measured[0])
            if not texts and not numbers:
                return
        identity = source.identity
        for group in product(*(source.texts(name) for name in self.definition.group_by)):
            window = self._windows.get(group)
            if window is None:
                window = self._windows[group] = Window(self.definition.timespan, slides=self._slides)
            entry = window.find(lambda known: known.identity == identity, when)
            if entry is None:
                window.add(Entry(when, identity, {match.rule_id}, [match], texts, numbers))
            elif match.rule_id not in entry.rules:  # one event that several of the rules match counts once
                entry.rules.add(match.rule_id)
                entry.matches.append(match)
                entry.texts = entry.texts | texts
                entry.numbers = entry.numbers or numbers

    # --- out --------------------------------------------------------------------------------------------------

    def close(self, until: float | None) -> Iterator[tuple[Match, float]]:
        """The matches of the frames that end before `until`, each with the time it has for other correlations."""
        found: list[tuple[float, Match, float]] = []
        for group, window in list(self._windows.items()):
            frames = window.close(lambda entries: holds(self.definition, entries), until)
            found += [(frame[0].time, self._match(group, frame), self._time(frame)) for frame in frames]
            if not len(window):
                del self._windows[group]
        found.sort(key=lambda item: (item[0], tuple(item[1].group.values())))
        for _, match, when in found:
            yield match, when

    def _time(self, frame: list[Entry] | Any) -> float:
        """For a threshold, the earliest time at which it held; else that of the last entry."""
        if self._slides:
            for at, entry in enumerate(frame):
                last = at + 1 == len(frame) or frame[at + 1].time > entry.time
                if last and holds(self.definition, frame[: at + 1]):
                    return float(entry.time)
        return float(frame[-1].time)

    def _match(self, group: Group, frame: Any) -> Match:
        matches = tuple(match for entry in frame for match in entry.matches)
        records = contributing(matches)
        last = records[-1]
        named = dict(zip(self.definition.group_by, group, strict=True))
        shown = {path.name: fields.select(last, path) for path in self.definition.field_paths}
        identities = sorted(record_identity(record) for record in records)
        content = "\n".join([self.rule.id, *(f"{name}={value}" for name, value in named.items()), *identities])
        return Match(
            rule=self.rule,
            record=last,
            context=read_context(last, shown),
            evidence=(),
            key=hashlib.sha256(content.encode(errors="replace")).hexdigest()[:32],
            origin=matches[-1].origin,
            group=named,
            matches=matches,
            contributing=records,
        )


def contributing(matches: Iterable[Match]) -> tuple[Mapping[str, Any], ...]:
    """The records of matches without repetition, in order of event time."""
    seen: dict[object, Mapping[str, Any]] = {}
    for match in matches:
        for record in match.records:
            seen.setdefault(identity_of(record), record)
    return tuple(sorted(seen.values(), key=lambda record: event_time(record) or 0.0))


def identity_of(record: Mapping[str, Any]) -> object:
    """Equal for two deliveries of one event; a record without an `eventID` is only itself."""
    return record_identity(record) if record.get("eventID") else id(record)


class _Source:
    """What a match offers to a correlation: values of fields, by the names that the correlation uses."""

    def __init__(self, match: Match, aliases: Mapping[tuple[str, str], str]) -> None:
        self._match = match
        self._aliases = aliases

    @property
    def identity(self) -> object:
        if self._match.matches:
            return self._match.key
        return identity_of(self._match.record)

    def _values(self, name: str) -> Iterator[Any]:
        field = self._aliases.get((name, self._match.rule_id), name)
        for record in self._match.records:
            yield from fields.values(record, field)

    def texts(self, name: str) -> list[str]:
        """The different texts of a field or alias: of a correlation's match its group's value, if it has one."""
        field = self._aliases.get((name, self._match.rule_id), name)
        if field in self._match.group:
            return [self._match.group[field]]
        return list(dict.fromkeys(text for value in self._values(name) if (text := operators.text(value)) is not None))

    def numbers(self, name: str) -> list[operators.Numeric]:
        """All numbers of a field or alias."""
        return [number for value in self._values(name) if (number := operators.number(value)) is not None]

"""The open time frames of one correlation rule: matches in, matches of the correlation out."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Protocol

from cloudsigma import ir
from cloudsigma.correlation.match import correlation_match, identity_of
from cloudsigma.correlation.measure import Entry, holds, slides
from cloudsigma.correlation.window import Window
from cloudsigma.engine import fields, operators
from cloudsigma.engine.match import Match
from cloudsigma.engine.rule import Rule

Group = tuple[str, ...]


class Journal(Protocol):
    """Is told of every entry that comes, changes and goes, so that it can be kept elsewhere."""

    def put(self, rule: Rule, group: Group, entry: Entry) -> None:
        """An entry is new, or has changed."""

    def drop(self, rule: Rule, entries: Iterable[Entry]) -> None:
        """Entries are used up."""


class Counter:
    """The windows of one correlation rule, one a group, and which of them ends first."""

    def __init__(self, rule: Rule, definition: ir.CorrelationRule, journal: Journal | None) -> None:
        self.rule = rule
        self.definition = definition
        self.size = 0
        """Entries in all windows."""
        self._journal = journal
        self._slides = slides(definition)
        self._windows: dict[Group, Window[Entry]] = {}
        self._ends: list[tuple[float, int, Group]] = []
        self._tick = itertools.count()
        self._aliases = {
            (alias.name, rule_id): field for alias in definition.aliases for rule_id, field in alias.fields
        }
        threshold = definition.threshold
        self._measured = threshold.fields if threshold is not None and definition.type.startswith("value_") else ()

    @property
    def start(self) -> float | None:
        """The earliest time of any entry that no closed frame has used up."""
        self._settle()
        return self._ends[0][0] - self.definition.timespan if self._ends else None

    def _settle(self) -> None:
        """Make the first end one that stands: windows change after their end was noted."""
        while self._ends:
            end, _, group = self._ends[0]
            window = self._windows.get(group)
            if window is not None and window.start is not None and window.start + self.definition.timespan == end:
                return
            heapq.heappop(self._ends)

    def _note_end(self, group: Group, window: Window[Entry]) -> None:
        if window.start is not None:
            heapq.heappush(self._ends, (window.start + self.definition.timespan, next(self._tick), group))

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
            entry = window.find(lambda known: known.identity == identity, when) if window is not None else None
            if entry is None:
                entry = Entry(when, identity, {match.rule_id}, [match], texts, numbers)
                self.add(group, entry)
            elif match.rule_id not in entry.rules:  # one event that several of the rules match counts once
                entry.rules.add(match.rule_id)
                entry.matches.append(match)
                entry.texts = entry.texts | texts
                entry.numbers = entry.numbers or numbers
            else:
                continue
            if self._journal is not None:
                self._journal.put(self.rule, group, entry)

    def add(self, group: Group, entry: Entry) -> None:
        """Put an entry into the window of its group."""
        window = self._windows.get(group)
        if window is None:
            window = self._windows[group] = Window(self.definition.timespan, slides=self._slides)
        before = window.start
        window.add(entry)
        self.size += 1
        if window.start != before:
            self._note_end(group, window)

    # --- out --------------------------------------------------------------------------------------------------

    def close(self, until: float | None) -> list[tuple[Match, float]]:
        """The matches of the frames that end before `until`, each with the time it has for other correlations."""
        found: list[tuple[float, Match, float]] = []
        self._settle()
        while self._ends and (until is None or self._ends[0][0] < until):
            _, _, group = heapq.heappop(self._ends)
            found += self._close_window(group, until)
            self._settle()
        found.sort(key=lambda item: (item[0], tuple(item[1].group.values())))
        return [(match, when) for _, match, when in found]

    def evict(self, least: int) -> list[tuple[Match, float]]:
        """Close the frames that start earliest before their time, until `least` entries are gone."""
        found: list[tuple[float, Match, float]] = []
        target = max(0, self.size - least)
        self._settle()
        while self._ends and self.size > target:
            end, _, group = heapq.heappop(self._ends)
            found += self._close_window(group, end + 1e-6)
            self._settle()
        return [(match, when) for _, match, when in found]

    def _close_window(self, group: Group, until: float | None) -> list[tuple[float, Match, float]]:
        window = self._windows[group]
        frames = window.close(lambda entries: holds(self.definition, entries), until)
        found = [(frame[0].time, self._match(group, frame), self._time(frame)) for frame in frames]
        gone = window.take_gone()
        self.size -= len(gone)
        if self._journal is not None and gone:
            self._journal.drop(self.rule, gone)
        if len(window):
            self._note_end(group, window)
        else:
            del self._windows[group]
        return found

    def _match(self, group: Group, frame: Sequence[Entry]) -> Match:
        named = dict(zip(self.definition.group_by, group, strict=True))
        return correlation_match(self.rule, named, tuple(match for entry in frame for match in entry.matches))

    def _time(self, frame: Sequence[Entry]) -> float:
        """For a threshold, the earliest time at which it held; else that of the last entry."""
        if self._slides:
            for at, entry in enumerate(frame):
                last = at + 1 == len(frame) or frame[at + 1].time > entry.time
                if last and holds(self.definition, frame[: at + 1]):
                    return entry.time
        return frame[-1].time


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

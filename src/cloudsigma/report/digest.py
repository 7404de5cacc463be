"""Sums up a stream of matches in bounded memory: the numbers, groups and rows that a report shows."""

from __future__ import annotations

import datetime as dt
import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from cloudsigma.engine.approval import approval_note
from cloudsigma.engine.match import Match
from cloudsigma.report.chain_tree import ChainTree
from cloudsigma.report.row import Row, make_row, shorten
from cloudsigma.report.timeline import Timeline

LEVELS = ("critical", "high", "medium", "low", "informational", "none")
"""From the most severe; `none` for rules without a level."""
APPROVED = "approved"
"""Beside the levels, in the chart: approved changes of any level."""

ROWS = 2_000
"""Matches that are shown with their evidence."""
GROUPS = 200
"""Groups that are shown; a group has the matches of one rule, principal and resource."""
PRINCIPALS = 50
"""Principals that are shown with their actions."""
_KEPT = 20_000
"""Most groups, principals, and values of one kind that are counted separately; the rest are counted together."""
_VALUES = 20
"""Values of one kind that are listed for a principal."""

OTHER = "(others)"
"""The name under which values beyond the bound are counted."""


@dataclass(slots=True)
class Span:
    """A count with the first and last time."""

    count: int = 0
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    outcomes: Counter[str] = field(default_factory=Counter)

    def add(self, match: Match) -> None:
        """Count a match."""
        when = match.context.time
        self.count += 1
        self.outcomes[match.context.outcome] += 1
        if when is not None:
            self.first = when if self.first is None or when < self.first else self.first
            self.last = when if self.last is None or when > self.last else self.last


@dataclass(frozen=True, slots=True)
class GroupKey:
    """The key of a group: rule, root, principal and resource."""

    level: str
    title: str
    event: str
    root: str
    principal: str
    resource: str


@dataclass(slots=True)
class Group:
    """A group of matches with their sources."""

    span: Span = field(default_factory=Span)
    addresses: Counter[str] = field(default_factory=Counter)
    regions: Counter[str] = field(default_factory=Counter)
    key: str = ""
    """The key of the first match, for looking it up."""
    notes: Counter[str] = field(default_factory=Counter)
    """The approvals that nearly cover its matches, and how they differ."""


@dataclass(slots=True)
class Actor:
    """The actions of one root identity, counted over its matches."""

    span: Span = field(default_factory=Span)
    levels: Counter[str] = field(default_factory=Counter)
    principals: Counter[str] = field(default_factory=Counter)
    addresses: Counter[str] = field(default_factory=Counter)
    regions: Counter[str] = field(default_factory=Counter)
    accounts: Counter[str] = field(default_factory=Counter)
    services: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    chains: ChainTree = field(default_factory=ChainTree)
    """The steps from the root to the sessions that made the calls."""

    @property
    def denied_share(self) -> int:
        """Percent of the matches that were denied."""
        return round(100 * self.span.outcomes["denied"] / self.span.count) if self.span.count else 0


class Digest:
    """Sums up matches, in any order and in bounded memory."""

    def __init__(self) -> None:
        self.span = Span()
        """Of all matches."""
        self.levels: Counter[str] = Counter()
        """Level → matches that are not approved changes."""
        self.outcomes: Counter[str] = Counter()
        """Outcome → matches that are not approved changes."""
        self.approved = 0
        """Matches that are approved changes; they have rows, and are in no group and of no actor."""
        self.accounts: Counter[str] = Counter()
        self.regions: Counter[str] = Counter()
        self.rules: Counter[tuple[str, str, str]] = Counter()
        """Level, title and author of a rule → its matches."""
        self.groups: dict[GroupKey, Group] = {}
        self.ungrouped = 0
        """Matches that belong to none of the counted groups."""
        self.actors: dict[str, Actor] = {}
        self.timeline = Timeline()
        self._rows: list[tuple[tuple[int, float, int], Row]] = []
        """A heap; its top is the row to drop next."""

    def add(self, match: Match) -> None:
        """Count a match; keep it if it ranks among the rows that are shown."""
        context, level = match.context, match.rule.level or "none"
        approved = match.approval is not None and match.approval.approved
        self.span.add(match)
        _count(self.accounts, context.account)
        _count(self.regions, context.region)
        self.rules[level, shorten(match.rule.title), shorten(match.rule.author or "")] += 1
        if context.time is not None:
            self.timeline.add(context.time, APPROVED if approved else level)
        self._keep(match, level)
        if approved:
            self.approved += 1
            return
        self.levels[level] += 1
        self.outcomes[context.outcome] += 1
        root = _root(match)
        self._add_to_group(match, level, root)
        self._add_to_actor(match, level, root)

    def _add_to_group(self, match: Match, level: str, root: str) -> None:
        context = match.context
        texts = (match.rule.title, context.event_name, root, context.principal, context.resource)
        key = GroupKey(level, *(shorten(str(text or "-")) for text in texts))
        group = self.groups.get(key)
        if group is None:
            if len(self.groups) >= _KEPT:
                self.ungrouped += 1
                return
            group = self.groups[key] = Group(key=match.key)
        group.span.add(match)
        note = approval_note(match.approval, [each.approval for each in match.matches])
        _count(group.notes, note or None)
        _count(group.addresses, context.source_ip)
        _count(group.regions, context.region)

    def _add_to_actor(self, match: Match, level: str, root: str) -> None:
        context = match.context
        name = root if root in self.actors or len(self.actors) < _KEPT else OTHER
        actor = self.actors.setdefault(name, Actor())
        actor.span.add(match)
        actor.levels[level] += 1
        _count(actor.principals, shorten(str(context.principal or "-")))
        _count(actor.addresses, context.source_ip)
        _count(actor.regions, context.region)
        _count(actor.accounts, context.account)
        _count(actor.services, context.event_source)
        _count(actor.events, context.event_name)
        actor.chains.add(match)

    def _keep(self, match: Match, level: str) -> None:
        when = match.context.time.timestamp() if match.context.time is not None else 0.0
        # Keep the most severe rows and, within a level, the earliest; the count breaks ties.
        rank = (-LEVELS.index(level) if level in LEVELS else -len(LEVELS), -when, -self.span.count)
        if len(self._rows) < ROWS or rank > self._rows[0][0]:
            heapq.heappush(self._rows, (rank, make_row(match)))
        if len(self._rows) > ROWS:
            heapq.heappop(self._rows)

    @property
    def rows(self) -> list[Row]:
        """The matches that are shown, by time; those without a time come last."""
        return sorted((row for _, row in self._rows), key=lambda row: (row.time is None, row.time, row.key))

    @property
    def left_out(self) -> int:
        """How many matches are counted and not shown."""
        return self.span.count - len(self._rows)

    def worst_groups(self) -> Iterator[tuple[GroupKey, Group]]:
        """The groups that are shown, by severity, then by size."""
        return iter(heapq.nsmallest(GROUPS, self.groups.items(), key=lambda each: _worst(each[0], each[1])))

    def busiest_actors(self) -> Iterator[tuple[str, Actor]]:
        """The principals that are shown, by the severity and then by the number of their matches."""
        return iter(heapq.nsmallest(PRINCIPALS, self.actors.items(), key=_busiest))


def top(counts: Counter[str]) -> list[str]:
    """The twenty most frequent values with their counts, then the number of all others."""
    shown = [f"{value} ({count:,})" if count > 1 else value for value, count in counts.most_common(_VALUES)]
    return [*shown, f"and {len(counts) - _VALUES:,} more"] if len(counts) > _VALUES else shown


def _count(counts: Counter[str], value: str | None) -> None:
    if value is not None:
        value = shorten(value)
        counts[value if value in counts or len(counts) < _KEPT else OTHER] += 1


def _root(match: Match) -> str:
    if match.session is not None and match.session.root is not None:
        return shorten(match.session.root)
    return shorten(str(match.context.principal or "-"))


def _worst(key: GroupKey, group: Group) -> tuple[int, int, float, str]:
    first = group.span.first.timestamp() if group.span.first is not None else 0.0
    return LEVELS.index(key.level) if key.level in LEVELS else len(LEVELS), -group.span.count, first, key.title


def _busiest(named: tuple[str, Actor]) -> tuple[tuple[int, ...], str]:
    name, actor = named
    return tuple(-actor.levels[level] for level in LEVELS), name

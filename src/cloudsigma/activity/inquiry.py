"""The answer to `who X`: counts with their first and last time, sessions, chains, and notable events."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from cloudsigma.activity.summary import OTHER
from cloudsigma.activity.telling_calls import DATA_READ, PERSISTENCE, is_one_of
from cloudsigma.engine.context.context import Context, read_context
from cloudsigma.engine.context.record_access import mapping
from cloudsigma.engine.session_link import Link
from cloudsigma.sessions.caller import Caller

VALUES = 100_000
"""Most distinct values of one kind; further ones are counted under `(others)`."""
EVENTS = 1_000
"""Notable events kept of each kind, the earliest; all are counted."""


class Stretch(msgspec.Struct):
    """A count, with the first and last time."""

    events: int = 0
    first: dt.datetime | None = None
    """UTC; `None` if no event has a readable time."""
    last: dt.datetime | None = None

    def add(self, time: dt.datetime | None) -> None:
        """Count an event."""
        self.events += 1
        if time is not None:
            self.first = time if self.first is None or time < self.first else self.first
            self.last = time if self.last is None or time > self.last else self.last

    def to_dict(self) -> dict[str, Any]:
        """The form for JSON."""
        return {"events": self.events, "first": _iso(self.first), "last": _iso(self.last)}


class Session(Stretch):
    """The calls of one set of credentials; calls that services forwarded are not among them."""

    principal: str = ""
    """The owner of the credentials: the ARN, else the best identifier there is."""
    own: bool = True
    """Whether they are the target's, not those of a session that descends from it."""
    key: str | None = None
    """The access key, if it outlives the session or these logs show who requested it."""
    started: dt.datetime | None = None
    """When the credentials were issued; `None` for long-term keys."""
    mfa: bool | None = None
    console: bool = False
    imds_v1: bool = False
    """Whether an instance got them from version 1 of its metadata service."""

    def to_dict(self) -> dict[str, Any]:
        """The form for JSON."""
        made = msgspec.structs.asdict(self)
        return made | {"started": _iso(self.started)} | super().to_dict()


class Chain(Stretch):
    """A chain of credentials, from its root to calls; chains that differ only in their times count as one."""

    link: Link | None = None
    """The chain of one of the calls."""

    def to_dict(self) -> dict[str, Any]:
        """The form for JSON."""
        return {**(self.link.to_dict() if self.link is not None else {}), **super().to_dict()}


class TellingEvent(msgspec.Struct, frozen=True):
    """An event that is listed by itself."""

    time: dt.datetime | None
    event_source: str | None
    event_name: str | None
    outcome: str
    principal: str
    resource: str | None
    source_ip: str | None
    region: str | None
    event_id: str | None
    rule: str | None = None
    """Of a match: the rule's title."""
    level: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The form for JSON."""
        return msgspec.structs.asdict(self) | {"time": _iso(self.time)}


class TellingEvents:
    """Events that are listed: the earliest are kept, all are counted."""

    def __init__(self) -> None:
        self.count = 0
        self._kept: list[TellingEvent] = []

    def add(self, event: TellingEvent) -> None:
        """Take an event."""
        self.count += 1
        self._kept.append(event)
        if len(self._kept) >= 2 * EVENTS:
            self._kept = self.earliest

    @property
    def earliest(self) -> list[TellingEvent]:
        """The events that are kept, by time; those without one come last."""
        end = dt.datetime.max.replace(tzinfo=dt.UTC)
        return sorted(self._kept, key=lambda each: (each.time or end, each.event_id or "", each.rule or ""))[:EVENTS]

    def to_dict(self) -> dict[str, Any]:
        """The form for JSON."""
        return {"count": self.count, "events": [event.to_dict() for event in self.earliest]}


class Tally(dict[str, Stretch]):
    """Value → count, first and last time; bounded."""

    def count(self, value: str | None, time: dt.datetime | None) -> None:
        """Count an event with a value."""
        if value is not None:
            if value not in self and len(self) >= VALUES:
                value = OTHER
            self.setdefault(value, Stretch()).add(time)

    @property
    def ranked(self) -> list[tuple[str, Stretch]]:
        """The most frequent first."""
        return sorted(self.items(), key=lambda each: (-each[1].events, each[0]))

    def to_dict(self) -> dict[str, Any]:
        """The form for JSON."""
        return {value: stretch.to_dict() for value, stretch in self.ranked}


KINDS = ("addresses", "regions", "services", "agents")
"""The kinds of values that may be new since a baseline."""


class Inquiry:
    """Everything that one target, and the sessions that descend from it, did."""

    def __init__(self) -> None:
        self.own, self.descended = Stretch(), Stretch()
        self.forwarded = Tally()
        """Service that made further calls for the target → its calls."""
        self.addresses, self.regions, self.services, self.agents = Tally(), Tally(), Tally(), Tally()
        self.calls = Tally()
        self.outcomes: Counter[str] = Counter()
        """Of the direct calls."""
        self.kinds: Counter[str] = Counter()
        """`read`, `write`, `unknown` → events."""
        self.sessions: dict[tuple[Any, ...], Session] = {}
        self.chains: dict[tuple[Any, ...], Chain] = {}
        """Of the target's own calls."""
        self.persistence, self.data_read, self.matches = TellingEvents(), TellingEvents(), TellingEvents()
        self.rules = Tally()

    @property
    def events(self) -> int:
        """All events, own and descended."""
        return self.own.events + self.descended.events

    @property
    def denied_share(self) -> float:
        """The share of direct calls that were denied, from 0 to 1."""
        return self.outcomes["denied"] / self.outcomes.total() if self.outcomes else 0.0

    def take(
        self,
        record: Mapping[str, Any],
        caller: Caller,
        link: Link,
        *,
        own: bool,
        issued: bool,
        matched: Iterable[tuple[str | None, str]] = (),
    ) -> None:
        """Count a record.

        Args:
            record: The record.
            caller: Its caller.
            link: The chain of the caller.
            own: Whether the call is the target's own, not that of a session that descends from it.
            issued: Whether the event that issued the caller's key is known.
            matched: Level and title of the rules that match.
        """
        context = read_context(record)
        time = context.time
        (self.own if own else self.descended).add(time)
        self.regions.count(context.region, time)
        self.services.count(context.event_source, time)
        self.calls.count(f"{context.event_source or '-'} {context.event_name or '-'}", time)
        self.kinds["unknown" if context.read_only is None else "read" if context.read_only else "write"] += 1
        if caller.invoked_by:
            self.forwarded.count(caller.invoked_by, time)
        else:
            self.addresses.count(context.source_ip, time)
            self.agents.count(context.user_agent, time)
            self.outcomes[context.outcome] += 1
            self._place(record, context, caller, own=own, issued=issued)
        if own:
            way = (link.root, link.certainty, *((step.event_name, step.actor) for step in link.steps))
            if way not in self.chains and len(self.chains) >= VALUES:
                way = (OTHER,)
            self.chains.setdefault(way, Chain(link=link)).add(time)
        self._tell(context, caller, matched)

    def _place(self, record: Mapping[str, Any], context: Context, caller: Caller, *, own: bool, issued: bool) -> None:
        """Count a direct call for its session: one sign-in is one session, whatever keys the console took."""
        lasting = issued or (caller.key is not None and caller.key.startswith("AKIA"))
        if lasting:
            key: tuple[Any, ...] = (caller.key,)
        elif caller.created is not None:
            key = (caller.id or caller.arn, caller.created)
        else:
            return  # not signed with credentials: a sign-in, a call of a service
        if (session := self.sessions.get(key)) is None:
            if len(self.sessions) >= VALUES:
                key = (OTHER,)
            session = self.sessions.setdefault(
                key,
                Session(
                    principal=caller.text if key != (OTHER,) else OTHER,
                    own=own,
                    key=caller.key if lasting else None,
                    started=dt.datetime.fromtimestamp(caller.created, dt.UTC) if caller.created is not None else None,
                ),
            )
        session.add(context.time)
        session.console = session.console or caller.from_console
        if context.principal is not None and context.principal.mfa is not None:
            session.mfa = session.mfa or context.principal.mfa
        delivery = mapping(mapping(record, "userIdentity"), "sessionContext").get("ec2RoleDelivery")
        session.imds_v1 = session.imds_v1 or delivery == "1.0"

    def _tell(self, context: Context, caller: Caller, matched: Iterable[tuple[str | None, str]]) -> None:
        source, name = context.event_source, context.event_name
        event: TellingEvent | None = None
        for table, events in ((PERSISTENCE, self.persistence), (DATA_READ, self.data_read)):
            if is_one_of(table, source, name):
                event = event or _telling(context, caller)
                events.add(event)
        for level, title in matched:
            event = event or _telling(context, caller)
            self.rules.count(title, context.time)
            self.matches.add(msgspec.structs.replace(event, rule=title, level=level))

    def new_since(self, known: Inquiry | dt.datetime) -> dict[str, Tally]:
        """The addresses, regions, services and agents that an earlier inquiry lacks, or that first occur at a time."""
        found: dict[str, Tally] = {}
        for kind in KINDS:
            tally: Tally = getattr(self, kind)
            new = found[kind] = Tally()
            for value, stretch in tally.items():
                if isinstance(known, Inquiry):
                    fresh = value not in getattr(known, kind)
                else:
                    fresh = stretch.first is not None and stretch.first >= known
                if fresh:
                    new[value] = stretch
        return found

    def to_dict(self) -> dict[str, Any]:
        """The form for JSON."""
        return {
            "events": self.events,
            "own": self.own.to_dict(),
            "descended": self.descended.to_dict(),
            "forwarded": self.forwarded.to_dict(),
            "outcomes": dict(self.outcomes),
            "denied_share": round(self.denied_share, 4),
            "kinds": dict(self.kinds),
            "chains": [chain.to_dict() for chain in ranked(self.chains.values())],
            "sessions": [session.to_dict() for session in by_start(self.sessions.values())],
            **{kind: getattr(self, kind).to_dict() for kind in (*KINDS, "calls")},
            "persistence": self.persistence.to_dict(),
            "data_read": self.data_read.to_dict(),
            "rules": self.rules.to_dict(),
            "matches": self.matches.to_dict(),
        }


def ranked(chains: Iterable[Chain]) -> list[Chain]:
    """The most frequent first."""
    return sorted(chains, key=lambda each: (-each.events, each.link.root or "" if each.link is not None else ""))


def by_start(sessions: Iterable[Session]) -> list[Session]:
    """By the time of issue, else of the first call."""
    end = dt.datetime.max.replace(tzinfo=dt.UTC)
    return sorted(sessions, key=lambda each: (each.started or each.first or end, each.principal, each.key or ""))


def _telling(context: Context, caller: Caller) -> TellingEvent:
    return TellingEvent(
        context.time,
        context.event_source,
        context.event_name,
        context.outcome,
        caller.text,
        context.resource.text if context.resource is not None else None,
        context.source_ip,
        context.region,
        context.event_id,
    )


def _iso(time: dt.datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time is not None else None

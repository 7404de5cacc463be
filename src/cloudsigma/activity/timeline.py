"""Events in the order of their time, held on disk: those of a principal, a key, an address or a resource, or all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import msgspec

from cloudsigma.activity.survey import records_through
from cloudsigma.activity.target import CallerProbe, Target
from cloudsigma.activity.who import Paths, RulesOf, is_own
from cloudsigma.engine.context.context import Context, read_context
from cloudsigma.engine.context.record_access import name
from cloudsigma.engine.match import Match
from cloudsigma.engine.session_link import Step
from cloudsigma.reading.account.ledger import Ledger, Recorder
from cloudsigma.reading.account.progress import Watcher
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.sessions.caller import Caller, read_caller
from cloudsigma.sessions.issue import SOURCES, read_issues
from cloudsigma.storage.sqlite import open_temporary


class Entry(msgspec.Struct, frozen=True):
    """One event of a timeline."""

    time: dt.datetime | None
    """UTC; `None` if the record has no readable time."""
    event_source: str | None
    event_name: str | None
    outcome: str
    """`success`, `denied`, `failed` or `unknown`."""
    principal: str | None
    resource: str | None
    source_ip: str | None
    region: str | None
    account: str | None
    event_id: str | None
    rules: tuple[tuple[str | None, str], ...] = ()
    """Level and title of the rules that match."""
    issued: tuple[str, ...] = ()
    """The sessions and keys that the event issued."""
    around: str | None = None
    """`match` for the match that was asked for, `chain` for the events that issued its session; else `None`."""

    @property
    def marked(self) -> bool:
        """Whether a rule matches the event, or the event is a step in a chain of credentials."""
        return bool(self.rules or self.issued or self.around)

    @property
    def kind(self) -> tuple[Any, ...]:
        """Equal for events that can share a line."""
        return (self.event_source, self.event_name, self.outcome, self.principal, self.source_ip, self.region)

    def to_dict(self) -> dict[str, Any]:
        """The form for JSON."""
        made = msgspec.structs.asdict(self)
        made["time"] = self.time.isoformat().replace("+00:00", "Z") if self.time is not None else None
        made["rules"] = [{"level": level, "title": title} for level, title in self.rules]
        made["issued"] = list(self.issued)
        return made


class Line(msgspec.Struct, frozen=True):
    """One event, or several of one kind that follow one another."""

    first: Entry
    last: Entry
    events: int


class Timeline:
    """Takes events in any order, and gives them by time; those without a time come last."""

    def __init__(self) -> None:
        self._database = open_temporary()
        self._database.execute("CREATE TABLE entry (time REAL, number INTEGER PRIMARY KEY, entry BLOB)")
        self._encoder, self._decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Entry)
        self._numbers = count()

    def add(self, entry: Entry) -> None:
        """Keep an event."""
        time = entry.time.timestamp() if entry.time is not None else None
        row = (time, next(self._numbers), self._encoder.encode(entry))
        self._database.execute("INSERT INTO entry VALUES (?, ?, ?)", row)

    def __iter__(self) -> Iterator[Entry]:
        for (data,) in self._database.execute("SELECT entry FROM entry ORDER BY time IS NULL, time, number"):
            yield self._decoder.decode(data)

    @property
    def lines(self) -> Iterator[Line]:
        """The events with repeats folded; an event that is marked stands alone."""
        line: Line | None = None
        for entry in self:
            if line is None:
                line = Line(entry, entry, 1)
            elif line.first.marked or entry.marked or entry.kind != line.first.kind:
                yield line
                line = Line(entry, entry, 1)
            else:
                line = Line(line.first, entry, line.events + 1)
        if line is not None:
            yield line

    def close(self) -> None:
        """Remove the file."""
        self._database.close()


def timeline(
    paths: Paths,
    *,
    targets: Sequence[Target] = (),
    resources: Sequence[str] = (),
    selection: Selection | None = None,
    limits: Limits | None = None,
    rules_of: RulesOf | None = None,
    center: Match | None = None,
    watcher: Watcher | None = None,
) -> tuple[Timeline, Ledger]:
    """The events at paths, and the account of what was read.

    Args:
        paths: Files, folders and places in S3.
        targets: Only events whose caller is each of these: a principal, with a key, from an address.
        resources: Only events that name one of these resources by ARN or name; every record is decoded for them.
        selection: The times, accounts and regions.
        limits: Bounds on what is read.
        rules_of: The rules that a record matches; `None`: rules are left out.
        center: A match whose events are marked, with those that issued its session; the latter are shown even where
            they lie outside the selection.
        watcher: Is told about the progress.
    """
    made, recorder = Timeline(), Recorder()
    wanted = frozenset(resources)
    marks = _marks(center)
    steps = {step.event_id: step for step in (center.session.steps if center and center.session else ())}
    for record in records_through(_probe(targets), paths, recorder, selection, limits, watcher):
        caller = read_caller(record)
        if targets and (caller is None or not all(is_own(target, record, caller) for target in targets)):
            continue
        context = read_context(record)
        if wanted and not any({each.arn, each.name, each.text} & wanted for each in context.resources):
            continue
        entry = _entry(record, context, caller, tuple(rules_of(record)) if rules_of is not None else ())
        event_id = entry.event_id
        if event_id is not None and event_id in marks:
            entry = msgspec.structs.replace(entry, around=marks[event_id])
            steps.pop(event_id, None)
        made.add(entry)
    for step in steps.values():
        made.add(_step_entry(step))
    return made, recorder.ledger


def _marks(center: Match | None) -> dict[str, str]:
    """Event ID → its mark: those of a match, and those of the events that issued its session."""
    if center is None:
        return {}
    steps = center.session.steps if center.session is not None else ()
    events = [each.context.event_id for each in (center, *center.matches)]
    return {**{step.event_id: "chain" for step in steps}, **dict.fromkeys(filter(None, events), "match")}


def _step_entry(step: Step) -> Entry:
    """The entry of an event that issued a session, from the link alone."""
    issued = (step.session,) if step.session is not None else ()
    return Entry(
        step.time, SOURCES.get(step.event_name), step.event_name, "success", step.actor, None, step.source_ip, None,
        None, step.event_id, (), issued, "chain",
    )  # fmt: skip


def _entry(
    record: Mapping[str, Any], context: Context, caller: Caller | None, rules: tuple[tuple[str | None, str], ...]
) -> Entry:
    issued = (issue.arn or issue.key or issue.token or "-" for issue in read_issues(record))
    return Entry(
        context.time,
        context.event_source,
        context.event_name,
        context.outcome,
        caller.text if caller is not None else None,
        context.resource.text if context.resource is not None else None,
        name(record, "sourceIPAddress"),
        context.region,
        context.account,
        context.event_id,
        rules,
        tuple(issued),
    )


def _probe(targets: Sequence[Target]) -> CallerProbe:
    """Selects the records whose caller may be each of the targets."""
    seen = [target for target in targets if target.kind != "identity_center"]  # `onBehalfOf` is read later

    def wanted(row: tuple[Any, ...]) -> bool:
        return all(target.may_be_caller(row) for target in seen)

    return CallerProbe(seen, wanted)

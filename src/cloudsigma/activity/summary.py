"""A trail in numbers: events by day, principal, address, service, region, call and error."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from cloudsigma.activity.survey import Columns, survey
from cloudsigma.engine.context.context import is_denial
from cloudsigma.reading.account.ledger import Ledger
from cloudsigma.reading.account.progress import Watcher
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.sources.value import Value

PAIRS = 1_000_000
"""Most distinct pairs of a principal and a value of one kind; further values are counted together."""
OTHER = "(others)"
"""The name under which values beyond the bound are counted."""
UNKNOWN = "-"
"""The name under which events without a value are counted."""

_KINDS = {
    "keys": "userIdentity.accessKeyId",
    "addresses": "sourceIPAddress",
    "regions": "awsRegion",
    "accounts": "recipientAccountId",
    "agents": "userAgent",
    "errors": "errorCode",
}
"""Kinds of values that are counted for each principal, and their fields."""
_ARN = "userIdentity.arn"
_FALLBACKS = ("userIdentity.principalId", "userIdentity.invokedBy", "userIdentity.accountId")
"""Fields that name a principal without an ARN, the best first."""
_TYPE = "userIdentity.type"
FIELDS = (_ARN, *_FALLBACKS, *_KINDS.values(), _TYPE, "eventSource", "eventName", "eventTime")
"""The fields that are read of each record."""


@dataclass(slots=True)
class Activity:
    """What one principal did, or all of them; a role's sessions are one principal."""

    events: int = 0
    first: str | None = None
    """The earliest `eventTime`, as recorded."""
    last: str | None = None
    outcomes: Counter[str] = field(default_factory=Counter)
    """`success`, `denied`, `failed` → events."""
    values: dict[str, Counter[str]] = field(default_factory=dict)
    """Kind (`addresses`, `regions`, `calls`, …) → value → events."""

    @property
    def denied_share(self) -> float:
        """The share of events that were denied, from 0 to 1."""
        return self.outcomes["denied"] / self.events if self.events else 0.0

    def to_dict(self, most: int = 20) -> dict[str, Any]:
        """The form for JSON, with the most frequent values of each kind."""
        kinds = {kind: {"distinct": len(counts), "top": _top(counts, most)} for kind, counts in self.values.items()}
        return {
            "events": self.events,
            "first": self.first,
            "last": self.last,
            "outcomes": dict(self.outcomes),
            "denied_share": round(self.denied_share, 4),
        } | kinds


class Summary:
    """Counts of a trail, in bounded memory; `take` counts, the other methods read the counts."""

    def __init__(self) -> None:
        self._pairs: dict[str, Counter[tuple[Any, ...]]] = {kind: Counter() for kind in (*_KINDS, "calls")}
        """Kind → (principal, value) as recorded → events; of calls (principal, source, name)."""
        self._types: dict[Any, Any] = {}
        """Principal as recorded → its type."""
        self._days: Counter[tuple[str, Any]] = Counter()
        """Day and error code → events."""
        self._first: dict[Any, str] = {}
        self._last: dict[Any, str] = {}
        self.undated = 0
        """Events without a time."""

    def take(self, columns: Columns) -> None:
        """Count records, given as the columns of `FIELDS`."""
        who = columns[_ARN]
        if set(map(type, who)) != {str}:
            fallbacks = zip(who, *(columns[name] for name in _FALLBACKS), strict=True)
            who = [next((name for name in names if type(name) is str and name), UNKNOWN) for names in fallbacks]
        for kind, name in _KINDS.items():
            self._count(kind, zip(who, columns[name], strict=True))
        self._count("calls", zip(who, columns["eventSource"], columns["eventName"], strict=True))
        if len(self._types) < PAIRS:
            self._types.update(zip(who, columns[_TYPE], strict=True))
        self._place(who, columns["eventTime"], columns["errorCode"])

    def _count(self, kind: str, pairs: Iterable[tuple[Any, ...]]) -> None:
        counts = self._pairs[kind]
        if len(counts) < PAIRS:
            counts.update(pairs)
        else:  # new ones are counted together
            counts.update(pair if pair in counts else (OTHER, *([OTHER] * (len(pair) - 1))) for pair in pairs)

    def _place(self, who: Sequence[Any], times: Sequence[Any], errors: Sequence[Any]) -> None:
        """Count by day, and note the first and last time of each principal."""
        if set(map(type, times)) != {str}:
            kept = [row for row in zip(who, times, errors, strict=True) if type(row[1]) is str and row[1]]
            self.undated += len(times) - len(kept)
            if not kept:
                return
            who, times, errors = zip(*kept, strict=True)
        self._days.update(zip(map(_day, times), errors, strict=True))
        order = sorted(range(len(times)), key=times.__getitem__)
        # Of equal keys a dictionary keeps the last value: by rising time the latest, by falling time the earliest.
        for known, places, better in ((self._last, order, max), (self._first, order[::-1], min)):
            for name, time in dict(
                zip(map(who.__getitem__, places), map(times.__getitem__, places), strict=True)
            ).items():
                known[name] = better(known.get(name, time), time)

    # --- looking ----------------------------------------------------------------------------------------------

    @property
    def principals(self) -> dict[str, Activity]:
        """Principal → what it did, the busiest first."""
        found: dict[str, Activity] = {}

        def add(who: str, kind: str, value: str | None, count: int) -> None:
            if value is not None:
                found.setdefault(fold_session(who)[0], Activity()).values.setdefault(kind, Counter())[value] += count

        for kind in _KINDS:
            for (who, value), count in self._pairs[kind].items():
                add(who, kind, _shown(kind, value), count)
        for (who, source, name), count in self._pairs["calls"].items():
            service = source if type(source) is str else UNKNOWN
            add(who, "services", service, count)
            add(who, "calls", f"{service} {name if type(name) is str else UNKNOWN}", count)
        for (who, error), count in self._pairs["errors"].items():
            principal, session = fold_session(who)
            add(who, "sessions", session, count)
            add(who, "types", _shown("types", self._types.get(who)), count)
            activity = found.setdefault(principal, Activity())
            activity.events += count
            activity.outcomes[_outcome(error)] += count
        for times, earlier in ((self._first, True), (self._last, False)):
            for who, time in times.items():
                activity = found.setdefault(fold_session(who)[0], Activity())
                if earlier:
                    activity.first = min(activity.first or time, time)
                else:
                    activity.last = max(activity.last or time, time)
        return dict(sorted(found.items(), key=lambda each: (-each[1].events, each[0])))

    @property
    def days(self) -> dict[str, Counter[str]]:
        """Day (UTC) → outcome → events, by day."""
        found: dict[str, Counter[str]] = {}
        for (day, error), count in sorted(self._days.items(), key=lambda each: each[0][0]):
            found.setdefault(day, Counter())[_outcome(error)] += count
        return found

    @staticmethod
    def total(principals: dict[str, Activity]) -> Activity:
        """What all principals did."""
        whole = Activity()
        for activity in principals.values():
            whole.events += activity.events
            whole.outcomes.update(activity.outcomes)
            for kind, counts in activity.values.items():
                whole.values.setdefault(kind, Counter()).update(counts)
            whole.first = min(filter(None, (whole.first, activity.first)), default=None)
            whole.last = max(filter(None, (whole.last, activity.last)), default=None)
        return whole

    def to_dict(self, most: int = 20) -> dict[str, Any]:
        """The form for JSON, with the most frequent values of each kind."""
        principals = self.principals
        busiest = list(principals.items())[:most]
        return {
            "total": self.total(principals).to_dict(most),
            "days": {day: dict(outcomes) for day, outcomes in self.days.items()},
            "undated": self.undated,
            "principals": {
                "distinct": len(principals),
                "top": {name: activity.to_dict(most) for name, activity in busiest},
            },
        }


def summarize(
    *paths: str | os.PathLike[str] | Value,
    selection: Selection | None = None,
    limits: Limits | None = None,
    watcher: Watcher | None = None,
) -> tuple[Summary, Ledger]:
    """The summary of all events at paths, and the account of what was read."""
    made = Summary()
    return made, survey(paths, FIELDS, made.take, selection=selection, limits=limits, watcher=watcher)


def count_field(
    name: str,
    paths: Sequence[str | os.PathLike[str] | Value],
    *,
    selection: Selection | None = None,
    limits: Limits | None = None,
    watcher: Watcher | None = None,
) -> tuple[Counter[str], Ledger]:
    """The values of one field with their events: a top-level field, or a member of a top-level object.

    Events without a text there are counted under `-`, values beyond `PAIRS` different ones under `(others)`.
    """
    counts: Counter[Any] = Counter()

    def take(columns: Columns) -> None:
        values = columns[name]
        if len(counts) < PAIRS:
            counts.update(values)
        else:
            counts.update(value if value in counts else OTHER for value in values)

    ledger = survey(paths, (name,), take, selection=selection, limits=limits, watcher=watcher)
    texts: Counter[str] = Counter()
    for value, count in counts.items():
        texts[value if type(value) is str and value else UNKNOWN] += count
    return texts, ledger


def fold_session(arn: str) -> tuple[str, str | None]:
    """The principal of an ARN, and the session's name: sessions of a role are one principal."""
    before, marker, after = arn.partition(":assumed-role/")
    if not marker:
        return arn, None
    role, _, session = after.partition("/")
    return f"{before.replace(':sts:', ':iam:', 1)}:role/{role}", session or None


def _shown(kind: str, value: Any) -> str | None:
    if type(value) is not str or not value:
        return None
    # Keys of sessions change from call to call and identify nobody.
    return value if kind != "keys" or value.startswith("AKIA") or value == OTHER else None


def _outcome(error: Any) -> str:
    if type(error) is not str or not error:
        return "success"
    return "denied" if is_denial(error, None) else "failed"


def _top(counts: Counter[str], most: int) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:most])


_day = itemgetter(slice(10))

"""The coverage of a trail: records by account, region and hour, the gaps, and the events that occurred.

A gap is an hour without records between the first and the last hour of an account or region. It does not prove a loss:
if nothing happens, CloudTrail delivers nothing.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from cloudsigma.escaping import printable

HOUR = dt.timedelta(hours=1)
_SHOWN = 10
"""Most gaps of one account or region shown as text; the value and its JSON have all."""
_LINES = 40
"""Most accounts and regions shown as text."""


class Gap(msgspec.Struct, frozen=True):
    """Consecutive hours without records."""

    start: dt.datetime
    """The beginning of the first hour, in UTC."""
    end: dt.datetime
    """The end of the last hour, in UTC."""

    @property
    def hours(self) -> int:
        """The number of hours."""
        return (self.end - self.start) // HOUR

    def to_dict(self) -> dict[str, Any]:
        """The gap as plain values, for JSON."""
        return {"start": _iso(self.start), "end": _iso(self.end), "hours": self.hours}

    def __str__(self) -> str:
        end = self.end - dt.timedelta(minutes=1)
        same_day = end.date() == self.start.date()
        shown = f"{self.start:%Y-%m-%d %H:%M} to {end:{'%H:%M' if same_day else '%Y-%m-%d %H:%M'}}"
        return f"{shown} ({counted(self.hours, 'hour')})"


class Covered(msgspec.Struct, frozen=True):
    """The records of one account, in one region or in all of them."""

    account: str | None
    """`None`: records without an account."""
    region: str | None
    """`None`: records without a region or, if `all_regions` is set, all records of the account."""
    all_regions: bool
    records: int
    hours: int
    """Number of hours with records."""
    first: dt.datetime
    """The beginning of the first hour with records, in UTC."""
    end: dt.datetime
    """The end of the last hour with records, in UTC."""
    gaps: tuple[Gap, ...]
    """The hours between these without records."""

    def to_dict(self) -> dict[str, Any]:
        """The value as plain values, for JSON."""
        return {
            **msgspec.structs.asdict(self),
            "first": _iso(self.first),
            "end": _iso(self.end),
            "gaps": [gap.to_dict() for gap in self.gaps],
        }

    def __str__(self) -> str:
        between = Gap(self.first, self.end)
        shown = f"{counted(self.records, 'record')} in {self.hours:,} of {counted(between.hours, 'hour')}"
        if not self.gaps:
            return shown
        named = "; ".join(map(str, self.gaps[:_SHOWN]))
        more = f"; and {counted(len(self.gaps) - _SHOWN, 'more gap')}" if len(self.gaps) > _SHOWN else ""
        return f"{shown}; no records: {named}{more}"


class EventCount(msgspec.Struct, frozen=True):
    """How often an event occurred."""

    source: str | None
    """`eventSource`; `None` if it is null or absent."""
    name: str | None
    """`eventName`; `None` if it is null or absent."""
    records: int


class SilentRule(msgspec.Struct, frozen=True):
    """A rule that could not match, since its events never occurred."""

    rule_id: str
    title: str
    events: tuple[str, ...] = ()
    """The event names that it requires; empty if it requires none, and for a correlation."""

    def __str__(self) -> str:
        return printable(f"{self.title} ({', '.join(self.events)})" if self.events else self.title)


class Coverage(msgspec.Struct, frozen=True):
    """The coverage of the selected records."""

    accounts: tuple[Covered, ...] = ()
    """Each account in all its regions together, sorted."""
    regions: tuple[Covered, ...] = ()
    """Each account in each of its regions, sorted."""
    events: tuple[EventCount, ...] = ()
    """The events that occurred, the most frequent first."""
    undated: int = 0
    """Records whose `eventTime` cannot be read."""
    beyond: int = 0
    """Records beyond the first million combinations of account, region and hour."""
    silent: tuple[SilentRule, ...] | None = None
    """Rules that could not match; `None` if unknown."""

    def to_dict(self) -> dict[str, Any]:
        """The coverage as plain values, for JSON."""
        return {
            "accounts": [each.to_dict() for each in self.accounts],
            "regions": [each.to_dict() for each in self.regions],
            "events": [msgspec.structs.asdict(each) for each in self.events],
            "undated": self.undated,
            "beyond": self.beyond,
            "silent": None if self.silent is None else [msgspec.to_builtins(each) for each in self.silent],
        }

    def __str__(self) -> str:
        lines = ["coverage: " + (self._extent() if self.accounts else "no records with a time")]
        shown = 0
        for account in self.accounts:
            regions = [each for each in self.regions if each.account == account.account]
            if shown + len(regions) > _LINES and shown:
                break
            shown += len(regions)
            name = printable(account.account or "no account")
            if len(regions) == 1:
                lines.append(f"  {name}, {printable(regions[0].region or 'no region')}: {regions[0]}")
                continue
            lines.append(f"  {name}: {account}")
            lines += [f"    {printable(each.region or 'no region')}: {each}" for each in regions[:_LINES]]
            if len(regions) > _LINES:
                lines.append(f"    and {counted(len(regions) - _LINES, 'more region')}")
        hidden = len(self.regions) - shown
        if hidden:
            lines.append(f"  and {hidden:,} more accounts and regions, in the JSON of the ledger")
        if any(each.gaps for each in (*self.accounts, *self.regions)):
            lines.append("  (an hour without records is not a loss: if nothing happens, nothing is delivered)")
        if self.undated:
            lines.append(f"  {counted(self.undated, 'record')} without a time")
        if self.beyond:
            lines.append(f"  {counted(self.beyond, 'record')} beyond the limit of accounts, regions and hours")
        if self.silent:
            lines.append(f"rules that could not match, since their event never occurred: {len(self.silent):,}")
            lines += [f"  {rule}" for rule in self.silent[:_LINES]]
            if len(self.silent) > _LINES:
                lines.append(f"  and {counted(len(self.silent) - _LINES, 'more')}")
        return "\n".join(lines)

    def _extent(self) -> str:
        accounts = {each.account for each in self.accounts} - {None}
        regions = {each.region for each in self.regions} - {None}
        first = min(each.first for each in self.accounts)
        last = max(each.end for each in self.accounts) - dt.timedelta(minutes=1)
        return (
            f"{counted(len(accounts), 'account')}, {counted(len(regions), 'region')}, "
            f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
        )


def counted(number: int, what: str) -> str:
    """A number and its noun, in the plural unless the number is 1."""
    return f"{number:,} {what}{'' if number == 1 or what == 'more' else 's'}"


def _iso(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

"""What a trail covers: by account, region and hour, with the gaps, and which events occurred.

A gap is an hour without records between the first and the last of an account or region. It is no proof of a loss:
where nothing happens, nothing is delivered.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from cloudsigma.escaping import printable

HOUR = dt.timedelta(hours=1)
_SHOWN = 10
"""Gaps of one account or region, and rules, that are shown to people; the value and its JSON have all."""
_LINES = 40
"""Accounts and regions that are shown to people."""


class Gap(msgspec.Struct, frozen=True):
    """Hours without records, one after another."""

    start: dt.datetime
    """The beginning of the first, in UTC."""
    end: dt.datetime
    """The end of the last."""

    @property
    def hours(self) -> int:
        """How many there are."""
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
    """`None`: records that do not say."""
    region: str | None
    """`None`: records that do not say, or, where `all_regions` is set, all of the account."""
    all_regions: bool
    records: int
    hours: int
    """Hours with records."""
    first: dt.datetime
    """The beginning of the first hour with records, in UTC."""
    end: dt.datetime
    """The end of the last one."""
    gaps: tuple[Gap, ...]
    """The hours between that have none."""

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
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
    """`eventSource`; `None` where it is null or absent."""
    name: str | None
    """`eventName`, likewise."""
    records: int


class SilentRule(msgspec.Struct, frozen=True):
    """A rule that could not have matched, since no record had an event that it is about."""

    rule_id: str
    title: str
    events: tuple[str, ...] = ()
    """The event names that it asks for, where it asks for certain ones; of a correlation none."""

    def __str__(self) -> str:
        return printable(f"{self.title} ({', '.join(self.events)})" if self.events else self.title)


class Coverage(msgspec.Struct, frozen=True):
    """What the records that were asked for cover."""

    accounts: tuple[Covered, ...] = ()
    """Each account in all its regions together, sorted."""
    regions: tuple[Covered, ...] = ()
    """Each account in each of its regions, sorted."""
    events: tuple[EventCount, ...] = ()
    """Which events occurred, the most frequent ones first."""
    undated: int = 0
    """Records whose `eventTime` cannot be read."""
    beyond: int = 0
    """Records of further accounts, regions and hours than are told apart (a million)."""
    silent: tuple[SilentRule, ...] | None = None
    """Rules that could not have matched; `None` where that is not known."""

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
            lines.append("  (no records is not lost: where nothing happens, nothing is delivered)")
        if self.undated:
            lines.append(f"  {counted(self.undated, 'record')} without a time")
        if self.beyond:
            lines.append(f"  {counted(self.beyond, 'record')} of more hours than are told apart")
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
    """A number with what it is a number of."""
    return f"{number:,} {what}{'' if number == 1 or what == 'more' else 's'}"


def _iso(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

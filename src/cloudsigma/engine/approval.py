"""The decision about a match: which approvals cover it, and which nearly do, as a match holds them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

Status = Literal["approved", "partly", "none"]
"""`partly`: a correlation that no approval covers, some or all of whose matches are approved."""


class NearMiss(msgspec.Struct, frozen=True):
    """An approval that would cover the match if one condition were different."""

    id: str
    """The ID of the approval."""
    key: str
    """The key of the condition that does not hold: `time`, `principals`, `expect`, …"""
    why: str
    """The difference: `12 min after CHG0031337 ended`, `groupName is admins`."""

    def to_dict(self) -> dict[str, str]:
        """The stable JSON form."""
        return msgspec.structs.asdict(self)


class Decision(msgspec.Struct, frozen=True):
    """Whether a match is an approved change, and by which approvals."""

    status: Status
    by: tuple[str, ...] = ()
    """IDs of the approvals that cover the match; if it is approved `partly`, of those that cover its matches."""
    near: tuple[NearMiss, ...] = ()
    """The approvals that all but cover the match; empty if it is approved."""

    @property
    def approved(self) -> bool:
        """Whether an approval covers the match."""
        return self.status == "approved"

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form, as in the key `approval` of a match."""
        return {"status": self.status, "by": list(self.by), "near": [near.to_dict() for near in self.near]}


class ApprovalUse(msgspec.Struct, frozen=True):
    """One approval, and what it covered."""

    id: str
    start: dt.datetime | None
    """UTC; `None`: no beginning."""
    until: dt.datetime
    """UTC; the first moment that is not covered."""
    standing: bool = False
    """Whether it recurs until its review, rather than being one change."""
    draft: bool = False
    """Whether it is a draft, which covers nothing."""
    ticket: str | None = None
    owner: str | None = None
    reason: str | None = None
    used: int = 0
    """Matches that it covers."""
    near: int = 0
    """Matches that it covers but for one condition."""
    after: int = 0
    """Of these, the ones after its end."""

    def to_dict(self) -> dict[str, Any]:
        """The value as plain values, for JSON."""
        made = msgspec.structs.asdict(self)
        made["start"] = iso(self.start) if self.start is not None else None
        made["until"] = iso(self.until)
        return made


def iso(moment: dt.datetime) -> str:
    """A time as ISO 8601 in UTC."""
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def approval_note(decision: Decision | None, members: Sequence[Decision | None] = ()) -> str:
    """A decision in a few words, for people; empty if none was made, or no approval is concerned.

    Args:
        decision: The decision about a match.
        members: Of a correlation, the decisions about its matches.
    """
    if decision is None:
        return ""
    if decision.status == "approved":
        return f"approved by {', '.join(decision.by)}"
    notes = [near.why if near.id in near.why else f"{near.id}: {near.why}" for near in decision.near]
    if decision.status == "partly":
        approved = sum(each is not None and each.approved for each in members)
        notes.insert(0, f"{approved:,} of {len(members):,} members approved ({', '.join(decision.by)})")
    return "; ".join(notes)

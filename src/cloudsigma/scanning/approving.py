"""The approvals of a scan: the interface of those that decide, and the counts of their decisions."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec
from msgspec import structs

from cloudsigma.engine.approval import ApprovalUse
from cloudsigma.engine.match import Match


class Approver(Protocol):
    """Decides matches by approvals; a scan takes one (`ScanConfig.approvals`)."""

    @property
    def digest(self) -> str:
        """Identifies the approvals."""
        ...

    @property
    def needs_all_matches(self) -> bool:
        """Whether an approval has `max_matches`, so that a decision depends on the other matches."""
        ...

    @property
    def needs_sessions(self) -> bool:
        """Whether an approval has `roots`, so that sessions must be linked."""
        ...

    def counting(self, matches: Iterable[Match]) -> Approver:
        """The same approvals, whose `max_matches` are counted over these matches."""
        ...

    def apply(self, match: Match) -> Match:
        """The match with its decision; of a correlation, also those of its matches."""
        ...

    def uses(self) -> tuple[ApprovalUse, ...]:
        """The approvals, not used yet."""
        ...


class ApprovalOutcome(msgspec.Struct, frozen=True):
    """The decisions of a scan: every match counts once in `approved`, `partly` or `none`."""

    approved: int = 0
    partly: int = 0
    none: int = 0
    near: int = 0
    """Matches that are not approved, and that an approval all but covers."""
    digest: str = ""
    """Identifies the approvals."""
    uses: tuple[ApprovalUse, ...] = ()
    """The approvals, with the number of matches that each covers."""

    @property
    def unapproved(self) -> int:
        """Matches that no approval covers."""
        return self.partly + self.none

    @property
    def by(self) -> dict[str, int]:
        """ID of an approval → matches that it covers, for those that cover any."""
        return {use.id: use.used for use in self.uses if use.used}

    def __str__(self) -> str:
        return approved_line(self.approved, self.by)

    def to_dict(self) -> dict[str, Any]:
        """The counts as plain values, for JSON."""
        made = {name: getattr(self, name) for name in ("approved", "partly", "none", "near", "digest")}
        return {**made, "by": self.by, "uses": [use.to_dict() for use in self.uses]}


def approved_line(count: int, by: Mapping[str, int]) -> str:
    """`3 approved: CHG0031337 2, CHG0031402 1`; a match that several approvals cover counts for each of them."""
    named = ", ".join(f"{approval} {number:,}" for approval, number in sorted(by.items(), key=lambda each: -each[1]))
    return f"{count:,} approved: {named}" if named else f"{count:,} approved"


class ApprovalCounts:
    """Counts the decisions of a scan; it can be saved and restored."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.near = 0
        self.used: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        """ID of an approval → matches that it all but covers."""
        self.late: Counter[str] = Counter()
        """The same for those after its end."""

    def add(self, match: Match, ends: Mapping[str, dt.datetime]) -> None:
        """Count the decision about a match; `ends` has the end of each approval."""
        decision, when = match.approval, match.context.time
        if decision is None:
            return
        self.statuses[decision.status] += 1
        if decision.approved:
            self.used.update(decision.by)
            return
        self.near += bool(decision.near)
        for near in decision.near:
            self.missed[near.id] += 1
            if near.key == "time" and when is not None and when >= ends[near.id]:
                self.late[near.id] += 1

    def outcome(self, approver: Approver) -> ApprovalOutcome:
        """The counts with the approvals that they are of."""
        uses = tuple(
            structs.replace(use, used=self.used[use.id], near=self.missed[use.id], after=self.late[use.id])
            for use in approver.uses()
        )
        statuses = self.statuses
        return ApprovalOutcome(
            statuses["approved"], statuses["partly"], statuses["none"], self.near, approver.digest, uses
        )

    def to_form(self) -> dict[str, dict[str, int]]:
        """The counts as plain values, to be saved."""
        return {
            "statuses": dict(self.statuses),
            "near": {"": self.near},
            "used": dict(self.used),
            "missed": dict(self.missed),
            "late": dict(self.late),
        }

    def restore(self, form: Mapping[str, Mapping[str, int]]) -> None:
        """Restore saved counts."""
        self.near = form.get("near", {}).get("", 0)
        for name in ("statuses", "used", "missed", "late"):
            getattr(self, name).update(form.get(name, {}))

"""The approvals of a scan: the interface of those that decide, and the counts of their decisions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec
from msgspec import structs

from cloudsigma.engine.approval import ApprovalUse
from cloudsigma.engine.match import Match
from cloudsigma.errors import UsageError


@runtime_checkable
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


class ApprovalCounts(msgspec.Struct):
    """Counts the decisions of a scan; saved with its state."""

    statuses: dict[str, int] = {}
    near: int = 0
    used: dict[str, int] = {}
    """ID of an approval → matches that it covers."""
    missed: dict[str, int] = {}
    """ID of an approval → matches that it all but covers."""
    late: dict[str, int] = {}
    """ID of an approval → matches that it all but covers, after its end."""

    def add(self, match: Match, ends: Mapping[str, dt.datetime]) -> None:
        """Count the decision about a match; `ends` has the end of each approval."""
        decision, when = match.approval, match.context.time
        if decision is None:
            return
        _add(self.statuses, decision.status)
        if decision.approved:
            for approval in decision.by:
                _add(self.used, approval)
            return
        self.near += bool(decision.near)
        for near in decision.near:
            _add(self.missed, near.id)
            if near.key == "time" and when is not None and when >= ends[near.id]:
                _add(self.late, near.id)


def _add(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1


class Approving:
    """Decides the matches of one scan by its approvals, and counts the decisions.

    Args:
        approver: The approvals; `None`: no match is decided.
        counts: The counts so far.
    """

    def __init__(self, approver: Approver | None, counts: ApprovalCounts) -> None:
        self._approver = approver
        self._counts = counts
        self._uses = approver.uses() if approver is not None else ()
        self._ends = {use.id: use.until for use in self._uses}

    def count(self, matches: Callable[[], Iterable[Match]]) -> None:
        """Count all matches for `max_matches`, if an approval has it; `matches` returns them."""
        if self._approver is not None and self._approver.needs_all_matches:
            self._approver = self._approver.counting(matches())

    def decided(self, match: Match) -> Match:
        """The match with its decision."""
        if self._approver is None:
            return match
        match = self._approver.apply(match)
        self._counts.add(match, self._ends)
        return match

    @property
    def outcome(self) -> ApprovalOutcome | None:
        """The decisions so far; `None` without approvals."""
        if self._approver is None:
            return None
        counts, statuses = self._counts, self._counts.statuses
        uses = tuple(
            structs.replace(
                use,
                used=counts.used.get(use.id, 0),
                near=counts.missed.get(use.id, 0),
                after=counts.late.get(use.id, 0),
            )
            for use in self._uses
        )
        approved, partly, none = (statuses.get(status, 0) for status in ("approved", "partly", "none"))
        return ApprovalOutcome(approved, partly, none, counts.near, self._approver.digest, uses)


def check_stream(approver: Approver | None, *, linked: bool) -> None:
    """Refuse approvals that cannot decide matches one by one.

    Args:
        approver: The approvals.
        linked: Whether the sessions of matches are linked before they are decided.

    Raises:
        UsageError: An approval has `max_matches`; or `roots`, and sessions are not linked.
    """
    if approver is None:
        return
    if approver.needs_all_matches:
        raise UsageError(
            "an approval has max_matches, which counts all matches by time; here, matches are decided one by one. "
            "Leave out max_matches, or read the matches by time (--sort time), without --follow and --checkpoint"
        )
    if approver.needs_sessions and not linked:
        raise UsageError(
            "an approval has roots, which linked sessions tell; here, no sessions are linked. Leave out roots, or "
            "read the matches by time (--sort time)"
        )

"""One approval: an announced change, and the matches that it covers."""

from __future__ import annotations

import datetime as dt

import msgspec

from cloudsigma.engine.approval import ApprovalUse
from cloudsigma.engine.context.context import Outcome

MAX_DAYS = 90
"""Most days between `from` and `until`; `limits: {max_days: …}` in a file lowers it."""
MAX_REVIEW_DAYS = 400
"""Most days that a standing approval covers before its review."""


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of an approvals file. Values of one key are alternatives; all keys must hold."""

    id: str
    """Unique in its file; shown with every match that it covers."""
    until: dt.datetime
    """UTC; the first moment that is not covered. Of a standing approval, its review."""
    start: dt.datetime
    """UTC; the first moment that is covered (`from`)."""
    rules: tuple[str, ...]
    """IDs or names of rules."""
    principals: tuple[str, ...] = ()
    """Direct callers; the ARN of a role covers all its sessions. `*` and `?` in the last part."""
    roots: tuple[str, ...] = ()
    """Identities that began the chain of sessions (`Match.session`), written as `principals`."""
    sessions: tuple[str, ...] = ()
    """Names of sessions, or source identities, with `*` and `?`."""
    resources: tuple[str, ...] = ()
    """ARNs or names of the resource that a call acted on, with `*` and `?`."""
    accounts: tuple[str, ...] = ()
    """Affected accounts, 12 digits each."""
    outcomes: tuple[Outcome, ...] = ("success",)
    source_ips: tuple[str, ...] = ()
    """Networks in CIDR form."""
    expect: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Field and the exact set of values that it must have."""
    max_matches: int | None = None
    """The first matches by time and key are covered; later ones are not."""
    standing: bool = False
    """Whether it recurs until its review, rather than being one change."""
    draft: bool = False
    """Whether it is a draft, which covers nothing."""
    ticket: str | None = None
    owner: str | None = None
    approved_by: tuple[str, ...] = ()
    reason: str | None = None
    line: int | None = None
    """Its line in the file."""

    def use(self) -> ApprovalUse:
        """The approval as a report shows it, not used yet."""
        return ApprovalUse(
            self.id, self.start, self.until, self.standing, self.draft, self.ticket, self.owner, self.reason
        )

"""What is wrong or out of date in a file of approvals: on its own, at a time, and compared with a trail."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from cloudsigma.approvals.approval import Approval
from cloudsigma.approvals.conditions import duration
from cloudsigma.approvals.patterns import fits, parse_arn
from cloudsigma.engine.approval import ApprovalUse
from cloudsigma.reading.account.coverage import Coverage, Covered

Kind = Literal[
    "draft", "undocumented", "self-approved", "overlap", "expired", "expiring", "past-review", "still-happening",
    "unused", "cannot-tell",
]  # fmt: skip
"""The kinds of findings."""

SOON = dt.timedelta(days=14)
"""An approval that ends within this time is `expiring`, if it is a standing one."""
_NOTES = frozenset({"draft", "expired", "cannot-tell"})
"""Findings that need no change of the file."""


class Finding(msgspec.Struct, frozen=True):
    """Something that a reviewer should know about one approval."""

    kind: Kind
    approval: str
    """Its ID."""
    message: str
    """One sentence without a final stop."""
    line: int | None
    """The line of the approval."""

    @property
    def is_note(self) -> bool:
        """Whether no change of the file is needed."""
        return self.kind in _NOTES

    def to_dict(self) -> dict[str, Any]:
        """The finding as plain values, for JSON."""
        return {**msgspec.structs.asdict(self), "note": self.is_note}


def check(
    approvals: Iterable[Approval],
    at: dt.datetime,
    uses: Mapping[str, ApprovalUse] | None = None,
    coverage: Coverage | None = None,
) -> list[Finding]:
    """The findings about approvals, in the order of the file.

    Args:
        approvals: The approvals.
        at: The time at which they are looked at.
        uses: ID of an approval → what it covered in a trail; `None`: no trail was read.
        coverage: The coverage of the trail.
    """
    entries = list(approvals)
    found = [finding for entry in entries for finding in _alone(entry, at)]
    found += _overlaps([entry for entry in entries if not entry.draft])
    if uses is not None:
        found += [
            finding
            for entry in entries
            if not entry.draft
            for finding in _used(entry, uses[entry.id], at, coverage or Coverage())
        ]
    places = {entry.id: at for at, entry in enumerate(entries)}
    return sorted(found, key=lambda finding: places[finding.approval])


def _alone(entry: Approval, at: dt.datetime) -> Iterator[Finding]:
    def finding(kind: Kind, message: str) -> Finding:
        return Finding(kind, entry.id, message, entry.line)

    if entry.draft:
        yield finding("draft", "a draft covers nothing; remove draft: true to approve")
    missing = [
        name
        for name, value in (
            ("ticket", entry.ticket), ("owner", entry.owner), ("approved_by", entry.approved_by),
            ("reason", entry.reason),
        )
        if not value
    ]  # fmt: skip
    if missing and not entry.draft:
        yield finding("undocumented", f"it has no {', no '.join(missing)}")
    for name in entry.approved_by:
        if any(name in _names(principal) for principal in (*entry.principals, *entry.roots)):
            yield finding("self-approved", f"{name} approved it and is the principal")
    if entry.draft:
        return
    if entry.until <= at:
        ago = f"{duration(at - entry.until)} ago" if at > entry.until else "now"
        if entry.standing:
            yield finding("past-review", f"its review was due {ago}; it covers nothing later")
        else:
            yield finding("expired", f"it ended {ago}")
    elif entry.standing and entry.until - at <= SOON:
        yield finding("expiring", f"its review is due in {duration(entry.until - at)}")


def _names(principal: str) -> set[str]:
    """The names by which a person could mean a principal."""
    arn = parse_arn(principal)
    return {principal, arn.name} if arn is not None else {principal}


# --- two approvals ------------------------------------------------------------------------------------------


def _overlaps(entries: Sequence[Approval]) -> Iterator[Finding]:
    for one, other in itertools.combinations(sorted(entries, key=lambda entry: entry.start), 2):
        if one.start < other.until and other.start < one.until and _may_cover_the_same(one, other):
            message = f"it overlaps {one.id}: both can cover one match"
            yield Finding("overlap", other.id, message, other.line)


def _may_cover_the_same(one: Approval, other: Approval) -> bool:
    """Whether one match could be covered by both; two patterns are compared as if one were a name."""
    keys = ("principals", "roots", "sessions", "resources", "accounts", "outcomes", "source_ips")
    return bool(set(one.rules) & set(other.rules)) and all(
        _share(getattr(one, key), getattr(other, key)) for key in keys
    )


def _share(some: Sequence[str], others: Sequence[str]) -> bool:
    if not some or not others:
        return True
    return any(fits(each, another) or fits(another, each) for each in some for another in others)


# --- a trail ------------------------------------------------------------------------------------------------


def _used(entry: Approval, use: ApprovalUse, at: dt.datetime, coverage: Coverage) -> Iterator[Finding]:
    if use.after:
        happened = "1 match that it would cover" if use.after == 1 else f"{use.after:,} matches that it would cover"
        yield Finding("still-happening", entry.id, f"{happened} came after its end", entry.line)
    if use.used:
        return
    why = _not_covered(entry, min(entry.until, at), coverage)
    if why is not None:
        yield Finding("cannot-tell", entry.id, f"it covers no match, but {why}", entry.line)
    elif entry.until <= at or entry.standing:
        near = f"; {use.near:,} near misses" if use.near > 1 else "; 1 near miss" if use.near else ""
        yield Finding("unused", entry.id, f"it covers no match in its window, which the logs cover{near}", entry.line)


def _not_covered(entry: Approval, until: dt.datetime, coverage: Coverage) -> str | None:
    """Why the logs do not cover the window of an approval; `None` if they do."""
    named = _accounts_of(entry)
    by_account: dict[str | None, Covered] = {each.account: each for each in coverage.accounts}
    if not by_account:
        return "the logs have no records with a time"
    for account in sorted(named) or [each for each in by_account if each is not None]:
        covered = by_account.get(account)
        if covered is None:
            return f"the logs have no records of account {account}"
        if covered.first > entry.start:
            return f"the logs of account {account} begin at {covered.first:%Y-%m-%d %H:%M}"
        if covered.end < until:
            return f"the logs of account {account} end at {covered.end:%Y-%m-%d %H:%M}"
        for gap in covered.gaps:
            if gap.start < until and gap.end > entry.start:
                return f"the logs of account {account} have no records from {gap}"
    return None


def _accounts_of(entry: Approval) -> set[str]:
    """The accounts whose records an approval is about."""
    if entry.accounts:
        return set(entry.accounts)
    arns = (parse_arn(text) for text in (*entry.resources, *entry.principals))
    return {arn.account for arn in arns if arn is not None and arn.account.isdigit()}

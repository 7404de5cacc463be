"""The identity X and everything that it did: two passes over a trail by the fast path.

The first pass collects issued credentials, and finds every session that descends from X. The second reads the records
of X and of these sessions; no other record is decoded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from cloudsigma.activity.inquiry import Inquiry
from cloudsigma.activity.issuers import collect_issues
from cloudsigma.activity.survey import records_through
from cloudsigma.activity.target import CallerProbe, Target
from cloudsigma.engine.context.record_access import mapping, name
from cloudsigma.engine.session_link import Link
from cloudsigma.reading.account.ledger import Ledger, Loss, Recorder
from cloudsigma.reading.account.progress import Watcher
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.sessions.caller import Caller, read_caller
from cloudsigma.sessions.issue_index import IssueIndex
from cloudsigma.sessions.link import MAX_DEPTH, link

RulesOf = Callable[[Mapping[str, Any]], Iterable[tuple[str | None, str]]]
"""Record → level and title of each rule that it matches."""
Paths = Sequence[str | os.PathLike[str]]

_REMEMBERED = 100_000
"""Most callers whose link, and keys whose events, are cached."""
MAX_DESCENDANTS = 500_000
"""Most credentials followed down from the target; more are counted, and their calls are left out."""


class Findings(msgspec.Struct, frozen=True):
    """The answer to `who X`."""

    inquiry: Inquiry
    """The actions of X and of the sessions that descend from it."""
    issued: int
    """Credentials that were issued to X and to the sessions that descend from it."""
    not_followed: int
    """Of these, how many are beyond `MAX_DESCENDANTS`."""
    ledger: Ledger
    """The account of the reading."""
    missed: tuple[Loss, ...]
    """Losses of the pass that collected issued credentials; not in `ledger`."""

    @property
    def complete(self) -> bool:
        """Whether all input was read and all sessions were followed."""
        return self.ledger.complete and not self.missed and not self.not_followed


def who(
    target: Target,
    paths: Paths,
    *,
    selection: Selection | None = None,
    limits: Limits | None = None,
    rules_of: RulesOf | None = None,
    watcher: Watcher | None = None,
) -> Findings:
    """The actions of a target, their addresses and sessions, and the identity behind it.

    Args:
        target: The identity or address to look for; see `parse_target`.
        paths: Files, folders and places in S3; each is read twice, so standard input is refused.
        selection: The times, accounts and regions of the events. Sessions are looked for in all accounts and regions,
            and from 36 hours before.
        limits: Bounds on what is read.
        rules_of: The rules that a record matches; `None`: rules are left out.
        watcher: Is told about the progress of both passes: `linking`, then `reading`.
    """
    selection = selection or Selection()
    index = IssueIndex()
    first = collect_issues(paths, index.add, selection, limits, watcher)
    lineage = _Lineage(target, index)
    recorder = Recorder()
    inquiry = Inquiry()
    probe = CallerProbe([target], lineage.may_be_caller)
    for record in records_through(probe, paths, recorder, selection, limits, watcher):
        caller = read_caller(record)
        if caller is None:
            continue
        own = is_own(target, record, caller)
        found = lineage.link(caller, signs_in=record.get("eventSource") == "signin.amazonaws.com")
        if own or lineage.descends(caller, found):
            issued = lineage.is_issued(caller.key)
            matched = tuple(rules_of(record)) if rules_of is not None else ()
            inquiry.take(record, caller, found, own=own, issued=issued, matched=matched)
    ledger = recorder.ledger
    missed = tuple(loss for loss in first.losses if loss not in ledger.losses)
    return Findings(inquiry, lineage.issued, lineage.not_followed, ledger, missed)


def is_own(target: Target, record: Mapping[str, Any], caller: Caller) -> bool:
    """Whether a record is of a call by the target itself."""
    identity = mapping(record, "userIdentity")
    return target.is_caller(
        arn=caller.arn,
        principal_id=caller.id,
        key=caller.key,
        user_name=name(identity, "userName"),
        on_behalf_of=caller.on_behalf_of,
        address=name(record, "sourceIPAddress"),
    )


class _Lineage:
    """The credentials that descend from a target: issued to it, to sessions issued to it, and so on."""

    def __init__(self, target: Target, index: IssueIndex) -> None:
        self._target = target
        self._index = index
        self._links: dict[tuple[Caller, bool], Link] = {}
        self._issued: dict[str, bool] = {}
        self._events: set[str] = set()
        self._created: set[str] = set()
        """Long-term keys that the target, or a session of it, created."""
        self.keys: set[str] = set()
        self.arns: set[str] = set()
        self.issued = 0
        self.not_followed = 0
        for _ in range(MAX_DEPTH):  # a key may be used before the record of its creation in a file that is read later
            before = len(self._events)
            self._grow(target)
            if len(self._events) == before:
                break

    def link(self, caller: Caller, *, signs_in: bool = False) -> Link:
        """The chain of a caller; each is followed once."""
        key = (caller, signs_in)
        if (known := self._links.get(key)) is None:
            if len(self._links) >= _REMEMBERED:
                self._links.clear()
            known = self._links[key] = link(caller, self._index, signs_in=signs_in)
        return known

    def may_be_caller(self, row: tuple[Any, ...]) -> bool:
        """Whether a record with these values of `CallerProbe.fields` may be of the target or a session of it."""
        arn, _, key, *_ = row
        return arn in self.arns or key in self.keys or self._target.may_be_caller(row)

    def is_issued(self, key: str | None) -> bool:
        """Whether these logs show the event that issued a key; each key is looked up once."""
        if key is None:
            return False
        if (known := self._issued.get(key)) is None:
            if len(self._issued) >= _REMEMBERED:
                self._issued.clear()
            known = self._issued[key] = bool(self._index.by_key(key))
        return known

    def descends(self, caller: Caller, found: Link) -> bool:
        """Whether a caller's credentials descend from the target."""
        return caller.key in self._created or any(step.event_id in self._events for step in found.steps)

    def _grow(self, target: Target) -> None:
        self.issued = self.not_followed = 0
        for issue in self._index:
            caller = issue.caller
            if issue.event_id not in self._events:
                own = target.is_caller(
                    arn=caller.arn,
                    principal_id=caller.id,
                    key=caller.key,
                    user_name=caller.text if caller.arn is None and caller.kind == "iam_user" else None,
                    on_behalf_of=caller.on_behalf_of,
                    address=issue.address,
                )
                if not own and not self.descends(caller, self.link(caller)):
                    continue
            self.issued += 1
            if len(self._events) >= MAX_DESCENDANTS and issue.event_id not in self._events:
                self.not_followed += 1
                continue
            self._events.add(issue.event_id)
            if issue.key is not None:
                self.keys.add(issue.key)
                if issue.event_name == "CreateAccessKey":
                    self._created.add(issue.key)
            if issue.arn is not None:
                self.arns.add(issue.arn)

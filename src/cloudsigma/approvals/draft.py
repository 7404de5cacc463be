"""The narrowest approval for matches that a person chose; a draft, until its owner approves it."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cloudsigma.approvals.approval import MAX_DAYS
from cloudsigma.approvals.patterns import is_only_wildcards
from cloudsigma.approvals.yaml_lines import entry_text
from cloudsigma.engine.evaluate.fields import values
from cloudsigma.engine.match import Match
from cloudsigma.errors import UsageError

_SECOND = dt.timedelta(seconds=1)
_CHOSEN = "requestParameters."
"""Parameters describe a change; other fields, such as the user agent, describe how it was made."""
_EXPECTED = 10
"""Most values of a field that a draft expects."""
_LONGEST = 200
"""Most characters of an expected value."""


def draft(matches: Sequence[Match], id_: str, **documents: str | None) -> str:
    """An entry that covers the matches, and as little else as its keys can say; with `draft: true`.

    Args:
        matches: The matches: at least one.
        id_: The ID of the approval.
        documents: `ticket`, `owner` and `reason`; `None` if unknown.

    Raises:
        UsageError: An approval cannot cover the matches: one has no time, or neither a principal nor a resource, or
            they are more than 90 days apart.
    """
    members = [member for match in matches for member in _members(match)]
    times = [_time(member) for member in members]
    start, until = min(times), max(times).replace(microsecond=0) + _SECOND
    if until - start > dt.timedelta(days=MAX_DAYS):
        raise UsageError(f"the matches are {(until - start).days} days apart; an approval covers at most {MAX_DAYS}")
    principals = _all(members, _principal)
    resources = _all(members, lambda member: str(member.context.resource) if member.context.resource else None)
    if any(map(is_only_wildcards, resources)):
        resources = []
    if not principals and not resources:
        raise UsageError("a match has neither a principal nor a resource, and an approval needs one of them")
    written: dict[str, Any] = {
        "id": id_,
        "draft": True,
        **{name: value for name, value in documents.items() if value is not None},
        "from": start,
        "until": until,
        "rules": list(dict.fromkeys(match.rule.name or match.rule.id for match in matches)),
        "accounts": [each for each in _all(members, lambda member: member.context.account) if _is_account(each)],
        "principals": principals,
        "resources": resources,
        "outcomes": sorted({member.context.outcome for member in members}),
        "source_ips": _all(members, _address),
        "expect": _expected(members),
        "max_matches": len({match.key for match in matches}),
    }
    comments = ["ticket, owner, approved_by, reason: document the change", "remove draft: true to approve"]
    return entry_text({key: value for key, value in written.items() if value not in ([], {})}, comments)


def _members(match: Match) -> Iterator[Match]:
    """The matches of detection rules that a match is made of."""
    if not match.matches:
        yield match
    for member in match.matches:
        yield from _members(member)


def _time(match: Match) -> dt.datetime:
    if match.context.time is None:
        raise UsageError(f"the match {match.key} has no time, so no approval can cover it")
    return match.context.time


def _all(members: Sequence[Match], read: Callable[[Match], str | None]) -> list[str]:
    """The distinct values of all matches; empty if one of them has none, since the key could then not hold."""
    found = [read(member) for member in members]
    known = [each for each in found if each is not None]
    return list(dict.fromkeys(known)) if len(known) == len(found) else []


def _principal(match: Match) -> str | None:
    principal = match.context.principal
    if principal is None:
        return None
    if principal.arn is not None:
        return principal.arn
    return principal.text if principal.kind in {"service", "account"} else principal.id


def _is_account(text: str) -> bool:
    return len(text) == 12 and text.isascii() and text.isdigit()


def _address(match: Match) -> str | None:
    try:
        return str(ipaddress.ip_address(match.context.source_ip or ""))
    except ValueError:
        return None


def _expected(members: Sequence[Match]) -> dict[str, list[str]]:
    """The parameters among the fields of the rules that have the same values in all matches."""
    names = dict.fromkeys(name for member in members for name in member.context.fields)
    found = {}
    for name in names:
        if not name.startswith(_CHOSEN):
            continue
        sets = [{_text(value) for value in values(member.record, name) if value is not None} for member in members]
        usable = 0 < len(sets[0]) <= _EXPECTED and all(len(value) <= _LONGEST for value in sets[0])
        if usable and all(each == sets[0] for each in sets):
            found[name] = sorted(sets[0])
    return found


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

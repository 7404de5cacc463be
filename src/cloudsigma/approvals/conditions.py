"""The conditions of an approval: for each key, whether it holds for a match, and the difference if it does not."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from cloudsigma.approvals.approval import Approval
from cloudsigma.approvals.patterns import fits, is_principal, is_resource, is_root
from cloudsigma.engine.context.record_access import mapping, name
from cloudsigma.engine.evaluate.fields import values
from cloudsigma.engine.match import Match

_SHOWN = 5
"""Most values of a field shown in a difference."""


class Failure(NamedTuple):
    """A condition that does not hold."""

    key: str
    why: str
    seconds: float = 0.0
    """Of `time`: how far the event is from the window; negative before it."""


def names_rule(approval: Approval, match: Match) -> bool:
    """Whether `rules` names the rule of a match, by its ID or name."""
    return match.rule.id in approval.rules or (match.rule.name is not None and match.rule.name in approval.rules)


def failures(approval: Approval, match: Match) -> Iterator[Failure]:
    """The conditions that do not hold for a match; none: the approval covers it, but for `max_matches`.

    For a correlation, `rules` must name its rule, and the other keys must hold for every match that contributes. A
    difference that several of these have in one key is one failure.
    """
    if not names_rule(approval, match):
        yield Failure("rules", f"{approval.id} does not name the rule {match.rule.title}")
    if not match.matches:
        yield from _differences(approval, match)
        return
    seen: set[str] = set()
    for member in _members(match):
        for failure in _differences(approval, member):
            if failure.key not in seen:
                seen.add(failure.key)
                yield failure


def first_failures(approval: Approval, match: Match) -> list[Failure]:
    """At most two failures: with none it covers, with one it nearly does."""
    return list(islice(failures(approval, match), 2))


def _members(match: Match) -> Iterator[Match]:
    """The matches of detection rules that contribute to a correlation, through other correlations too."""
    waiting = [match]
    while waiting:
        each = waiting.pop()
        if each.matches:
            waiting += reversed(each.matches)
        else:
            yield each


def _differences(approval: Approval, match: Match) -> Iterator[Failure]:
    for check in _CHECKS:
        failure = check(approval, match)
        if failure is not None:
            yield failure
    for field, wanted in approval.expect:
        difference = _unexpected(field, wanted, match)
        if difference is not None:
            yield Failure("expect", difference)


# --- one function a key -------------------------------------------------------------------------------------


def _principal(approval: Approval, match: Match) -> Failure | None:
    if not approval.principals:
        return None
    principal = match.context.principal
    if principal is None:
        return Failure("principals", "the record names no principal")
    if any(is_principal(entry, principal) for entry in approval.principals):
        return None
    return Failure("principals", f"the principal is {principal}")


def _root(approval: Approval, match: Match) -> Failure | None:
    if not approval.roots:
        return None
    session = match.session
    if session is None:
        return Failure("roots", "the session is not linked")
    if session.root is None:
        return Failure("roots", f"the root is not known: {session.why}")
    if not any(is_root(entry, session.root) for entry in approval.roots):
        return Failure("roots", f"the root is {session.root}")
    if session.certainty == "probable":
        return Failure("roots", f"the root is {session.root}, but not for certain: {session.why}")
    return None


def _session(approval: Approval, match: Match) -> Failure | None:
    if not approval.sessions:
        return None
    principal = match.context.principal
    session = principal.session_name if principal is not None else None
    identity = name(mapping(mapping(match.record, "userIdentity"), "sessionContext"), "sourceIdentity")
    named = [each for each in (session, identity) if each is not None]
    if not named:
        return Failure("sessions", "the caller has no session name")
    if any(fits(entry, each) for entry in approval.sessions for each in named):
        return None
    return Failure("sessions", f"the session is {session or identity}")


def _resource(approval: Approval, match: Match) -> Failure | None:
    if not approval.resources:
        return None
    resource = match.context.resource
    if resource is None:
        return Failure("resources", "the record names no resource")
    if any(is_resource(entry, resource, match.context) for entry in approval.resources):
        return None
    return Failure("resources", f"the resource is {resource}")


def _account(approval: Approval, match: Match) -> Failure | None:
    account = match.context.account
    if not approval.accounts or account in approval.accounts:
        return None
    return Failure("accounts", f"the account is {account}" if account is not None else "the record names no account")


def _outcome(approval: Approval, match: Match) -> Failure | None:
    outcome = match.context.outcome
    return None if outcome in approval.outcomes else Failure("outcomes", f"the outcome is {outcome}")


def _address(approval: Approval, match: Match) -> Failure | None:
    if not approval.source_ips:
        return None
    source = match.context.source_ip
    try:
        address = ipaddress.ip_address(source or "")
    except ValueError:
        return Failure("source_ips", f"the source is {source}" if source else "the record names no address")
    networks = map(_network, approval.source_ips)
    if any(address.version == network.version and address in network for network in networks):
        return None
    return Failure("source_ips", f"the address is {source}")


def _time(approval: Approval, match: Match) -> Failure | None:
    when = match.context.time
    if when is None:
        return Failure("time", "the record has no time")
    if when < approval.start:
        early = approval.start - when
        return Failure("time", f"{duration(early)} before {approval.id} began", -early.total_seconds())
    if when >= approval.until:
        late = when - approval.until
        return Failure("time", f"{duration(late)} after {approval.id} ended", late.total_seconds())
    return None


_CHECKS: tuple[Callable[[Approval, Match], Failure | None], ...] = (
    _principal, _resource, _root, _session, _account, _outcome, _address, _time,
)  # fmt: skip


def _unexpected(field: str, wanted: tuple[str, ...], match: Match) -> str | None:
    """How the values of a field differ from the expected set."""
    found = sorted({_text(value) for value in values(match.record, field) if value is not None})
    if found == sorted(set(wanted)):
        return None
    shown = field.rpartition(".")[2]
    if not found:
        return f"{shown} has no value"
    more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    return f"{shown} is {', '.join(found[:_SHOWN])}{more}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@lru_cache(maxsize=256)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text)


def duration(span: dt.timedelta) -> str:
    """A length of time in its two largest units: `12 min`, `3 h 5 min`, `2 d 4 h`."""
    seconds = int(span.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next(at for at, (count, _) in enumerate(units) if count)
    return " ".join(f"{count} {unit}" for count, unit in units[first : first + 2] if count)

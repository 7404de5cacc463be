"""Follows a session to its root: the caller that requested its credentials, the credentials of that caller, and so on.

A session is linked by facts that AWS writes and no caller chooses: the access key in the answer that issued it, its
ARN with the second in which it was created, the second of a console sign-in. A session name, an address or a user
agent is chosen by the caller, so it links nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from cloudsigma.engine.session_link import Certainty, Credentials, Link, Step
from cloudsigma.sessions.caller import Caller
from cloudsigma.sessions.issue import Issue
from cloudsigma.sessions.issue_index import IssueIndex

MAX_DEPTH = 20
"""Most steps in a chain; the root of a longer one is `unknown`."""
_SWITCH_SECONDS = 2
"""Most seconds between a role switch in the console and the creation of its session."""
_OWN_IDENTITY = frozenset({"iam_user", "root"})
"""Kinds of principals whose records name the identity itself, even for a temporary session."""


class _Parent(NamedTuple):
    """Result of an index lookup: the events that issued the caller's credentials, or the reason why none was found."""

    credentials: Credentials
    issues: Sequence[Issue] = ()


def link(caller: Caller, index: IssueIndex, *, signs_in: bool) -> Link:
    """Follow a caller to the root of its chain.

    Args:
        caller: The signer of the call.
        index: The events that issued credentials.
        signs_in: Whether the call is itself a sign-in, which no credentials signed.
    """
    steps: list[Step] = []
    seen: set[str] = set()
    at, certainty = caller, "certain"
    first: Credentials | None = None
    while True:
        parent = _parent(at, index, signs_in=signs_in and at is caller)
        first = first or parent.credentials
        if parent.credentials == "ambiguous":
            return _ambiguous(caller, at, parent.issues, index, steps, first)
        if not parent.issues:
            break
        issue = _fullest(parent.issues)
        if issue.event_id in seen or len(steps) >= MAX_DEPTH:
            return _finished(None, steps, "unknown", _endless(at, issue, seen), first)
        seen.add(issue.event_id)
        steps.append(_step(issue, at))
        if issue.event_name == "SwitchRole":
            certainty = "probable"
        at = issue.caller
        # A web identity token of another partition's role: continue with the caller that requested the token.
        if issue.token is not None and (tokens := index.by_token(issue.token)) and tokens[0].event_id not in seen:
            seen.add(tokens[0].event_id)
            steps.append(_step(tokens[0], at))
            at = tokens[0].caller
    return _ended(caller, at, parent.credentials, steps, certainty, first, _creator(at, index))


def _creator(caller: Caller, index: IssueIndex) -> str | None:
    """The principal that created the caller's access key; `None` if it is the caller or not in these logs."""
    made = index.creators_of(caller.key) if caller.key is not None else []
    return made[0].caller.text if made and made[0].caller.text != caller.text else None


def _parent(caller: Caller, index: IssueIndex, *, signs_in: bool) -> _Parent:
    """The events that issued the credentials of a caller."""
    if caller.kind == "service" or (caller.arn is None and caller.key is None and caller.invoked_by):
        return _Parent("service")
    if signs_in and caller.key is None and caller.created is None:
        return _Parent("sign_in")
    if caller.key is not None:
        if caller.key.startswith("AKIA"):
            return _Parent("long_term")
        if issues := index.by_key(caller.key):
            return _Parent("key", [issue for issue in issues if issue.arn in (None, caller.arn)] or issues)
    if caller.created is not None:
        issues = index.by_session(caller.arn, caller.created) if caller.arn is not None else []
        if len({issue.event_id for issue in _without_twins(issues)}) > 1:
            return _Parent("ambiguous", _without_twins(issues))
        if issues:
            return _Parent("session", issues)
        if caller.id is not None:
            if issues := index.sign_ins(caller.id, caller.created):
                return _Parent("login", issues[:1])
            if issues := index.switches(caller.id, caller.created - _SWITCH_SECONDS, caller.created):
                return _Parent("console", issues[-1:])
    if caller.key is None and caller.created is None:
        return _Parent("none")
    if caller.invoked_by and caller.kind in _OWN_IDENTITY:
        return _Parent("forward")
    return _Parent("console" if caller.from_console else "missing")


def _fullest(issues: Sequence[Issue]) -> Issue:
    """A call across accounts has two records: choose the one that names the caller; the other has only the account."""
    return min(issues, key=lambda issue: (issue.caller.kind == "account", issue.caller.arn is None))


def _without_twins(issues: Sequence[Issue]) -> list[Issue]:
    """One issue for each key: a call across accounts has two records with the same key."""
    by_key: dict[str, list[Issue]] = {}
    for issue in issues:
        by_key.setdefault(issue.key or issue.event_id, []).append(issue)
    return [_fullest(twins) for twins in by_key.values()]


def _step(issue: Issue, caller: Caller) -> Step:
    when = dt.datetime.fromtimestamp(issue.second, dt.UTC) if issue.second is not None else None
    session = issue.arn or caller.arn or issue.key
    return Step(issue.event_name, issue.event_id, when, issue.caller.text, session, issue.address)


# --- where a chain ends -------------------------------------------------------------------------------------


def _ended(
    caller: Caller,
    at: Caller,
    credentials: Credentials,
    steps: list[Step],
    certainty: str,
    first: Credentials,
    creator: str | None,
) -> Link:
    """The link of a chain that ends at a caller without an issuing event."""
    root: str | None = at.text
    sure: Certainty = "probable" if certainty == "probable" else "certain"
    match credentials:
        case "service":
            root, why = at.invoked_by or at.text, "an AWS service made the call for itself"
        case "long_term":
            why = "the access key belongs to the principal"
            if creator is not None:
                why += f" and was created by {creator}"
        case "sign_in":
            why = "the record is the sign-in itself"
        case "forward":
            why = f"{at.invoked_by} made the call for the principal, in a session forwarded to it"
        case "console" | "missing" | "none" if at.kind in _OWN_IDENTITY:
            why = "the principal's session; the event that issued it is not in these logs"
        case _:
            return _broken(at, steps, first)
    if steps:
        why = f"{_chain(steps)}; {why}"
    named = caller.source_identity
    if named is not None and root is not None and named not in root:
        why += f"; the source identity says {named!r}"
    return _finished(root, steps, sure, why, first)


def _broken(at: Caller, steps: list[Step], first: Credentials) -> Link:
    """The link of a chain whose beginning is not in the logs, from the facts in the record itself."""
    where = f"the event that issued {at.text} is not in these logs"
    if at.kind == "account":
        where = f"the caller is in account {at.text}, whose record of the call is not in these logs"
    if at.kind == "federated_user" and at.issuer_arn is not None:
        return _finished(at.issuer_arn, steps, "certain", f"the session names its issuer; {where}", first)
    if at.on_behalf_of is not None:
        root = f"identity-center:{at.on_behalf_of}"
        return _finished(root, steps, "certain", f"the session acts for an Identity Center user; {where}", first)
    if at.kind in {"saml", "web_identity", "identity_center"}:
        return _finished(at.text, steps, "certain", "an identity provider vouched for the principal", first)
    if at.source_identity is not None:
        return _finished(at.source_identity, steps, "probable", f"the source identity names the root; {where}", first)
    return _finished(None, steps, "unknown", where, first)


def _ambiguous(
    caller: Caller, at: Caller, issues: Sequence[Issue], index: IssueIndex, steps: list[Step], first: Credentials
) -> Link:
    """The link if several events issued sessions of one ARN in one second: known if all lead to the same root."""
    below = [link(issue.caller, index, signs_in=False) for issue in issues] if len(steps) < MAX_DEPTH else []
    roots = {each.root for each in below}
    root = roots.pop() if len(roots) == 1 else None
    why = f"{len(issues)} events issued {at.text} in the same second"
    if root is not None:
        why += ", all of them for the same root"
    if caller.source_identity is not None:
        why += f"; the source identity says {caller.source_identity!r}"
    shared = [*steps, *(_step(issue, at) for issue in reversed(issues))]
    return _finished(root, shared, "ambiguous", why, first)


def _endless(at: Caller, issue: Issue, seen: set[str]) -> str:
    if issue.event_id in seen:
        return f"the chain of {at.text} leads back to itself at event {issue.event_id}"
    return f"the chain has more than {MAX_DEPTH} steps"


def _chain(steps: Sequence[Step]) -> str:
    names = [step.event_name for step in reversed(steps)]
    return f"by {' → '.join(names)}"


def _finished(root: str | None, steps: Sequence[Step], certainty: Certainty, why: str, first: Credentials) -> Link:
    return Link(root, tuple(reversed(steps)), certainty, why, first)

"""Matches as OCSF Detection Findings (class 2004), version 1.6.0, for Security Hub and security data lakes.

The schema is at https://schema.ocsf.io/1.6.0/classes/detection_finding. The members used here are valid under 1.5.0 to
1.8.0 too; `metadata.profiles` names the only profile that they need.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Any

from cloudsigma.engine.context.context import Context, Principal, Resource
from cloudsigma.engine.json_form import json_ready
from cloudsigma.engine.match import Match
from cloudsigma.version import __version__

OCSF_VERSION = "1.6.0"

_SEVERITIES = {
    "informational": (1, "Informational"),
    "low": (2, "Low"),
    "medium": (3, "Medium"),
    "high": (4, "High"),
    "critical": (5, "Critical"),
}
_UNKNOWN_SEVERITY = (0, "Unknown")
_USER_TYPES = {"root": (2, "Admin"), "service": (3, "System")}
_OTHER_USER = (1, "User")
_TECHNIQUE = re.compile(r"attack\.(t\d{4})(?:\.(\d{3}))?", re.IGNORECASE)
_TACTICS = {
    "reconnaissance": "TA0043",
    "resource-development": "TA0042",
    "initial-access": "TA0001",
    "execution": "TA0002",
    "persistence": "TA0003",
    "privilege-escalation": "TA0004",
    "defense-evasion": "TA0005",
    "credential-access": "TA0006",
    "discovery": "TA0007",
    "lateral-movement": "TA0008",
    "collection": "TA0009",
    "command-and-control": "TA0011",
    "exfiltration": "TA0010",
    "impact": "TA0040",
}
"""ATT&CK Enterprise tactics by their Sigma tag."""


def detection_finding(match: Match, made: dt.datetime, *, record: bool = False) -> dict[str, Any]:
    """The finding of a match, as JSON values.

    Args:
        match: The match; its key is the finding's `uid`, the same in every run.
        made: The finding's creation time; `start_time` and `end_time` hold the time of the event.
        record: Add the records, as JSON text in `raw_data`.
    """
    severity_id, severity = _SEVERITIES.get(match.rule.level or "", _UNKNOWN_SEVERITY)
    times = sorted(each.context.time for each in (match.matches or (match,)) if each.context.time is not None)
    first, last = (_milliseconds(times[0]), _milliseconds(times[-1])) if times else (None, None)
    title = match.rule.title
    approved = match.approval is not None and match.approval.approved
    finding = {
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200401,
        "type_name": "Detection Finding: Create",
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 3 if approved else 1,
        "status": "Suppressed" if approved else "New",
        "is_alert": True,
        "time": _milliseconds(made),
        "start_time": first,
        "end_time": last,
        "count": len(match.records),
        "message": _message(match),
        "metadata": {
            "version": OCSF_VERSION,
            "uid": match.key,
            "profiles": ["cloud"],
            "log_provider": "AWS CloudTrail",
            "product": {"name": "cloudsigma", "vendor_name": "cloudsigma", "version": __version__},
        },
        "finding_info": _present(
            uid=match.key,
            title=title,
            desc=match.rule.description,
            types=[match.context.event_name] if match.context.event_name else None,
            first_seen_time=first,
            last_seen_time=last,
            analytic=_present(
                type_id=1,
                type="Rule",
                uid=match.rule_id,
                name=title,
                version=match.rule.modified.isoformat() if match.rule.modified else None,
            ),
            attacks=list(_attacks(match.rule.tags)),
            related_events=[_related(each) for each in match.matches],
            src_url=next(iter(match.rule.references), None),
        ),
        "cloud": _cloud(match.context),
        "resources": [_resource(each, match.context) for each in _resources(match.context)],
        "evidences": [_evidence(each) for each in (match.matches or (match,))],
        "unmapped": {"cloudsigma": _unmapped(match)},
    }
    if record:
        finding["raw_data"] = match.to_json()
    return {name: value for name, value in finding.items() if value is not None and value != []}


def _present(**members: Any) -> dict[str, Any]:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value not in (None, "", [], {})}


def _milliseconds(time: dt.datetime) -> int:
    return (time - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)


def _message(match: Match) -> str:
    context = match.context
    return (
        f"{match.rule.title}: {context.event_name or 'event'} by {context.principal or 'unknown'} ({context.outcome})"
    )


def _attacks(tags: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The ATT&CK tactics and techniques in the rule's tags."""
    for tag in tags:
        if found := _TECHNIQUE.fullmatch(tag):
            technique, sub = found[1].upper(), found[2]
            yield _present(
                technique={"uid": technique}, sub_technique={"uid": f"{technique}.{sub}"} if sub is not None else None
            )
            continue
        name = tag.lower().removeprefix("attack.").replace("_", "-")
        if tag.lower().startswith("attack.") and name in _TACTICS:
            yield {"tactic": {"uid": _TACTICS[name], "name": name.replace("-", " ").title().replace(" And ", " and ")}}


def _related(match: Match) -> dict[str, Any]:
    when = _milliseconds(match.context.time) if match.context.time is not None else None
    return _present(uid=match.context.event_id or match.key, title=match.rule.title, first_seen_time=when)


def _cloud(context: Context) -> dict[str, Any]:
    account = {"uid": context.account, "type_id": 10, "type": "AWS Account"} if context.account else None
    return _present(provider="AWS", account=account, region=context.region)


def _resources(context: Context) -> tuple[Resource, ...]:
    rest = tuple(each for each in context.resources if each != context.resource)
    return ((context.resource,) if context.resource is not None else ()) + rest


def _resource(resource: Resource, context: Context) -> dict[str, Any]:
    return _present(uid=resource.arn or resource.name, name=resource.name, type=resource.type, region=context.region)


def _evidence(match: Match) -> dict[str, Any]:
    context = match.context
    evidence = _present(
        actor=_actor(context.principal) if context.principal is not None else None,
        api=_api(context),
        src_endpoint=_endpoint(context.source_ip),
    )
    evidence["data"] = {
        "event_id": context.event_id,
        "outcome": context.outcome,
        "evidence": json_ready([item.to_dict() for item in match.evidence]),
    }
    return evidence


def _actor(principal: Principal) -> dict[str, Any]:
    type_id, type_ = _USER_TYPES.get(principal.kind, _OTHER_USER)
    user = _present(
        uid=principal.arn or principal.id,
        uid_alt=principal.id,
        name=principal.name or principal.text,
        type_id=type_id,
        type=type_,
        account={"uid": principal.account, "type_id": 10, "type": "AWS Account"} if principal.account else None,
    )
    session = _present(
        uid=principal.session_name,
        credential_uid=principal.access_key_id,
        issuer=principal.issuer_arn,
        is_mfa=principal.mfa,
    )
    return _present(user=user, session=session, invoked_by=principal.invoked_by)


def _api(context: Context) -> dict[str, Any] | None:
    if context.event_name is None:
        return None
    response = _present(error=context.error_code, error_message=context.error_message)
    return _present(
        operation=context.event_name,
        service={"name": context.event_source} if context.event_source else None,
        request={"uid": context.request_id} if context.request_id else None,
        response=response,
    )


def _endpoint(source: str | None) -> dict[str, Any] | None:
    """The source of the call: an IP address, or the AWS service that forwarded it (`svc_name`)."""
    if source is None:
        return None
    try:
        return {"ip": str(ipaddress.ip_address(source))}
    except ValueError:
        return {"svc_name": source}


def _unmapped(match: Match) -> dict[str, Any]:
    """The parts of a match without an OCSF member, such as the rule's author, who must be named with every match."""
    return _present(
        author=match.rule.author,
        license=match.rule.license,
        status=match.rule.status,
        references=list(match.rule.references),
        falsepositives=list(match.rule.falsepositives),
        fields=json_ready(match.context.fields),
        approval=match.approval.to_dict() if match.approval is not None else None,
        group=dict(match.group),
        origin=f"{match.origin.path}#{match.origin.position}" if match.origin is not None else None,
    )

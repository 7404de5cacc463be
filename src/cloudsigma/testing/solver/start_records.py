"""Choose start records: templates of the calls that a rule names, with the principal and outcome that fit it best."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.evaluate import operators
from cloudsigma.errors import UsageError
from cloudsigma.rulesets.rule_set import CLOUDTRAIL
from cloudsigma.testing.records.catalogue_events import fitted_by_catalogue
from cloudsigma.testing.records.record import CALLERS, OUTCOMES, PRINCIPALS, record
from cloudsigma.testing.records.templates import calls, read_call
from cloudsigma.testing.solver.field_constraints import Assignment, FieldConstraints

StartRecord = tuple[dict[str, Any], Mapping[str, Any] | None]
"""A record, and the arguments of `record` that it was made with, if any."""

SPARE = "requestParameters.description"
"""Field of a CloudTrail record for text that may be in any field."""
TEXTS = frozenset(
    {
        *(
            "eventName",
            "eventSource",
            "eventTime",
            "eventID",
            "eventType",
            "eventCategory",
            "eventVersion",
            "awsRegion",
        ),
        *("sourceIPAddress", "userAgent", "errorCode", "errorMessage", "requestID", "readOnly", "managementEvent"),
        *("recipientAccountId", "userIdentity.type", "userIdentity.arn", "userIdentity.principalId"),
        *("userIdentity.accountId", "userIdentity.userName", "userIdentity.accessKeyId", "userIdentity.invokedBy"),
    }
)
"""Fields of a CloudTrail record that never have a list of values."""
_USUAL = ("ec2:DescribeInstances", "iam:CreateUser")
_SOURCE = re.compile(r"[a-z0-9-]+\.amazonaws\.com")
_READING = ("Get", "List", "Describe", "Head", "BatchGet", "Lookup", "Search", "Query", "Scan", "Select")
"""Verbs of calls that change nothing."""
_UNKNOWN = {"requestParameters": None, "responseElements": None}


@cache
def names() -> dict[str, tuple[str, ...]]:
    """Name of a call in lower case → the templates of that name."""
    found: dict[str, tuple[str, ...]] = {}
    for call in calls():
        name = call.partition(":")[2].lower()
        found[name] = (*found.get(name, ()), call)
    return found


def is_cloudtrail(rule: ir.DetectionRule) -> bool:
    """Whether a rule applies to CloudTrail records."""
    return rule.logsource.covers(CLOUDTRAIL)


def starts(asked: Assignment, known: FieldConstraints, *, is_cloudtrail: bool) -> Iterator[StartRecord]:
    """Start records for an assignment, the best first; the last is empty."""
    if is_cloudtrail:
        found = _calls(asked, known)
        for call in found:
            yield from _made(call, asked)
        name, source = (_value(each, asked, known) for each in ("eventName", "eventSource"))
        for call in _USUAL:
            for made, _ in _made(call, asked):
                plain = {key: value for key, value in made.items() if key != "resources"} | _UNKNOWN
                yield _fitted(plain, name, source), None
    yield {}, None


def _fitted(made: dict[str, Any], name: str | None, source: str | None) -> dict[str, Any]:
    """A record of an event without a template, as the catalogue has it, or else as its name suggests."""
    if name is None or source is None or not _SOURCE.fullmatch(source):
        return made
    service = source.partition(".")[0]
    command = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
    fitted = {**made, "eventName": name, "eventSource": source, "readOnly": name.startswith(_READING)}
    agent, host = made.get("userAgent"), made.get("tlsDetails")
    if isinstance(agent, str):
        fitted["userAgent"] = re.sub(r"md/command#\S+", f"md/command#{service}.{command}", agent)
    if isinstance(host, dict) and "clientProvidedHostHeader" in host:
        fitted["tlsDetails"] = {**host, "clientProvidedHostHeader": f"{service}.{made.get('awsRegion')}.amazonaws.com"}
    return fitted_by_catalogue(fitted, source, name)


def _calls(asked: Assignment, known: FieldConstraints) -> list[str]:
    """Templates for the event name and source of an assignment."""
    name, source = (_value(each, asked, known) for each in ("eventName", "eventSource"))
    if name is None:
        if source is None:
            return list(_USUAL)
        return [call for call in calls() if read_call(call)[0]["source"] == source.lower()][:3]
    fitting = names().get(name.lower(), ())
    return [call for call in fitting if source is None or read_call(call)[0]["source"] == source.lower()]


def _value(name: str, asked: Assignment, known: FieldConstraints) -> str | None:
    if name not in known.names or not any(atom.field == name and holds for atom, holds in asked.items()):
        return None
    values = known.values(name, asked)
    return values[0] if values and isinstance(values[0], str) else None


def _made(call: str, asked: Assignment) -> list[StartRecord]:
    """Records of a call, sorted by the number of atoms with the wrong truth value; the most common form first."""
    usual = {"call": call}
    ways = [usual, *({"call": call, **dict(way)} for way in _ways())]
    found = []
    for order, arguments in enumerate(ways):
        made = _record(**arguments)
        if made is None:
            continue
        wrong = sum(
            operators.field_matches(atom.matcher, made, atom.field) is not holds for atom, holds in asked.items()
        )
        found.append((wrong, len(arguments), order, made, arguments))
        if not wrong:
            break
    found.sort(key=lambda each: each[:3])
    return [(made, arguments) for *_, made, arguments in found[:3]]


@cache
def _ways() -> list[tuple[tuple[str, str], ...]]:
    single = [
        *((("principal", each),) for each in PRINCIPALS),
        *((("outcome", each),) for each in OUTCOMES[1:]),
        *((("caller", each),) for each in CALLERS),
    ]
    double = [
        *product((("principal", each) for each in PRINCIPALS), (("outcome", each) for each in OUTCOMES[1:])),
        *product((("principal", each) for each in PRINCIPALS), (("caller", each) for each in CALLERS)),
    ]
    return [*single, *double]


@cache
def _record(**arguments: Any) -> dict[str, Any] | None:
    """The record of a template, shared and not to be modified; `None` if the arguments do not fit together."""
    try:
        return record(**arguments)
    except UsageError:
        return None

"""Fit a record to an event without a template, by what the catalogue knows of it.

Its request has the members that name what the call acts on (`detectorId` of `DeleteDetector`), with fitting values.
Other members are optional, or have types that the catalogue does not know.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from cloudsigma.catalogue import Catalogue, Event

_OTHER_ACCOUNT = "444455556666"
_MEMBER = re.compile(r"(?P<stem>\w*?)(?P<kind>arns?|identifiers?|ids?|names?)", re.IGNORECASE)
_PLAIN = frozenset({"name", "arn", "id", "resourcearn"})
"""Members that name what the call acts on, whatever the call is."""
_MOST = 3
"""Members of a made request."""
_OWNERS = {"role": "iam", "policy": "iam", "user": "iam", "topic": "sns", "key": "kms", "kmskey": "kms"}
"""Kinds of resources that belong to one service, whichever service is called."""
_PATHLESS = frozenset({"sns", "sqs"})
"""Services whose ARNs end in a name alone."""

_BY_AWS = frozenset(
    f"{source}.amazonaws.com"
    for source in (
        *("acm-pca", "appstream", "cloudtrail", "controltower", "ec2", "ecr", "elasticfilesystem", "kms", "lambda"),
        *("organizations", "secretsmanager", "servicequotas"),
    )
)
"""Sources whose events that are no API call are AWS's own (`AwsServiceEvent`)."""
_DATA = {
    "dynamodb": """batchexecutestatement batchgetitem batchwriteitem deleteitem executestatement executetransaction
        getitem putitem query scan transactgetitems transactwriteitems updateitem""",
    "ebs": "getsnapshotblock listchangedblocks listsnapshotblocks putsnapshotblock",
    "lambda": "invoke",
    "logs": "putlogevents",
    "s3": """abortmultipartupload completemultipartupload copyobject createmultipartupload deleteobject deleteobjects
        deleteobjecttagging getobject getobjectacl getobjectattributes getobjecttagging headobject listparts postobject
        putobject putobjectacl putobjectlegalhold putobjectretention putobjecttagging restoreobject
        selectobjectcontent uploadpart uploadpartcopy""",
    "sns": "publish publishbatch",
}
"""Data events: source without `.amazonaws.com` → names in lower case."""


def fitted_by_catalogue(made: Mapping[str, Any], source: str, name: str) -> dict[str, Any]:
    """The record as its event would have it: `readOnly`, kind, category, request; unchanged if the event is unknown."""
    event = Catalogue.load().event(source, name)
    if event is None:
        return dict(made)
    service = event.source.partition(".")[0]
    fitted = {**made, "readOnly": event.read_only}
    if event.name.lower() in _DATA.get(service, "").split():
        fitted |= {"managementEvent": False, "eventCategory": "Data"}
    if event.origin == "documented" and event.source in _BY_AWS:
        by = "AWS Internal" if service == "kms" else event.source
        account = made["userIdentity"]["accountId"]
        fitted |= {"eventType": "AwsServiceEvent", "userIdentity": {"accountId": account, "invokedBy": by}}
        fitted |= {"sourceIPAddress": by, "userAgent": by}
        fitted.pop("tlsDetails", None)
    else:
        fitted["requestParameters"] = request_of(event, made["awsRegion"], made["recipientAccountId"])
    return fitted


def request_of(event: Event, region: str, account: str) -> dict[str, Any] | None:
    """Parameters that name what a call acts on; `None` if the catalogue knows none of them."""
    members = Catalogue.load().members(event.source, event.name)
    name = event.name.lower()
    if members is None or (name.startswith(("list", "describe")) and name.endswith("s")):  # these ask for all
        return None
    found: dict[str, Any] = {}
    for member in members.request:
        match = _MEMBER.fullmatch(member)
        if match is None:
            continue
        stem, kind = match["stem"], match["kind"].lower()
        if member.lower() not in _PLAIN and (not stem or stem.lower() not in name):
            continue
        noun = stem if stem and stem.lower() != "resource" else _noun(event.name)
        value = _value(noun, kind.removesuffix("s"), event.source.partition(".")[0], f"{region}:{account}")
        found[member] = [value] if kind.endswith("s") else value
        if len(found) == _MOST:
            break
    return found or None


def _value(noun: str, kind: str, service: str, place: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", noun).lower()
    if kind == "arn":
        owner = _OWNERS.get(noun.lower(), service)
        path = "" if owner in _PATHLESS else f"{words}/"
        where = f":{place.partition(':')[2]}" if owner == "iam" else place
        return f"arn:aws:{owner}:{where}:{path}example-{words}"
    if kind == "id":
        return _OTHER_ACCOUNT if words.endswith("account") else hashlib.sha256(noun.encode()).hexdigest()[:32]
    return f"example-{words}"


def _noun(name: str) -> str:
    """`Detector` of `DeleteDetector`."""
    return re.sub(r"^[A-Z][a-z]+(?=[A-Z])", "", name)

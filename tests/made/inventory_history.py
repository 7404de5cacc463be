"""Calls that change groups and trust anchors, for the tests of the inventory."""

from __future__ import annotations

import datetime as dt
from typing import Any

from cloudsigma.inventory import Inventory, Item

ACCOUNT = "111122223333"
BUNDLE = "-----BEGIN CERTIFICATE-----\nTUlJ\nRXpD\n-----END CERTIFICATE-----"


def event(
    number: int, call: str, second: int = 0, *, source: str = "iam", response: Any = None, **request: Any
) -> dict[str, Any]:
    """A call at a second after noon."""
    return {
        "eventVersion": "1.11",
        "eventID": f"e{number}",
        "eventTime": (dt.datetime(2026, 11, 17, 12, tzinfo=dt.UTC) + dt.timedelta(seconds=second)).strftime("%FT%TZ"),
        "eventSource": f"{source}.amazonaws.com",
        "eventName": call,
        "awsRegion": "us-east-1" if source == "iam" else "eu-central-1",
        "recipientAccountId": ACCOUNT,
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/alice", "userName": "alice",
                         "accountId": ACCOUNT},
        "requestParameters": request,
        "responseElements": response,
    }  # fmt: skip


def created(number: int, name: str, second: int, identity: str) -> dict[str, Any]:
    group = {"groupName": name, "groupId": identity, "path": "/", "arn": f"arn:aws:iam::{ACCOUNT}:group/{name}"}
    return event(number, "CreateGroup", second, response={"group": group}, groupName=name)


def anchor(number: int, name: str, second: int, *, updated: str | None = None, **members: Any) -> dict[str, Any]:
    whole = {
        "trustAnchorId": "ta1", "name": "agents", "enabled": True,
        "trustAnchorArn": f"arn:aws:rolesanywhere:eu-central-1:{ACCOUNT}:trust-anchor/ta1",
        "updatedAt": updated or f"2026-11-17T12:00:{second:02}.000001Z", **members,
    }  # fmt: skip
    return event(number, name, second, source="rolesanywhere", response={"trustAnchor": whole}, trustAnchorId="ta1")


def bundle(certificates: str = BUNDLE) -> dict[str, Any]:
    return {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": certificates}}


def inventory_of(*records: dict[str, Any]) -> Inventory:
    inventory = Inventory()
    for record in records:
        inventory.add(record)
    return inventory


def items_of(*records: dict[str, Any]) -> tuple[Item, ...]:
    return inventory_of(*records).state().items

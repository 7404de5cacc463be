"""Records of the sample trail's kind as text with slots: filling one takes microseconds.

A record is written once by `examples/trail_records.py`, with marks where values vary, and cut at the marks.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api_calls import API_CALLS

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))

from trail_records import BOTO, CLI, FIREFOX, TERRAFORM, VIRGINIA, Actor, Call, Dice, role_session

Slots = dict[str, str]
"""Values by slot: `event` and `request` (IDs), `time`, `account`, `region`, `address`."""

ACCOUNT, REGION, ADDRESS = "<account>", "<region>", "<address>"
_TIME = dt.datetime(1999, 1, 1, tzinfo=dt.UTC)
_SLOT = re.compile("<(event|request|time|account|region|address)>|1999-01-01T00:00:00Z")

PEOPLE = ("jordan", "maria", "sam", "ana", "li", "noor", "pavel", "kofi", "ines", "tom", "yuki", "zoe")
ROLES = (
    "Deployer",
    "ReadOnly",
    "ShopBackend",
    "PlatformAdmin",
    "DataPipeline",
    "Monitoring",
    "BackupRunner",
    "Auditor",
)
AGENTS = (BOTO, CLI, FIREFOX, TERRAFORM)
ERRORS = (
    ("AccessDenied", "User is not authorized to perform this action"),
    ("Client.UnauthorizedOperation", "You are not authorized to perform this operation."),
    ("ThrottlingException", "Rate exceeded"),
    ("NoSuchEntityException", "The entity cannot be found."),
)
ACTORS_PER_CALL = 8
ERROR_SHARE = 0.08


class _Marks(Dice):
    """Gives marks where a record gets its two IDs: the request's, then the event's."""

    def __init__(self) -> None:
        super().__init__("marks")
        self._given = 0

    def identifier(self) -> str:
        self._given += 1
        return "<request>" if self._given == 1 else "<event>"


@dataclass(frozen=True)
class Template:
    """The text of a record, cut at its slots."""

    pieces: tuple[str, ...]
    """Text and slot by turns."""
    region: str | None
    """Where the service is recorded whatever the region is, as IAM in us-east-1."""

    @classmethod
    def of(cls, call: Call) -> Template:
        """The template of a call that was made with the marks of this module."""
        record = call.record(_TIME, _Marks())
        pieces: list[str] = []
        text, at = json.dumps(record, separators=(",", ":")), 0
        for slot in _SLOT.finditer(text):
            pieces += (text[at : slot.start()], slot[1] or "time")
            at = slot.end()
        return cls((*pieces, text[at:]), VIRGINIA if record["awsRegion"] == VIRGINIA else None)

    def fill(self, slots: Slots) -> str:
        """The JSON text of a record."""
        return "".join([slots[piece] if place % 2 else piece for place, piece in enumerate(self.pieces)])


def actor(dice: random.Random) -> Actor:
    """Somebody who calls: an IAM user, a session of a role, or an AWS service."""
    kind, name, agent = dice.random(), dice.choice(PEOPLE), dice.choice(AGENTS)
    if kind < 0.1:
        host = dice.choice(("config", "cloudtrail", "autoscaling", "ecs", "lambda", "backup")) + ".amazonaws.com"
        return Actor({"type": "AWSService", "invokedBy": host}, host, host)
    if kind < 0.3:
        name = f"{name}{dice.randrange(8)}"
        mark = f"{dice.getrandbits(36):09X}"
        identity = {
            "type": "IAMUser",
            "principalId": f"AIDA{mark}EXAMPLE",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
            "accountId": ACCOUNT,
            "accessKeyId": f"AKIA{mark}EXAMPLE",
            "userName": name,
        }
        return Actor(identity, ADDRESS, agent)
    session = name if kind < 0.7 else f"i-{dice.getrandbits(68):017x}"
    return role_session(ACCOUNT, dice.choice(ROLES), session, ADDRESS, agent, console=agent == FIREFOX)


def templates(dice: random.Random) -> list[Template]:
    """What goes on in the accounts: every API call by several principals, some of them in vain."""
    return [Template.of(_call(dice, service, event)) for service, event in API_CALLS for _ in range(ACTORS_PER_CALL)]


def _call(dice: random.Random, service: str, event: str) -> Call:
    error = dice.choice(ERRORS) if dice.random() < ERROR_SHARE else None
    request, response = _parameters(dice, service, event)
    return Call(actor(dice), ACCOUNT, REGION, service, event, request, None if error else response, error)


def _parameters(dice: random.Random, service: str, event: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Parameters of the size that CloudTrail's have; reading calls have no response elements."""
    thing = re.sub(r"^(Get|List|Describe|Create|Delete|Put|Update|Start|Modify|Batch)+|\d.*$", "", event) or "Resource"
    name = f"{thing[0].lower()}{thing[1:]}"
    arn = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}/{dice.getrandbits(48):012x}"
    reads = event.startswith(("Get", "List", "Describe", "Lookup"))
    if reads:
        request = dice.choice([None, {"maxResults": 100}, {f"{name}Id": arn}, {f"{name}Set": {}, "filterSet": {}}])
        return request, None
    if event == "ConsoleLogin":
        return None, {"ConsoleLogin": "Success"}
    request = {
        "name": f"{name}-{dice.randrange(1000)}",
        f"{name}Arn": arn,
        "description": f"Managed by {dice.choice(('Terraform', 'CloudFormation', 'hand'))}",
        "tags": [
            {"key": "team", "value": dice.choice(("shop", "data", "platform"))},
            {"key": "stage", "value": "prod"},
        ],
    }
    return request, {name: {"arn": arn, "state": "ACTIVE", "items": {"items": [{"id": arn[-12:], "enabled": True}]}}}

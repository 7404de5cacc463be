"""Who calls what in the sample trail, and the records that CloudTrail would write of it.

Accounts, addresses and keys are those that are set aside for documentation, identifiers are digests.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

PRODUCTION, SANDBOX = "111122223333", "444455556666"
VIRGINIA, FRANKFURT = "us-east-1", "eu-central-1"
GLOBAL_SERVICES = ("iam", "signin")
READING = ("Get", "List", "Describe", "Lookup", "Decrypt", "GenerateDataKey", "AssumeRole")

BOTO = "Boto3/1.40.61 md/Botocore#1.40.61 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.7"
CLI = "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.7"
TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.13.4 terraform-provider-aws/6.18.0 aws-sdk-go-v2/1.39.2"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"

OFFICE, BUILD, INTRUDER = "203.0.113.24", "203.0.113.80", "198.51.100.77"


class Dice:
    """Numbers that look random and are the same everywhere, whatever the version of Python."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._thrown = 0

    def digest(self) -> bytes:
        """The next 32 bytes."""
        self._thrown += 1
        return hashlib.sha256(f"{self._seed}/{self._thrown}".encode()).digest()

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1."""
        return int.from_bytes(self.digest()[:8], "big") % limit

    def identifier(self) -> str:
        """An identifier in the form of a random UUID."""
        return str(uuid.UUID(bytes=self.digest()[:16], version=4))


@dataclass(frozen=True, slots=True)
class Actor:
    """Who calls, from where and with what."""

    identity: dict[str, Any]
    address: str
    agent: str
    console: bool = False


def iam_user(name: str, principal: str, key: str, address: str, agent: str) -> Actor:
    """An IAM user of the production account."""
    return Actor(
        {
            "type": "IAMUser",
            "principalId": principal,
            "arn": f"arn:aws:iam::{PRODUCTION}:user/{name}",
            "accountId": PRODUCTION,
            "accessKeyId": key,
            "userName": name,
        },
        address,
        agent,
    )


def role_session(
    account: str,
    role: str,
    session: str,
    address: str,
    agent: str,
    *,
    path: str = "/",
    console: bool = False,
    since: str = "11:52:09",
) -> Actor:
    """A session of a role; IDs are digests of the names, and each session has its own access key."""
    mark = _mark(account, role)
    return Actor(
        {
            "type": "AssumedRole",
            "principalId": f"AROA{mark}EXAMPLE:{session}",
            "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
            "accountId": account,
            "accessKeyId": f"ASIA{_mark(account, role, session)}EXAMPLE",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": f"AROA{mark}EXAMPLE",
                    "arn": f"arn:aws:iam::{account}:role{path}{role}",
                    "accountId": account,
                    "userName": role,
                },
                "attributes": {"creationDate": f"2026-11-17T{since}Z", "mfaAuthenticated": "false"},
            },
        },
        address,
        agent,
        console,
    )


def _mark(*names: str) -> str:
    return hashlib.sha256("".join(names).encode()).hexdigest()[:9].upper()


def service(name: str) -> Actor:
    """An AWS service that calls by itself."""
    return Actor({"type": "AWSService", "invokedBy": name}, name, name)


JORDAN = iam_user("jordan", "AIDACKCEVSQ6C2EXAMPLE", "AKIAIOSFODNN7EXAMPLE", OFFICE, CLI)
STOLEN = iam_user("jordan", "AIDACKCEVSQ6C2EXAMPLE", "AKIAIOSFODNN7EXAMPLE", INTRUDER, BOTO)
AUDITOR = iam_user("audit-export", "AIDAQ3EGTVFM2EXAMPLE", "AKIAI44QH8DHBEXAMPLE", BUILD, CLI)
SSO_PATH = f"/aws-reserved/sso.amazonaws.com/{FRANKFURT}/"
MARIA = role_session(
    PRODUCTION, "AWSReservedSSO_Operator_0123456789abcdef", "maria", OFFICE, FIREFOX, path=SSO_PATH, console=True
)
SAM = role_session(
    SANDBOX, "AWSReservedSSO_Developer_0123456789abcdef", "sam", OFFICE, FIREFOX, path=SSO_PATH, console=True
)
SHOP = role_session(PRODUCTION, "ShopBackend", "i-0a1b2c3d4e5f60718", BUILD, BOTO)
PIPELINE = role_session(PRODUCTION, "Deployer", "pipeline-4711", BUILD, TERRAFORM)
PIPELINE_SANDBOX = role_session(SANDBOX, "Deployer", "pipeline-4712", BUILD, TERRAFORM)
ADMIN = role_session(PRODUCTION, "PlatformAdmin", "jordan-maintenance", INTRUDER, BOTO, since="13:14:02")
CONFIG = service("config.amazonaws.com")
ROLES_ANYWHERE = service("rolesanywhere.amazonaws.com")
BY_CERTIFICATE = role_session(PRODUCTION, "PlatformAdmin", "5a1f09c3e7", INTRUDER, BOTO, since="14:11:29")
NEXT_DOOR = role_session(SANDBOX, "PlatformAdmin", "5a1f09c3e7", INTRUDER, BOTO, since="14:15:46")


@dataclass(frozen=True, slots=True)
class Call:
    """A call to an API, and how it ended."""

    actor: Actor
    account: str
    region: str
    service: str
    event: str
    request: dict[str, Any] | None = None
    response: dict[str, Any] | None = None
    error: tuple[str, str] | None = None

    def record(self, when: datetime, dice: Dice) -> dict[str, Any]:
        """What CloudTrail writes about it."""
        region = VIRGINIA if self.service in GLOBAL_SERVICES else self.region
        host = f"{self.service}.{region}.amazonaws.com"
        host = {"iam": "iam.amazonaws.com", "signin": "signin.aws.amazon.com"}.get(self.service, host)
        sign_in = self.event == "ConsoleLogin"
        record: dict[str, Any] = {
            "eventVersion": "1.11",
            "userIdentity": self.actor.identity,
            "eventTime": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": f"{self.service}.amazonaws.com",
            "eventName": self.event,
            "awsRegion": region,
            "sourceIPAddress": self.actor.address,
            "userAgent": self.actor.agent,
        }
        if self.error is not None:
            record["errorCode"], record["errorMessage"] = self.error
        record |= {
            "requestParameters": self.request,
            "responseElements": self.response,
            "requestID": dice.identifier(),
            "eventID": dice.identifier(),
            "readOnly": self.event.startswith(READING),
            "eventType": "AwsConsoleSignIn" if sign_in else "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": self.account,
            "eventCategory": "Management",
        }
        if sign_in:
            record["additionalEventData"] = {"LoginTo": "https://console.aws.amazon.com/", "MFAUsed": "Yes"}
        if self.actor.identity["type"] != "AWSService":
            record["tlsDetails"] = {
                "tlsVersion": "TLSv1.3",
                "cipherSuite": "TLS_AES_128_GCM_SHA256",
                "clientProvidedHostHeader": host,
            }
        if self.actor.console and not sign_in:
            record["sessionCredentialFromConsole"] = "true"
        return record


def role_arn(role: str, account: str = PRODUCTION) -> str:
    """The ARN of a role."""
    return f"arn:aws:iam::{account}:role/{role}"


def assume_role(actor: Actor, role: str, session: str, account: str, region: str) -> Call:
    """A role is assumed; the key is the one that the session has everywhere in the trail."""
    identity = role_session(account, role, session, "", "").identity
    request = {"roleArn": role_arn(role, account), "roleSessionName": session, "durationSeconds": 3600}
    response = {
        "credentials": {"accessKeyId": identity["accessKeyId"], "expiration": "Nov 17, 2026, 4:00:00 PM"},
        "assumedRoleUser": {"assumedRoleId": identity["principalId"], "arn": identity["arn"]},
    }
    return Call(actor, account, region, "sts", "AssumeRole", request, response)

"""The fields of a CloudTrail record: which names there are, and which values some of them have.

Source: the record reference of the CloudTrail user guide ("CloudTrail record contents", "CloudTrail userIdentity
element"), record versions 1.0 to 1.11.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

_ISSUER = dict.fromkeys(("type", "userName", "principalId", "arn", "accountId"))
_ATTRIBUTES = dict.fromkeys(("creationDate", "mfaAuthenticated"))
_SESSION: dict[str, Any] = {
    "attributes": _ATTRIBUTES,
    "sessionIssuer": _ISSUER,
    "webIdFederationData": {"federatedProvider": None, "attributes": "open"},
    "sourceIdentity": None,
    "ec2RoleDelivery": None,
    "assumedRoot": None,
}
_IDENTITY: dict[str, Any] = {
    **dict.fromkeys(
        ("type", "userName", "principalId", "arn", "accountId", "accessKeyId", "invokedBy", "identityProvider",
         "credentialId")
    ),
    "onBehalfOf": dict.fromkeys(("userId", "identityStoreArn")),
    "inScopeOf": "open",
    "sessionContext": _SESSION,
}  # fmt: skip
FIELDS: Mapping[str, Any] = {
    **dict.fromkeys(
        ("eventVersion", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent",
         "errorCode", "errorMessage", "requestID", "eventID", "eventType", "apiVersion", "managementEvent", "readOnly",
         "recipientAccountId", "sharedEventID", "vpcEndpointId", "vpcEndpointAccountId", "eventCategory",
         "sessionCredentialFromConsole")
    ),
    **dict.fromkeys(
        ("requestParameters", "responseElements", "additionalEventData", "serviceEventDetails", "insightDetails",
         "edgeDeviceDetails", "eventContext"), "open",
    ),
    "userIdentity": _IDENTITY,
    "tlsDetails": dict.fromkeys(("tlsVersion", "cipherSuite", "clientProvidedHostHeader", "keyExchange")),
    "resources": dict.fromkeys(("ARN", "arn", "accountId", "type", "ARNPrefix")),
    "addendum": {
        **dict.fromkeys(("reason", "originalRequestID", "originalEventID")), "updatedFields": None,
    },
}  # fmt: skip
"""Member → its members; `None` for a value, `open` where the service decides."""
_LISTS = frozenset({"resources", "addendum"})
"""Fields that hold a list of objects, or a list below them."""
ELSEWHERE = {
    "event.action": "eventName",
    "event.provider": "eventSource",
    "event.outcome": "errorCode",
    "source.ip": "sourceIPAddress",
    "source.address": "sourceIPAddress",
    "user_agent.original": "userAgent",
    "user.name": "userIdentity.userName",
    "cloud.region": "awsRegion",
    "cloud.account.id": "recipientAccountId",
    "src_ip": "sourceIPAddress",
    "user": "userIdentity.arn",
    "EventName": "eventName",
}
"""Names of other schemas (ECS, Splunk) and CloudTrail's."""
VALUES: Mapping[str, frozenset[str]] = {
    "eventType": frozenset(
        {"AwsApiCall", "AwsServiceEvent", "AwsConsoleAction", "AwsConsoleSignIn", "AwsConsoleSignin", "AwsVpceEvent",
         "AwsCloudTrailInsight", "AwsAggregatedEvent"}
    ),
    "eventCategory": frozenset({"Management", "Data", "NetworkActivity", "Insight"}),
    "userIdentity.type": frozenset(
        {"Root", "IAMUser", "AssumedRole", "Role", "FederatedUser", "Directory", "AWSAccount", "AWSService",
         "IdentityCenterUser", "SAMLUser", "WebIdentityUser", "Unknown"}
    ),
    "readOnly": frozenset({"true", "false"}),
    "managementEvent": frozenset({"true", "false"}),
    "userIdentity.sessionContext.attributes.mfaAuthenticated": frozenset({"true", "false"}),
    "sessionCredentialFromConsole": frozenset({"true", "false"}),
    "additionalEventData.MFAUsed": frozenset({"Yes", "No"}),
    "responseElements.ConsoleLogin": frozenset({"Success", "Failure"}),
}  # fmt: skip
"""Fields with a closed set of values; letter case does not count."""
BOOLEANS = frozenset({"readOnly", "managementEvent"})
"""Fields that hold a boolean, not a text."""
OBJECTS = frozenset(
    {"requestParameters", "responseElements", "additionalEventData", "serviceEventDetails", "userIdentity",
     "userIdentity.sessionContext", "resources", "tlsDetails"}
)  # fmt: skip
"""Fields that hold an object or a list of objects."""
ACCOUNTS = frozenset(
    {"recipientAccountId", "userIdentity.accountId", "userIdentity.sessionContext.sessionIssuer.accountId",
     "resources.accountId", "vpcEndpointAccountId"}
)  # fmt: skip
"""Fields that hold an account's 12 digits."""
TEXTS = frozenset(
    {"eventTime", "eventName", "eventSource", "awsRegion", "sourceIPAddress", "userAgent", "errorCode", "eventID",
     "userIdentity.arn", "userIdentity.type", "userIdentity.userName", "eventVersion"}
)  # fmt: skip
"""Fields that never hold a number."""


def nearest_field(name: str) -> tuple[bool, str | None]:
    """Whether a record can have a field, and the known name that is most like it."""
    table: Any = FIELDS
    parts = name.split(".")
    for at, part in enumerate(parts):
        if table == "open":
            return True, None
        if table is None:
            return False, ".".join(parts[:at])
        if part in table:
            table = table[part]
            continue
        if name in ELSEWHERE:
            return False, ELSEWHERE[name]
        folded = {each.lower(): each for each in table}
        found = folded.get(part.lower()) or next(
            (folded[each] for each in get_close_matches(part.lower(), folded, 1, 0.75)), None
        )
        if found is None:
            return False, _anywhere(parts[-1])
        rest = parts[at + 1 :]
        return False, ".".join([*parts[:at], found, *rest])
    return True, None


def _anywhere(last: str) -> str | None:
    """A field of a record whose last part is this name."""
    paths = list(_paths(FIELDS, ""))
    return next((path for path in paths if path.rsplit(".", 1)[-1].lower() == last.lower()), None)


def _paths(table: Any, before: str) -> list[str]:
    found = []
    for name, below in table.items():
        found.append(f"{before}{name}")
        if isinstance(below, dict):
            found += _paths(below, f"{before}{name}.")
    return found


@cache
def known_paths() -> frozenset[str]:
    """The names of all fields that are known in full."""
    return frozenset(_paths(FIELDS, ""))


def _leaves(table: Any, before: str) -> list[str]:
    found = []
    for name, below in table.items():
        if below is None:
            found.append(f"{before}{name}")
        elif isinstance(below, dict) and name not in _LISTS:
            found += _leaves(below, f"{before}{name}.")
    return found


SCALARS = frozenset(_leaves(FIELDS, ""))
"""Fields that hold one value, never a list or an object."""

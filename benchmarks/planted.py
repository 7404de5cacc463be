"""Calls that the bundled rules must find, and calls that only look like them."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from typing import Any

from record_templates import ACCOUNT, REGION, actor
from trail_records import Call

DENIED = ("AccessDenied", "User is not authorized to perform this action")
EXISTS = ("EntityAlreadyExistsException", "The group exists already.")
IN_USE = ("DeleteConflictException", "Cannot delete entity, must remove users from group first.")


def _call(
    dice: random.Random,
    service: str,
    event: str,
    request: dict[str, Any] | None,
    response: dict[str, Any] | None = None,
    error: tuple[str, str] | None = None,
) -> Call:
    return Call(actor(dice), ACCOUNT, REGION, service, event, request, response, error)


def _group(dice: random.Random) -> str:
    return f"{dice.choice(('admins', 'support', 'Breakglass', 'read-only'))}-{dice.randrange(10_000)}"


def group_created(dice: random.Random) -> Call:
    """A group of IAM."""
    name = _group(dice)
    arn = f"arn:aws:iam::{ACCOUNT}:group/{name}"
    return _call(
        dice, "iam", "CreateGroup", {"groupName": name}, {"group": {"groupName": name, "arn": arn, "path": "/"}}
    )


def group_deleted(dice: random.Random) -> Call:
    """A group of IAM is gone."""
    return _call(dice, "iam", "DeleteGroup", {"groupName": _group(dice)})


def profile_created(dice: random.Random) -> Call:
    """A role is opened to certificates."""
    roles = [f"arn:aws:iam::{ACCOUNT}:role/anywhere-{number}" for number in range(dice.randrange(1, 4))]
    request = {"name": f"profile-{dice.randrange(1000)}", "roleArns": roles, "enabled": True}
    arn = f"arn:aws:rolesanywhere:{REGION}:{ACCOUNT}:profile/{dice.getrandbits(48):012x}"
    return _call(dice, "rolesanywhere", "CreateProfile", request, {"profile": {"profileArn": arn, **request}})


def external_anchor(dice: random.Random) -> Call:
    """A certificate authority of the caller's own."""
    text = base64.b64encode(dice.randbytes(600)).decode()
    return _anchor(dice, "CERTIFICATE_BUNDLE", {"x509CertificateData": f"-----BEGIN CERTIFICATE-----\n{text}\n"})


def _anchor(dice: random.Random, kind: str, data: dict[str, str]) -> Call:
    source = {"sourceType": kind, "sourceData": data}
    request = {"name": f"anchor-{dice.randrange(1000)}", "source": source, "enabled": True}
    arn = f"arn:aws:rolesanywhere:{REGION}:{ACCOUNT}:trust-anchor/{dice.getrandbits(48):012x}"
    response = {"trustAnchor": {"trustAnchorArn": arn, **request}}
    return _call(dice, "rolesanywhere", "CreateTrustAnchor", request, response)


ATTACKS: tuple[tuple[str, Callable[[random.Random], Call]], ...] = (
    ("iam_group_created", group_created),
    ("iam_group_deleted", group_deleted),
    ("rolesanywhere_profile_created", profile_created),
    ("rolesanywhere_trust_anchor_external_ca", external_anchor),
)
"""What the name of a bundled rule ends in, and a call that it must find."""

_PRIVATE_CA = {"acmPcaArn": f"arn:aws:acm-pca:{REGION}:{ACCOUNT}:certificate-authority/EXAMPLE"}

LOOK_ALIKES: tuple[Callable[[random.Random], Call], ...] = (
    lambda dice: _call(dice, "iam", "CreateGroup", {"groupName": _group(dice)}, error=EXISTS),
    lambda dice: _call(dice, "iam", "DeleteGroup", {"groupName": _group(dice)}, error=IN_USE),
    lambda dice: _call(dice, "rolesanywhere", "CreateProfile", None, error=DENIED),
    lambda dice: _call(dice, "rolesanywhere", "CreateTrustAnchor", None, error=DENIED),
    lambda dice: _anchor(dice, "AWS_ACM_PCA", _PRIVATE_CA),
    lambda dice: _call(dice, "cognito-idp", "CreateGroup", {"groupName": _group(dice), "userPoolId": "EXAMPLE"}),
    lambda dice: _call(dice, "resource-groups", "DeleteGroup", {"group": _group(dice)}),
    lambda dice: _call(dice, "transfer", "CreateProfile", {"as2Id": "ACME", "profileType": "PARTNER"}),
)
"""Failed calls, calls of other services, and a certificate authority that AWS keeps."""

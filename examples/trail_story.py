"""The story in the sample trail: an intruder with a stolen key, and what only looks like it."""

from __future__ import annotations

from typing import Any

from trail_records import (
    ADMIN,
    BY_CERTIFICATE,
    FRANKFURT,
    JORDAN,
    MARIA,
    NEXT_DOOR,
    PIPELINE_SANDBOX,
    PRODUCTION,
    ROLES_ANYWHERE,
    SAM,
    SANDBOX,
    STOLEN,
    VIRGINIA,
    Actor,
    Call,
    assume_role,
    role_arn,
)


def iam(actor: Actor, account: str, event: str, *, response: dict[str, Any] | None = None, **request: str) -> Call:
    """A call to IAM."""
    return Call(actor, account, VIRGINIA, "iam", event, request, response)


def trust_anchor(actor: Actor, account: str, name: str, source: dict[str, Any], anchor: str) -> Call:
    """A trust anchor is created."""
    request = {"name": name, "source": source, "enabled": True}
    created = {
        "trustAnchorId": anchor,
        "trustAnchorArn": f"arn:aws:rolesanywhere:{FRANKFURT}:{account}:trust-anchor/{anchor}",
        **request,
    }
    response = {"trustAnchor": created}
    return Call(actor, account, FRANKFURT, "rolesanywhere", "CreateTrustAnchor", request, response)


INTRUDERS_CA = {
    "sourceType": "CERTIFICATE_BUNDLE",
    "sourceData": {"x509CertificateData": "-----BEGIN CERTIFICATE-----\nEXAMPLE\n-----END CERTIFICATE-----\n"},
}
PRIVATE_CA = {
    "sourceType": "AWS_ACM_PCA",
    "sourceData": {"acmPcaArn": f"arn:aws:acm-pca:{FRANKFURT}:{SANDBOX}:certificate-authority/EXAMPLE"},
}
PROFILE = "c1d2e3f4-a5b6-4789-8abc-def012345678"
PROFILE_REQUEST = {
    "name": "monitoring-agents",
    "roleArns": [role_arn("PlatformAdmin")],
    "durationSeconds": 43200,
    "enabled": True,
}
PROFILE_ARN = f"arn:aws:rolesanywhere:{FRANKFURT}:{PRODUCTION}:profile/{PROFILE}"

LOOK_ALIKES = [
    ("12:04:31", Call(MARIA, PRODUCTION, VIRGINIA, "signin", "ConsoleLogin", None, {"ConsoleLogin": "Success"})),
    # A group of Cognito: the parameters are like IAM's.
    (
        "12:17:45",
        Call(
            SAM,
            SANDBOX,
            FRANKFURT,
            "cognito-idp",
            "CreateGroup",
            {"groupName": "beta-testers", "userPoolId": "eu-central-1_EXAMPLE"},
            {"group": {"groupName": "beta-testers", "userPoolId": "eu-central-1_EXAMPLE"}},
        ),
    ),
    # Private CA: nobody outside AWS holds the key.
    (
        "12:26:08",
        trust_anchor(PIPELINE_SANDBOX, SANDBOX, "build-agents", PRIVATE_CA, "0a1b2c3d-4e5f-4a6b-8c7d-8e9f0a1b2c3d"),
    ),
    # A partner's profile for file transfer.
    (
        "12:41:52",
        Call(
            MARIA,
            PRODUCTION,
            FRANKFURT,
            "transfer",
            "CreateProfile",
            {"as2Id": "ACME-LOGISTICS", "profileType": "PARTNER"},
            {"profileId": "p-1234567890abcdef0"},
        ),
    ),
    (
        "12:48:20",
        Call(
            MARIA,
            PRODUCTION,
            FRANKFURT,
            "resource-groups",
            "DeleteGroup",
            {"group": "old-shop"},
            {"group": {"name": "old-shop"}},
        ),
    ),
    # Jordan's own attempt fails.
    (
        "12:55:13",
        Call(
            JORDAN,
            PRODUCTION,
            VIRGINIA,
            "iam",
            "CreateGroup",
            {"groupName": "operators"},
            error=("EntityAlreadyExistsException", "Group with name operators already exists."),
        ),
    ),
]

INTRUSION = [
    ("13:02:07", Call(STOLEN, PRODUCTION, VIRGINIA, "sts", "GetCallerIdentity")),
    ("13:02:40", iam(STOLEN, PRODUCTION, "ListGroupsForUser", userName="jordan")),
    ("13:03:22", iam(STOLEN, PRODUCTION, "ListAttachedUserPolicies", userName="jordan")),
    # 1. A group that looks as if it belonged there.
    (
        "13:09:41",
        iam(
            STOLEN,
            PRODUCTION,
            "CreateGroup",
            groupName="support-tier2",
            response={
                "group": {
                    "path": "/",
                    "groupName": "support-tier2",
                    "groupId": "AGPAJ2UCCR6DPEXAMPLE",
                    "arn": f"arn:aws:iam::{PRODUCTION}:group/support-tier2",
                    "createDate": "Nov 17, 2026, 1:09:41 PM",
                }
            },
        ),
    ),
    (
        "13:10:15",
        iam(
            STOLEN,
            PRODUCTION,
            "AttachGroupPolicy",
            groupName="support-tier2",
            policyArn="arn:aws:iam::aws:policy/AdministratorAccess",
        ),
    ),
    ("13:10:38", iam(STOLEN, PRODUCTION, "AddUserToGroup", groupName="support-tier2", userName="jordan")),
    ("13:14:02", assume_role(STOLEN, "PlatformAdmin", "jordan-maintenance", PRODUCTION, FRANKFURT)),
    (
        "13:28:55",
        Call(
            ADMIN,
            PRODUCTION,
            FRANKFURT,
            "rolesanywhere",
            "CreateTrustAnchor",
            {"name": "monitoring-agents", "source": INTRUDERS_CA, "enabled": True},
            error=("ValidationException", "Incorrect basic constraints for CA certificate"),
        ),
    ),
    # 2. A CA of the intruder's own.
    (
        "13:31:44",
        trust_anchor(ADMIN, PRODUCTION, "monitoring-agents", INTRUDERS_CA, "9f8e7d6c-5b4a-4938-8271-605f4e3d2c1b"),
    ),
    # 3. The role that its certificates open.
    (
        "13:33:10",
        Call(
            ADMIN,
            PRODUCTION,
            FRANKFURT,
            "rolesanywhere",
            "CreateProfile",
            PROFILE_REQUEST,
            {
                "profile": {
                    "profileId": PROFILE,
                    "profileArn": PROFILE_ARN,
                    **PROFILE_REQUEST,
                    "createdBy": ADMIN.identity["arn"],
                }
            },
        ),
    ),
    ("14:11:29", assume_role(ROLES_ANYWHERE, "PlatformAdmin", "5a1f09c3e7", PRODUCTION, FRANKFURT)),
    ("14:15:46", assume_role(BY_CERTIFICATE, "PlatformAdmin", "5a1f09c3e7", SANDBOX, FRANKFURT)),
    (
        "14:18:03",
        Call(
            NEXT_DOOR,
            SANDBOX,
            VIRGINIA,
            "iam",
            "DeleteGroup",
            {"groupName": "incident-responders"},
            error=("DeleteConflictException", "Cannot delete entity, must remove users from group first."),
        ),
    ),
    (
        "14:19:26",
        iam(NEXT_DOOR, SANDBOX, "RemoveUserFromGroup", groupName="incident-responders", userName="oncall"),
    ),
    # 4. Nobody is to respond in the other account.
    ("14:20:57", iam(NEXT_DOOR, SANDBOX, "DeleteGroup", groupName="incident-responders")),
]

STORY = [*LOOK_ALIKES, *INTRUSION]

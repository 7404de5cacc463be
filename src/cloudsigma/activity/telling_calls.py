"""Calls that an investigation lists one by one: those that keep access open, and those that read data.

After AWS's incident response playbook for compromised credentials
(https://github.com/aws-samples/aws-incident-response-playbooks, IRP-CredCompromise) and the tactic Persistence of
MITRE ATT&CK's matrix for IaaS.
"""

from __future__ import annotations

PERSISTENCE = {
    "iam.amazonaws.com": frozenset(
        {
            "AddRoleToInstanceProfile",
            "AddUserToGroup",
            "AttachGroupPolicy",
            "AttachRolePolicy",
            "AttachUserPolicy",
            "CreateAccessKey",
            "CreateGroup",
            "CreateInstanceProfile",
            "CreateLoginProfile",
            "CreateOpenIDConnectProvider",
            "CreatePolicyVersion",
            "CreateRole",
            "CreateSAMLProvider",
            "CreateServiceSpecificCredential",
            "CreateUser",
            "CreateVirtualMFADevice",
            "DeactivateMFADevice",
            "EnableMFADevice",
            "PutGroupPolicy",
            "PutRolePolicy",
            "PutUserPolicy",
            "SetDefaultPolicyVersion",
            "UpdateAccessKey",
            "UpdateAssumeRolePolicy",
            "UpdateLoginProfile",
            "UpdateOpenIDConnectProviderThumbprint",
            "UpdateSAMLProvider",
            "UploadSSHPublicKey",
            "UploadSigningCertificate",
        }
    ),
    "rolesanywhere.amazonaws.com": frozenset(
        {
            "CreateProfile",
            "CreateTrustAnchor",
            "EnableProfile",
            "EnableTrustAnchor",
            "UpdateProfile",
            "UpdateTrustAnchor",
        }
    ),
    "sso.amazonaws.com": frozenset(
        {"AttachManagedPolicyToPermissionSet", "CreateAccountAssignment", "CreatePermissionSet"}
    ),
    "sso-directory.amazonaws.com": frozenset({"AddMemberToGroup", "CreateUser"}),
    "identitystore.amazonaws.com": frozenset({"CreateGroupMembership", "CreateUser"}),
    "ec2.amazonaws.com": frozenset(
        {
            "AssociateIamInstanceProfile",
            "AuthorizeSecurityGroupIngress",
            "CreateKeyPair",
            "ImportKeyPair",
            "ModifyInstanceAttribute",
            "RunInstances",
        }
    ),
    "lambda.amazonaws.com": frozenset(
        {
            "AddPermission20150331v2",
            "CreateFunction20150331",
            "CreateFunctionUrlConfig",
            "UpdateFunctionCode20150331v2",
            "UpdateFunctionConfiguration20150331v2",
        }
    ),
    "s3.amazonaws.com": frozenset({"PutBucketAcl", "PutBucketPolicy"}),
    "kms.amazonaws.com": frozenset({"CreateGrant", "PutKeyPolicy"}),
    "events.amazonaws.com": frozenset({"PutRule", "PutTargets"}),
    "organizations.amazonaws.com": frozenset({"InviteAccountToOrganization", "RegisterDelegatedAdministrator"}),
}
"""Event source → names of the events that may keep access open."""

DATA_READ = {
    "s3.amazonaws.com": frozenset({"CopyObject", "GetObject", "SelectObjectContent"}),
    "secretsmanager.amazonaws.com": frozenset({"BatchGetSecretValue", "GetSecretValue"}),
    "ssm.amazonaws.com": frozenset({"GetParameter", "GetParameterHistory", "GetParameters", "GetParametersByPath"}),
    "kms.amazonaws.com": frozenset({"Decrypt", "ReEncrypt"}),
    "dynamodb.amazonaws.com": frozenset(
        {"BatchGetItem", "ExecuteStatement", "GetItem", "Query", "Scan", "TransactGetItems"}
    ),
    "ec2.amazonaws.com": frozenset({"GetConsoleOutput", "GetConsoleScreenshot", "GetPasswordData"}),
    "ebs.amazonaws.com": frozenset({"GetSnapshotBlock"}),
    "ecr.amazonaws.com": frozenset({"BatchGetImage", "GetDownloadUrlForLayer"}),
    "lambda.amazonaws.com": frozenset({"GetFunction20150331", "GetFunction20150331v2"}),
    "athena.amazonaws.com": frozenset({"GetQueryResults"}),
    "rds-data.amazonaws.com": frozenset({"BatchExecuteStatement", "ExecuteStatement"}),
}
"""Event source → names of the events that read data."""


def is_one_of(table: dict[str, frozenset[str]], source: str | None, name: str | None) -> bool:
    """Whether a table lists an event."""
    return source is not None and name in table.get(source, ())

"""Groups of calls that have the same effect: a rule for one should watch the others, or say why not."""

from __future__ import annotations

SIBLINGS: tuple[tuple[str, ...], ...] = (
    ("PutUserPolicy", "AttachUserPolicy", "AddUserToGroup", "PutGroupPolicy", "AttachGroupPolicy",
     "CreatePolicyVersion", "SetDefaultPolicyVersion", "DeleteUserPermissionsBoundary"),
    ("PutRolePolicy", "AttachRolePolicy", "UpdateAssumeRolePolicy", "DeleteRolePermissionsBoundary"),
    ("CreateAccessKey", "UpdateAccessKey", "CreateLoginProfile", "UpdateLoginProfile",
     "CreateServiceSpecificCredential", "GetFederationToken"),
    ("StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors", "StopEventDataStoreIngestion",
     "DeleteEventDataStore"),
    ("DeleteDetector", "UpdateDetector", "StopMonitoringMembers", "DisassociateFromAdministratorAccount",
     "DeletePublishingDestination"),
    ("StopConfigurationRecorder", "DeleteConfigurationRecorder", "DeleteDeliveryChannel",
     "PutConfigurationRecorder"),
    ("DeleteLogGroup", "DeleteLogStream", "PutRetentionPolicy", "DeleteFlowLogs"),
    ("ModifySnapshotAttribute", "ModifyImageAttribute", "ModifyDBSnapshotAttribute",
     "ModifyDBClusterSnapshotAttribute", "GetSnapshotBlock"),
    ("UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishLayerVersion", "AddPermission",
     "CreateFunctionUrlConfig", "CreateEventSourceMapping", "UpdateAlias"),
    ("PutBucketPolicy", "PutBucketAcl", "DeleteBucketPublicAccessBlock", "PutBucketPublicAccessBlock",
     "PutAccountPublicAccessBlock", "PutAccessPointPolicy"),
    ("SendCommand", "StartSession", "StartAutomationExecution", "CreateAssociation", "SendSSHPublicKey",
     "SendSerialConsoleSSHPublicKey", "ExecuteCommand", "ModifyInstanceAttribute"),
    ("GetSecretValue", "BatchGetSecretValue", "GetParameter", "GetParameters", "GetParametersByPath"),
    ("DeactivateMFADevice", "DeleteVirtualMFADevice", "DeleteMfaDeviceForUser"),
    ("CreateSAMLProvider", "UpdateSAMLProvider", "CreateOpenIDConnectProvider",
     "UpdateOpenIDConnectProviderThumbprint", "CreateTrustAnchor", "UpdateTrustAnchor", "EnableTrustAnchor",
     "CreateProfile", "UpdateProfile", "EnableProfile"),
)  # fmt: skip
"""Calls with the same effect."""

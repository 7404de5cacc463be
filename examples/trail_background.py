"""What goes on in the two accounts of the sample trail on any day, look-alikes of the four detections included."""

from __future__ import annotations

from typing import Any

from trail_records import (
    AUDITOR,
    CONFIG,
    FRANKFURT,
    JORDAN,
    MARIA,
    PIPELINE,
    PIPELINE_SANDBOX,
    PRODUCTION,
    SAM,
    SANDBOX,
    SHOP,
    VIRGINIA,
    Actor,
    Call,
    assume_role,
)


def shop(service: str, event: str, request: dict[str, Any] | None = None) -> Call:
    """The shop's servers at work."""
    return Call(SHOP, PRODUCTION, FRANKFURT, service, event, request)


def looks(actor: Actor, service: str, event: str, request: dict[str, Any] | None = None) -> Call:
    """Somebody reads something."""
    return Call(actor, actor.identity["accountId"], FRANKFURT, service, event, request)


KEY = f"arn:aws:kms:{FRANKFURT}:{PRODUCTION}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SECRET = f"arn:aws:secretsmanager:{FRANKFURT}:{PRODUCTION}:secret:shop/database-AbCdEf"

BACKGROUND = [
    shop("secretsmanager", "GetSecretValue", {"secretId": SECRET}),
    shop("kms", "Decrypt", {"keyId": KEY, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"}),
    shop("kms", "GenerateDataKey", {"keyId": KEY, "keySpec": "AES_256"}),
    shop("ssm", "GetParameter", {"name": "/shop/feature-flags", "withDecryption": True}),
    shop("sqs", "GetQueueUrl", {"queueName": "orders"}),
    shop("logs", "CreateLogStream", {"logGroupName": "/shop/backend", "logStreamName": "i-0a1b2c3d4e5f60718"}),
    shop("sts", "GetCallerIdentity"),
    shop("dynamodb", "DescribeTable", {"tableName": "carts"}),
    looks(JORDAN, "ec2", "DescribeInstances", {"instancesSet": {}, "filterSet": {}}),
    looks(JORDAN, "s3", "GetBucketPolicy", {"bucketName": "shop-invoices", "policy": ""}),
    looks(JORDAN, "cloudwatch", "DescribeAlarms", {"stateValue": "ALARM"}),
    looks(MARIA, "sns", "ListTopics"),
    looks(MARIA, "iam", "ListGroups", {"maxItems": 100}),
    looks(MARIA, "iam", "GetGroup", {"groupName": "security-responders"}),
    looks(MARIA, "rolesanywhere", "ListTrustAnchors"),
    looks(MARIA, "rds", "DescribeDBInstances", {"dBInstanceIdentifier": "shop"}),
    looks(SAM, "lambda", "ListFunctions20150331", {"maxItems": 50}),
    looks(SAM, "ec2", "DescribeSecurityGroups", {"securityGroupSet": {}, "filterSet": {}}),
    looks(SAM, "iam", "ListRoles"),
    looks(PIPELINE, "ec2", "DescribeVpcs", {"vpcSet": {}, "filterSet": {}}),
    looks(PIPELINE, "iam", "GetRole", {"roleName": "ShopBackend"}),
    looks(PIPELINE_SANDBOX, "ecr", "DescribeRepositories", {"repositoryNames": ["shop/backend"]}),
    assume_role(JORDAN, "ReadOnly", "jordan", PRODUCTION, FRANKFURT),
    assume_role(PIPELINE, "Deployer", "pipeline-4712", SANDBOX, FRANKFURT),
    Call(AUDITOR, PRODUCTION, VIRGINIA, "cloudtrail", "LookupEvents", {"maxResults": 50}),
    Call(AUDITOR, PRODUCTION, VIRGINIA, "organizations", "ListAccounts"),
    Call(CONFIG, PRODUCTION, FRANKFURT, "s3", "GetBucketAcl", {"bucketName": "trail-archive", "acl": ""}),
    Call(CONFIG, SANDBOX, VIRGINIA, "iam", "ListAttachedRolePolicies", {"roleName": "Deployer"}),
    Call(
        AUDITOR,
        PRODUCTION,
        FRANKFURT,
        "s3",
        "GetBucketLogging",
        {"bucketName": "shop-invoices", "logging": ""},
        error=("AccessDenied", "Access Denied"),
    ),
    Call(
        SAM,
        SANDBOX,
        FRANKFURT,
        "ec2",
        "RunInstances",
        {"instanceType": "t3.micro", "minCount": 1, "maxCount": 1},
        error=("Client.UnauthorizedOperation", "You are not authorized to perform this operation."),
    ),
]

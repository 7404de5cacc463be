"""How records of some calls differ from what their API leads one to expect.

Sources: the user guides of the services ("Logging … with AWS CloudTrail"), and public records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Shape(NamedTuple):
    """A field, or a value of it, that the records of some calls do not have."""

    source: str
    """Without `.amazonaws.com`."""
    events: frozenset[str]
    """Names in lower case; empty for all of the source."""
    field: str
    """The field, with everything below it."""
    value: str | None
    """The value in lower case that it never has; `None` for any."""
    reason: str
    """A sentence about the record, without a final stop."""
    remedy: str


def _shape(place: tuple[str, str, str], reason: str, remedy: str, value: str | None = None) -> Shape:
    source, events, field = place
    return Shape(source, frozenset(events.lower().split()), field, value, reason, remedy)


_HIDDEN = "Test that it is there (|exists: true), or another field."
_FUNCTIONS = (
    "CreateFunction CreateFunction20150331 UpdateFunctionCode20150331v2 UpdateFunctionConfiguration20150331v2 "
    "UpdateFunctionCode20150331 UpdateFunctionConfiguration20150331"
)
WITHHELD: tuple[Shape, ...] = (
    _shape(("ssm", "PutParameter", "requestParameters.value"), "CloudTrail hides the values of parameters", _HIDDEN),
    _shape(("ssm", "SendCommand", "requestParameters.parameters"), "CloudTrail hides the parameters of commands",
           "Test requestParameters.documentName."),
    _shape(("ssm", "SendCommand", "responseElements.command.parameters"),
           "CloudTrail hides the parameters of commands", "Test requestParameters.documentName."),
    _shape(("rds", "", "requestParameters.masterUserPassword"), "CloudTrail hides passwords", _HIDDEN),
    _shape(("ec2", "CreateKeyPair", "responseElements.keyMaterial"), "CloudTrail hides private keys", _HIDDEN),
    _shape(("ec2", "ModifyInstanceAttribute RunInstances", "requestParameters.userData"),
           "CloudTrail hides start-up scripts", _HIDDEN),
    _shape(("secretsmanager", "CreateSecret PutSecretValue UpdateSecret", "requestParameters.secretString"),
           "CloudTrail leaves out the values of secrets", "Test requestParameters.secretId."),
    _shape(("lambda", _FUNCTIONS, "requestParameters.environment"),
           "CloudTrail leaves out the environment of functions", "Test another member of the request."),
    _shape(("lambda", _FUNCTIONS, "requestParameters.zipFile"), "CloudTrail leaves out the code of functions",
           "Test another member of the request."),
    _shape(("lambda", _FUNCTIONS, "requestParameters.code.zipFile"), "CloudTrail leaves out the code of functions",
           "Test another member of the request."),
    _shape(("s3", "DeleteObjects", "requestParameters.key"), "the record of DeleteObjects has no keys",
           "Test requestParameters.bucketName."),
)  # fmt: skip
"""Fields whose values CloudTrail hides or leaves out. A test whether they are there is fine."""

SHAPES: tuple[Shape, ...] = (
    _shape(("ec2", "ModifyInstanceAttribute", "requestParameters.attribute"),
           "the record of a changed start-up script has requestParameters.userData, and no attribute",
           "Test requestParameters.userData|exists: true.", "userdata"),
    _shape(("signin", "ConsoleLogin", "requestParameters"), "the record of a sign-in has no request",
           "Test additionalEventData or responseElements."),
    _shape(("signin", "ConsoleLogin", "errorCode"),
           "the record of a failed sign-in has an errorMessage, and no errorCode",
           "Test responseElements.ConsoleLogin: Failure."),
)  # fmt: skip
"""Fields and values that records of a call do not have, whatever its API says."""

ABSENT: Mapping[str, Mapping[str, str]] = {
    "assumedrole": {"userName": "the role's name is in userIdentity.sessionContext.sessionIssuer.userName"},
    "awsservice": dict.fromkeys(
        ("userName", "arn", "principalId", "accessKeyId", "accountId"), "the service is in userIdentity.invokedBy"
    ),
    "identitycenteruser": dict.fromkeys(
        ("userName", "principalId", "arn"), "the person is in userIdentity.onBehalfOf.userId"
    ),
    "federateduser": {"userName": "the name is at the end of userIdentity.arn"},
    "awsaccount": dict.fromkeys(("userName", "arn", "accessKeyId"), "the account is in userIdentity.accountId"),
}
"""Type of an identity in lower case → the members that it does not have → where the same is found."""

GLOBAL = frozenset({"iam", "organizations", "ce", "health", "account", "route53", "cloudfront", "support"})
"""Sources whose events have one region in each partition."""
GLOBAL_REGIONS = frozenset({"us-east-1", "cn-north-1", "cn-northwest-1"})
"""The regions of their events; those of the closed partitions, `us-gov-` and `-iso`, are not checked."""

EVENTS_OF_ACTIONS: Mapping[tuple[str, str], str] = {
    ("s3", "putencryptionconfiguration"): "PutBucketEncryption",
    ("s3", "getencryptionconfiguration"): "GetBucketEncryption",
    ("s3", "putlifecycleconfiguration"): "PutBucketLifecycle",
    ("s3", "getlifecycleconfiguration"): "GetBucketLifecycle",
    ("s3", "putreplicationconfiguration"): "PutBucketReplication",
    ("s3", "getreplicationconfiguration"): "GetBucketReplication",
    ("s3", "putaccelerateconfiguration"): "PutBucketAccelerateConfiguration",
    ("s3", "listbucket"): "ListObjects",
    ("s3", "listbucketversions"): "ListObjectVersions",
    ("s3", "listallmybuckets"): "ListBuckets",
    ("lambda", "invokefunction"): "Invoke",
}
"""Source and IAM action in lower case → the event of the call that it permits."""

_S3 = (
    "AbortMultipartUpload CompleteMultipartUpload CopyObject CreateMultipartUpload DeleteObject DeleteObjectTagging "
    "DeleteObjects GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold GetObjectRetention GetObjectTagging "
    "GetObjectTorrent HeadObject ListMultipartUploads ListObjects ListObjectVersions ListParts PostObject PutObject "
    "PutObjectAcl PutObjectLegalHold PutObjectRetention PutObjectTagging RestoreObject SelectObjectContent UploadPart "
    "UploadPartCopy"
)
_DYNAMODB = (
    "BatchExecuteStatement BatchGetItem BatchWriteItem DeleteItem ExecuteStatement ExecuteTransaction GetItem PutItem "
    "Query Scan TransactGetItems TransactWriteItems UpdateItem"
)
_SQS = (
    "ChangeMessageVisibility ChangeMessageVisibilityBatch DeleteMessage DeleteMessageBatch ReceiveMessage SendMessage "
    "SendMessageBatch"
)
DATA_EVENTS: Mapping[str, tuple[str, frozenset[str]]] = {
    source: (resource, frozenset(names.lower().split()))
    for source, resource, names in (
        ("s3", "AWS::S3::Object", _S3),
        ("lambda", "AWS::Lambda::Function", "Invoke"),
        ("dynamodb", "AWS::DynamoDB::Table", _DYNAMODB),
        ("ebs", "AWS::EC2::Snapshot", "GetSnapshotBlock ListChangedBlocks ListSnapshotBlocks PutSnapshotBlock"),
        ("logs", "AWS::Logs::LogGroup", "PutLogEvents"),
        ("cloudwatch", "AWS::CloudWatch::Metric", "PutMetricData"),
        ("sns", "AWS::SNS::Topic", "Publish PublishBatch"),
        ("sqs", "AWS::SQS::Queue", _SQS),
        ("cognito-identity", "AWS::Cognito::IdentityPool", "GetCredentialsForIdentity GetId GetOpenIdToken"),
    )
}
"""Source → the resource type of a trail's selector, and the events that are recorded only with such a selector."""

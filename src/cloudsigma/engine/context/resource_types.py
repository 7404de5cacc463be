"""Data: what the services call their resources, in event names, in parameters, and in CloudFormation.

Each service lists its nouns, written `Noun[=Type][:key,…]`. The noun is what event names say: `DBSnapshot` of
`DeleteDBSnapshot`. The type is the CloudFormation name without the service's prefix (or CloudTrail's
own: `AWS::EC2::Ami`); without it the noun itself is the type; `=-` means that the type is unknown.
The keys name the resource in parameters, besides those that every noun has: `<noun>Arn`, `<noun>Name`,
`<noun>Identifier`, `<noun>Id` and `<noun>` alone, in any case. `Noun>Other,…` is a part or a property of another
resource: a call that creates a login profile acts on the user.
"""

from __future__ import annotations

from typing import NamedTuple


class Service(NamedTuple):
    """The nouns of one service (the first part of `eventSource`)."""

    prefix: str
    """Prefix of the CloudFormation types."""
    nouns: str
    """Nouns in the syntax that the module describes."""
    usual: str = ""
    """Targets of a call without any of these nouns in its name; the first that the record names counts."""


SERVICES: dict[str, Service] = {
    "access-analyzer": Service("AWS::AccessAnalyzer", "Analyzer", "Analyzer"),
    "acm": Service("AWS::CertificateManager", "Certificate", "Certificate"),
    "acm-pca": Service("AWS::ACMPCA", "CertificateAuthority Certificate", "CertificateAuthority"),
    "apigateway": Service("AWS::ApiGateway", "RestApi ApiKey:apiKey", "RestApi"),
    "athena": Service("AWS::Athena", "WorkGroup DataCatalog NamedQuery", "WorkGroup"),
    "autoscaling": Service("AWS::AutoScaling", "AutoScalingGroup LaunchConfiguration", "AutoScalingGroup"),
    "b2bi": Service("AWS::B2BI", "Profile Capability Partnership Transformer"),
    "backup": Service("AWS::Backup", "BackupVault BackupPlan RecoveryPoint=-", "RecoveryPoint BackupVault BackupPlan"),
    "bedrock": Service("AWS::Bedrock", "Model FoundationModel>Model Guardrail Agent KnowledgeBase", "Model"),
    "cloudformation": Service("AWS::CloudFormation", "Stack StackSet ChangeSet=-", "Stack StackSet"),
    "cloudfront": Service("AWS::CloudFront", "Distribution:id Function", "Distribution"),
    "cloudtrail": Service(
        "AWS::CloudTrail", "Trail:name EventDataStore:eventDataStore Channel", "Trail EventDataStore"
    ),
    "codebuild": Service("AWS::CodeBuild", "Project:projectName", "Project"),
    "codecommit": Service("AWS::CodeCommit", "Repository", "Repository"),
    "cognito-identity": Service("AWS::Cognito", "IdentityPool", "IdentityPool"),
    "cognito-idp": Service(
        "AWS::Cognito",
        "Group=UserPoolGroup User=UserPoolUser:username UserPool UserPoolClient:clientId"
        " IdentityProvider=UserPoolIdentityProvider:providerName",
        "User UserPoolClient UserPool",
    ),
    "controltower": Service(
        "AWS::ControlTower",
        "ManagedAccount>Account Account=-:accountId OrganizationalUnit=- Guardrail=- Control=- LandingZone",
        "Account OrganizationalUnit Guardrail Control LandingZone",
    ),
    "config": Service(
        "AWS::Config",
        "ConfigurationRecorder DeliveryChannel ConfigRule ConformancePack AggregationAuthorization:authorizedAccountId",
        "ConfigurationRecorder ConfigRule",
    ),
    "dynamodb": Service("AWS::DynamoDB", "Table Backup=- GlobalTable", "Table Backup"),
    "ec2": Service(
        "AWS::EC2",
        "Instance Image=Ami Snapshot Volume KeyPair:keyName LaunchTemplate SecurityGroup:groupId,groupName"
        " Vpc=VPC Subnet RouteTable Route>RouteTable InternetGateway NatGateway NetworkAcl NetworkInterface"
        " FlowLog Address=EIP:allocationId,publicIp TransitGateway VpcEndpoint=VPCEndpoint"
        " VpnConnection=VPNConnection VpnGateway=VPNGateway CustomerGateway"
        " VpcPeeringConnection=VPCPeeringConnection DhcpOptions=DHCPOptions TrafficMirrorSession"
        " TrafficMirrorTarget RouteTableAssociation=SubnetRouteTableAssociation:associationId"
        " NetworkInterfaceAttachment:attachmentId AddressAssociation=EIPAssociation:associationId"
        " IamInstanceProfileAssociation=-:associationId SpotInstanceRequest=-",
        "Instance",
    ),
    "ec2-instance-connect": Service("AWS::EC2", "Instance", "Instance"),
    "ecr": Service("AWS::ECR", "Repository", "Repository"),
    "ecs": Service("AWS::ECS", "Cluster Service Task=- TaskDefinition:family", "Task Service TaskDefinition Cluster"),
    "eks": Service("AWS::EKS", "Cluster:name Nodegroup FargateProfile AccessEntry Addon", "Cluster"),
    "elasticache": Service("AWS::ElastiCache", "CacheCluster ReplicationGroup Snapshot=-", "CacheCluster"),
    "elasticfilesystem": Service("AWS::EFS", "FileSystem MountTarget AccessPoint", "FileSystem"),
    "elasticloadbalancing": Service(
        "AWS::ElasticLoadBalancingV2",
        "LoadBalancer=- TargetGroup Target>TargetGroup Listener Rule=ListenerRule",
        "LoadBalancer TargetGroup Listener",
    ),
    "es": Service(
        "AWS::OpenSearchService",
        "Domain=-:domainName ElasticsearchDomain>Domain",
        "Domain",  # or Elasticsearch: one API for both
    ),
    "events": Service("AWS::Events", "Rule:name Target>Rule EventBus Connection ApiDestination", "Rule EventBus"),
    "firehose": Service("AWS::KinesisFirehose", "DeliveryStream", "DeliveryStream"),
    "glue": Service(
        "AWS::Glue",
        "Job Database Table:tableName,tablesToDelete Partition>Table ColumnStatistics>Table Crawler Connection"
        " DevEndpoint:endpointName Trigger Workflow SecurityConfiguration Classifier Registry Schema",
        "Job Database",
    ),
    "greengrass": Service("AWS::Greengrass", "Group"),
    "guardduty": Service(
        "AWS::GuardDuty", "Detector IPSet ThreatIntelSet Filter PublishingDestination:destinationId", "Detector"
    ),
    "iam": Service(
        "AWS::IAM",
        "Group Role User Policy InstanceProfile SAMLProvider ServerCertificate OpenIDConnectProvider=OIDCProvider"
        " VirtualMFADevice:serialNumber AccessKey>User,AccessKey LoginProfile>User MFADevice>User"
        " SSHPublicKey>User SigningCertificate>User ServiceSpecificCredential>User AccountAlias=-",
    ),
    "identitystore": Service("AWS::IdentityStore", "Group:groupId User=- GroupMembership:membershipId"),
    "inspector2": Service("AWS::InspectorV2", "Filter"),
    "kinesis": Service("AWS::Kinesis", "Stream", "Stream"),
    "kms": Service("AWS::KMS", "Key:keyId,destinationKeyId Alias Grant>Key CustomKeyStore=-", "Key"),
    "lambda": Service("AWS::Lambda", "Function Layer=LayerVersion", "Function Layer"),
    "logs": Service(
        "AWS::Logs",
        "LogGroup LogStream Destination MetricFilter:filterName SubscriptionFilter>LogGroup",
        "LogGroup",
    ),
    "macie2": Service("AWS::Macie", "AllowList CustomDataIdentifier FindingsFilter"),
    "monitoring": Service("AWS::CloudWatch", "Alarm MetricAlarm>Alarm Dashboard", "Alarm"),
    "network-firewall": Service("AWS::NetworkFirewall", "Firewall FirewallPolicy RuleGroup", "Firewall"),
    "organizations": Service(
        "AWS::Organizations",
        "Account:accountId OrganizationalUnit Policy Organization Root=- Target=- Handshake=-",
        "Account Policy",
    ),
    "quicksight": Service("AWS::QuickSight", "Group=- User=- DataSet DataSource Dashboard Analysis"),
    "ram": Service("AWS::RAM", "ResourceShare", "ResourceShare"),
    "rbin": Service("AWS::Rbin", "Rule:identifier", "Rule"),
    "rds": Service(
        "AWS::RDS",
        "DBInstance DBCluster DBInstanceAutomatedBackup=-:dBInstanceAutomatedBackupsArn,dbiResourceId"
        " DBClusterAutomatedBackup=-:dBClusterAutomatedBackupsArn,dbClusterResourceId ExportSource=-:sourceArn"
        " DBSnapshot:targetDBSnapshotIdentifier DBSnapshotAttribute>DBSnapshot"
        " DBClusterSnapshot=-:targetDBClusterSnapshotIdentifier DBSubnetGroup DBParameterGroup DBSecurityGroup"
        " DBClusterParameterGroup DBProxy OptionGroup EventSubscription:subscriptionName GlobalCluster",
        "DBInstance DBCluster DBSnapshot DBClusterSnapshot",
    ),
    "redshift": Service("AWS::Redshift", "Cluster ClusterSnapshot=-:snapshotIdentifier", "Cluster"),
    "resource-groups": Service("AWS::ResourceGroups", "Group"),
    "rolesanywhere": Service(
        "AWS::RolesAnywhere", "Profile TrustAnchor Crl=CRL Subject=-", "TrustAnchor Profile Crl Subject"
    ),
    "route53": Service("AWS::Route53", "HostedZone:hostedZoneId HealthCheck", "HostedZone HealthCheck"),
    "route53domains": Service("AWS::Route53Domains", "Domain=-", "Domain"),
    "route53resolver": Service(
        "AWS::Route53Resolver",
        "ResolverEndpoint ResolverRule ResolverQueryLogConfig=ResolverQueryLoggingConfig FirewallRuleGroup",
    ),
    "s3": Service(
        "AWS::S3",
        "Bucket:bucketName Job=-:jobArn AccessPoint:name MultiRegionAccessPoint:name StorageLens:configId"
        " AccessGrant:accessGrantId AccessGrantsInstance AccessGrantsLocation",
    ),
    "sagemaker": Service("AWS::SageMaker", "NotebookInstance Domain Endpoint Model UserProfile", "NotebookInstance"),
    "secretsmanager": Service("AWS::SecretsManager", "Secret:secretId,arn,name", "Secret"),
    "securityhub": Service("AWS::SecurityHub", "Hub Insight StandardsSubscription=-", "Hub"),
    "servicecatalog": Service("AWS::ServiceCatalog", "Portfolio Product=CloudFormationProduct", "Portfolio Product"),
    "ses": Service(
        "AWS::SES",
        "EmailIdentity:identity,emailAddress Identity>EmailIdentity ConfigurationSet Template ReceiptRule",
        "EmailIdentity",
    ),
    "sns": Service("AWS::SNS", "Topic Subscription", "Topic Subscription"),
    "sqs": Service("AWS::SQS", "Queue:queueUrl", "Queue"),
    "ssm": Service(
        "AWS::SSM",
        "Parameter:name Document:name Association MaintenanceWindow:windowId PatchBaseline:baselineId Session=-"
        " Command=- Instance=- Target=-",
        "Document Association Instance",
    ),
    "sso": Service(
        "AWS::SSO",
        "PermissionSet AccountAssignment>PermissionSet Application Instance",
        "PermissionSet Application Instance",
    ),
    "sso-directory": Service("AWS::IdentityStore", "Group:groupId User=-"),
    "states": Service("AWS::StepFunctions", "StateMachine Activity Execution>StateMachine", "StateMachine"),
    "sts": Service("AWS::IAM", "Role FederationToken=- Root=-:targetPrincipal", "Role"),
    "synthetics": Service("AWS::Synthetics", "Group Canary:name", "Canary"),
    "transfer": Service("AWS::Transfer", "Server User Profile Workflow Connector", "Server"),
    "wafv2": Service("AWS::WAFv2", "WebACL:name IPSet:name RuleGroup:name", "WebACL"),
    "workmail": Service("AWS::WorkMail", "Group=- User=-:userId Organization=-"),
    "workspaces": Service("AWS::WorkSpaces", "Workspace:terminateWorkspaceRequest", "Workspace"),
    "xray": Service("AWS::XRay", "Group SamplingRule"),
}

BUCKET_KEYS = frozenset({"bucket", "bucketarn", "bucketname", "s3bucket", "s3bucketarn", "s3bucketname"})
"""Parameters, in lower case, of calls of other services than S3 that name a bucket."""

EXPORT_BUCKET_KEYS: dict[str, str] = {"logs:createexporttask": "destination"}
"""Calls, in lower case, that name the bucket under an unusual key."""

VERBS = (
    "Accept Add Admin Allocate Apply Archive Assign Associate Assume Attach Authorize Batch Cancel Change Close"
    " Complete Confirm Connect Copy Create Deactivate Decrypt Delete Deregister Describe Detach Disable"
    " Disassociate Disconnect Enable Encrypt Execute Export Generate Get Grant Import Invite Invoke Leave List"
    " Lock Lookup Modify Move Publish Purchase Put Query Reboot Register Reject Release Remove Replace Replicate"
    " Request Resend Reset Restore Retire Revoke Rotate Run Schedule Send Set Share Simulate Start Stop Subscribe"
    " Swap Switch Tag Terminate Transfer Unlock Unshare Unsubscribe Untag Update Upload Verify"
)
"""Verbs that begin event names. A name in one letter case is split into these and the nouns above."""

CALLS: dict[str, str] = {
    # Nouns of single calls whose names mislead; empty: the call acts on the account, or on nothing.
    "ec2:DetachNetworkInterface": "NetworkInterfaceAttachment",
    "ec2:DisassociateAddress": "AddressAssociation Address",
    "ec2:DisassociateRouteTable": "RouteTableAssociation",
    "ec2:AssociateIamInstanceProfile": "Instance",
    "ec2:CreateImage": "Image Instance",
    "ec2:CreateSnapshot": "Snapshot Volume",
    "ec2:CreateSnapshots": "Snapshot Instance",
    "ec2:EnableSerialConsoleAccess": "",
    "ec2:DisableSerialConsoleAccess": "",
    "ec2:RequestSpotInstances": "SpotInstanceRequest",
    "eks:CreateAccessEntry": "AccessEntry Cluster",
    "iam:UpdateAccountPasswordPolicy": "",
    "iam:DeleteAccountPasswordPolicy": "",
    "lambda:CreateEventSourceMapping": "Function",
    "organizations:AttachPolicy": "Target Policy",
    "organizations:DetachPolicy": "Target Policy",
    "organizations:DisablePolicyType": "Root",
    "organizations:EnablePolicyType": "Root",
    "organizations:InviteAccountToOrganization": "Target",
    "rds:StartExportTask": "ExportSource",
    "s3:JobCreated": "Job",
    "s3:JobStatusChanged": "Job",
    "securityhub:BatchDisableStandards": "StandardsSubscription",
    "ssm:CreateAssociation": "Association Document Instance",
    "ssm:SendCommand": "Instance Document",
    "ssm:StartSession": "Target",
}

WRAPPERS: dict[str, tuple[str, ...]] = {
    # Objects of the response that describe a resource under another name than its noun.
    "iam:ServerCertificate": ("serverCertificateMetadata",),
    "kms:Key": ("keyMetadata",),
    "organizations:Account": ("createAccountStatus",),
    "ssm:Association": ("associationDescription",),
    "ssm:Document": ("documentDescription",),
    "sts:FederationToken": ("federatedUser",),
    "wafv2:WebACL": ("summary",),
    "wafv2:IPSet": ("summary",),
    "wafv2:RuleGroup": ("summary",),
}

EC2_IDS: dict[str, str] = {
    # Prefixes, before the hyphen, of IDs that EC2 made.
    "acl": "AWS::EC2::NetworkAcl",
    "ami": "AWS::EC2::Ami",
    "eipalloc": "AWS::EC2::EIP",
    "eni": "AWS::EC2::NetworkInterface",
    "i": "AWS::EC2::Instance",
    "igw": "AWS::EC2::InternetGateway",
    "lt": "AWS::EC2::LaunchTemplate",
    "nat": "AWS::EC2::NatGateway",
    "rtb": "AWS::EC2::RouteTable",
    "sg": "AWS::EC2::SecurityGroup",
    "snap": "AWS::EC2::Snapshot",
    "subnet": "AWS::EC2::Subnet",
    "vol": "AWS::EC2::Volume",
    "vpc": "AWS::EC2::VPC",
    "vpce": "AWS::EC2::VPCEndpoint",
}

ARN_TYPES: dict[tuple[str, str], str] = {
    # Kinds in an ARN, `arn:…:<service>:<region>:<account>:<kind>/…`, that are not their noun in lower case.
    ("cloudwatch", "alarm"): "AWS::CloudWatch::Alarm",
    ("cognito-idp", "userpool"): "AWS::Cognito::UserPool",
    ("ec2", "elastic-ip"): "AWS::EC2::EIP",
    ("ec2", "image"): "AWS::EC2::Ami",
    ("ec2", "natgateway"): "AWS::EC2::NatGateway",
    ("ec2", "vpc-flow-log"): "AWS::EC2::FlowLog",
    (
        "elasticloadbalancing",
        "loadbalancer",
    ): "AWS::ElasticLoadBalancingV2::LoadBalancer",  # classic ones are named only
    ("elasticloadbalancing", "targetgroup"): "AWS::ElasticLoadBalancingV2::TargetGroup",
    ("iam", "mfa"): "AWS::IAM::VirtualMFADevice",
    ("iam", "oidc-provider"): "AWS::IAM::OIDCProvider",
    ("rds", "cluster"): "AWS::RDS::DBCluster",
    ("rds", "db"): "AWS::RDS::DBInstance",
    ("rds", "es"): "AWS::RDS::EventSubscription",
    ("rds", "og"): "AWS::RDS::OptionGroup",
    ("rds", "pg"): "AWS::RDS::DBParameterGroup",
    ("rds", "snapshot"): "AWS::RDS::DBSnapshot",
    ("rds", "subgrp"): "AWS::RDS::DBSubnetGroup",
    ("sso", "permissionSet"): "AWS::SSO::PermissionSet",
    ("states", "stateMachine"): "AWS::StepFunctions::StateMachine",
}

"""Records from templates: each combination reads as it was asked for, and nothing real stands in any."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
import subprocess
import sys
from typing import Any

import pytest

from cloudsigma import testing
from cloudsigma.engine.context.context import read_context
from cloudsigma.errors import UsageError
from cloudsigma.testing.records.record import CALLERS, OUTCOMES, PRINCIPALS, record
from cloudsigma.testing.records.templates import read_call, read_data

ACCOUNT = "111122223333"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def iam(what: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:{what}"


def rolesanywhere(what: str) -> str:
    return f"arn:aws:rolesanywhere:us-east-1:{ACCOUNT}:{what}"


PROFILE = rolesanywhere("profile/0d1e2f3a-4b5c-4d6e-8f70-8192a3b4c5d6")
ANCHOR = rolesanywhere("trust-anchor/7b8c9d0e-1f2a-4b3c-9d4e-5f60718293a4")
TRAIL = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/management"
INSTANCE, NEW = "i-0a1b2c3d4e5f60718", "-0[0-9a-f]{16}"
BUCKET, OBJECT = "arn:aws:s3:::example-app-data", "arn:aws:s3:::example-app-data/backup/2026-11-20.tar"
TARGET = "ou-examplerootid111-exampleouid111"

RESOURCES: dict[str, tuple[str | None, ...]] = {
    # What a success shows, a denial, a failure; or what all of them do. Patterns, since new things have new IDs.
    "cloudtrail:CreateTrail": (TRAIL, TRAIL, "management"),
    "cloudtrail:DeleteTrail": (TRAIL,),
    "cloudtrail:LookupEvents": (None,),
    "cloudtrail:PutEventSelectors": (TRAIL, TRAIL, "management"),
    "cloudtrail:PutInsightSelectors": (TRAIL, TRAIL, "management"),
    "cloudtrail:StartLogging": ("management", TRAIL, "management"),
    "cloudtrail:StopLogging": ("management", TRAIL, "management"),
    "cloudtrail:UpdateTrail": (TRAIL, TRAIL, "management"),
    "ec2:AuthorizeSecurityGroupIngress": ("sg-0a1b2c3d4e5f60718",),
    "ec2:CreateImage": (f"ami{NEW}", INSTANCE, INSTANCE),
    "ec2:CreateKeyPair": ("ops",),
    "ec2:CreateSecurityGroup": (f"sg{NEW}", "web", "web"),
    "ec2:CreateSnapshot": (f"snap{NEW}", "vol-0a1b2c3d4e5f60718", "vol-0a1b2c3d4e5f60718"),
    "ec2:CreateVpcPeeringConnection": (f"pcx{NEW}", None, None),
    "ec2:DeleteFlowLogs": ("fl-0a1b2c3d4e5f60718",),
    "ec2:DeleteSnapshot": ("snap-0a1b2c3d4e5f60718",),
    "ec2:DescribeInstanceAttribute": (INSTANCE,),
    "ec2:DescribeInstances": (None,),
    "ec2:DisableEbsEncryptionByDefault": (None,),
    "ec2:EnableSerialConsoleAccess": (None,),
    "ec2:GetPasswordData": (INSTANCE,),
    "ec2:ImportKeyPair": ("ops",),
    "ec2:ModifyImageAttribute": ("ami-0a1b2c3d4e5f60718",),
    "ec2:ModifyInstanceAttribute": (INSTANCE,),
    "ec2:ModifySnapshotAttribute": ("snap-0a1b2c3d4e5f60718",),
    "ec2:RunInstances": (f"i{NEW}", None, None),
    "ec2:StopInstances": (INSTANCE,),
    "ec2:TerminateInstances": (INSTANCE,),
    "iam:AddRoleToInstanceProfile": ("web", iam("instance-profile/web"), "web"),
    "iam:AddUserToGroup": ("admins", iam("group/admins"), "admins"),
    "iam:AttachGroupPolicy": ("admins", iam("group/admins"), "admins"),
    "iam:AttachRolePolicy": ("Deployer", iam("role/Deployer"), "Deployer"),
    "iam:AttachUserPolicy": ("bob", iam("user/bob"), "bob"),
    "iam:CreateAccessKey": ("bob", iam("user/bob"), "bob"),
    "iam:CreateGroup": (iam("group/admins"), iam("group/admins"), "admins"),
    "iam:CreateInstanceProfile": (iam("instance-profile/web"), iam("instance-profile/web"), "web"),
    "iam:CreateLoginProfile": ("bob", iam("user/bob"), "bob"),
    "iam:CreateOpenIDConnectProvider": (
        iam("oidc-provider/idp.example.com"),
        iam("oidc-provider/idp.example.com"),
        None,
    ),
    "iam:CreatePolicy": (iam("policy/ops"), iam("policy/ops"), "ops"),
    "iam:CreatePolicyVersion": (iam("policy/ops"),),
    "iam:CreateRole": (iam("role/Deployer"), iam("role/Deployer"), "Deployer"),
    "iam:CreateSAMLProvider": (iam("saml-provider/corp"), iam("saml-provider/corp"), "corp"),
    "iam:CreateUser": (iam("user/bob"), iam("user/bob"), "bob"),
    "iam:CreateVirtualMFADevice": (iam("mfa/bob"), iam("mfa/bob"), "bob"),
    "iam:DeactivateMFADevice": ("bob", iam("user/bob"), "bob"),
    "iam:DeleteAccessKey": ("bob", iam("user/bob"), "bob"),
    "iam:DeleteAccountPasswordPolicy": (None,),
    "iam:DeleteGroup": ("admins", iam("group/admins"), "admins"),
    "iam:DeleteLoginProfile": ("bob", iam("user/bob"), "bob"),
    "iam:DeleteRole": ("Deployer", iam("role/Deployer"), "Deployer"),
    "iam:DeleteRolePermissionsBoundary": ("Deployer", iam("role/Deployer"), "Deployer"),
    "iam:DeleteUser": ("bob", iam("user/bob"), "bob"),
    "iam:EnableMFADevice": ("bob", iam("user/bob"), "bob"),
    "iam:GetAccountAuthorizationDetails": (None,),
    "iam:ListUsers": (None, iam("user/"), None),
    "iam:PutGroupPolicy": ("admins", iam("group/admins"), "admins"),
    "iam:PutRolePolicy": ("Deployer", iam("role/Deployer"), "Deployer"),
    "iam:PutUserPolicy": ("bob", iam("user/bob"), "bob"),
    "iam:RemoveUserFromGroup": ("admins", iam("group/admins"), "admins"),
    "iam:SetDefaultPolicyVersion": (iam("policy/ops"),),
    "iam:UpdateAccessKey": ("bob", iam("user/bob"), "bob"),
    "iam:UpdateAccountPasswordPolicy": (None,),
    "iam:UpdateAssumeRolePolicy": ("Deployer", iam("role/Deployer"), "Deployer"),
    "iam:UpdateLoginProfile": ("bob", iam("user/bob"), "bob"),
    "iam:UpdateSAMLProvider": (iam("saml-provider/corp"),),
    "kms:CreateGrant": (KEY,),
    "kms:CreateKey": (KEY, None, None),
    "kms:Decrypt": (KEY,),
    "kms:DisableKey": (KEY,),
    "kms:DisableKeyRotation": (KEY,),
    "kms:GenerateDataKey": (KEY,),
    "kms:PutKeyPolicy": (KEY,),
    "kms:ScheduleKeyDeletion": (KEY,),
    "organizations:AttachPolicy": (TARGET, None, TARGET),
    "organizations:CreateAccount": (None,),  # the account is not there yet
    "organizations:DeletePolicy": ("p-examplepolicyid111", None, "p-examplepolicyid111"),
    "organizations:DetachPolicy": (TARGET, None, TARGET),
    "organizations:DisablePolicyType": (
        r"arn:aws:organizations::111122223333:root/o-\w+/r-\w+",
        None,
        "r-examplerootid111",
    ),
    "organizations:InviteAccountToOrganization": (None,),
    "organizations:LeaveOrganization": (None,),
    "organizations:RemoveAccountFromOrganization": ("444455556666", None, "444455556666"),
    "rolesanywhere:CreateProfile": (rolesanywhere(f"profile/{UUID}"), None, "build-agents"),
    "rolesanywhere:CreateTrustAnchor": (rolesanywhere(f"trust-anchor/{UUID}"), None, "build-agents-ca"),
    "rolesanywhere:DeleteProfile": (PROFILE, PROFILE, PROFILE[-36:]),
    "rolesanywhere:DeleteTrustAnchor": (ANCHOR, ANCHOR, ANCHOR[-36:]),
    "rolesanywhere:EnableProfile": (PROFILE, PROFILE, PROFILE[-36:]),
    "rolesanywhere:EnableTrustAnchor": (ANCHOR, ANCHOR, ANCHOR[-36:]),
    "rolesanywhere:UpdateProfile": (PROFILE, PROFILE, PROFILE[-36:]),
    "rolesanywhere:UpdateTrustAnchor": (ANCHOR, ANCHOR, ANCHOR[-36:]),
    "s3:CreateBucket": ("example-app-data",),
    **dict.fromkeys(
        [
            *(
                "s3:DeleteBucket",
                "s3:DeleteBucketEncryption",
                "s3:DeleteBucketPolicy",
                "s3:DeleteBucketPublicAccessBlock",
            ),
            *(
                "s3:GetBucketAcl",
                "s3:PutBucketAcl",
                "s3:PutBucketLifecycle",
                "s3:PutBucketLogging",
                "s3:PutBucketPolicy",
            ),
            *("s3:PutBucketPublicAccessBlock", "s3:PutBucketReplication", "s3:PutBucketVersioning"),
        ],
        (BUCKET,),
    ),
    **dict.fromkeys(["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], (OBJECT,)),
    "s3:ListBuckets": (None,),
    **dict.fromkeys(
        ["signin:CheckMfa", "signin:ConsoleLogin", "signin:PasswordRecoveryRequested", "signin:SwitchRole"], (None,)
    ),
    "sts:AssumeRole": (iam("role/Admin"),),
    "sts:AssumeRoleWithSAML": (iam("role/Admin"),),
    "sts:AssumeRoleWithWebIdentity": (iam("role/Mobile"),),
    "sts:GetCallerIdentity": (None,),
    "sts:GetFederationToken": (*[f"arn:aws:sts::{ACCOUNT}:federated-user/backup"] * 2, "backup"),
    "sts:GetSessionToken": (None,),
}
KINDS = {kind: kind for kind in PRINCIPALS} | {"anonymous": "account"}
ARNS = {
    "root": iam("root"),
    "iam_user": iam("user/alice"),
    "role_session": f"arn:aws:sts::{ACCOUNT}:assumed-role/Deployer/ci-4711",
    "federated_user": f"arn:aws:sts::{ACCOUNT}:federated-user/backup",
}
SHOWN = ARNS | {
    "saml": "jordan@example.com",
    "web_identity": "user-id",
    "identity_center": "544894e8-80c1-707f-60e3-3ba6510dfac1",
    "account": "444455556666",
    "service": "cloudformation.amazonaws.com",
    "unknown": "AIDAQ3EGTVFM2EXAMPLE",
    "anonymous": "ANONYMOUS_PRINCIPAL",
}


def made(call: str, **arguments: Any) -> dict[str, Any] | None:
    """The record, or `None` where the combination cannot be."""
    try:
        return record(call, **arguments)
    except UsageError:
        return None


def can_be(call: str, principal: str, outcome: str, caller: str) -> bool:
    """The rules of the data, read once more in the plainest way."""
    _, data = read_call(call)
    return (
        principal in data.get("principals", PRINCIPALS)
        and outcome in data.get("outcomes", OUTCOMES)
        and caller in data.get("callers", CALLERS)
        and caller in read_data("principals")[principal]["callers"]
    )


@pytest.mark.parametrize("call", testing.calls())
def test_every_combination_reads_as_what_was_asked_for(call: str) -> None:
    """Template, principal, outcome, caller: all of them."""
    made_of_this = 0
    for principal, outcome, caller in itertools.product(PRINCIPALS, OUTCOMES, CALLERS):
        found = made(call, principal=principal, outcome=outcome, caller=caller)
        assert (found is not None) is can_be(call, principal, outcome, caller), (principal, outcome, caller)
        if found is None:
            continue
        made_of_this += 1
        context = read_context(found)
        assert context.principal is not None
        assert context.principal.kind == KINDS[principal]
        assert context.principal.arn == ARNS.get(principal)
        assert str(context.principal) == SHOWN[principal]
        assert context.outcome == {"throttled": "failed"}.get(outcome, outcome)
        assert (context.event_source, context.event_name) == (found["eventSource"], call.partition(":")[2])
        assert (context.region, context.account) == ("us-east-1", ACCOUNT)
        assert context.time == dt.datetime(2026, 11, 20, 10, 15, 30, tzinfo=dt.UTC)
        if outcome != "throttled":
            expected = RESOURCES[call]
            pattern = expected[min(OUTCOMES.index(outcome), len(expected) - 1)]
            shown = str(context.resource) if context.resource is not None else None
            if not (outcome == "denied" and principal == "identity_center"):
                assert shown == pattern or (pattern and shown and re.fullmatch(pattern, shown)), (principal, outcome)
        assert (context.principal.invoked_by is not None) is (caller == "service")
        assert (context.source_ip == "cloudformation.amazonaws.com") is (caller == "service")
        assert ("tlsDetails" in found) is (caller != "service")
        assert "${" not in json.dumps(found)
    assert made_of_this >= 1


def test_table_is_whole() -> None:
    assert list(testing.calls()) == sorted(RESOURCES)
    assert len(testing.calls()) == 116


@pytest.mark.parametrize("call", testing.calls())
def test_records_have_cloudtrails_shape(call: str) -> None:
    found = record(call)
    assert found["eventVersion"] == "1.11"
    assert found["eventType"] == ("AwsConsoleSignIn" if call.startswith("signin:") else "AwsApiCall")
    assert found["readOnly"] is bool(
        re.match("sts:(Assume|GetC|GetS)|.*:(Get(?!Fed)|List|Describe|Lookup|Decrypt|Gen)", call)
    )
    assert found["eventCategory"] == ("Data" if re.fullmatch("s3:(Get|Put|Delete)Object", call) else "Management")
    assert found["managementEvent"] is (found["eventCategory"] == "Management")
    for member in ("requestParameters", "responseElements"):
        assert found[member] is None or (isinstance(found[member], dict) and found[member])
    assert not {"errorCode", "errorMessage"} & found.keys()
    assert json.loads(json.dumps(found)) == found


def test_same_arguments_give_the_same_record_in_any_process() -> None:
    program = (
        "from cloudsigma.testing import record; import json;"
        "print(json.dumps(record('rolesanywhere:CreateProfile', principal='root')))"
    )
    run = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True)
    assert json.loads(run.stdout) == record("rolesanywhere:CreateProfile", principal="root")


def test_other_arguments_give_another_event() -> None:
    records = [
        record("iam:CreateGroup"),
        record("iam:CreateGroup", principal="root"),
        record("iam:CreateGroup", outcome="failed"),
        record("iam:CreateGroup", time="2026-11-20T10:15:31Z"),
        record("iam:CreateGroup", request={"groupName": "x"}),
        record("iam:CreateGroup", set={"requestParameters.groupName": "x"}),
    ]
    assert len({each["eventID"] for each in records}) == len(records)
    assert len({each["requestID"] for each in records}) == len(records)


def test_response_resources_and_messages_follow_the_request() -> None:
    success = record("iam:CreateGroup", request={"groupName": "ops"})
    assert success["responseElements"]["group"]["arn"] == iam("group/ops")
    denied = record("iam:CreateGroup", outcome="denied", request={"groupName": "ops"})
    assert denied["errorMessage"] == (
        f"User: {iam('user/alice')} is not authorized to perform: iam:CreateGroup on resource: {iam('group/ops')} "
        "because no identity-based policy allows the iam:CreateGroup action"
    )
    assert denied["requestParameters"] is denied["responseElements"] is None
    failed = record("iam:CreateGroup", outcome="failed", request={"groupName": "ops"})
    assert failed["errorMessage"] == "Group with name ops already exists."
    assert failed["requestParameters"] == {"groupName": "ops"}
    assert record("s3:GetObject", request={"key": "x"})["resources"][0]["ARN"] == "arn:aws:s3:::example-app-data/x"


def test_set_reaches_the_place_that_it_names_alone() -> None:
    found = record("rolesanywhere:CreateTrustAnchor", set={"requestParameters.source.sourceType": "AWS_ACM_PCA"})
    assert found["requestParameters"]["source"]["sourceType"] == "AWS_ACM_PCA"
    assert found["responseElements"]["trustAnchor"]["source"]["sourceType"] == "CERTIFICATE_BUNDLE"


def test_records_share_nothing() -> None:
    first = record("rolesanywhere:CreateProfile")
    first["requestParameters"]["roleArns"].append("x")
    first["userIdentity"].clear()
    again = record("rolesanywhere:CreateProfile")
    assert again["requestParameters"]["roleArns"] == again["responseElements"]["profile"]["roleArns"]
    assert again["userIdentity"]["userName"] == "alice"


@pytest.mark.parametrize(
    ("region", "arn"),
    [
        ("eu-central-1", "arn:aws:cloudtrail:eu-central-1:"),
        ("cn-north-1", "arn:aws-cn:cloudtrail:cn-north-1:"),
        ("us-gov-west-1", "arn:aws-us-gov:cloudtrail:us-gov-west-1:"),
    ],
)
def test_region_decides_the_partition(region: str, arn: str) -> None:
    found = record("cloudtrail:DeleteTrail", region=region, account="444455556666")
    assert found["awsRegion"] == region
    assert found["requestParameters"]["name"] == f"{arn}444455556666:trail/management"
    assert found["userIdentity"]["arn"].startswith(arn.partition(":cloudtrail")[0] + ":iam::444455556666:")


def test_parts_of_the_principals_name_can_be_chosen() -> None:
    found = record("iam:CreateUser", principal={"kind": "role_session", "role": "Admin", "session": "x"})
    principal = read_context(found).principal
    assert principal is not None
    assert (principal.name, principal.session_name, principal.issuer_arn) == ("Admin", "x", iam("role/Admin"))


def test_sign_in_tells_its_result_and_mfa() -> None:
    success = record("signin:ConsoleLogin", set={"additionalEventData.MFAUsed": "Yes"})
    failure = record("signin:ConsoleLogin", outcome="failed")
    assert success["responseElements"] == {"ConsoleLogin": "Success"}
    assert failure["responseElements"] == {"ConsoleLogin": "Failure"}
    assert (failure["errorMessage"], "errorCode" in failure) == ("Failed authentication", False)
    principal = read_context(success).principal
    assert principal is not None
    assert principal.mfa is True


def test_console_sessions_of_users_have_temporary_credentials() -> None:
    found = record("iam:CreateUser", caller="console")
    assert found["userIdentity"]["accessKeyId"].startswith("ASIA")
    assert found["sessionCredentialFromConsole"] == "true"
    assert record("iam:CreateUser")["userIdentity"]["accessKeyId"].startswith("AKIA")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"call": "iam:CreateGruop"}, "Did you mean 'iam:CreateGroup'"),
        ({"call": "CreateGroup"}, "Did you mean 'iam:CreateGroup'"),
        ({"call": "lambda:Invoke"}, "there is no template for the call 'lambda:Invoke'"),
        ({"principal": "user"}, "Did you mean 'iam_user'"),
        ({"principal": {"kind": "iam_user", "usr": "x"}}, "Did you mean 'user'"),
        ({"principal": {"kind": "iam_user", "user": 1}}, "which is not text"),
        ({"outcome": "deny"}, "Did you mean 'denied'"),
        ({"caller": "clu"}, "Did you mean 'cli'"),
        ({"principal": "service", "caller": "cli"}, "caller 'cli' does not fit"),
        ({"call": "signin:ConsoleLogin", "outcome": "denied"}, "outcome 'denied' does not fit"),
        ({"call": "signin:ConsoleLogin", "caller": "cli"}, "caller 'cli' does not fit"),
        ({"call": "sts:AssumeRoleWithSAML", "principal": "root"}, "use one of saml"),
        ({"region": "eu-central-1"}, "calls of iam are recorded in us-east-1"),
        ({"region": "Frankfurt"}, "is not a region"),
        ({"account": "1234"}, "12 digits"),
        ({"time": "noon"}, "is not a time; write it like"),
        ({"call": "iam:ListUsers", "request": {"x": 1}}, "has no request parameters"),
        ({"set": {"eventName": "CreateGroup"}}, "has this value already"),
        ({"set": {"requestParameter.x": 1}}, "Did you mean 'requestParameters'"),
    ],
)
def test_what_cannot_be_is_said(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        record(**{"call": "iam:CreateGroup", **arguments})


def test_nothing_in_the_templates_is_real() -> None:
    """Accounts, addresses and keys are those that AWS and the RFCs set aside for documentation."""
    for call in testing.calls():
        text = json.dumps([made(call, principal=kind, outcome=how) for kind in PRINCIPALS for how in OUTCOMES])
        accounts = set(re.findall(r"(?<![0-9a-f-])[0-9]{12}(?![0-9a-f-])", text))
        assert accounts <= {"111122223333", "444455556666"}, call
        addresses = set(re.findall(r"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9.])", text))
        assert all(each.startswith(("203.0.113.", "10.", "0.0.")) for each in addresses), call
        assert all(key.endswith("EXAMPLE") for key in re.findall(r"\b(?:AKIA|ASIA|AIDA|AROA|AGPA)[A-Z0-9]+", text)), (
            call
        )

"""The sample trail in `examples/`: what a scan finds in it, and that it is what its builder builds."""

from __future__ import annotations

import gzip
import ipaddress
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudsigma

EXAMPLES = Path(__file__).parent.parent / "examples"
TRAIL = EXAMPLES / "trail"

ROLES_ANYWHERE = "arn:aws:rolesanywhere:eu-central-1:111122223333"
ADMIN = "arn:aws:sts::111122223333:assumed-role/PlatformAdmin/jordan-maintenance"


def contents(folder: Path) -> dict[str, Any]:
    return {
        path.relative_to(folder).as_posix(): json.loads(gzip.decompress(path.read_bytes()))
        for path in folder.rglob("*")
        if path.is_file()
    }


def records() -> list[dict[str, Any]]:
    return [record for content in contents(TRAIL).values() for record in content["Records"]]


def test_scan_finds_the_four_detections_once_each() -> None:
    found = [
        (
            str(match.context.time),
            match.rule.title,
            str(match.context.principal),
            str(match.context.resource),
            match.context.account,
            match.context.region,
            match.context.source_ip,
            match.context.outcome,
        )
        for match in cloudsigma.scan(TRAIL)
    ]
    assert sorted(found) == [
        (
            *("2026-11-17 13:09:41+00:00", "IAM Group Created"),
            *("arn:aws:iam::111122223333:user/jordan", "arn:aws:iam::111122223333:group/support-tier2"),
            *("111122223333", "us-east-1", "198.51.100.77", "success"),
        ),
        (
            *("2026-11-17 13:31:44+00:00", "AWS IAM Roles Anywhere Trust Anchor Created with External CA"),
            *(ADMIN, f"{ROLES_ANYWHERE}:trust-anchor/9f8e7d6c-5b4a-4938-8271-605f4e3d2c1b"),
            *("111122223333", "eu-central-1", "198.51.100.77", "success"),
        ),
        (
            *("2026-11-17 13:33:10+00:00", "AWS IAM Roles Anywhere Profile Created"),
            *(ADMIN, f"{ROLES_ANYWHERE}:profile/c1d2e3f4-a5b6-4789-8abc-def012345678"),
            *("111122223333", "eu-central-1", "198.51.100.77", "success"),
        ),
        (
            *("2026-11-17 14:20:57+00:00", "IAM Group Deleted"),
            *("arn:aws:sts::444455556666:assumed-role/PlatformAdmin/5a1f09c3e7", "incident-responders"),
            *("444455556666", "us-east-1", "198.51.100.77", "success"),
        ),
    ]


def test_approvals_cover_one_match_and_nearly_two_others() -> None:
    rules = cloudsigma.bundled_rules()
    approvals = cloudsigma.Approvals.load(EXAMPLES / "approvals.yml", rules)
    decisions = {
        match.context.event_name: match.approval for match in approvals.decided(cloudsigma.scan(TRAIL, rules=rules))
    }
    assert decisions == {
        "CreateGroup": cloudsigma.Decision("approved", ("CHG0031337",)),
        "CreateTrustAnchor": cloudsigma.Decision(
            "none", near=(cloudsigma.NearMiss("CHG0031419", "expect", "sourceType is CERTIFICATE_BUNDLE"),)
        ),
        "CreateProfile": cloudsigma.Decision("none"),
        "DeleteGroup": cloudsigma.Decision(
            "none", near=(cloudsigma.NearMiss("CHG0031402", "time", "20 min 57 s after CHG0031402 ended"),)
        ),
    }


def test_trail_is_what_its_builder_builds(tmp_path: Path) -> None:
    """Compared are the records, not the bytes: those depend on the version of zlib."""
    subprocess.run([sys.executable, EXAMPLES / "build_trail.py", tmp_path], check=True)
    assert contents(tmp_path) == contents(TRAIL)


def test_files_lie_and_are_named_as_in_s3() -> None:
    pattern = re.compile(
        r"AWSLogs/(?P<account>\d{12})/CloudTrail/(?P<region>[a-z0-9-]+)/2026/11/17/"
        r"(?P=account)_CloudTrail_(?P=region)_20261117T\d{4}Z_[A-Za-z0-9]{16}\.json\.gz"
    )
    for name, content in contents(TRAIL).items():
        match = pattern.fullmatch(name)
        assert match is not None, name
        for record in content["Records"]:
            assert (record["recipientAccountId"], record["awsRegion"]) == (match["account"], match["region"])


def test_trail_has_the_decoys() -> None:
    """What looks like a detection and is none is there as well."""
    calls = {(record["eventSource"], record["eventName"], record.get("errorCode")) for record in records()}
    assert {
        ("cognito-idp.amazonaws.com", "CreateGroup", None),
        ("resource-groups.amazonaws.com", "DeleteGroup", None),
        ("transfer.amazonaws.com", "CreateProfile", None),
        ("iam.amazonaws.com", "CreateGroup", "EntityAlreadyExistsException"),
        ("iam.amazonaws.com", "DeleteGroup", "DeleteConflictException"),
        ("rolesanywhere.amazonaws.com", "CreateTrustAnchor", "ValidationException"),
    } <= calls
    sources = [
        record["requestParameters"]["source"]["sourceType"]
        for record in records()
        if record["eventName"] == "CreateTrustAnchor" and "errorCode" not in record
    ]
    assert sorted(sources) == ["AWS_ACM_PCA", "CERTIFICATE_BUNDLE"]


def test_readme_counts_the_trail_right() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    counted = re.search(r"(\d+) records\s+in (\d+) files", text)
    assert counted is not None
    assert [int(number) for number in counted.groups()] == [len(records()), len(contents(TRAIL))]


def test_event_ids_are_unique() -> None:
    """Otherwise deduplication would leave records out."""
    ids = [record["eventID"] for record in records()]
    assert len(set(ids)) == len(ids)


def test_nothing_in_the_trail_belongs_to_anybody() -> None:
    """Accounts, addresses and keys are those of AWS's and the IETF's documentation."""
    documentation = [ipaddress.ip_network(net) for net in ("203.0.113.0/24", "198.51.100.0/24")]
    for record in records():
        address = record["sourceIPAddress"]
        if not address.endswith(".amazonaws.com"):
            assert any(ipaddress.ip_address(address) in net for net in documentation)
        text = json.dumps(record)
        assert set(re.findall(r"(?<![\w-])\d{12}(?![\w-])", text)) <= {"111122223333", "444455556666"}
        for key in re.findall(r"\b(?:AKIA|ASIA|AIDA|AROA|AGPA)[A-Z0-9]+", text):
            assert key.endswith("EXAMPLE")
            assert 20 <= len(key) <= 21


def test_trail_is_small() -> None:
    files = [path for path in EXAMPLES.rglob("*") if path.is_file() and path.suffix in {".gz", ".py", ".md"}]
    assert sum(path.stat().st_size for path in files) < 200_000

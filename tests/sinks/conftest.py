"""Matches to write: of the sample trail, of real records, and of records that an attacker filled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

import cloudsigma
from cloudsigma.engine.match import Match

HOSTILE = (
    '=cmd|" /C calc"!A1', " =1+1", "\u00a0=1", "a\n=1", "\t=1", "-1", "@x", "'=1", "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>', "</style>", "\u202egnp.exe", "nul\x00nul", "a|b", "`code`", "[a](http://b)",
    "https://evil.example/x", "@here", "<!channel>", "x" * 5000, "\ud800", "\r\n| forged | row |",
)  # fmt: skip
"""Texts that mean something to the program that shows them."""


@pytest.fixture(scope="session")
def sample_matches(root: Path) -> list[Match]:
    """The matches of the sample trail, correlations included."""
    rules = cloudsigma.bundled_rules(correlations=True)
    return list(cloudsigma.scan(root / "examples" / "trail", rules=rules))


@pytest.fixture(scope="session")
def real_matches(shared_corpus: Path) -> list[Match]:
    """The matches of SigmaHQ's rules on real records."""
    rules = cloudsigma.compile_rules(shared_corpus / "sigmahq_rules", on_error="skip")
    return list(cloudsigma.scan(shared_corpus / "invictus", shared_corpus / "stratus", rules=rules))


@pytest.fixture(scope="session")
def match_of() -> Callable[..., Match]:
    """Make the match of a record with some members replaced."""

    def make(**members: Any) -> Match:
        record = {
            "eventName": "CreateGroup",
            "eventSource": "iam.amazonaws.com",
            "eventTime": "2026-11-17T13:00:00Z",
            "eventID": "e",
            "awsRegion": "us-east-1",
            "recipientAccountId": "111122223333",
            "sourceIPAddress": "203.0.113.7",
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice", "userName": "alice"},
            "requestParameters": {"groupName": "g"},
        }
        [match] = cloudsigma.evaluate([record | members])
        return match

    return make


@pytest.fixture(scope="session")
def hostile_matches(match_of: Callable[..., Match]) -> list[Match]:
    """A match for each hostile text, which stands everywhere in its record."""
    return [
        match_of(
            eventID=text,
            awsRegion=text,
            sourceIPAddress=text,
            userAgent=text,
            userIdentity={"type": "IAMUser", "arn": text, "userName": text, "principalId": text, "accessKeyId": text},
            requestParameters={"groupName": text},
        )
        for text in HOSTILE
    ]


@pytest.fixture(scope="session")
def decided_matches(root: Path, sample_matches: list[Match], hostile_matches: list[Match]) -> list[Match]:
    """The matches of the sample trail with the approvals beside it, and hostile matches with hostile near misses."""
    approvals = cloudsigma.Approvals.load(root / "examples" / "approvals.yml")
    near = [cloudsigma.NearMiss(text, "expect", f"groupName is {text}") for text in HOSTILE]
    hostile = [
        structs.replace(match, approval=cloudsigma.Decision("none", near=(miss,)))
        for match, miss in zip(hostile_matches, near, strict=False)
    ]
    return [*approvals.decided(sample_matches), *hostile]

"""Who is behind a session: the chains that link it to its root."""

from __future__ import annotations

import collections
import csv
import io
import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest

import cloudsigma
from cloudsigma import read_records
from cloudsigma.sessions import Link, Sessions
from cloudsigma.sessions.caller import read_caller

ALICE = {
    "type": "IAMUser",
    "principalId": "AIDAALICE",
    "arn": "arn:aws:iam::111122223333:user/alice",
    "accountId": "111122223333",
    "accessKeyId": "AKIAALICE",
    "userName": "alice",
}


def session(
    role: str, name: str, key: str, created: str, *, account: str = "111122223333", **more: Any
) -> dict[str, Any]:
    return {
        "type": "AssumedRole",
        "principalId": f"AROA{role.upper()}:{name}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
        "accountId": account,
        "accessKeyId": key,
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{account}:role/{role}", "userName": role},
            "attributes": {"creationDate": created, "mfaAuthenticated": "false"},
            **more,
        },
    }


def event(
    identity: dict[str, Any], name: str, time: str, source: str = "sts.amazonaws.com", **more: Any
) -> dict[str, Any]:
    return {
        "eventSource": source,
        "eventName": name,
        "eventTime": time,
        "eventID": f"{name}-{time}-{identity.get('accessKeyId')}",
        "sourceIPAddress": "203.0.113.7",
        "userIdentity": identity,
        **more,
    }


def assume(caller: dict[str, Any], issued: dict[str, Any], **more: Any) -> dict[str, Any]:
    time = issued["sessionContext"]["attributes"]["creationDate"]
    answer = {
        "credentials": {"accessKeyId": issued["accessKeyId"]},
        "assumedRoleUser": {"arn": issued["arn"], "assumedRoleId": issued["principalId"]},
    }
    return event(caller, "AssumeRole", time, responseElements=answer, **more)


def linked(record: dict[str, Any], *others: dict[str, Any]) -> Link:
    """The link of a record among others, the same in each of their orders."""
    links = set()
    records = [record, *others]
    for turn in range(len(records)):
        sessions = Sessions()
        for each in records[turn:] + records[:turn]:
            sessions.add(each)
        links.add(sessions.link(record))
    [only] = links
    return only


USE = ("CreateTrustAnchor", "2026-11-17T14:20:00Z", "rolesanywhere.amazonaws.com")
ROLE_A = session("a", "s1", "ASIAA", "2026-11-17T14:00:00Z")
ROLE_B = session("b", "s2", "ASIAB", "2026-11-17T14:10:00Z", account="444455556666")
ACROSS = {"type": "AWSAccount", "principalId": "AROAA:s1", "accountId": "111122223333"}


def test_a_long_term_key_is_its_own_root() -> None:
    link = linked(event(ALICE, *USE))
    assert (link.root, link.certainty, link.steps, link.credentials) == (ALICE["arn"], "certain", (), "long_term")


def test_a_chain_over_two_roles_and_accounts_leads_to_the_user() -> None:
    # The role's account records the caller as an account; the caller's account records it in full.
    twins = (
        assume(ROLE_A, ROLE_B, sharedEventID="shared-1"),
        assume(ACROSS, ROLE_B, sharedEventID="shared-1") | {"eventID": "twin"},
    )
    link = linked(event(ROLE_B, *USE), assume(ALICE, ROLE_A), *twins)
    assert (link.root, link.certainty) == (ALICE["arn"], "certain")
    assert [(step.actor, step.session) for step in link.steps] == [
        (ALICE["arn"], ROLE_A["arn"]),
        (ROLE_A["arn"], ROLE_B["arn"]),
    ]
    assert link.why == "by AssumeRole → AssumeRole; the access key belongs to the principal"


def test_a_missing_account_is_named_where_the_chain_breaks() -> None:
    link = linked(event(ROLE_B, *USE), assume(ALICE, ROLE_A), assume(ACROSS, ROLE_B))
    assert (link.root, link.certainty) == (None, "unknown")
    assert link.why == "the caller is in account 111122223333, whose record of the call is not in these logs"


def test_the_source_identity_names_the_root_where_links_are_missing() -> None:
    use = event(session("b", "s2", "ASIAB", "2026-11-17T14:10:00Z", sourceIdentity="alice"), *USE)
    link = linked(use)
    assert (link.root, link.certainty) == ("alice", "probable")
    assert "not in these logs" in link.why


def test_another_source_identity_than_the_root_is_told() -> None:
    use = event(session("a", "s1", "ASIAA", "2026-11-17T14:00:00Z", sourceIdentity="mallory"), *USE)
    link = linked(use, assume(ALICE, ROLE_A))
    assert link.root == ALICE["arn"]
    assert link.why.endswith("the source identity says 'mallory'")


def test_two_sessions_of_one_arn_in_one_second_are_ambiguous() -> None:
    use = event(session("a", "s1", "ASIAFORWARDED", "2026-11-17T14:00:00Z"), *USE)
    bob = ALICE | {"arn": "arn:aws:iam::111122223333:user/bob", "accessKeyId": "AKIABOB"}
    again = ROLE_A | {"accessKeyId": "ASIAA2"}
    both = linked(use, assume(ALICE, ROLE_A), assume(bob, again))
    assert (both.root, both.certainty, len(both.steps)) == (None, "ambiguous", 2)
    same = linked(use, assume(ALICE, ROLE_A), assume(ALICE, again) | {"eventID": "second"})
    assert (same.root, same.certainty) == (ALICE["arn"], "ambiguous")


def test_a_call_forwarded_by_a_service_is_the_sessions() -> None:
    forwarded = session("a", "s1", "ASIAFORWARDED", "2026-11-17T14:00:00Z") | {
        "invokedBy": "cloudformation.amazonaws.com"
    }
    link = linked(event(forwarded, *USE), assume(ALICE, ROLE_A))
    assert (link.root, link.credentials) == (ALICE["arn"], "session")


def test_a_console_session_is_linked_to_its_sign_in() -> None:
    attributes = {"attributes": {"creationDate": "2026-11-17T14:00:00Z"}}
    console = ALICE | {"accessKeyId": "ASIACONSOLE", "sessionContext": attributes}
    identity = {key: value for key, value in ALICE.items() if key != "accessKeyId"}
    success = {"ConsoleLogin": "Success"}
    signed = event(identity, "ConsoleLogin", "2026-11-17T14:00:00Z", "signin.amazonaws.com", responseElements=success)
    link = linked(event(console, *USE), signed)
    assert (link.root, link.credentials, [step.event_name for step in link.steps]) == (
        ALICE["arn"],
        "login",
        ["ConsoleLogin"],
    )
    failed = signed | {"responseElements": {"ConsoleLogin": "Failure"}}
    assert linked(event(console, *USE), failed).steps == ()


def test_a_role_of_a_service_leads_to_the_service() -> None:
    instance = session("web", "i-0abc", "ASIAEC2", "2026-11-17T14:00:00Z")
    service = {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}
    request = {"roleArn": "arn:aws:iam::111122223333:role/service/web", "roleSessionName": "i-0abc"}
    issued = assume(service, instance)
    issued["requestParameters"] = request
    del issued["responseElements"]["assumedRoleUser"]
    link = linked(event(instance, *USE), issued)
    assert (link.root, [step.session for step in link.steps]) == ("ec2.amazonaws.com", [instance["arn"]])


def test_roles_anywhere_leads_to_the_certificate() -> None:
    issued = session("ra", "0123", "ASIARA", "2026-11-17T14:00:00Z")
    certificate = {"type": "AWSService", "invokedBy": "rolesanywhere.amazonaws.com"}
    entry = {"credentials": {"accessKeyId": "ASIARA"}, "assumedRoleUser": {"arn": issued["arn"]}}
    made = event(
        certificate, "CreateSession", "2026-11-17T14:00:00Z", "rolesanywhere.amazonaws.com",
        responseElements={"credentialSet": [entry]},
    )  # fmt: skip
    link = linked(event(issued, *USE), made)
    assert [step.event_name for step in link.steps] == ["CreateSession"]


def test_identity_center_users_are_named_by_their_id() -> None:
    sso = session("AWSReservedSSO_Admin_0123", "alice@example.com", "ASIASSO", "2026-11-17T14:00:00Z")
    sso["onBehalfOf"] = {
        "userId": "90679c8f-0001",
        "identityStoreArn": "arn:aws:identitystore::111122223333:identitystore/d-1",
    }
    link = linked(event(sso, *USE))
    assert (link.root, link.certainty) == ("identity-center:90679c8f-0001", "certain")


def test_a_token_of_another_partition_leads_to_its_issuer() -> None:
    role = session("cn", "s", "ASIACN", "2026-11-17T14:00:00Z")
    web = {"type": "WebIdentityUser", "principalId": "p", "userName": "u"}
    used = assume(web, role) | {
        "eventName": "AssumeRoleWithWebIdentity",
        "requestParameters": {"webIdentityTokenId": "t-1"},
    }
    got = event(ALICE, "GetWebIdentityToken", "2026-11-17T13:59:00Z", responseElements={"webIdentityTokenId": "t-1"})
    assert linked(event(role, *USE), used, got).root == ALICE["arn"]


def test_a_key_that_another_principal_created_says_so() -> None:
    mallory = ALICE | {"arn": "arn:aws:iam::111122223333:user/mallory", "accessKeyId": "AKIAMALLORY"}
    answer = {"accessKey": {"accessKeyId": "AKIAALICE", "userName": "alice"}}
    made = event(mallory, "CreateAccessKey", "2026-11-17T13:00:00Z", "iam.amazonaws.com", responseElements=answer)
    assert linked(event(ALICE, *USE), made).why.endswith("was created by arn:aws:iam::111122223333:user/mallory")


def test_failed_calls_issue_nothing() -> None:
    assert linked(event(ROLE_A, *USE), assume(ALICE, ROLE_A) | {"errorCode": "AccessDenied"}).certainty == "unknown"


def test_chains_that_go_round_or_are_too_long_end() -> None:
    first, second = (
        session("a", "s", "ASIA1", "2026-11-17T14:00:00Z"),
        session("b", "s", "ASIA2", "2026-11-17T14:01:00Z"),
    )
    link = linked(event(first, *USE), assume(second, first), assume(first, second))
    assert (link.root, link.certainty) == (None, "unknown")
    assert "leads back to itself" in link.why
    chain = [session(f"r{at}", "s", f"ASIA{at}", f"2026-11-17T14:{at:02}:00Z") for at in range(40)]
    sessions = Sessions()
    for caller, issued in itertools.pairwise(chain):
        sessions.add(assume(caller, issued))
    assert sessions.link(event(chain[-1], *USE)).why == "the chain has more than 20 steps"


@pytest.mark.parametrize("record", [{}, {"userIdentity": None}, {"eventName": ["AssumeRole"]}, {"eventSource": {}}])
def test_any_record_is_taken(record: dict[str, Any]) -> None:
    sessions = Sessions()
    sessions.add(record)
    assert (len(sessions), sessions.link(record).certainty) == (0, "unknown")


@pytest.mark.parametrize(
    ("trail", "expected"),
    [
        (
            "invictus",
            {
                "long_term": 2182, "forward": 262, "login": 217, "service": 76, "console": 74, "key": 70, "missing": 10,
                "session": 3, "ambiguous": 3, "sign_in": 3,
            },
        ),
        ("stratus", {"long_term": 240, "key": 48, "missing": 21, "sign_in": 1}),
    ],
)  # fmt: skip
def test_real_trails_are_linked(shared_corpus: Path, trail: str, expected: dict[str, int]) -> None:
    records = list(read_records(shared_corpus / trail))
    sessions = Sessions()
    for record in records:
        sessions.add(record)
    assert collections.Counter(sessions.link(record).credentials for record in records) == expected
    callers = {(read_caller(record), record["eventSource"] == "signin.amazonaws.com"): record for record in records}
    links = [sessions.link(record) for record in callers.values()]
    shuffled = random.Random(16)  # noqa: S311  # an order, no secret
    for _ in range(100):
        sessions = Sessions()
        for record in shuffled.sample(records, len(records)):
            sessions.add(record)
        assert [sessions.link(record) for record in callers.values()] == links


def test_the_order_of_records_and_files_changes_no_link_of_a_scan(root: Path, tmp_path: Path) -> None:
    records = list(read_records(root / "examples" / "trail"))
    shuffled = random.Random(5)  # noqa: S311  # an order, no secret
    found = set()
    for at in range(100):
        order = shuffled.sample(records, len(records))
        parts = [order[start::7] for start in range(7)]
        files = [tmp_path / f"{at}-{number}.json" for number in range(7)]
        for file, part in zip(files, parts, strict=True):
            file.write_text(json.dumps({"Records": part}))
        written = io.BytesIO()
        assert cloudsigma.scan(*files).to_csv(written).complete
        rows = csv.DictReader(io.StringIO(written.getvalue().decode()))
        found.add(tuple((row["key"], row["root"], row["root_certainty"]) for row in rows))
    [links] = found
    assert [(root, certainty) for _, root, certainty in links] == [
        ("arn:aws:iam::111122223333:user/jordan", "certain"),
        ("arn:aws:iam::111122223333:user/jordan", "certain"),
        ("arn:aws:iam::111122223333:user/jordan", "certain"),
        ("rolesanywhere.amazonaws.com", "certain"),
    ]


def test_the_role_of_a_stolen_instance_key_names_the_instance(shared_corpus: Path) -> None:
    sessions = Sessions()
    records = list(read_records(shared_corpus / "invictus"))
    for record in records:
        sessions.add(record)
    roots = {
        sessions.link(record).root
        for record in records
        if "ec2-steal-credentials" in str(record["userIdentity"].get("arn"))
        and "AssumedRole" in str(record["userIdentity"])
    }
    assert roots == {"ec2.amazonaws.com"}

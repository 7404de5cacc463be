"""`who` by the fast path against a plain loop over all records, for every principal, key and address of real trails."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cloudsigma import read_records
from cloudsigma.activity.inquiry import EVENTS, Inquiry, TellingEvent, TellingEvents
from cloudsigma.activity.target import Target, parse_target
from cloudsigma.activity.who import who
from cloudsigma.errors import UsageError
from cloudsigma.reading.scope.selection import select
from cloudsigma.sessions import Sessions
from cloudsigma.sessions.caller import read_caller


def is_own(target: Target, record: Mapping[str, Any]) -> bool:
    identity = record.get("userIdentity") or {}
    return target.is_caller(
        arn=identity.get("arn"),
        principal_id=identity.get("principalId"),
        key=identity.get("accessKeyId"),
        user_name=identity.get("userName"),
        on_behalf_of=(identity.get("onBehalfOf") or {}).get("userId"),
        address=record.get("sourceIPAddress"),
    )


def plainly(target: Target, records: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """The IDs of the target's own events and of those that descend from it, by the definition."""
    sessions, by_id = Sessions(), {}
    for record in records:
        sessions.add(record)
        by_id[record["eventID"]] = record
    links = [sessions.link(record) for record in records]
    created = {
        record["responseElements"]["accessKey"]["accessKeyId"]
        for record, link in zip(records, links, strict=True)
        if record["eventName"] == "CreateAccessKey"
        and not record.get("errorCode")
        and (is_own(target, record) or any(is_own(target, by_id[step.event_id]) for step in link.steps))
    }
    own, descended = [], []
    for record, link in zip(records, links, strict=True):
        if read_caller(record) is None:
            continue
        if is_own(target, record):
            own.append(record["eventID"])
        elif (record["userIdentity"].get("accessKeyId") in created) or any(
            step.event_id in by_id and is_own(target, by_id[step.event_id]) for step in link.steps
        ):
            descended.append(record["eventID"])
    return own, descended


def targets(records: list[dict[str, Any]]) -> Iterator[str]:
    seen: set[str] = set()
    for record in records:
        identity = record.get("userIdentity") or {}
        arn = identity.get("arn") or ""
        issuer = ((identity.get("sessionContext") or {}).get("sessionIssuer") or {}).get("arn")
        names = (arn, arn.rpartition("/")[2], identity.get("userName"), issuer, identity.get("principalId"))
        for text in (*names, identity.get("accessKeyId"), record.get("sourceIPAddress")):
            if text and text not in seen:
                seen.add(text)
                yield text


def check(trail: Path, most: int) -> None:
    records = [record for record in read_records(trail) if record.get("eventID")]
    texts = list(targets(records))
    for text in random.Random(7).sample(texts, min(most, len(texts))):  # noqa: S311  # no secrets
        target = parse_target(text)
        own, descended = plainly(target, records)
        found = who(target, [trail])
        assert found.complete
        assert (found.inquiry.own.events, found.inquiry.descended.events) == (len(own), len(descended)), text


def test_the_sample_trail(root: Path) -> None:
    check(root / "examples" / "trail", 40)


@pytest.mark.parametrize("trail", ["invictus", "stratus"])
def test_real_trails(shared_corpus: Path, trail: str) -> None:
    check(shared_corpus / trail, 10)


# --- a chain over two accounts ------------------------------------------------------------------------------


def call(
    number: int, event: str, identity: dict[str, Any], *, minute: int = 0, source: str = "sts", **more: Any
) -> dict[str, Any]:
    return {
        "eventVersion": "1.08",
        "eventID": f"00000000-0000-0000-0000-{number:012}",
        "eventTime": f"2026-11-17T12:{minute:02}:00Z",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": event,
        "eventType": "AwsApiCall",
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli",
        "recipientAccountId": "111122223333",
        "readOnly": False,
        "userIdentity": identity,
        **more,
    }


ALICE = {
    "type": "IAMUser",
    "arn": "arn:aws:iam::111122223333:user/staff/alice",
    "principalId": "AIDAEXAMPLEALICE0001",
    "accessKeyId": "AKIAEXAMPLEALICE0001",
    "userName": "alice",
}


def session(account: str, role: str, key: str, minute: int) -> dict[str, Any]:
    return {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/work",
        "principalId": f"AROAEXAMPLE{role.upper():0<10}:work",
        "accessKeyId": key,
        "sessionContext": {
            "attributes": {"creationDate": f"2026-11-17T12:{minute:02}:00Z", "mfaAuthenticated": "true"}
        },
    }


def assumed(account: str, role: str, key: str) -> dict[str, Any]:
    arn = f"arn:aws:sts::{account}:assumed-role/{role}/work"
    return {
        "requestParameters": {"roleArn": f"arn:aws:iam::{account}:role/deep/{role}", "roleSessionName": "work"},
        "responseElements": {
            "credentials": {"accessKeyId": key},
            "assumedRoleUser": {"arn": arn, "assumedRoleId": f"AROAEXAMPLE{role.upper():0<10}:work"},
        },
    }


A = session("111122223333", "A", "ASIAEXAMPLEAAAAA0001", 1)
B = session("444455556666", "B", "ASIAEXAMPLEBBBBB0001", 2)
MALLORY = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/mallory", "accessKeyId": "AKIAEXAMPLEMALLORY01"}
STORY = [
    call(1, "AssumeRole", ALICE, minute=1, **assumed("111122223333", "A", "ASIAEXAMPLEAAAAA0001")),
    call(2, "AssumeRole", A, minute=2, **assumed("444455556666", "B", "ASIAEXAMPLEBBBBB0001")),
    call(3, "CreateTrustAnchor", B, minute=3, source="rolesanywhere"),
    call(4, "GetObject", B, minute=4, source="s3", sourceIPAddress="198.51.100.9", readOnly=True),
    call(5, "ListBuckets", B, minute=5, source="s3", errorCode="AccessDenied", readOnly=True),
    call(
        6, "CreateAccessKey", B, minute=6, source="iam",
        responseElements={"accessKey": {"accessKeyId": "AKIAEXAMPLEMALLORY01", "userName": "mallory"}},
    ),
    call(7, "GetCallerIdentity", MALLORY, minute=7),
    call(8, "GetCallerIdentity", {**MALLORY, "accessKeyId": "AKIAEXAMPLEMALLORY02"}, minute=8),
    call(9, "Decrypt", {**ALICE, "accessKeyId": "ASIAFORWARDED0000001", "invokedBy": "s3.amazonaws.com",
         "sessionContext": {"attributes": {"creationDate": "2026-11-17T12:00:00Z"}}},
         minute=9, source="kms", sourceIPAddress="s3.amazonaws.com", readOnly=True),
]  # fmt: skip


def written(folder: Path, records: list[dict[str, Any]]) -> Path:
    for at, record in enumerate(records):
        (folder / f"{at}.json").write_text(json.dumps({"Records": [record]}), encoding="utf-8")
    return folder


@pytest.mark.parametrize("seed", range(5))
def test_everything_that_descends_is_found_in_any_order(tmp_path: Path, seed: int) -> None:
    shuffled = random.Random(seed).sample(STORY, len(STORY))  # noqa: S311  # no secrets
    found = who(parse_target("alice"), [written(tmp_path, shuffled)])
    inquiry = found.inquiry
    # Her call and the forwarded one; two sessions, and the key that one of them created for another user.
    assert (inquiry.own.events, inquiry.descended.events, found.issued) == (2, 6, 3)
    assert {name: stretch.events for name, stretch in inquiry.forwarded.items()} == {"s3.amazonaws.com": 1}
    assert "s3.amazonaws.com" not in inquiry.addresses
    assert (inquiry.outcomes["denied"], inquiry.outcomes.total()) == (1, 7)
    assert [event.event_name for event in inquiry.persistence.earliest] == ["CreateTrustAnchor", "CreateAccessKey"]
    assert [event.event_name for event in inquiry.data_read.earliest] == ["GetObject", "Decrypt"]
    assert sorted((each.key, each.own, each.mfa) for each in inquiry.sessions.values() if each.key) == [
        ("AKIAEXAMPLEALICE0001", True, None),
        ("AKIAEXAMPLEMALLORY01", False, None),
        ("ASIAEXAMPLEAAAAA0001", False, True),
        ("ASIAEXAMPLEBBBBB0001", False, True),
    ]


def test_the_chain_up_leads_to_the_user(tmp_path: Path) -> None:
    found = who(parse_target("B"), [written(tmp_path, STORY)])
    (chain,) = found.inquiry.chains.values()
    assert chain.link is not None
    assert (chain.link.root, chain.link.certainty, chain.events) == (ALICE["arn"], "certain", 4)
    assert [step.event_name for step in chain.link.steps] == ["AssumeRole", "AssumeRole"]


def test_without_the_middle_file_the_chain_breaks_and_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, [record for record in STORY if record["eventID"] != STORY[1]["eventID"]])
    (chain,) = who(parse_target("B"), [path]).inquiry.chains.values()
    assert chain.link is not None
    assert (chain.link.root, chain.link.certainty) == (None, "unknown")
    assert "not in these logs" in chain.link.why
    assert who(parse_target("alice"), [path]).inquiry.descended.events == 0


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("arn:aws:iam::444455556666:role/deep/B", 4),
        ("arn:aws:sts::444455556666:assumed-role/B/work", 4),
        ("arn:aws:iam::111122223333:role/B", 0),
        ("AROAEXAMPLEB000000000", 4),
        ("ASIAEXAMPLEBBBBB0001", 4),
        ("work", 5),
        ("198.51.100.9", 1),
        ("AKIAEXAMPLEMALLORY02", 1),
        ("arn:aws:iam::111122223333:user/staff/alice", 2),
        ("ALICE", 0),
        ("ali", 0),
    ],
)
def test_one_is_found_by_any_of_its_names(tmp_path: Path, text: str, own: int) -> None:
    assert who(parse_target(text), [written(tmp_path, STORY)]).inquiry.own.events == own


def test_a_user_of_identity_center(tmp_path: Path) -> None:
    user = "12345678-1234-1234-1234-123456789012"
    caller = {"type": "IdentityCenterUser", "accountId": "111122223333", "onBehalfOf": {"userId": user}}
    found = who(parse_target(user), [written(tmp_path, [call(1, "ListApplications", caller, source="sso"), *STORY])])
    assert found.inquiry.own.events == 1


def test_a_session_that_was_issued_before_the_time_is_followed(tmp_path: Path) -> None:
    selection = select("2026-11-17T12:03:00Z", "2026-11-17T12:06:00Z")
    found = who(parse_target("alice"), [written(tmp_path, STORY)], selection=selection)
    assert (found.inquiry.own.events, found.inquiry.descended.events) == (0, 3)


def test_new_since_a_time_and_since_other_logs(tmp_path: Path) -> None:
    inquiry = who(parse_target("alice"), [written(tmp_path, STORY)]).inquiry
    new = inquiry.new_since(dt.datetime(2026, 11, 17, 12, 4, tzinfo=dt.UTC))
    assert list(new["addresses"]) == ["198.51.100.9"]
    assert list(new["services"]) == ["s3.amazonaws.com", "iam.amazonaws.com", "kms.amazonaws.com"]
    assert inquiry.new_since(inquiry) == {"addresses": {}, "regions": {}, "services": {}, "agents": {}}
    assert list(inquiry.new_since(Inquiry())["regions"]) == ["eu-central-1"]


def test_telling_events_are_bounded_and_all_counted() -> None:
    events = TellingEvents()
    numbers = list(range(3 * EVENTS))
    random.Random(1).shuffle(numbers)  # noqa: S311  # no secrets
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    for number in numbers:
        time = start + dt.timedelta(seconds=number)
        events.add(TellingEvent(time, None, None, "success", "-", None, None, None, None))
    assert events.count == 3 * EVENTS
    assert [event.time for event in events.earliest] == [start + dt.timedelta(seconds=at) for at in range(EVENTS)]


@pytest.mark.parametrize("text", ["", "  ", "\t"])
def test_an_empty_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="the name is empty"):
        parse_target(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2001:DB8::1", "address"),
        ("203.0.113.7", "address"),
        ("lambda.amazonaws.com", "address"),
        ("AKIAIOSFODNN7EXAMPLE", "key"),
        ("AIDAEXAMPLEALICE0001", "unique_id"),
        ("90677c7b9e-12345678-1234-1234-1234-123456789012", "identity_center"),
        ("arn:aws:iam::111122223333:root", "arn"),
        ("203.0.113.700", "name"),
    ],
)
def test_the_kind_of_a_name(text: str, kind: str) -> None:
    assert parse_target(text).kind == kind

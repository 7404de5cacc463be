"""Changes of any order give one state: incarnations, names that come back, what is not sure, what is partly known."""

from __future__ import annotations

import datetime as dt
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inventory_history import ACCOUNT, BUNDLE, anchor, bundle, created, event, inventory_of, items_of

import cloudsigma
from cloudsigma.inventory import Inventory
from cloudsigma.inventory.objects import certificate_hashes

SHUFFLES = int(os.environ.get("CLOUDSIGMA_FUZZ", "1")) * 100

LONG = [
    created(1, "auditors", 0, "AGPA1"),
    event(2, "AddUserToGroup", 1, groupName="auditors", userName="alice"),
    event(3, "AddUserToGroup", 2, groupName="auditors", userName="bob"),
    event(4, "AttachGroupPolicy", 3, groupName="auditors", policyArn="arn:aws:iam::aws:policy/ReadOnlyAccess"),
    event(5, "UpdateGroup", 4, groupName="auditors", newGroupName="reviewers"),
    event(6, "UpdateUser", 5, userName="bob", newUserName="robert"),
    event(7, "RemoveUserFromGroup", 6, groupName="reviewers", userName="alice"),
    event(8, "PutGroupPolicy", 7, groupName="reviewers", policyName="p", policyDocument='{"b": 1, "a": 2}'),
    created(9, "auditors", 8, "AGPA2"),
    event(10, "AddUserToGroup", 9, groupName="auditors", userName="carol"),
    event(11, "DeleteGroup", 12, groupName="auditors"),
    created(12, "auditors", 14, "AGPA3"),
    event(13, "AddUserToGroup", 14, groupName="older", userName="dave"),
    event(14, "DetachGroupPolicy", 15, groupName="older", policyArn="arn:aws:iam::aws:policy/AdministratorAccess"),
    event(15, "SetDefaultPolicyVersion", 16, policyArn="arn:aws:iam::aws:policy/ReadOnlyAccess", versionId="v2"),
    anchor(16, "CreateTrustAnchor", 17, source={"sourceType": "AWS_ACM_PCA", "sourceData": {"acmPcaArn": "a"}}),
    anchor(17, "UpdateTrustAnchor", 18, source=bundle()),
    anchor(18, "DisableTrustAnchor", 18, updated="2026-11-17T12:00:18.000002Z", source=bundle(), enabled=False),
    event(19, "AttachGroupPolicy", 20, groupName="reviewers", policyArn="arn:aws:iam::aws:policy/X"),
    event(20, "DetachGroupPolicy", 20, groupName="reviewers", policyArn="arn:aws:iam::aws:policy/X"),
]


def test_a_long_history_is_what_it_says() -> None:
    found = {(item.name, item.id): item for item in items_of(*LONG)}
    reviewers = found["reviewers", "AGPA1"]
    assert reviewers.present("member") == ("robert",)
    assert reviewers.present("policy") != ()
    assert reviewers.present("inline policy") == ("p",)
    assert reviewers.arn == f"arn:aws:iam::{ACCOUNT}:group/reviewers"
    assert reviewers.value("content of arn:aws:iam::aws:policy/ReadOnlyAccess") == "v2"
    assert reviewers.facts["name"].before == "auditors"
    assert not reviewers.facts["policy arn:aws:iam::aws:policy/X"].order_known
    second, third = found["auditors", "AGPA2"], found["auditors", "AGPA3"]
    assert (second.exists, second.present("member")) == (False, ("carol",))
    assert (third.exists, third.present("member")) == (True, ())
    older = found["older", ""]
    assert (older.whole, older.created, older.present("member")) == (False, None, ("dave",))
    anchor_found = found["agents", "ta1"]
    assert anchor_found.value("enabled") is False
    source = anchor_found.facts["sourceType"]
    assert (source.before, source.value) == ("AWS_ACM_PCA", "CERTIFICATE_BUNDLE")
    assert source.cause is not None
    assert source.cause.event_id == "e17"


@pytest.mark.fuzz
def test_the_order_of_records_does_not_matter() -> None:
    """`CLOUDSIGMA_FUZZ=10` tries 1,000 shuffles."""
    wanted, shuffled = inventory_of(*LONG).state(), random.Random(7)  # noqa: S311  # no secret
    for _ in range(SHUFFLES):
        records = [*LONG, *shuffled.sample(LONG, 3)]
        shuffled.shuffle(records)
        assert inventory_of(*records).state() == wanted


NAMES = st.sampled_from(["a", "b"])
CALLS = st.one_of(
    st.builds(lambda name: ("CreateGroup", {"groupName": name}), NAMES),
    st.builds(lambda name: ("DeleteGroup", {"groupName": name}), NAMES),
    st.builds(lambda old, new: ("UpdateGroup", {"groupName": old, "newGroupName": new}), NAMES, NAMES),
    st.builds(lambda name, user: ("AddUserToGroup", {"groupName": name, "userName": user}), NAMES, NAMES),
    st.builds(lambda name, user: ("RemoveUserFromGroup", {"groupName": name, "userName": user}), NAMES, NAMES),
    st.builds(lambda old, new: ("UpdateUser", {"userName": old, "newUserName": new}), NAMES, NAMES),
)


@given(calls=st.lists(st.tuples(CALLS, st.integers(0, 4)), max_size=12), seed=st.randoms(use_true_random=False))
def test_any_history_gives_one_state(calls: list[tuple[tuple[str, dict[str, str]], int]], seed: random.Random) -> None:
    records = [event(at, name, second, **request) for at, ((name, request), second) in enumerate(calls)]
    wanted = inventory_of(*records).state()
    seed.shuffle(records)
    assert inventory_of(*records).state() == wanted


def test_a_state_at_a_time_knows_nothing_later() -> None:
    noon = dt.datetime(2026, 11, 17, 12, tzinfo=dt.UTC)
    [group] = inventory_of(*LONG).state(noon + dt.timedelta(seconds=2)).items
    assert (group.name, group.present("member")) == ("auditors", ("alice", "bob"))
    assert inventory_of(*LONG).state(noon - dt.timedelta(seconds=1)).items == ()
    with pytest.raises(cloudsigma.WrongTypeError):
        inventory_of().state(dt.datetime(2026, 1, 1))  # noqa: DTZ001  # what is refused


def test_create_delete_create_are_two_incarnations() -> None:
    items = items_of(created(1, "g", 0, "A"), event(2, "DeleteGroup", 5, groupName="g"), created(3, "g", 9, "B"))
    assert [(item.id, item.exists) for item in items] == [("A", False), ("B", True)]


def test_attach_and_detach_in_one_second_are_not_ordered() -> None:
    pair = [
        event(at, name, 5, groupName="g", policyArn="p")
        for at, name in ((1, "AttachGroupPolicy"), (2, "DetachGroupPolicy"))
    ]
    [group] = items_of(*pair)
    assert not group.facts["policy p"].order_known
    [settled] = items_of(*pair, event(3, "AttachGroupPolicy", 9, groupName="g", policyArn="p"))
    assert settled.facts["policy p"].order_known
    assert settled.present("policy") == ("p",)


def test_calls_that_failed_change_nothing() -> None:
    failed = {**created(1, "g", 0, "A"), "errorCode": "AccessDenied"}
    refused = {**created(2, "g", 0, "A"), "errorCode": "EntityAlreadyExistsException"}
    assert items_of(failed, refused) == ()


def test_an_event_counts_once_and_an_addendum_replaces_it() -> None:
    twin = {**created(1, "g", 0, "A"), "eventID": "other", "sharedEventID": "s"}
    assert len(items_of(twin, {**twin, "eventID": "third"})) == 1
    late = {**created(2, "h", 0, "A"), "addendum": {"reason": "UPDATED_DATA", "originalEventID": "e1"}}
    assert [item.name for item in items_of(created(1, "g", 0, "A"), late)] == ["h"]


def test_a_newline_at_the_end_of_a_certificate_is_no_change() -> None:
    [item] = items_of(
        anchor(1, "CreateTrustAnchor", 0, source=bundle()),
        anchor(2, "UpdateTrustAnchor", 5, source=bundle(f"{BUNDLE}\r\n\n")),
    )
    assert item.facts["certificates"].before is None
    two = f"{BUNDLE}\n-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
    swapped = "\n".join(reversed(two.replace("-----\n-----BEGIN", "-----\0-----BEGIN").split("\0")))
    assert certificate_hashes(two) == certificate_hashes(swapped)
    assert len(certificate_hashes(two)) == 2


def test_what_only_a_request_says_is_partly_known() -> None:
    call = event(1, "UpdateTrustAnchor", 0, source="rolesanywhere", trustAnchorId="ta9", name="hidden")
    [item] = items_of(call)
    assert (item.id, item.name, item.whole) == ("ta9", "hidden", False)


@pytest.mark.parametrize(
    "request_", [None, 7, "text", [], {"groupName": 7}, {"groupName": ""}, {"groupName": {"a": 1}}]
)
def test_odd_requests_change_nothing(request_: Any) -> None:
    for name in (
        "CreateGroup",
        "DeleteGroup",
        "AddUserToGroup",
        "UpdateGroup",
        "UpdateUser",
        "SetDefaultPolicyVersion",
    ):
        assert items_of({**event(1, name), "requestParameters": request_}) == ()


def test_dotted_names_are_read() -> None:
    record = created(1, "g", 0, "A")
    identity = record.pop("userIdentity")
    flat = {**record, **{f"userIdentity.{name}": value for name, value in identity.items()},
            "requestParameters.groupName": "g", "responseElements.group.groupId": "A"}  # fmt: skip
    del flat["requestParameters"], flat["responseElements"]
    [item] = items_of(flat)
    assert (item.id, item.created.principal if item.created else "") == ("A", f"arn:aws:iam::{ACCOUNT}:user/alice")


def test_the_real_trails_have_the_objects_of_a_list_made_by_hand(shared_corpus: Path, root: Path) -> None:
    def found(path: Path) -> list[tuple[str, str, bool]]:
        inventory = Inventory()
        inventory.read([path])
        return [(item.kind, item.name, item.exists) for item in inventory.state().items]

    assert found(shared_corpus / "invictus") == [
        ("trust_anchor", "malicious-rolesanywhere-trust-anchor", False),
        ("profile", "malicious-rolesanywhere-profile", False),
    ]
    assert found(shared_corpus / "stratus") == [
        ("trust_anchor", "malicious-rolesanywhere-trust-anchor", True),
        ("profile", "malicious-rolesanywhere-profile", True),
    ]
    assert found(root / "examples" / "trail") == [
        ("group", "support-tier2", True),
        ("group", "incident-responders", False),
        ("trust_anchor", "monitoring-agents", True),
        ("trust_anchor", "build-agents", True),
        ("profile", "monitoring-agents", True),
    ]

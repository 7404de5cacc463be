"""The account itself: groups by IAM, the other objects by Roles Anywhere; and its comparison with a trail.

Every call only reads: `iam:GetAccountAuthorizationDetails`, `rolesanywhere:ListTrustAnchors`, `ListProfiles` and
`ListCrls`, `sts:GetCallerIdentity`. The same answers, printed by AWS's command line, can be read from files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import structs

from cloudsigma.errors import FileAccessError, MissingPackageError, UsageError
from cloudsigma.inventory.deviation import Deviation
from cloudsigma.inventory.item import Fact, Item, Kind, State
from cloudsigma.inventory.objects import MEMBERS, attributes_of, policy_hash
from cloudsigma.inventory.register import shown

_LISTS: Mapping[str, Kind] = {"trustAnchors": "trust_anchor", "profiles": "profile", "crls": "crl"}
"""The list in an answer of Roles Anywhere → kind."""
_OPERATIONS = ("list_trust_anchors", "list_profiles", "list_crls")
LARGEST = 256 << 20
"""Bytes of a file of answers."""


class Account(msgspec.Struct, frozen=True):
    """The objects of an account, and what could not be read of them."""

    state: State
    unread: tuple[str, ...] = ()
    """Regions and calls without an answer, each with the reason."""


def read_account(session: Any = None, regions: Sequence[str] = ()) -> Account:
    """The objects of the account of a boto3 session.

    Args:
        session: The session; default: a new one, with credentials as AWS's tools find them.
        regions: The regions to ask; default: all that have IAM Roles Anywhere.

    Raises:
        MissingPackageError: boto3 is not installed.
    """
    if find_spec("boto3") is None:
        raise MissingPackageError("reading an account needs boto3: pip install 'cloudsigma-rules[s3]'")
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    session = session or boto3.Session()
    answers: list[Mapping[str, Any]] = []
    unread: list[str] = []
    try:
        pages = session.client("iam").get_paginator("get_account_authorization_details")
        answers += pages.paginate(Filter=["User", "Group"])
    except (BotoCoreError, ClientError) as error:
        unread.append(f"IAM: {error}")
    for region in regions or session.get_available_regions("rolesanywhere"):
        try:
            client = session.client("rolesanywhere", region_name=region)
            for operation in _OPERATIONS:
                answers += client.get_paginator(operation).paginate()
        except (BotoCoreError, ClientError) as error:
            unread.append(f"Roles Anywhere in {region}: {error}")
    return Account(state_of(answers), tuple(unread))


def read_account_files(paths: Iterable[str | os.PathLike[str]]) -> Account:
    """The objects in files that AWS's command line has written: `aws iam get-account-authorization-details`, and so on.

    Raises:
        FileAccessError: A file cannot be read.
        UsageError: A file holds another answer.
    """
    answers = []
    for path in paths:
        try:
            with Path(path).open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise FileAccessError(os.fspath(path), error) from error
        try:
            found = json.loads(data) if len(data) <= LARGEST else None
        except ValueError:
            found = None
        keys = {"GroupDetailList", "UserDetailList", *_LISTS}
        if not isinstance(found, Mapping) or not keys & found.keys():
            raise UsageError(
                f"{os.fspath(path)!r} is no answer of aws iam get-account-authorization-details or of "
                "aws rolesanywhere list-trust-anchors, list-profiles or list-crls"
            )
        answers.append(found)
    return Account(state_of(answers))


def state_of(answers: Iterable[Mapping[str, Any]]) -> State:
    """The objects that answers of IAM and Roles Anywhere name."""
    listed = list(answers)
    items = [*_groups(listed), *_objects(listed)]
    items.sort(key=lambda item: (item.kind, item.account, item.region, item.name, item.id))
    return State(tuple(items))


def _groups(answers: Iterable[Mapping[str, Any]]) -> Iterator[Item]:
    members: dict[tuple[str, str], list[str]] = {}
    details: list[Mapping[str, Any]] = []
    for answer in answers:
        details += answer.get("GroupDetailList") or ()
        for user in answer.get("UserDetailList") or ():
            for group in user.get("GroupList") or ():
                members.setdefault((_account(str(user.get("Arn"))), group), []).append(user["UserName"])
    for group in details:
        arn, name = str(group.get("Arn") or ""), str(group.get("GroupName") or "")
        account = _account(arn)
        facts: dict[str, Any] = {"path": group.get("Path")}
        facts |= {f"member {user}": True for user in members.get((account, name), ())}
        facts |= {f"policy {each.get('PolicyArn')}": True for each in group.get("AttachedManagedPolicies") or ()}
        for policy in group.get("GroupPolicyList") or ():
            document = policy.get("PolicyDocument")
            text = unquote(document) if isinstance(document, str) else document
            facts[f"inline policy {policy.get('PolicyName')}"] = policy_hash(text)
        yield _item("group", account, "", name, str(group.get("GroupId") or ""), arn, facts)


def _objects(answers: Iterable[Mapping[str, Any]]) -> Iterator[Item]:
    for answer in answers:
        for key, kind in _LISTS.items():
            _, id_key, arn_key = MEMBERS[kind]
            for found in answer.get(key) or ():
                arn = str(found.get(arn_key) or "")
                parts = arn.split(":")
                region = parts[3] if len(parts) > 5 else ""
                name = str(found.get("name") or "")
                yield _item(
                    kind, _account(arn), region, name, str(found.get(id_key) or ""), arn, attributes_of(kind, found)
                )


def _item(kind: Kind, account: str, region: str, name: str, identity: str, arn: str, facts: Mapping[str, Any]) -> Item:
    known = {attribute: Fact(value) for attribute, value in facts.items()}
    return Item(kind, account, region, name, identity, arn, facts=known)


def _account(arn: str) -> str:
    parts = arn.split(":")
    return parts[4] if len(parts) > 5 else ""


# --- trail and account --------------------------------------------------------------------------------------


def compare_with_account(trail: State, account: State) -> list[Deviation]:
    """Where the account is not as the trail says; the trail may begin in the midst of things."""
    by_place = {_place(item): item for item in trail.existing}
    found: list[Deviation] = []
    for item in account.items:
        known = by_place.pop(_place(item), None)
        if known is None:
            found.append(Deviation("not-in-trail", "the trail has no event that made it", item))
            continue
        for name in sorted({*item.facts} | {*known.facts}):
            found += _difference(item, known, name)
    for item in by_place.values():
        found.append(Deviation("differs", "the trail says that it exists, and the account does not have it", item))
    return found


def _difference(item: Item, known: Item, name: str) -> Iterator[Deviation]:
    """The difference in one attribute; an attribute that a trail lacks counts if the trail has the whole object."""
    if name in ("exists", "name") or name.startswith("content of "):
        return
    here, there = item.facts.get(name), known.facts.get(name)
    listed = name.startswith(("member ", "policy ", "inline policy "))
    if there is None:
        value = here.value if here is not None else None
        if known.whole and (listed or value not in (None, False, [], "[]")):
            text = f"{name} is in the account, not in the trail"
            yield Deviation("differs", text, item, None, name, None, value)
    elif here is not None or listed:
        value = here.value if here is not None else False
        if value != there.value:
            text = f"{name} is {shown(value)} in the account, {shown(there.value)} by the trail"
            yield Deviation("differs", text, item, None, name, there.value, value, there.cause)


def with_causes(account: State, trail: State) -> State:
    """The account's objects, with the events of the trail that explain them."""
    by_place = {_place(item): item for item in trail.items if item.exists}
    items = []
    for item in account.items:
        known = by_place.get(_place(item))
        if known is None:
            items.append(item)
            continue
        facts = {
            name: there if (there := known.facts.get(name)) is not None and there.value == fact.value else fact
            for name, fact in item.facts.items()
        }
        items.append(structs.replace(item, facts=facts, created=known.created))
    gone = [item for item in trail.items if not item.exists]
    return State((*items, *gone))


def _place(item: Item) -> tuple[str, str, str, str]:
    return item.kind, item.account, item.region, item.name if item.kind == "group" else item.id or item.name

"""A record → the changes that its call made to groups, trust anchors, profiles and revocation lists.

Sources: the API references of IAM and IAM Roles Anywhere (request and answer of each call).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from cloudsigma.engine.context.context import Context, read_context
from cloudsigma.engine.context.dotted_names import has_joined_names, nested
from cloudsigma.engine.context.record_access import mapping, text
from cloudsigma.inventory.item import Cause, Kind
from cloudsigma.inventory.objects import MEMBERS, attributes_of, policy_hash

IAM, ROLES_ANYWHERE = "iam.amazonaws.com", "rolesanywhere.amazonaws.com"
Action = Literal["create", "set", "rename", "rename_member", "new_version", "delete"]
RANKS: Mapping[Action, int] = {
    "create": 0, "rename": 1, "rename_member": 2, "set": 3, "new_version": 4, "delete": 5,
}  # fmt: skip


class Change(msgspec.Struct, frozen=True):
    """A change of one object."""

    action: Action
    kind: Kind
    account: str
    region: str
    name: str
    cause: Cause
    id: str = ""
    arn: str = ""
    facts: Mapping[str, Any] = {}
    """Attribute → its value after the call; a member that was removed has `False`."""
    fine: str = ""
    """`updatedAt` of the object, finer than the second of the event; `""` if it is not known."""
    whole: bool = False
    """Whether `facts` is all that the object has."""


Reader = Callable[[Mapping[str, Any], Mapping[str, Any], "_About"], Iterator[Change]]


class _About(msgspec.Struct, frozen=True):
    """The facts about a call that all its changes share."""

    account: str
    region: str
    cause: Cause

    def group(self, action: Action, name: str, **more: Any) -> Change:
        """A change of a group."""
        return Change(action, "group", self.account, "", name, self.cause, **more)


def changes_of(record: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes of a record; none for a call that failed, or that changes nothing here."""
    source, name = record.get("eventSource"), record.get("eventName")
    reader = READERS.get((source, name)) if isinstance(source, str) and isinstance(name, str) else None
    if reader is None:
        return ()
    if has_joined_names(record):
        record = nested(record)
    context = read_context(record)
    about = _about(context) if context.outcome == "success" else None
    if about is None:
        return ()
    return tuple(reader(mapping(record, "requestParameters"), mapping(record, "responseElements"), about))


def _about(context: Context) -> _About | None:
    if context.time is None or context.account is None:
        return None
    cause = Cause(
        context.time.astimezone(dt.UTC), context.event_name or "", context.event_id or "", str(context.principal or "")
    )
    return _About(context.account, context.region or "", cause)


# --- groups -------------------------------------------------------------------------------------------------


def _group_created(request: Mapping[str, Any], response: Mapping[str, Any], about: _About) -> Iterator[Change]:
    made = mapping(response, "group")
    name = text(made, "groupName") or text(request, "groupName")
    if name:
        path = text(made, "path") or text(request, "path") or "/"
        yield about.group(
            "create",
            name,
            id=text(made, "groupId") or "",
            arn=text(made, "arn") or "",
            facts={"path": path},
            whole=True,
        )


def _group_deleted(request: Mapping[str, Any], _: Mapping[str, Any], about: _About) -> Iterator[Change]:
    if name := text(request, "groupName"):
        yield about.group("delete", name)


def _group_updated(request: Mapping[str, Any], _: Mapping[str, Any], about: _About) -> Iterator[Change]:
    name = text(request, "groupName")
    facts = {
        attribute: new
        for attribute, key in (("name", "newGroupName"), ("path", "newPath"))
        if (new := text(request, key)) is not None
    }
    if name and facts:
        yield about.group("rename", name, facts=facts)


def _of_group(member: str, key: str, *, there: bool) -> Reader:
    """A call that gives something to a group, or takes it away."""

    def read(request: Mapping[str, Any], _: Mapping[str, Any], about: _About) -> Iterator[Change]:
        name, given = text(request, "groupName"), text(request, key)
        if name and given:
            value: Any = policy_hash(request.get("policyDocument")) if there and member == "inline policy" else there
            yield about.group("set", name, facts={f"{member} {given}": value})

    return read


def _user_renamed(request: Mapping[str, Any], _: Mapping[str, Any], about: _About) -> Iterator[Change]:
    old, new = text(request, "userName"), text(request, "newUserName")
    if old and new and old != new:
        yield about.group("rename_member", "", facts={old: new})


def _policy_versioned(request: Mapping[str, Any], response: Mapping[str, Any], about: _About) -> Iterator[Change]:
    policy = text(request, "policyArn")
    version = text(request, "versionId") or text(mapping(response, "policyVersion"), "versionId")
    in_force = about.cause.event_name == "SetDefaultPolicyVersion" or request.get("setAsDefault") in (True, "true")
    if policy and in_force:
        yield about.group("new_version", "", facts={policy: version or "a new version"})


# --- Roles Anywhere -----------------------------------------------------------------------------------------


def _object(kind: Kind, action: Action) -> Reader:
    """A call whose answer is the whole object; without an answer, what the request says."""
    member, id_key, arn_key = MEMBERS[kind]

    def read(request: Mapping[str, Any], response: Mapping[str, Any], about: _About) -> Iterator[Change]:
        answered = mapping(response, member)
        given = answered or request
        identity = text(given, id_key) or text(request, id_key) or ""
        name = text(given, "name") or ""
        if identity or name:
            yield Change(
                action, kind, about.account, about.region, name, about.cause, identity, text(given, arn_key) or "",
                attributes_of(kind, given), text(given, "updatedAt") or "", bool(answered),
            )  # fmt: skip

    return read


_GROUP_CALLS: Mapping[str, Reader] = {
    "CreateGroup": _group_created,
    "DeleteGroup": _group_deleted,
    "UpdateGroup": _group_updated,
    "AddUserToGroup": _of_group("member", "userName", there=True),
    "RemoveUserFromGroup": _of_group("member", "userName", there=False),
    "AttachGroupPolicy": _of_group("policy", "policyArn", there=True),
    "DetachGroupPolicy": _of_group("policy", "policyArn", there=False),
    "PutGroupPolicy": _of_group("inline policy", "policyName", there=True),
    "DeleteGroupPolicy": _of_group("inline policy", "policyName", there=False),
    "UpdateUser": _user_renamed,
    "CreatePolicyVersion": _policy_versioned,
    "SetDefaultPolicyVersion": _policy_versioned,
}
_OBJECT_CALLS: Mapping[str, tuple[Kind, Action]] = {
    "CreateTrustAnchor": ("trust_anchor", "create"),
    "UpdateTrustAnchor": ("trust_anchor", "set"),
    "EnableTrustAnchor": ("trust_anchor", "set"),
    "DisableTrustAnchor": ("trust_anchor", "set"),
    "PutNotificationSettings": ("trust_anchor", "set"),
    "ResetNotificationSettings": ("trust_anchor", "set"),
    "DeleteTrustAnchor": ("trust_anchor", "delete"),
    "CreateProfile": ("profile", "create"),
    "UpdateProfile": ("profile", "set"),
    "EnableProfile": ("profile", "set"),
    "DisableProfile": ("profile", "set"),
    "PutAttributeMapping": ("profile", "set"),
    "DeleteAttributeMapping": ("profile", "set"),
    "DeleteProfile": ("profile", "delete"),
    "ImportCrl": ("crl", "create"),
    "UpdateCrl": ("crl", "set"),
    "EnableCrl": ("crl", "set"),
    "DisableCrl": ("crl", "set"),
    "DeleteCrl": ("crl", "delete"),
}
READERS: Mapping[tuple[str, str], Reader] = {
    **{(IAM, name): reader for name, reader in _GROUP_CALLS.items()},
    **{(ROLES_ANYWHERE, name): _object(kind, action) for name, (kind, action) in _OBJECT_CALLS.items()},
}
"""Event source and name → the reader of the call."""

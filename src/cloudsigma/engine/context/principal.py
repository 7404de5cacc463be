"""Who made the call, read from a record's `userIdentity`.

The kinds are those of AWS's reference of the element
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import structs

from cloudsigma.engine.context.record_access import flag, mapping, name, text
from cloudsigma.engine.memo import LONGEST, Budget, Memo

Kind = Literal[
    "root",
    "iam_user",
    "role_session",
    "federated_user",
    "saml",
    "web_identity",
    "identity_center",
    "account",
    "service",
    "unknown",
]
"""What kind of identity a principal is."""

_KINDS: dict[str, Kind] = {
    "Root": "root",
    "IAMUser": "iam_user",
    "AssumedRole": "role_session",
    "Role": "role_session",
    "FederatedUser": "federated_user",
    "SAMLUser": "saml",
    "WebIdentityUser": "web_identity",
    "IdentityCenterUser": "identity_center",
    "AWSAccount": "account",
    "AWSService": "service",
    "Directory": "unknown",
    "Unknown": "unknown",
}
_KINDS_ANY_CASE = {type_.lower(): kind for type_, kind in _KINDS.items()}


class Principal(msgspec.Struct, frozen=True):
    """The identity that made a call; its fields in their order are its JSON form."""

    arn: str | None = None
    """The identity's ARN; of a role session that of the session."""
    kind: Kind = "unknown"
    """The kind of identity; `unknown` if the record's type says nothing (also for type `Directory`)."""
    name: str | None = None
    """User name; of a role session the role's name, of the root user the account's alias."""
    id: str | None = None
    """`principalId`: the unique ID, which outlives a name; of a session with `:` and the session's name."""
    account: str | None = None
    """The account that the identity belongs to."""
    session_name: str | None = None
    """The name given to the session of an assumed role or federated user."""
    issuer_arn: str | None = None
    """The role that was assumed, or the user that asked for a federation token."""
    invoked_by: str | None = None
    """The AWS service that made the call on the identity's behalf."""
    access_key_id: str | None = None
    """The access key that signed the request."""
    mfa: bool | None = None
    """Whether the session, or the console sign-in in this record, used MFA, as CloudTrail has it."""
    on_behalf_of: str | None = None
    """ID of the IAM Identity Center user that the identity acted for (`onBehalfOf.userId`)."""
    text: str = ""
    """The ARN, else the best identifier there is; also what `str()` gives."""

    def __post_init__(self) -> None:
        if not self.text:
            best = (
                self.arn
                or self.name
                or self.on_behalf_of
                or (self.account if self.kind == "account" else None)
                or self.id
                or self.invoked_by
                or self.account
                or self.kind
            )
            structs.force_setattr(self, "text", best)

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form."""
        return structs.asdict(self)


def read_principal(record: Mapping[str, Any]) -> Principal | None:
    """The principal of a record, or `None` if its `userIdentity` is missing or names nobody."""
    identity = mapping(record, "userIdentity")
    if not identity:
        return None
    recorded_type = text(identity, "type")
    arn = name(identity, "arn")
    principal_id = name(identity, "principalId")
    account = name(identity, "accountId")
    user_name = name(identity, "userName")
    invoked_by = name(identity, "invokedBy") if "invokedBy" in identity else None
    access_key_id = name(identity, "accessKeyId")
    on_behalf_of = name(mapping(identity, "onBehalfOf"), "userId") if "onBehalfOf" in identity else None
    if not (
        recorded_type or arn or principal_id or account or user_name or invoked_by or access_key_id or on_behalf_of
    ):
        return None

    kind = _kind(recorded_type, invoked_by, on_behalf_of)
    session = mapping(identity, "sessionContext")
    issuer = mapping(session, "sessionIssuer") if session else session
    session_name = None
    if kind == "role_session":
        role_name, session_name = _names_in_arn(arn, "assumed-role")
        if session_name is None and principal_id is not None:
            session_name = principal_id.partition(":")[2] or None
        user_name = user_name or name(issuer, "userName") or role_name or _last_in_arn(arn, "role")
    elif kind == "federated_user":
        session_name = _names_in_arn(arn, "federated-user")[0]
        if session_name is None and principal_id is not None:
            session_name = principal_id.partition(":")[2] or None
        user_name = user_name or session_name
    elif kind == "iam_user":
        user_name = user_name or _last_in_arn(arn, "user")

    return Principal(
        arn,
        kind,
        user_name,
        principal_id,
        account,
        session_name,
        name(issuer, "arn"),
        invoked_by,
        access_key_id,
        _mfa(record, session),
        on_behalf_of,
        arn or "",
    )


ReadPrincipal = Callable[[Mapping[str, Any]], Principal | None]
"""Reads the principal of a record: `read_principal`, or the method of a `PrincipalReader`."""


class _Member(msgspec.Struct, frozen=True, rename="camel"):
    """An object within `userIdentity`, with all its members that decide who the principal is."""

    arn: str | None = None
    user_name: str | None = None
    user_id: str | None = None
    mfa_authenticated: bool | str | None = None


class _Session(msgspec.Struct, frozen=True, rename="camel"):
    session_issuer: _Member | None = None
    attributes: _Member | None = None


class _Identity(msgspec.Struct, frozen=True, rename="camel"):
    """All of `userIdentity` that `read_principal` reads. Equal ones are the same principal."""

    type: str | None = None
    principal_id: str | None = None
    arn: str | None = None
    account_id: str | None = None
    access_key_id: str | None = None
    user_name: str | None = None
    invoked_by: str | None = None
    session_context: _Session | None = None
    on_behalf_of: _Member | None = None


class PrincipalReader:
    """`read_principal`, cached: the records of a session have one principal."""

    def __init__(self) -> None:
        self._known: Memo = Budget(_BYTES).memo(entries=_ENTRIES, size=lambda _: 4 * LONGEST, worth=_is_short)

    def read(self, record: Mapping[str, Any]) -> Principal | None:
        """`read_principal`, cached by the values that decide it."""
        extra = record.get("additionalEventData")
        if extra is not None and (type(extra) is not dict or "MFAUsed" in extra):  # a console sign-in
            return read_principal(record)
        try:
            identity = msgspec.convert(record.get("userIdentity"), _Identity)
        except Exception:  # noqa: BLE001  # as for the texts of a context: any value may be there
            return read_principal(record)
        try:
            found: Principal | None = self._known[identity]
        except KeyError:
            found = read_principal(record)
            self._known.keep(identity, found)
        return found


_ENTRIES = 2_000
_BYTES = 8 << 20
"""Most principals that are cached, and most bytes that they take."""


def _is_short(identity: _Identity) -> bool:
    return len(repr(identity)) <= LONGEST


def _kind(recorded_type: str | None, invoked_by: str | None, on_behalf_of: str | None) -> Kind:
    if recorded_type is not None:
        kind = _KINDS.get(recorded_type) or _KINDS_ANY_CASE.get(recorded_type.lower(), "unknown")
        if kind != "unknown":
            return kind
    if on_behalf_of is not None:
        return "identity_center"
    # Events of the services themselves have {accountId, invokedBy} and no type.
    return "service" if recorded_type is None and invoked_by is not None else "unknown"


def _mfa(record: Mapping[str, Any], session: Mapping[str, Any]) -> bool | None:
    event = record.get("eventName")
    if event == "ConsoleLogin" or (isinstance(event, str) and event.lower() == "consolelogin"):
        used = flag(mapping(record, "additionalEventData").get("MFAUsed"))
        if used is not None:
            return used
    return flag(mapping(session, "attributes").get("mfaAuthenticated")) if session else None


def _names_in_arn(arn: str | None, kind: str) -> tuple[str | None, str | None]:
    """The two names in `….:assumed-role/<role>/<session>`, or the one in `…:federated-user/<name>`."""
    if arn is None:
        return None, None
    what, _, names = arn.rpartition(":")[2].partition("/")
    if what != kind:
        return None, None
    first, _, second = names.partition("/")
    return first or None, second or None


def _last_in_arn(arn: str | None, kind: str) -> str | None:
    """The name in `…:user/<path>/<name>`."""
    if arn is None:
        return None
    what, _, path_and_name = arn.rpartition(":")[2].partition("/")
    return path_and_name.rpartition("/")[2] or None if what == kind else None

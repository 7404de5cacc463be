"""The credentials that signed a call, read from a record's `userIdentity`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cloudsigma.engine.context.event_time import read_time
from cloudsigma.engine.context.principal import read_principal
from cloudsigma.engine.context.record_access import flag, mapping, name


class Caller(msgspec.Struct, frozen=True, omit_defaults=True):
    """The principal and the credentials that signed a call; small, since an index keeps one for each session."""

    text: str
    """The principal as shown in alerts: the ARN, else the best available identifier."""
    kind: str
    """The kind of principal; see `Principal.kind`."""
    arn: str | None = None
    id: str | None = None
    """`principalId`."""
    key: str | None = None
    """The access key ID that signed the call."""
    created: int | None = None
    """When the session's credentials were issued, in seconds since 1970 (`creationDate`)."""
    issuer_arn: str | None = None
    """The ARN of the session's issuer: a role, or the user who called `GetFederationToken`."""
    invoked_by: str | None = None
    """The AWS service that made the call for the principal."""
    on_behalf_of: str | None = None
    """The user ID in IAM Identity Center."""
    source_identity: str | None = None
    """The name that the first session of a chain set; later sessions cannot change it."""
    from_console: bool = False
    """Whether the credentials are those of a console session."""


def read_caller(record: Mapping[str, Any]) -> Caller | None:
    """The caller of a record; `None` if the record names none."""
    principal = read_principal(record)
    if principal is None:
        return None
    session = mapping(mapping(record, "userIdentity"), "sessionContext")
    return Caller(
        text=principal.text,
        kind=principal.kind,
        arn=principal.arn,
        id=principal.id,
        key=principal.access_key_id,
        created=read_second(mapping(session, "attributes").get("creationDate")),
        issuer_arn=principal.issuer_arn,
        invoked_by=principal.invoked_by,
        on_behalf_of=principal.on_behalf_of,
        source_identity=name(session, "sourceIdentity"),
        from_console=flag(record.get("sessionCredentialFromConsole")) is True,
    )


def read_second(value: object) -> int | None:
    """Parse a time in CloudTrail's format to whole seconds since 1970; `None` if it is malformed."""
    when = read_time(value)
    return int(when.timestamp()) if when is not None else None

"""The target of an inquiry: an ARN, a name, an access key, a session, an address or an Identity Center user."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from cloudsigma.activity.summary import fold_session
from cloudsigma.errors import UsageError
from cloudsigma.reading.fast_path.probe import Probe

TargetKind = Literal["arn", "address", "key", "unique_id", "identity_center", "name"]
"""How a target is compared; a `name` is that of a user, a role or a session."""

_KEY = re.compile(r"A[KS]IA[A-Z0-9]{12,124}")
_UNIQUE_ID = re.compile(r"A(?:IDA|ROA|GPA|IPA|NPA)[A-Z0-9]{12,124}(?::.+)?")
_IDENTITY_CENTER = re.compile(r"(?:[0-9a-f]{10}-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


_CALLER_FIELDS = ("userIdentity.arn", "userIdentity.principalId", "userIdentity.accessKeyId", "userIdentity.userName")
_REMEMBERED = 100_000
"""Most rows of a probe whose verdict is cached."""


class Target(msgspec.Struct, frozen=True):
    """The identity or address of an inquiry; compared exactly, letter case counts."""

    text: str
    kind: TargetKind

    def is_caller(
        self,
        *,
        arn: str | None = None,
        principal_id: str | None = None,
        key: str | None = None,
        user_name: str | None = None,
        on_behalf_of: str | None = None,
        address: str | None = None,
    ) -> bool:
        """Whether a call with these facts is the target's own."""
        text = self.text
        match self.kind:
            case "address":
                return address == text
            case "key":
                return key == text
            case "unique_id":
                return principal_id is not None and (principal_id == text or principal_id.startswith(f"{text}:"))
            case "arn":
                return arn is not None and (arn == text or _is_session_of(arn, text))
        if self.kind == "identity_center" and on_behalf_of == text:
            return True
        if text in (user_name, principal_id) or (principal_id is not None and principal_id.partition(":")[2] == text):
            return True
        return arn is not None and text in _names(arn)

    def may_be_caller(self, row: tuple[Any, ...]) -> bool:
        """Whether a record with these values of `CallerProbe.fields` may be the target's own; never `False` if it is.

        Only the row for an address has a fifth value, the address.
        """
        # A name that is percent-encoded is read from the whole record.
        if any(type(value) is str and "%" in value for value in row):
            return True
        arn, principal_id, key, user_name, address = (
            value if type(value) is str else None for value in (*row, None)[:5]
        )
        return self.is_caller(arn=arn, principal_id=principal_id, key=key, user_name=user_name, address=address)


class CallerProbe(Probe):
    """Selects the records whose caller may be one that is asked for; each combination of its fields is judged once.

    Args:
        targets: The targets that are compared; the address is read only if one of them is an address, since few
            combinations repeat with it.
        wanted: Whether a record with these values of the fields is selected.
    """

    def __init__(self, targets: Sequence[Target], wanted: Callable[[tuple[Any, ...]], bool]) -> None:
        addresses = any(target.kind == "address" for target in targets)
        self._fields = (*_CALLER_FIELDS, *(["sourceIPAddress"] if addresses else []))
        self._wanted = wanted
        # `onBehalfOf` lies deeper than a probe reads.
        self._all = any(target.kind == "identity_center" for target in targets)
        self._known: dict[tuple[Any, ...], bool] = {}

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that name a caller."""
        return self._fields

    def candidates(self, columns: Sequence[Iterator[Any]]) -> list[int]:
        """The records to decode."""
        if self._all:
            return list(range(sum(1 for _ in columns[0])))
        known = self._known
        if len(known) > _REMEMBERED:
            known.clear()
        chosen = []
        for at, row in enumerate(zip(*columns, strict=True)):
            if (wanted := known.get(row)) is None:
                wanted = known[row] = self._wanted(row)
            if wanted:
                chosen.append(at)
        return chosen

    def accepted(self) -> None:
        """Nothing is kept between files."""


def parse_target(text: str) -> Target:
    """The target that a text names; raises `UsageError` for a text that names nothing."""
    text = text.strip()
    if text.endswith(".amazonaws.com"):
        return Target(text, "address")  # calls of services have the service's name instead of an address
    if not text:
        raise UsageError("the name is empty; give an ARN, a name, an access key ID, an address or a user ID")
    if text.startswith("arn:"):
        return Target(text, "arn")
    try:
        return Target(str(ipaddress.ip_address(text)), "address")
    except ValueError:
        pass
    if _KEY.fullmatch(text):
        return Target(text, "key")
    if _UNIQUE_ID.fullmatch(text):
        return Target(text, "unique_id")
    return Target(text, "identity_center" if _IDENTITY_CENTER.fullmatch(text) else "name")


def _is_session_of(arn: str, role: str) -> bool:
    """Whether an ARN is that of a session of a role; session ARNs lack the role's path."""
    if ":role/" not in role:
        return False
    beginning, _, path = role.partition(":role/")
    return fold_session(arn) == (f"{beginning}:role/{path.rpartition('/')[2]}", _session_name(arn))


def _session_name(arn: str) -> str | None:
    return fold_session(arn)[1]


def _names(arn: str) -> tuple[str, ...]:
    """The names in an ARN: of a user, of a role, of a session."""
    what, _, rest = arn.rpartition(":")[2].partition("/")
    if what == "assumed-role":
        role, _, session = rest.partition("/")
        return (role, session) if session else (role,)
    if what in ("user", "federated-user", "role"):
        return (rest.rpartition("/")[2],)
    return (what,) if what == "root" else ()

"""The values of an inventory: an object of the account, its attributes, and the events that set them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Kind = Literal["group", "trust_anchor", "profile", "crl"]
KINDS: tuple[Kind, ...] = ("group", "trust_anchor", "profile", "crl")
TITLES: Mapping[Kind, str] = {
    "group": "IAM group",
    "trust_anchor": "Roles Anywhere trust anchor",
    "profile": "Roles Anywhere profile",
    "crl": "Roles Anywhere revocation list",
}


class Cause(msgspec.Struct, frozen=True, order=True):
    """The event that changed something."""

    time: dt.datetime
    """Aware, in UTC."""
    event_name: str
    event_id: str
    """`""` if the record has no ID."""
    principal: str

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form."""
        return {"time": _time(self.time), "event_name": self.event_name, "event_id": self.event_id,
                "principal": self.principal}  # fmt: skip


class Fact(msgspec.Struct, frozen=True):
    """The value of one attribute."""

    value: Any
    """A JSON value; of a member or policy, whether it is there."""
    cause: Cause | None = None
    """The event that set it; `None` if it is from the account, not from a trail."""
    before: Any = None
    """The value before, `None` if it is not known."""
    order_known: bool = True
    """Whether the order of the events that set it is known: two events of one second may contradict each other."""

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form."""
        return {
            "value": self.value,
            "before": self.before,
            "order_known": self.order_known,
            "cause": self.cause.to_dict() if self.cause is not None else None,
        }


class Item(msgspec.Struct, frozen=True):
    """An object: one incarnation, from its creation to its deletion."""

    kind: Kind
    account: str
    region: str
    """`""` for groups, which belong to no region."""
    name: str
    """The last name."""
    id: str = ""
    """The ID that AWS gave it; `""` if the trail does not say."""
    arn: str = ""
    exists: bool = True
    whole: bool = True
    """Whether its creation was seen; if not, it has at least the members and policies that are named here."""
    created: Cause | None = None
    deleted: Cause | None = None
    facts: Mapping[str, Fact] = {}
    """Attribute → value. A member of a group is `member alice`, an attached policy `policy arn:…`, an inline policy
    `inline policy NAME` with the SHA-256 of its document."""

    def present(self, prefix: str) -> tuple[str, ...]:
        """The members, policies or inline policies that it has: the names behind `member `, `policy ` and so on."""
        start = f"{prefix} "
        return tuple(
            sorted(
                name.removeprefix(start)
                for name, fact in self.facts.items()
                if name.startswith(start) and fact.value not in (False, None)
            )
        )

    def value(self, attribute: str) -> Any:
        """The value of an attribute, `None` if it is not known."""
        fact = self.facts.get(attribute)
        return fact.value if fact is not None else None

    def __str__(self) -> str:
        place = f"{self.account} {self.region}".rstrip()
        return f"{TITLES[self.kind]} {self.name or self.id} ({place})"

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form."""
        return {
            "kind": self.kind,
            "account": self.account,
            "region": self.region or None,
            "name": self.name,
            "id": self.id or None,
            "arn": self.arn or None,
            "exists": self.exists,
            "whole": self.whole,
            "created": self.created.to_dict() if self.created is not None else None,
            "deleted": self.deleted.to_dict() if self.deleted is not None else None,
            "facts": {name: self.facts[name].to_dict() for name in sorted(self.facts)},
        }


class State(msgspec.Struct, frozen=True):
    """All objects at a time."""

    items: tuple[Item, ...] = ()
    """By kind, account, region, name and time of creation; deleted objects, too."""
    at: dt.datetime | None = None
    """The time; `None`: after all events."""

    @property
    def existing(self) -> tuple[Item, ...]:
        """The objects that exist at the time."""
        return tuple(item for item in self.items if item.exists)

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON form."""
        return {"at": _time(self.at), "items": [item.to_dict() for item in self.items]}


def _time(value: dt.datetime | None) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value is not None else None

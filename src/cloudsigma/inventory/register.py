"""What is registered, with its purpose, and the comparison of a state with it."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from cloudsigma.inventory.deviation import Deviation
from cloudsigma.inventory.item import Fact, Item, Kind, State

_ADMINISTRATOR = ("policy/AdministratorAccess", "policy/IAMFullAccess")
_SETS: Mapping[str, str] = {"members": "member", "policies": "policy", "inline_policies": "inline policy"}
"""Expectation of a list → how the facts of an item name it."""
_ATTRIBUTES: Mapping[str, str] = {
    "path": "path", "enabled": "enabled", "source": "sourceType", "certificates": "certificates", "roles": "roleArns",
    "managed_policies": "managedPolicyArns", "duration": "durationSeconds", "trust_anchor": "trustAnchorArn",
}  # fmt: skip
EXPECTATIONS = (*_SETS, *_ATTRIBUTES, "notifications")
"""The keys of `expect`."""


class Registered(msgspec.Struct, frozen=True):
    """One registered object."""

    kind: Kind
    purpose: str
    owner: str
    name: str = ""
    account: str = ""
    region: str = ""
    """`""`: any."""
    arn: str = ""
    approved_by: tuple[str, ...] = ()
    approved_at: dt.datetime | None = None
    """Changes after it are deviations."""
    ticket: str = ""
    review_by: dt.date | None = None
    expect: Mapping[str, Any] = {}
    """Attribute → value: texts, or a tuple of them in any order."""
    line: int = 0

    def is_of(self, item: Item) -> bool:
        """Whether the item is this object."""
        if item.kind != self.kind:
            return False
        if self.arn:
            return self.arn in (item.arn, item.id)
        return item.name == self.name and item.account == self.account and self.region in ("", item.region)

    def __str__(self) -> str:
        return self.arn or f"{self.kind} {self.name} ({self.account} {self.region}".rstrip() + ")"


class Register:
    """The objects that an account may have, each with its purpose."""

    def __init__(self, entries: tuple[Registered, ...], today: dt.date | None = None) -> None:
        self.entries = entries
        """The registered objects, in the order of the file."""
        self.today = today or dt.datetime.now(dt.UTC).date()
        """The day that reviews are compared with."""

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, today: dt.date | None = None) -> Register:
        """Read a register (`docs/reference/register-file.md`).

        Args:
            path: The file.
            today: The day that reviews are compared with; default: today, in UTC.

        Raises:
            RegisterError: The file has mistakes; each is told with its line and remedy.
        """
        from cloudsigma.inventory.register_file.loader import read_register  # imports the reader of YAML

        return cls(read_register(path), today)

    def compare(self, state: State) -> list[Deviation]:
        """The deviations of a state: its objects in order, then registered ones that are gone, then weaknesses."""
        found: list[Deviation] = []
        used: set[int] = set()
        for item in state.existing:
            at = next((at for at, entry in enumerate(self.entries) if entry.is_of(item)), None)
            if at is None:
                found.append(Deviation("not-registered", "it has no purpose in the register", item, cause=item.created))
            else:
                used.add(at)
                found += _against(item, self.entries[at], self.today)
        for at, entry in enumerate(self.entries):
            if at not in used:
                found.append(_missing(entry, state))
        return found + weaknesses(state)


def _against(item: Item, entry: Registered, today: dt.date) -> Iterator[Deviation]:
    named = str(entry)
    if entry.review_by is not None and entry.review_by < today:
        yield Deviation("past-review", f"its review was due on {entry.review_by}; owner {entry.owner}", item, named,
                        "review_by", str(entry.review_by), str(today))  # fmt: skip
    told = set()
    for key, wanted in entry.expect.items():
        for each in _expectation(item, named, key, wanted):
            told.add(each.attribute)
            yield each
    for name, fact in item.facts.items():
        late = entry.approved_at is not None and fact.cause is not None and fact.cause.time > entry.approved_at
        if late and name not in told:
            text = f"{name} was changed after the approval from {shown(fact.before)} to {shown(fact.value)}"
            yield Deviation("changed", text, item, named, name, fact.before, fact.value, fact.cause)


def _expectation(item: Item, named: str, key: str, wanted: Any) -> Iterator[Deviation]:
    if key in _SETS:
        yield from _set_expectation(item, named, _SETS[key], wanted)
    elif key == "notifications":
        if weak := _silent_notifications(item):
            fact = item.facts.get("notificationSettings")
            yield Deviation("changed", f"notifications are off: {', '.join(weak)}", item, named, "notificationSettings",
                            "on", "off", fact.cause if fact is not None else None)  # fmt: skip
    else:
        name = _ATTRIBUTES[key]
        fact = item.facts.get(name)
        if fact is None:
            if item.whole:
                yield Deviation(
                    "changed", f"{name} is not known, {shown(wanted)} is expected", item, named, name, wanted
                )
            return
        if _comparable(fact.value) != _comparable(wanted):
            text = f"{name} is {shown(fact.value)}, {shown(wanted)} is expected"
            yield Deviation("changed", text, item, named, name, wanted, fact.value, fact.cause)


def _set_expectation(item: Item, named: str, prefix: str, wanted: tuple[str, ...]) -> Iterator[Deviation]:
    there = item.present(prefix)
    for name in sorted({*there} - {*wanted}):
        fact = item.facts[f"{prefix} {name}"]
        yield Deviation(
            "changed", f"{prefix} {name} is not expected", item, named, f"{prefix} {name}", expected=False,
            found=fact.value, cause=fact.cause,
        )  # fmt: skip
    for name in sorted({*wanted} - {*there}):
        known: Fact | None = item.facts.get(f"{prefix} {name}")
        if known is not None or item.whole:
            yield Deviation(
                "changed", f"{prefix} {name} is missing", item, named, f"{prefix} {name}", expected=True, found=False,
                cause=known.cause if known is not None else None,
            )  # fmt: skip


def _missing(entry: Registered, state: State) -> Deviation:
    deleted = [item for item in state.items if entry.is_of(item) and not item.exists]
    if deleted:
        last = deleted[-1]
        return Deviation("gone", "it was deleted; remove it from the register, or ask why", last, str(entry),
                         cause=last.deleted)  # fmt: skip
    return Deviation("never-seen", f"it is registered for {entry.owner}, and was never seen", entry=str(entry))


# --- what is weak -------------------------------------------------------------------------------------------


def weaknesses(state: State) -> list[Deviation]:
    """What exists and is weak, whatever is registered; and what is not sure."""
    found: list[Deviation] = []
    revoking = {
        str(item.value("trustAnchorArn"))
        for item in state.existing
        if item.kind == "crl" and item.value("enabled") is not False
    }
    for item in state.existing:
        for name, fact in item.facts.items():
            if not fact.order_known:
                text = f"{name} is {shown(fact.value)}, but events of one second contradict each other"
                found.append(Deviation("order-unknown", text, item, None, name, None, fact.value, fact.cause))
        for attribute, text in _weak(item, revoking):
            known = item.facts.get(attribute)
            value, cause = (known.value, known.cause) if known is not None else (None, item.created)
            found.append(Deviation("weak", text, item, None, attribute, None, value, cause))
    return found


def _weak(item: Item, revoking: set[str]) -> Iterator[tuple[str, str]]:
    for policy in item.present("policy"):
        if policy.endswith(_ADMINISTRATOR):
            yield f"policy {policy}", f"it has the administrator policy {policy}"
    if item.kind == "trust_anchor":
        if item.value("sourceType") not in (None, "AWS_ACM_PCA"):
            yield "sourceType", "its certificate authority is not AWS Private CA: whoever has its key issues ways in"
            if item.arn not in revoking and item.value("crlDpRevocationEnabled") is not True:
                yield "crlDpRevocationEnabled", "no revocation list is in force: a stolen certificate stays valid"
        if silent := _silent_notifications(item):
            yield "notificationSettings", f"notifications are off: {', '.join(silent)}"
    if item.kind == "profile":
        for policy in item.value("managedPolicyArns") or ():
            if str(policy).endswith(_ADMINISTRATOR):
                yield "managedPolicyArns", f"its sessions have the administrator policy {policy}"
        roles = item.value("roleArns") or ()
        if len(roles) > 1 and '"specifier":"*"' in str(item.value("attributeMappings") or '"specifier":"*"'):
            yield "roleArns", f"every certificate may take any of {len(roles)} roles: the mapping is *"
        if item.value("acceptRoleSessionName") is True:
            yield "acceptRoleSessionName", "callers choose the name of their session"


def _silent_notifications(item: Item) -> list[str]:
    """The events whose notifications are off."""
    written = item.value("notificationSettings")
    try:
        settings = json.loads(written) if isinstance(written, str) else []
    except ValueError:
        return []
    return sorted(
        {str(each.get("event")) for each in settings if isinstance(each, Mapping) and each.get("enabled") is False}
    )


def _comparable(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return sorted(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def shown(value: Any) -> str:
    """A value in a sentence."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(str, value))}]"
    return str(value)

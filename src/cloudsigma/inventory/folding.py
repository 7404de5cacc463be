"""Changes of any order → the objects at a time, each with its history.

The order is that of event times, within a second that of the objects' `updatedAt`. Changes of one second without it
that contradict each other are applied in a fixed order and marked: an event ID is no clock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from cloudsigma.inventory.calls import RANKS, Change
from cloudsigma.inventory.item import KINDS, Cause, Fact, Item, Kind, State

_Clock = tuple[dt.datetime, str]


def fold(changes: Iterable[Change], at: dt.datetime | None = None) -> State:
    """The state after all changes, or after those up to and including a time."""
    wanted = sorted((each for each in changes if at is None or each.cause.time <= at), key=_order)
    ledger = _Objects()
    for _, together in groupby(wanted, key=_clock):
        moment = list(together)
        unsure = _contradictions(moment)
        for change in moment:
            ledger.apply(change, unsure)
    items = sorted(
        (each.item() for each in ledger.all), key=lambda item: (
            KINDS.index(item.kind), item.account, item.region, item.name,
            item.created.time.isoformat() if item.created else "", item.id,
        ),
    )  # fmt: skip
    return State(tuple(items), at)


def _clock(change: Change) -> _Clock:
    return change.cause.time, change.fine


def _order(change: Change) -> tuple[Any, ...]:
    return (*_clock(change), RANKS[change.action], change.kind, change.name, change.id, sorted(map(str, change.facts)),
            str(sorted(map(str, change.facts.values()))), change.cause)  # fmt: skip


_Thing = tuple[Kind, str, str, str]


def _thing(change: Change) -> _Thing:
    return change.kind, change.account, change.region, change.id or change.name


def _contradictions(moment: list[Change]) -> frozenset[tuple[_Thing, str]]:
    """The attributes that changes of one moment set to different values; `""`: whether the object exists."""
    if len(moment) == 1:
        return frozenset()
    values: dict[tuple[_Thing, str], list[Any]] = {}
    for change in moment:
        for name, value in change.facts.items():
            values.setdefault((_thing(change), name), []).append(value)
        if change.action in ("create", "delete"):
            values.setdefault((_thing(change), ""), []).append(change.action)
    return frozenset(place for place, found in values.items() if any(value != found[0] for value in found))


class _Objects:
    """All objects so far. Names lead to objects over time: a name may come back."""

    def __init__(self) -> None:
        self.all: list[_Object] = []
        self._by_id: dict[tuple[Kind, str, str, str], _Object] = {}
        self._by_name: dict[tuple[Kind, str, str, str], _Object] = {}

    def apply(self, change: Change, unsure: frozenset[tuple[_Thing, str]]) -> None:
        """Apply one change."""
        if change.action in ("rename_member", "new_version"):
            for each in self._by_name.values():
                if each.kind == change.kind and each.account == change.account:
                    each.apply_to_part(change)
            return
        found = self._found(change)
        if (change.action == "create" and (found is None or not found.exists or found.whole)) or found is None:
            found = self._added(change)
        before = found.name
        found.apply(change, {name for thing, name in unsure if thing == _thing(change)})
        if found.name != before:
            self._by_name.pop((found.kind, found.account, found.region, before), None)
        self._index(found)
        if not found.exists:
            self._by_name.pop((found.kind, found.account, found.region, found.name), None)

    def _found(self, change: Change) -> _Object | None:
        place = (change.kind, change.account, change.region)
        if change.id and (known := self._by_id.get((*place, change.id))) is not None:
            return known
        if change.id and change.action == "create":
            return None
        named = self._by_name.get((*place, change.name)) if change.name else None
        return named if named is not None and not (change.id and named.id and named.id != change.id) else None

    def _added(self, change: Change) -> _Object:
        made = _Object(change)
        self.all.append(made)
        return made

    def _index(self, found: _Object) -> None:
        place = (found.kind, found.account, found.region)
        if found.id:
            self._by_id[(*place, found.id)] = found
        if found.name:
            self._by_name[(*place, found.name)] = found


class _Object:
    """An object while changes are applied."""

    def __init__(self, change: Change) -> None:
        self.kind, self.account, self.region = change.kind, change.account, change.region
        self.name, self.id, self.arn = change.name, change.id, change.arn
        self.exists = True
        self.whole = False
        self.created: Cause | None = None
        self.deleted: Cause | None = None
        self.facts: dict[str, Fact] = {}

    def apply(self, change: Change, unsure: set[str]) -> None:
        self.id, self.arn = self.id or change.id, change.arn or self.arn
        self.exists = change.action != "delete"
        if change.action == "create":
            self.created = self.created or change.cause
            self.whole = True
            self.deleted = None
        elif change.action == "delete":
            self.deleted = change.cause
        if "" in unsure:
            self._set("exists", self.exists, change.cause, sure=False)
        self.whole = self.whole or (change.whole and change.kind != "group")
        facts = dict(change.facts)
        if change.action == "rename" and "name" in facts:
            self.arn = _renamed_arn(self.arn, self.name, str(facts["name"]))
            self._set("name", facts["name"], change.cause, sure="name" not in unsure, before=self.name)
            self.name = str(facts.pop("name"))
        elif change.name and self.kind != "group" and self.name != change.name:
            if self.name:
                self._set("name", change.name, change.cause, before=self.name)
            self.name = change.name
        if change.action != "delete":  # the answer to a deletion is the last state, which is known
            for name, value in facts.items():
                self._set(name, value, change.cause, sure=name not in unsure)
        elif change.whole:
            for name, value in facts.items():
                if name not in self.facts:
                    self._set(name, value, change.cause)

    def apply_to_part(self, change: Change) -> None:
        """Apply a change to a member of groups, or to the content of a policy that is attached."""
        for old, new in change.facts.items():
            if change.action == "rename_member" and self._has(f"member {old}"):
                self._set(f"member {old}", False, change.cause)  # noqa: FBT003  # not a member under this name
                self._set(f"member {new}", True, change.cause)  # noqa: FBT003
            elif change.action == "new_version" and self._has(f"policy {old}"):
                self._set(f"content of {old}", new, change.cause)

    def _has(self, name: str) -> bool:
        fact = self.facts.get(name)
        return fact is not None and fact.value is True

    def _set(self, name: str, value: Any, cause: Cause, *, sure: bool = True, before: Any = None) -> None:
        known = self.facts.get(name)
        if known is not None and known.value == value and (sure or not known.order_known):
            if sure and not known.order_known and known.cause is not None and known.cause.time < cause.time:
                self.facts[name] = Fact(value, cause, known.before)
            return
        self.facts[name] = Fact(value, cause, known.value if known is not None else before, sure)

    def item(self) -> Item:
        facts: Mapping[str, Fact] = dict(sorted(self.facts.items()))
        return Item(
            self.kind, self.account, self.region, self.name, self.id, self.arn, self.exists, self.whole, self.created,
            self.deleted, facts,
        )  # fmt: skip


def _renamed_arn(arn: str, old: str, new: str) -> str:
    return f"{arn.removesuffix(old)}{new}" if arn.endswith(f"/{old}") else ""

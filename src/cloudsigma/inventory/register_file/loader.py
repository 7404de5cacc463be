"""A register file → the registered objects, or every mistake in it with its line and remedy."""

from __future__ import annotations

import datetime as dt
import os
import re
from contextlib import suppress
from typing import Any, cast

from cloudsigma.arguments import check_path, compiling
from cloudsigma.compiler.files import read_file
from cloudsigma.compiler.listed_file import ListedFile
from cloudsigma.compiler.remedies import nearest, quoted
from cloudsigma.compiler.yaml_map import YamlMap
from cloudsigma.engine.context.event_time import read_time
from cloudsigma.errors import Mistake, RegisterError, RuleError
from cloudsigma.inventory.item import KINDS, Kind
from cloudsigma.inventory.register import EXPECTATIONS, Registered

KEYS = (
    "arn", "group", "trust_anchor", "profile", "crl", "account", "region", "purpose", "owner", "approved_by",
    "approved_at", "ticket", "review_by", "expect",
)  # fmt: skip
"""The keys of a registered object."""
_ACCOUNT = re.compile(r"[0-9]{12}")
_ARN = re.compile(r"arn:[a-z-]+:(iam|rolesanywhere):([a-z0-9-]*):([0-9]{12}):(group|trust-anchor|profile|crl)/(\S+)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_OFFSET = re.compile(r"(Z|[+-]\d\d:\d\d)$")
_OF_GROUPS = frozenset({"members", "policies", "inline_policies", "path"})
_LISTS = frozenset({"members", "policies", "inline_policies", "certificates", "roles", "managed_policies"})
_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_register(path: str | os.PathLike[str]) -> tuple[Registered, ...]:
    """The objects of a register file; see `Register.load`."""
    check_path("path", path)
    with compiling("reading a register"):
        data = read_file(path)
        if isinstance(data, RuleError):
            mistake = Mistake(data.reason, data.location, data.remedy or "Check the path.", None, "register")
            raise RegisterError([mistake])
        return parse_register(data, os.fspath(path))


def parse_register(data: bytes | str, path: str | None = None) -> tuple[Registered, ...]:
    """The objects of a text; raises `RegisterError` with every mistake."""
    listed = ListedFile(data, path, "objects", "register")
    entries: list[Registered] = []
    if listed.top() is not None:
        seen: dict[tuple[str, ...], int] = {}
        for at, entry in listed.entries("purpose"):
            registered = _Entry(entry, listed.line_of(("objects", at))).read()
            key = (registered.kind, registered.arn, registered.name, registered.account, registered.region)
            if key in seen and any(key[1:3]):
                entry.tell("purpose", f"the object appears twice (first in line {seen[key]})", "Keep one of them.")
            seen.setdefault(key, registered.line)
            entries.append(registered)
    if listed.mistakes:
        raise RegisterError(listed.sorted_mistakes)
    return tuple(entries)


class _Entry:
    """Reads one registered object."""

    def __init__(self, entry: YamlMap, line: int) -> None:
        self._entry = entry
        self._line = line

    def read(self) -> Registered:
        """The object; of one with mistakes, the values that could be read."""
        entry = self._entry
        entry.check_keys(KEYS)
        kind, name, arn = self._named()
        for key in ("purpose", "owner"):
            if not entry.has(key):
                entry.tell(key, f"there is no {key}", f"Write {key}: people who read this in a year must know.")
        account = self._account(needed=not arn)
        return Registered(
            kind=kind,
            purpose=entry.text("purpose") or "",
            owner=entry.text("owner") or "",
            name=name,
            account=account,
            region=entry.text("region") or "",
            arn=arn,
            approved_by=tuple(each.text for each in entry.scalars("approved_by")),
            approved_at=self._time("approved_at"),
            ticket=entry.text("ticket") or "",
            review_by=self._date("review_by"),
            expect=self._expect(kind),
            line=self._line,
        )

    def _named(self) -> tuple[Kind, str, str]:
        """Kind, name and ARN: an object is named by its ARN, or by its kind, name and account."""
        entry = self._entry
        named = [key for key in KINDS if entry.has(key)]
        if entry.has("arn") == bool(named) or len(named) > 1:
            remedy = (
                "Write arn: and its ARN; or one of group, trust_anchor, profile and crl with its name, and account."
            )
            entry.tell("arn" if entry.has("arn") else "purpose", "it does not name one object", remedy)
            return "group", "", ""
        if named:
            return named[0], entry.text(named[0]) or "", ""
        scalar = entry.scalar("arn")
        found = _ARN.fullmatch(scalar.text) if scalar is not None else None
        if scalar is None or found is None or (found[1] == "iam") != (found[4] == "group"):
            remedy = "Write the ARN of a group, trust anchor, profile or revocation list."
            entry.tell("arn", "it is no ARN of one", remedy)
            return "group", "", ""
        return cast("Kind", found[4].replace("-", "_")), "", scalar.text

    def _account(self, *, needed: bool) -> str:
        scalar = self._entry.scalar("account")
        if scalar is None:
            if needed and not self._entry.has("account"):
                self._entry.tell("account", "there is no account", "Write account: '111122223333'.")
            return ""
        if not _ACCOUNT.fullmatch(scalar.text):
            self._entry.tell_at(
                scalar, f"{quoted(scalar.text)} is no account ID", "Write its 12 digits, in quotation marks."
            )
        return scalar.text

    def _time(self, key: str) -> dt.datetime | None:
        scalar = self._entry.scalar(key)
        if scalar is None:
            return None
        found = read_time(scalar.text)
        if found is None or not _OFFSET.search(scalar.text):
            self._entry.tell_at(
                scalar, f"{key} is {quoted(scalar.text)}", "Write a time with an offset: 2026-11-17T13:00:00Z."
            )
            return None
        return found

    def _date(self, key: str) -> dt.date | None:
        scalar = self._entry.scalar(key)
        if scalar is None:
            return None
        if _DATE.fullmatch(scalar.text):
            with suppress(ValueError):
                return dt.date.fromisoformat(scalar.text)
        self._entry.tell_at(scalar, f"{key} is {quoted(scalar.text)}", "Write a date: 2027-01-31.")
        return None

    def _expect(self, kind: Kind) -> dict[str, Any]:
        expect = self._entry.map("expect")
        if expect is None:
            return {}
        found: dict[str, Any] = {}
        for key in expect.keys:
            if key not in EXPECTATIONS:
                expect.tell(key, f"there is no expectation {quoted(key)}", nearest(key, EXPECTATIONS))
            elif (key in _OF_GROUPS) != (kind == "group"):
                expect.tell(key, f"{key} is no attribute of a {kind.replace('_', ' ')}", "Remove it.")
            elif key in _LISTS:
                found[key] = self._texts(expect, key)
            elif key == "notifications":
                self._on(expect)
                found[key] = "on"
            else:
                found[key] = expect.text(key)
        return found

    def _texts(self, expect: YamlMap, key: str) -> tuple[str, ...]:
        scalars = [] if expect.has_empty_list(key) else expect.scalars(key)
        for scalar in scalars:
            if key == "certificates" and not _SHA256.fullmatch(scalar.text):
                remedy = "Write the SHA-256 of its DER in small hexadecimal digits; cloudsigma inventory shows it."
                expect.tell_at(scalar, f"{quoted(scalar.text)} is no certificate's hash", remedy)
        return tuple(scalar.text for scalar in scalars)

    def _on(self, expect: YamlMap) -> None:
        scalar = expect.scalar("notifications")
        if scalar is not None and scalar.text.lower() not in ("on", "true"):
            expect.tell_at(
                scalar, f"notifications is {quoted(scalar.text)}", "Write notifications: 'on', or leave it out."
            )

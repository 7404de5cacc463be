"""The facts of a match that messages show: texts are cut and made printable, and each channel escapes them again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from cloudsigma.escaping import printable
from cloudsigma.rulesets.levels import LEVELS

LONGEST = 200
"""Characters of one text; longer ones are cut in the middle."""


class Alert(msgspec.Struct, frozen=True):
    """A match as messages show it: no record, no parameters, no tokens."""

    key: str
    """The key of the match, by which receivers recognize it."""
    rule_id: str
    title: str
    level: str
    author: str = ""
    """The author of the rule, whose licence asks for the name."""
    event: str = ""
    outcome: str = ""
    principal: str = ""
    root: str = ""
    """The identity behind the session, if it was linked."""
    resource: str = ""
    time: str = ""
    account: str = ""
    region: str = ""
    source_ip: str = ""
    near: str = ""
    """The approval that nearly covers it."""
    approved: bool = False
    finding: dict[str, Any] | None = None
    """The match as a finding of Security Hub, where a channel needs it."""

    @property
    def group(self) -> str:
        """The group of the match: its rule, the identity behind it, and the account."""
        parts = "\n".join((self.rule_id, self.root or self.principal, self.account))
        return hashlib.sha256(parts.encode(errors="replace")).hexdigest()[:32]

    @property
    def severity(self) -> int:
        """The level as a number, 0 for none."""
        return LEVELS.index(self.level) + 1 if self.level in LEVELS else 0

    @property
    def summary(self) -> str:
        """One line."""
        level = (self.level or "no level").upper()
        who = self.root or self.principal or "somebody"
        return cut(f"{level} {self.title}: {self.event or 'an event'} by {who}", 300)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Label and text of each line."""
        listed = (
            ("Rule", self.title), ("Level", self.level), ("Event", self.event), ("Outcome", self.outcome),
            ("Who", self.principal), ("Behind it", self.root if self.root != self.principal else ""),
            ("What", self.resource), ("From", self.source_ip), ("Account", self.account), ("Region", self.region),
            ("Time", self.time), ("Not approved", self.near), ("Rule by", self.author), ("Match", self.key),
        )  # fmt: skip
        return [(label, text) for label, text in listed if text]


class NoMatchError(ValueError):
    """A line is no match."""


def alert_of(form: Any) -> Alert:
    """The alert of a match in its JSON form; raises `NoMatchError`."""
    if not isinstance(form, Mapping) or not isinstance(form.get("key"), str):
        raise NoMatchError("it has no key")
    rule, context = _map(form, "rule"), _map(form, "context")
    if not isinstance(form.get("rule_id"), str) or not rule:
        raise NoMatchError("it has no rule")
    session, approval = _map(form, "session"), _map(form, "approval")
    near = approval.get("near")
    first = near[0] if isinstance(near, list) and near and isinstance(near[0], Mapping) else {}
    return Alert(
        key=_text(form, "key"),
        rule_id=_text(form, "rule_id"),
        title=_text(rule, "title"),
        level=_text(rule, "level"),
        author=_text(rule, "author"),
        event=_text(context, "event_name"),
        outcome=_text(context, "outcome"),
        principal=_text(_map(context, "principal"), "text"),
        root=_text(session, "root"),
        resource=_text(_map(context, "resource"), "text"),
        time=_text(context, "time"),
        account=_text(context, "account"),
        region=_text(context, "region"),
        source_ip=_text(context, "source_ip"),
        near=f"{_text(first, 'id')}: {_text(first, 'why')}" if first else "",
        approved=approval.get("status") == "approved",
    )


def _map(form: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = form.get(name)
    return found if isinstance(found, Mapping) else {}


def _text(form: Mapping[str, Any], name: str) -> str:
    found = form.get(name)
    return cut(found) if isinstance(found, str) else ""


def cut(text: str, longest: int = LONGEST) -> str:
    """The text on one line, printable, and cut in the middle if it is long."""
    if len(text) > longest * 4:  # before every character is looked at
        text = f"{text[: longest * 2]}…{text[-longest * 2 :]}"
    text = printable(text)
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[:half]}…{text[-(longest - 1 - half) :]}"

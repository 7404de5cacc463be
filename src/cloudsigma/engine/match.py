"""A match: its rule, record, context and evidence; and its JSON form, which is stable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import structs

from cloudsigma import ir
from cloudsigma.engine.approval import Decision
from cloudsigma.engine.context.context import Context, read_context
from cloudsigma.engine.context.principal import ReadPrincipal, read_principal
from cloudsigma.engine.evaluate.evidence import ReadEvidence, evidence_of
from cloudsigma.engine.evaluate.explain import Evidence
from cloudsigma.engine.identity import event_identity, key_of_identity
from cloudsigma.engine.json_form import json_values, plain_json, safe
from cloudsigma.engine.match_row import Cell, match_row
from cloudsigma.engine.python_values import plain_record
from cloudsigma.engine.rule import Rule
from cloudsigma.engine.session_link import Link
from cloudsigma.origin import Origin


class Match(msgspec.Struct, frozen=True):
    """One rule that matched, with the facts that an analyst reads first."""

    rule: Rule
    """The rule with all its metadata."""
    record: Mapping[str, Any]
    """The record: the same object that was passed in."""
    context: Context
    """Who did what to what, where and when."""
    evidence: tuple[Evidence, ...]
    """What made the rule match."""
    key: str
    """Text for deduplication: the same rule and record give the same key in any run."""
    origin: Origin | None = None
    """Where the record came from, when the reader knows."""
    session: Link | None = None
    """The identity behind the call, once its sessions are linked (`Sessions.link`)."""
    approval: Decision | None = None
    """Whether the match is an approved change, once approvals have decided it (`Approvals.apply`)."""
    group: dict[str, str] = msgspec.field(default_factory=dict)
    """Of a correlation with group-by: field or alias → value as text; else empty."""
    matches: tuple[Match, ...] = ()
    """Of a correlation: the contributing matches; else empty."""
    contributing: tuple[Mapping[str, Any], ...] = ()
    """Of a correlation: the records of `matches` without repetition, in order of event time; else empty."""

    @property
    def rule_id(self) -> str:
        """The ID of the rule."""
        return self.rule.id

    @property
    def records(self) -> tuple[Mapping[str, Any], ...]:
        """The records that the match is about: one of a detection rule, all contributing ones of a correlation."""
        return self.contributing or (self.record,)

    def to_dict(self, *, record: bool = True) -> dict[str, Any]:
        """The stable JSON form (`docs/reference/match-json.md`); `record=False` leaves the record out.

        It holds only values that JSON has, converted as in `to_json`, and every text can be encoded in UTF-8 (a lone
        half of a character is its escape): `json` and web frameworks can return it unchanged.
        """
        form: dict[str, Any] = json_values(self._form(record=record))
        return form

    def _form(self, *, record: bool) -> dict[str, Any]:
        """The members of the JSON form; the record as it is."""
        form: dict[str, Any] = {
            "rule_id": self.rule.id,
            "key": self.key,
            "rule": self.rule.to_dict(),
            "context": self.context.to_dict(),
            "evidence": [item.to_dict() for item in self.evidence],
            "origin": structs.asdict(self.origin) if self.origin is not None else None,
            "session": self.session.to_dict() if self.session is not None else None,
            "approval": self.approval.to_dict() if self.approval is not None else None,
            "group": dict(self.group),
            "matches": [match._form(record=record) for match in self.matches],  # noqa: SLF001  # the same class
        }
        if record:
            form["record"] = self.record
        return form

    def to_json(self, *, record: bool = True) -> str:
        """`to_dict` as one line of JSON.

        Values that JSON lacks are converted: NaN and infinity become `null`, a `Decimal` a text with all its digits,
        times ISO 8601, bytes base64, anything else its `str`.
        """
        return self.to_json_bytes(record=record).decode()

    def to_json_bytes(self, *, record: bool = True) -> bytes:
        """`to_json` in UTF-8."""
        try:
            matches = [msgspec.Raw(match.to_json_bytes(record=record)) for match in self.matches]
            shown = self.record if record else msgspec.UNSET
            session = self.session.to_dict() if self.session is not None else None
            tail = msgspec.json.encode(
                _Tail(self.context, self.evidence, self.origin, session, self.approval, self.group, matches, shown)
            )
            heading = self.rule.heading
        except Exception:  # noqa: BLE001  # methods of foreign values run here; the plain way takes any value
            return plain_json(self._form(record=record))
        return heading % (self.key.encode(), safe(tail)[1:])

    def to_row(self) -> dict[str, Cell]:
        """The match as one flat row of plain values, for data frames: the columns of CSV, always all of them."""
        return match_row(
            self.rule, self.context, self.session, self.approval, self.origin, key=self.key, records=len(self.records)
        )

    def __repr__(self) -> str:
        when = self.context.time.isoformat() if self.context.time else None
        return (
            f"Match({self.rule.title!r}, principal={str(self.context.principal)!r}, "
            f"resource={str(self.context.resource)!r}, time={when!r}, region={self.context.region!r})"
        )


def make_match(rule: Rule, record: Mapping[str, Any], origin: Origin | None = None) -> Match:
    """The match of a rule whose predicate is true for the record."""
    (match,) = make_matches((rule,), record, origin)
    return match


def make_matches(
    rules: Iterable[Rule],
    record: Mapping[str, Any],
    origin: Origin | None = None,
    evidence: ReadEvidence = evidence_of,
    principal: ReadPrincipal = read_principal,
) -> tuple[Match, ...]:
    """The matches of the rules whose predicates are true for one record; its context is read once for all.

    `evidence` is `evidence_of` and `principal` is `read_principal`, both perhaps cached. A record without an origin was
    made by a program, so it may hold values that JSON lacks.
    """
    plain = record if origin is not None else plain_record(record)
    context = read_context(plain, principal_of=principal)
    identity = event_identity(plain)
    return tuple(
        [
            Match(
                rule,
                record,
                structs.replace(context, fields=rule.shown(plain)) if rule.definition.field_paths else context,
                evidence(rule.definition, plain) if isinstance(rule.definition, ir.DetectionRule) else (),
                key_of_identity(rule.id, identity),
                origin,
            )
            for rule in rules
        ]
    )


class _Tail(msgspec.Struct):
    """The members after the rule in the JSON of a match, in order; `record` may be left out."""

    context: Context
    evidence: tuple[Evidence, ...]
    origin: Origin | None
    session: dict[str, Any] | None
    approval: Decision | None
    group: Mapping[str, str]
    matches: list[msgspec.Raw]
    record: Any

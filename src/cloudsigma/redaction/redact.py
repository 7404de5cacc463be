"""Redacts the records of files: first the names are learned, then records are written, and every verdict is checked."""

from __future__ import annotations

import gzip
import ipaddress
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from cloudsigma import ir
from cloudsigma.engine.context.context import Context, read_context
from cloudsigma.engine.json_form import json_ready
from cloudsigma.ir.walk import all_tests
from cloudsigma.reading import read_records
from cloudsigma.reading.account.ledger import Ledger
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.redaction.addresses import Addresses, Network
from cloudsigma.redaction.pseudonyms import Pseudonyms
from cloudsigma.redaction.record import RecordRedactor
from cloudsigma.redaction.texts import Texts, lowered
from cloudsigma.rulesets.rule_set import RuleSet

A_FILE = 5_000
"""Records of one file that is written."""
_CHANGED = 50


class Redaction(msgspec.Struct, frozen=True):
    """What was redacted."""

    records: int
    files: tuple[str, ...]
    """The files that were written."""
    replaced: Mapping[str, int]
    """Kind → how often it was replaced."""
    unsure: Mapping[str, int]
    """Path of a member → how often it held free text, in which only known forms and names were replaced."""
    changed: tuple[str, ...]
    """Verdicts and kinds that are not those of the original, by pseudonymous event ID."""
    ledger: Ledger

    @property
    def faithful(self) -> bool:
        """Whether every verdict and every kind stayed."""
        return not self.changed

    def to_dict(self) -> dict[str, Any]:
        """The account for those who get the records; it holds no original."""
        return {
            "records": self.records,
            "files": list(self.files),
            "replaced": dict(self.replaced),
            "free_texts": dict(self.unsure),
            "changed": list(self.changed),
        }


class Redactor:
    """Redacts records with one key.

    Args:
        rules: Texts and networks that these rules ask for are kept.
        key: At least 16 bytes; the same key gives the same pseudonyms. Default: a random one, which is forgotten.
    """

    def __init__(self, rules: RuleSet, key: bytes | None = None) -> None:
        self._rules = rules
        pseudonyms = Pseudonyms(key or secrets.token_bytes(32))
        kept = lowered(_texts_of(rules))
        self._texts = Texts(pseudonyms, Addresses(pseudonyms, _networks_of(rules)), kept)
        self._records = RecordRedactor(self._texts, kept)
        self._changed: list[str] = []

    def learn(self, record: Mapping[str, Any]) -> None:
        """Learn the names in a record, so that free texts of other records are searched for them."""
        self._records.redact(record)

    def redact(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The redacted record; a verdict that changes is noted."""
        made = self._records.redact(record)
        before, after = self._rules.verdicts(record), self._rules.verdicts(made)
        is_same = before == after and _kinds(read_context(record)) == _kinds(read_context(made))
        if not is_same and len(self._changed) < _CHANGED:
            self._changed.append(str(made.get("eventID", "a record without an ID")))
        return made

    def redact_files(self, paths: Sequence[str], folder: Path, limits: Limits | None = None) -> Redaction:
        """Read the records at paths twice, and write redacted ones to a folder: `records-00001.json.gz` and so on.

        Raises:
            OSError: A file cannot be written.
        """
        for record in read_records(*paths, limits=limits):
            self.learn(record)
        self._texts.counts.clear()
        self._records.unsure.clear()
        reader = read_records(*paths, limits=limits)
        files, count = [], 0
        for number, records in enumerate(_parts(map(self.redact, reader)), 1):
            name = f"records-{number:05}.json.gz"
            text = json.dumps({"Records": json_ready(records)}, separators=(",", ":"))
            (folder / name).write_bytes(gzip.compress(text.encode(), mtime=0))
            files.append(name)
            count += len(records)
        return Redaction(
            count, tuple(files), dict(self._texts.counts), dict(sorted(self._records.unsure.items())),
            tuple(self._changed), reader.ledger,
        )  # fmt: skip


def _parts(records: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    for record in records:
        part.append(record)
        if len(part) == A_FILE:
            yield part
            part = []
    if part:
        yield part


def _kinds(context: Context) -> tuple[object, ...]:
    """What a redacted record must share with its original."""
    return (
        context.principal.kind if context.principal is not None else None,
        context.resource.type if context.resource is not None else None,
        context.outcome, context.event_name, context.event_source, context.region, context.time,
    )  # fmt: skip


def _matchers_of(rules: RuleSet) -> Iterator[ir.Matcher]:
    for rule in rules:
        if isinstance(rule.definition, ir.DetectionRule):
            for test in all_tests(rule.definition):
                for matcher in test.matchers:
                    yield from matcher.variants if isinstance(matcher, ir.OneOf) else (matcher,)


def _texts_of(rules: RuleSet) -> Iterator[str]:
    """The literal texts that rules ask for."""
    for matcher in _matchers_of(rules):
        if isinstance(matcher, ir.Pattern):
            yield from (part for part in matcher.parts if isinstance(part, str))


def _networks_of(rules: RuleSet) -> Iterator[Network]:
    for matcher in _matchers_of(rules):
        if isinstance(matcher, ir.Cidr):
            yield ipaddress.ip_network(matcher.network, strict=False)

"""A rule set as data ⇄ bytes: for files, the cache and the package.

It is JSON and holds the IR, never code: reading a file cannot run anything. But rules may be missing from a file, or
changed, so a reader trusts its author with the verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec
from msgspec import structs

from cloudsigma import ir
from cloudsigma.errors import CATEGORIES, Category, RuleError, Severity

FORMAT = 1
"""Incremented when a change of the IR makes older data unreadable or changes its meaning."""


class ArtifactProblem(Exception):  # noqa: N818  # caught where the file is known
    """Bytes are not a rule set, or a rule set cannot be written: a reason and a remedy."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class Problem(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A `RuleError` as data."""

    category: str
    reason: str
    path: str | None = None
    line: int | None = None
    column: int | None = None
    rule: str | None = None
    remedy: str | None = None
    excerpt: str | None = None
    severity: Severity = "error"

    @classmethod
    def of(cls, error: RuleError) -> Problem:
        """The error as data."""
        return cls(
            error.category,
            error.reason,
            error.path,
            error.line,
            error.column,
            error.rule,
            error.remedy,
            error.excerpt,
            error.severity,
        )

    def error(self) -> RuleError:
        """The error itself."""
        category: Category = self.category if self.category in CATEGORIES else "unsupported"  # type: ignore[assignment]
        return RuleError(
            category,
            self.reason,
            path=self.path,
            line=self.line,
            column=self.column,
            rule=self.rule,
            remedy=self.remedy,
            excerpt=self.excerpt,
            severity=self.severity,
        )


class Artifact(msgspec.Struct, frozen=True, omit_defaults=True):
    """The parts of a rule set."""

    rules: tuple[ir.DetectionRule | ir.CorrelationRule, ...]
    declared: ir.LogSource
    supporting: tuple[str, ...] = ()
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    predicates: msgspec.Raw = msgspec.Raw(b"")
    """For people: each rule's source, line by line, by rule ID. Never read back."""


class _Header(msgspec.Struct, frozen=True):
    format: int
    written_by: str
    rule_set: msgspec.Raw


def encode(artifact: Artifact, *, written_by: str, predicates: Iterable[tuple[str, str]] = ()) -> bytes:
    """The bytes of a rule set; raises `ArtifactProblem` if reading them would not return an equal rule set.

    Args:
        artifact: The rule set.
        written_by: The version that writes.
        predicates: Rule IDs with their sources, for people who read the file.
    """
    plain = _exactly(artifact)
    if plain is None:
        alone = (rule for rule in artifact.rules if _exactly(structs.replace(artifact, rules=(rule,))) is None)
        rule = next(alone, None)
        what = f"the rule {rule.metadata.title!r}" if rule is not None else "it"
        raise ArtifactProblem(f"{what} has a value that JSON cannot hold exactly", "Leave this rule out.")
    if sources := {rule_id: source.splitlines() for rule_id, source in predicates}:
        plain = msgspec.json.encode(structs.replace(artifact, predicates=msgspec.Raw(msgspec.json.encode(sources))))
    return msgspec.json.encode(_Header(FORMAT, written_by, msgspec.Raw(plain)))


def _exactly(artifact: Artifact) -> bytes | None:
    """The JSON, if reading it returns an equal value.

    All parts have types that JSON keeps, except custom attributes, which may be anything.
    """
    if any(rule.metadata.custom and not _comes_back(rule.metadata.custom) for rule in artifact.rules):
        return None
    try:
        return msgspec.json.encode(artifact)
    except (ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return None


def _comes_back(custom: dict[str, Any]) -> bool:
    try:
        return bool(msgspec.json.decode(msgspec.json.encode(custom)) == custom)
    except (ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return False


def decode(data: bytes) -> Artifact:
    """The rule set in the bytes; raises `ArtifactProblem`."""
    try:
        header = msgspec.json.decode(data, type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ArtifactProblem("it is no compiled rule set", "Make one: cloudsigma compile RULES -o FILE.") from error
    if header.format != FORMAT:
        raise ArtifactProblem(
            f"its format is {header.format} (written by cloudsigma {header.written_by[:40]}), and this version reads"
            f" format {FORMAT}",
            "Compile the rules again with the version that is to read them.",
        )
    try:
        return _decoder().decode(header.rule_set)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ArtifactProblem(f"it is damaged ({error})", "Compile the rules again.") from error


@cache
def _decoder() -> msgspec.json.Decoder[Artifact]:
    return msgspec.json.Decoder(Artifact)

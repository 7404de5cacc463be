"""The result of `generate`: matching records, near misses, and the reasons for missing ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cloudsigma.engine.rule import Rule
from cloudsigma.testing.records.changes import Difference

ObstacleKind = Literal["contradiction", "dependent", "not found"]
"""`contradiction`: proved, no record can match. `dependent`: proved, the test cannot decide alone. `not found`: the
search gave up."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """The reason for a missing record or near miss."""

    kind: ObstacleKind
    reason: str
    """The reason as a sentence."""
    test: str | None = None
    """The test without a near miss; `None` if the rule has no match."""
    line: int | None = None
    """Line of the test, or of the first test in conflict, from 1."""
    conflict: tuple[str, ...] = ()
    """The tests that contradict each other, each with selection and line."""

    def __str__(self) -> str:
        return f"{self.test}: {self.reason}" if self.test else self.reason


@dataclass(frozen=True, slots=True)
class Sample:
    """Records that the rule matches, checked with the rule."""

    records: tuple[dict[str, Any], ...]
    """One record; for a correlation, a sequence in time."""
    template: Mapping[str, Any] | None = None
    """Arguments of `testing.record` for the template that the first record was made from, if any."""
    note: str = ""
    """A remark about an unusual record."""

    @property
    def record(self) -> dict[str, Any]:
        """The only record, or the first."""
        return self.records[0]


@dataclass(frozen=True, slots=True)
class NearMiss:
    """Records that the rule does not match, but that differ from matching records in one place only."""

    records: tuple[dict[str, Any], ...]
    matching: Sample
    """The matching records."""
    differences: tuple[Difference, ...]
    """The one place; for a correlation, it may be a missing record."""
    reason: str
    """Why the rule does not match."""
    tests: tuple[str, ...] = ()
    """The tests that decide the verdict, with selection and line."""
    line: int | None = None
    """Line of the first of these tests, from 1."""

    @property
    def record(self) -> dict[str, Any]:
        """The only record, or the first."""
        return self.records[0]


@dataclass(frozen=True, slots=True)
class Generated:
    """Records made for a rule, each checked with the rule."""

    rule: Rule
    match: Sample | None
    """The record that matches; `None` if none exists or was found, for the reason in `obstacles`."""
    near_misses: tuple[NearMiss, ...] = ()
    """One for each test that can decide alone."""
    obstacles: tuple[Obstacle, ...] = ()
    """Reasons for a missing match, or missing near misses."""
    remarks: tuple[str, ...] = ()
    """Fields of the rule that the records of its call do not have."""

    @property
    def matching(self) -> tuple[Sample, ...]:
        """`match`, then the other matching records that near misses were made from."""
        found = [self.match] if self.match is not None else []
        for miss in self.near_misses:
            if miss.matching not in found:
                found.append(miss.matching)
        return tuple(found)

"""What is made of a rule: records that it matches, near misses that it does not, and what cannot be had and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cloudsigma.engine.rule import Rule
from cloudsigma.testing.records.changes import Difference

ObstacleKind = Literal["contradiction", "dependent", "not found"]
"""`contradiction`: nothing can match, and that is proved. `dependent`: the test cannot decide alone, proved too.
`not found`: the search gave up."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why there is no record, or no near miss."""

    kind: ObstacleKind
    reason: str
    """In words."""
    test: str | None = None
    """The test that has no near miss; `None` where the rule has no match."""
    line: int | None = None
    """The line of the test, or of the first of those in conflict."""
    conflict: tuple[str, ...] = ()
    """The tests that stand against each other, each with its selection and line."""

    def __str__(self) -> str:
        return f"{self.test}: {self.reason}" if self.test else self.reason


@dataclass(frozen=True, slots=True)
class Sample:
    """Records on which the verdict was checked."""

    records: tuple[dict[str, Any], ...]
    """One record; of a correlation a sequence in time."""
    template: Mapping[str, Any] | None = None
    """The arguments of `testing.record` that the first record was started from, if it was."""
    note: str = ""
    """What is unusual about it."""

    @property
    def record(self) -> dict[str, Any]:
        """The only record, or the first."""
        return self.records[0]


@dataclass(frozen=True, slots=True)
class NearMiss:
    """Records that the rule does not match, and differ in one place from records that it does."""

    records: tuple[dict[str, Any], ...]
    matching: Sample
    """What they differ from."""
    differences: tuple[Difference, ...]
    """The one place; of a correlation also a record that is not there."""
    reason: str
    """Why the rule does not match."""
    tests: tuple[str, ...] = ()
    """The tests that decide it, as the rule has them, with selection and line."""
    line: int | None = None
    """The line of the first of these."""

    @property
    def record(self) -> dict[str, Any]:
        """The only record, or the first."""
        return self.records[0]


@dataclass(frozen=True, slots=True)
class Generated:
    """Records made for a rule. Each was tried with the rule; nothing is in here that does not do what it says."""

    rule: Rule
    match: Sample | None
    """What the rule matches; `None` where `obstacles` say why there is nothing."""
    near_misses: tuple[NearMiss, ...] = ()
    """One for each test that can decide alone."""
    obstacles: tuple[Obstacle, ...] = ()
    """What could not be made: of the rule, or for a test."""

    @property
    def matching(self) -> tuple[Sample, ...]:
        """All that the rule matches: the main one, then others that near misses differ from."""
        found = [self.match] if self.match is not None else []
        for miss in self.near_misses:
            if miss.matching not in found:
                found.append(miss.matching)
        return tuple(found)

"""A case: records, the verdict that the rule must give on them, and the context that a match must have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudsigma.errors import CaseError, Location
from cloudsigma.testing.cases.file_kinds import RULE_ENDINGS


@dataclass(frozen=True, slots=True)
class ExpectedMatch:
    """Expected parts of one match; a part that is `None` or empty is not compared."""

    context: Mapping[str, Any] = field(default_factory=dict)
    """Dotted names of the match's context, as in its JSON, and their values."""
    group: Mapping[str, str] | None = None
    """For a correlation, the whole group."""
    members: tuple[int, ...] | None = None
    """For a correlation, positions in `Case.records` of the records in the match, from 0."""


@dataclass(frozen=True, slots=True)
class CaseWarning:
    """A case that runs, but can hardly mean what its author wrote."""

    reason: str
    remedy: str
    case: str
    """The name of the case."""
    location: Location

    def __str__(self) -> str:
        return f"{self.location}: case warning: case {self.case!r}: {self.reason}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class Case:
    """Records that a rule must match, or must not match.

    A case of a detection rule has one record, or several that are tried one by one (SigmaHQ's regression data). A case
    of a correlation has a sequence of records.
    """

    name: str
    """What the case tries; unique in its file."""
    records: tuple[dict[str, Any], ...]
    """The records, each complete."""
    match: bool
    """Whether the rule must match."""
    reason: str = ""
    """Why this verdict is right."""
    rule: str | None = None
    """Name, ID or title of the rule; `None`: the only rule in the file beside it that reports matches."""
    sequence: bool = False
    """Whether the records are a sequence in time, for a correlation."""
    count: int | None = None
    """The number of matches; `None`: at least one if `match`, otherwise zero."""
    expected: tuple[ExpectedMatch, ...] = ()
    """Matches that the rule must give; more are allowed unless `count` is set."""
    bases: tuple[Mapping[str, Any], ...] = ()
    """For each record, the record that it was made from by changes."""
    path: str | None = None
    """The case file."""
    line: int | None = None
    """Line of the case in the file, from 1."""
    column: int | None = None
    """Column of the case, from 1."""
    rule_location: Location = Location()  # noqa: RUF009  # a frozen value
    """Where the file names the rule."""
    warnings: tuple[CaseWarning, ...] = ()
    """Mistakes that do not keep the case from running."""

    @property
    def context(self) -> Mapping[str, Any]:
        """The expected context of the first match."""
        return self.expected[0].context if self.expected else {}

    @property
    def group(self) -> Mapping[str, str] | None:
        """The expected group of the first match."""
        return self.expected[0].group if self.expected else None

    @property
    def members(self) -> tuple[int, ...] | None:
        """The expected members of the first match."""
        return self.expected[0].members if self.expected else None

    @property
    def location(self) -> Location:
        """File, line and column as one value."""
        return Location(self.path, self.line, self.column)

    def error(self, reason: str, remedy: str | None = None, *, location: Location | None = None) -> CaseError:
        """Make an error about this case, at its place or at another one in the file."""
        place = location or self.location
        return CaseError(reason, path=place.path, line=place.line, column=place.column, case=self.name, remedy=remedy)


@dataclass(frozen=True, slots=True)
class EquivalentMutant:
    """The author's statement that a mutant means the same as the rule, so that no case can kill it."""

    mutant: str
    """The mutant's ID, as `mutate` reports it."""
    reason: str
    """Why the two mean the same."""
    rule: str | None = None
    """Name, ID or title of the rule; `None`: the rule of the file's cases."""


@dataclass(frozen=True, slots=True)
class CaseFile:
    """The content of a case file: the good cases, and an error for each bad one."""

    path: str
    """The file."""
    cases: tuple[Case, ...] = ()
    """The good cases, in the order of the file."""
    errors: tuple[CaseError, ...] = ()
    """Errors of single cases, or of the whole file."""
    rule: str | None = None
    """Name, ID or title of the rule, for cases that do not name one."""
    bases: Mapping[str | None, Mapping[str, Any]] = field(default_factory=dict)
    """Name → record that cases are made from; the unnamed one is under `None`."""
    equivalent_mutants: tuple[EquivalentMutant, ...] = ()
    """Mutants of the rule that no case has to kill."""

    @property
    def rule_files(self) -> Sequence[str]:
        """Paths to try for the rule file beside this one, the likeliest first."""
        stem = self.path[: self.path.lower().rindex(".cases.")] if ".cases." in self.path.lower() else self.path
        return tuple(f"{stem}{ending}" for ending in RULE_ENDINGS)

"""What a case is: records, the verdict that the rule must give on them, and what the match must show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudsigma.errors import CaseError, Location
from cloudsigma.testing.cases.file_kinds import RULE_ENDINGS


@dataclass(frozen=True, slots=True)
class ExpectedMatch:
    """What one match must be; what is `None` or empty is not looked at."""

    context: Mapping[str, Any] = field(default_factory=dict)
    """Dotted names of the match's context, as in its JSON, and their values."""
    group: Mapping[str, str] | None = None
    """Of a correlation: the whole group."""
    members: tuple[int, ...] | None = None
    """Of a correlation: positions in `Case.records` of the records that take part, from 0."""


@dataclass(frozen=True, slots=True)
class Case:
    """Records that a rule must match, or must not.

    A case of a detection rule has one record, or several of which each counts for itself (SigmaHQ's regression data);
    a case of a correlation has a sequence.
    """

    name: str
    """What is tried; no two cases of a file share it."""
    records: tuple[dict[str, Any], ...]
    """The records, each whole."""
    match: bool
    """Whether there must be a match."""
    reason: str = ""
    """Why that is right."""
    rule: str | None = None
    """Name, ID or title of the rule; `None`: the only rule beside the file that gives matches of its own."""
    sequence: bool = False
    """Whether the records are a sequence in time, which is for correlations."""
    count: int | None = None
    """How many matches there must be; `None`: one or more if `match`, else none."""
    expected: tuple[ExpectedMatch, ...] = ()
    """What matches there must be; others may be there too, unless `count` says how many."""
    bases: tuple[Mapping[str, Any], ...] = ()
    """For each record the one that it was made from by changing parts."""
    path: str | None = None
    """The file of the case."""
    line: int | None = None
    """Where the case begins in it, from 1."""
    column: int | None = None
    """From 1."""
    rule_location: Location = Location()  # noqa: RUF009  # a frozen value
    """Where the file names the rule."""

    @property
    def context(self) -> Mapping[str, Any]:
        """What the context of the first match must show."""
        return self.expected[0].context if self.expected else {}

    @property
    def group(self) -> Mapping[str, str] | None:
        """The group of the first match."""
        return self.expected[0].group if self.expected else None

    @property
    def members(self) -> tuple[int, ...] | None:
        """The members of the first match."""
        return self.expected[0].members if self.expected else None

    @property
    def location(self) -> Location:
        """File, line and column as one value."""
        return Location(self.path, self.line, self.column)

    def error(self, reason: str, remedy: str | None = None, *, location: Location | None = None) -> CaseError:
        """Make an error about this case, at the case or at another place in its file."""
        place = location or self.location
        return CaseError(reason, path=place.path, line=place.line, column=place.column, case=self.name, remedy=remedy)


@dataclass(frozen=True, slots=True)
class EquivalentMutant:
    """What the author says of a mutant that no case can kill: it means the same as the rule, and why."""

    mutant: str
    """Its ID, as `mutate` reports it."""
    reason: str
    """Why nothing tells the two apart."""
    rule: str | None = None
    """Name, ID or title of the rule; `None`: the one that the file's cases are for."""


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A file of cases as it was read: the good cases, and an error for each of the others."""

    path: str
    """The file."""
    cases: tuple[Case, ...] = ()
    """The good cases, in the order of the file."""
    errors: tuple[CaseError, ...] = ()
    """What is wrong with the others, or with the whole file."""
    rule: str | None = None
    """Name, ID or title of the rule that cases are for if they do not say."""
    bases: Mapping[str | None, Mapping[str, Any]] = field(default_factory=dict)
    """The records that cases are made from, by name; the one without a name under `None`."""
    equivalent_mutants: tuple[EquivalentMutant, ...] = ()
    """Mutants of the rule that no case has to kill."""

    @property
    def rule_files(self) -> Sequence[str]:
        """Where the rules are: the files that may lie beside this one, the likeliest first."""
        stem = self.path[: self.path.lower().rindex(".cases.")] if ".cases." in self.path.lower() else self.path
        return tuple(f"{stem}{ending}" for ending in RULE_ENDINGS)

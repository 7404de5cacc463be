"""The approvals of a file, and the decision about a match."""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import structs

from cloudsigma.approvals.approval import MAX_DAYS, Approval
from cloudsigma.approvals.conditions import Failure, failures, first_failures
from cloudsigma.engine.approval import ApprovalUse, Decision, NearMiss
from cloudsigma.engine.match import Match
from cloudsigma.engine.rule import Rule

_NEAR = 5
"""Most near misses of one match; the nearest in time come first."""


class Approvals(msgspec.Struct, frozen=True):
    """Approved changes, read from a file that is reviewed like code.

        approvals = cloudsigma.Approvals.load("approvals.yml")
        decision = approvals.decide(match)
        print(decision.status, decision.by, decision.near)

    A decision depends on the approvals and the match alone, never on the clock: the event's time counts.
    """

    entries: tuple[Approval, ...] = ()
    """The approvals in the order of the file."""
    path: str | None = None
    """The file."""
    digest: str = ""
    """Identifies the content of the file."""
    max_days: int = MAX_DAYS
    """Most days that an approval may cover."""
    counted: Mapping[str, frozenset[str]] | None = None
    """ID of an approval with `max_matches` → keys of the matches that it covers; see `counting`."""

    @classmethod
    def load(cls, path: str | os.PathLike[str], rules: Iterable[Rule] | None = None) -> Approvals:
        """Read an approvals file (`docs/reference/approvals-file.md`).

        Args:
            path: The file.
            rules: The rules that approvals may name; a name or ID that none of them has is a mistake. Default: any
                rule may be named.

        Raises:
            ApprovalError: The file cannot be read, or has mistakes: each with its line and remedy.
            UsageError: An argument is invalid.
        """
        from cloudsigma.approvals.file.loader import read_approvals  # imports the reader of YAML

        return read_approvals(path, rules)

    @staticmethod
    def schema_path() -> str:
        """The path of the JSON Schema of an approvals file, for editors.

        It knows the keys and the forms of values; `load` also checks dates, rules and what is too broad.
        """
        return str(Path(__file__).parent / "file" / "approvals_schema.json")

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Approval]:
        return iter(self.entries)

    @property
    def needs_all_matches(self) -> bool:
        """Whether an approval has `max_matches`, so that a decision depends on the other matches."""
        return any(entry.max_matches is not None for entry in self.entries)

    @property
    def needs_sessions(self) -> bool:
        """Whether an approval has `roots`, so that sessions must be linked."""
        return any(entry.roots for entry in self.entries)

    def decide(self, match: Match) -> Decision:
        """Whether a match is approved, by which approvals, and which others nearly cover it.

        `max_matches` limits a number of matches: `decided` and `counting` apply it, and a single match is within it.
        For `roots`, the session of the match must be linked (`Sessions.linked`).
        """
        by: list[str] = []
        near: list[tuple[float, NearMiss]] = []
        for entry in self.entries:
            if entry.draft:
                continue
            failed = first_failures(entry, match)
            if not failed and not self._is_beyond(entry, match):
                by.append(entry.id)
            elif not failed:
                failed = [Failure("max_matches", f"{entry.id} covers the first {entry.max_matches} alone")]
            if len(failed) == 1:
                failure = failed[0]
                near.append((abs(failure.seconds), NearMiss(entry.id, failure.key, failure.why)))
        if by:
            return Decision("approved", tuple(by))
        nearest = tuple(miss for _, miss in sorted(near, key=lambda each: each[0])[:_NEAR])
        members = [self.decide(member) for member in match.matches]
        of_members = dict.fromkeys(each for decision in members if decision.by for each in decision.by)
        return Decision("partly" if of_members else "none", tuple(of_members), nearest)

    def apply(self, match: Match) -> Match:
        """The match with its decision; of a correlation, also those of its matches."""
        return structs.replace(match, approval=self.decide(match), matches=tuple(map(self.apply, match.matches)))

    def decided(self, matches: Iterable[Match]) -> list[Match]:
        """The matches with their decisions, in their order; `max_matches` is counted over all of them."""
        held = list(matches)
        return [*map(self.counting(held).apply, held)]

    def counting(self, matches: Iterable[Match]) -> Approvals:
        """The same approvals, whose `max_matches` are counted over these matches.

        An approval covers the first ones by time and key, whatever their order here. The matches of correlations
        count, too; a match that is given twice counts once.
        """
        limited = [
            (entry, _Earliest(entry.max_matches))
            for entry in self.entries
            if entry.max_matches is not None and not entry.draft
        ]
        for match in matches if limited else ():
            for each in _with_members(match):
                for entry, earliest in limited:
                    if next(failures(entry, each), None) is None:
                        earliest.add(each)
        return structs.replace(self, counted={entry.id: earliest.keys for entry, earliest in limited})

    def _is_beyond(self, entry: Approval, match: Match) -> bool:
        """Whether an approval covers other matches first, as many as it may."""
        if entry.max_matches is None or self.counted is None:
            return False
        return match.key not in self.counted.get(entry.id, ())

    def uses(self) -> tuple[ApprovalUse, ...]:
        """The approvals, not used yet."""
        return tuple(entry.use() for entry in self.entries)


class _Earliest:
    """The keys of the first matches by time and key."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[tuple[float, str]] = []

    def add(self, match: Match) -> None:
        when = match.context.time
        place = (when.timestamp() if when is not None else 0.0, match.key)
        at = bisect.bisect_left(self._kept, place)
        if self._kept[at : at + 1] != [place]:
            self._kept.insert(at, place)
            del self._kept[self._most :]

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(key for _, key in self._kept)


def _with_members(match: Match) -> Iterator[Match]:
    """A match and, of a correlation, all that contribute to it."""
    waiting = [match]
    while waiting:
        each = waiting.pop()
        waiting += each.matches
        yield each

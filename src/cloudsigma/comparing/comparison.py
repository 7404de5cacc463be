"""The comparison of two rule sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from cloudsigma import ir
from cloudsigma.comparing.pairing import Pairs, pair_rules
from cloudsigma.comparing.trail import TrailDifference, compare_on_trail
from cloudsigma.engine.rule import Rule
from cloudsigma.reading.account.ledger import Ledger
from cloudsigma.reading.account.progress import Watcher
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.testing.solver.questions import Found, Impossible, satisfy, tell_apart

Meaning = Literal["same", "differs", "unknown"]
MOST_SHOWN = 5
"""Principals, accounts and resources that are named."""


class RuleDifference(msgspec.Struct, frozen=True):
    """How two versions of a rule differ."""

    old: Rule
    new: Rule
    meaning: Meaning
    """`same`: it is proved that they match the same records; `unknown`: neither a record nor a proof was found, or the
    rule is a correlation."""
    record: Mapping[str, Any] | None = None
    """A made record that only one of them matches."""
    record_matches: Literal["old", "new"] | None = None
    """The version that matches it."""
    trail: TrailDifference | None = None
    """What differs on the logs, if some were read."""

    @property
    def differs(self) -> bool:
        """Whether the difference matters: on the logs, or on a record that was found."""
        on_trail = self.trail is not None and bool(self.trail.gained or self.trail.lost)
        return on_trail or self.meaning != "same"

    def to_dict(self) -> dict[str, Any]:
        """The difference as JSON values."""
        return {
            "id": self.new.id,
            "title": self.new.title,
            "meaning": self.meaning,
            "record": self.record,
            "record_matches": self.record_matches,
            "trail": self.trail.to_dict() if self.trail is not None else None,
        }


class Comparison(msgspec.Struct, frozen=True):
    """How two rule sets differ."""

    differences: tuple[RuleDifference, ...]
    pairs: Pairs
    alone: Mapping[str, int]
    """ID of a rule that one set alone has → its matches on the logs; empty without logs."""
    ledgers: tuple[Ledger, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether anything differs but text."""
        return bool(self.pairs.only_old or self.pairs.only_new) or any(each.differs for each in self.differences)

    @property
    def complete(self) -> bool:
        """Whether all logs could be read."""
        return all(ledger.complete for ledger in self.ledgers)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON values."""
        return {
            "changed": [each.to_dict() for each in self.differences],
            "unchanged": len(self.pairs.unchanged),
            "only_old": [self._alone(rule) for rule in self.pairs.only_old],
            "only_new": [self._alone(rule) for rule in self.pairs.only_new],
            "complete": self.complete,
        }

    def _alone(self, rule: Rule) -> dict[str, Any]:
        return {"id": rule.id, "title": rule.title, "matches": self.alone.get(rule.id)}


def compare_rules(
    old: RuleSet,
    new: RuleSet,
    paths: Sequence[str] = (),
    selection: Selection | None = None,
    limits: Limits | None = None,
    watcher: Watcher | None = None,
) -> Comparison:
    """Compare two rule sets, on logs if some are given; without, on made records.

    Args:
        old: The rules before a change.
        new: The rules after it.
        paths: Files, folders and places in S3; they are read twice.
        selection: The times, accounts and regions to read.
        limits: Bounds on what is read.
        watcher: Is told about the progress.
    """
    pairs = pair_rules(old, new)
    on_trail: Mapping[str, TrailDifference] = {}
    alone: Counter[str] = Counter()
    ledgers: tuple[Ledger, ...] = ()
    if paths:
        on_trail, alone, ledgers = compare_on_trail(old, new, pairs, paths, selection, limits, watcher)
    made = [_compared(one, other, on_trail.get(other.id)) for one, other in pairs.changed]
    return Comparison(tuple(made), pairs, dict(alone), ledgers)


def _compared(old: Rule, new: Rule, trail: TrailDifference | None) -> RuleDifference:
    one, other = old.definition, new.definition
    if not (isinstance(one, ir.DetectionRule) and isinstance(other, ir.DetectionRule)):
        return RuleDifference(old, new, "unknown", trail=trail)
    near = [found.record for rule in (one, other) if isinstance(found := satisfy(rule), Found)]
    answer = tell_apart(one, other, near)
    if isinstance(answer, Impossible):
        return RuleDifference(old, new, "same", trail=trail)
    if isinstance(answer, Found):
        return RuleDifference(old, new, "differs", answer.record, "old" if answer.matches else "new", trail)
    return RuleDifference(old, new, "unknown", trail=trail)

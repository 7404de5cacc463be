"""The matches of two rule sets on the same logs: which events one version alone matches, by whom and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import msgspec

from cloudsigma.comparing.pairing import Pairs
from cloudsigma.engine.identity import event_identity
from cloudsigma.engine.match import Match
from cloudsigma.engine.rule import Rule
from cloudsigma.reading.account.ledger import Ledger
from cloudsigma.reading.account.progress import Watcher
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.scanning.config import ScanCallbacks, ScanConfig
from cloudsigma.scanning.scan import Scan
from cloudsigma.storage.sqlite import open_temporary

_EXAMPLES = 5
"""Events of a rule that are named."""
_NAMES = 10_000
"""Different principals, accounts and resources that are counted; the others are one."""


class Side(msgspec.Struct):
    """The events that one version alone matches."""

    events: int = 0
    principals: Counter[str] = msgspec.field(default_factory=Counter)
    accounts: Counter[str] = msgspec.field(default_factory=Counter)
    resources: Counter[str] = msgspec.field(default_factory=Counter)
    examples: list[str] = msgspec.field(default_factory=list)
    """Some event IDs."""

    def add(self, row: Sequence[str]) -> None:
        """Count an event: its ID, principal, account and resource."""
        event, principal, account, resource = row
        self.events += 1
        for counter, name in ((self.principals, principal), (self.accounts, account), (self.resources, resource)):
            counter[name if name in counter or len(counter) < _NAMES else "others"] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(event)

    def to_dict(self) -> dict[str, Any]:
        """The events as JSON values, names by their counts."""
        return {
            "events": self.events,
            "principals": dict(self.principals.most_common()),
            "accounts": dict(self.accounts.most_common()),
            "resources": dict(self.resources.most_common()),
            "examples": self.examples,
        }


class TrailDifference(msgspec.Struct, frozen=True):
    """What differs between two versions of a rule on some logs."""

    both: int
    """Events that both match."""
    gained_events: Side
    """Events that only the new version matches."""
    lost_events: Side
    """Events that only the old version matches."""

    @property
    def gained(self) -> int:
        """Number of events that only the new version matches."""
        return self.gained_events.events

    @property
    def lost(self) -> int:
        """Number of events that only the old version matches."""
        return self.lost_events.events

    def to_dict(self) -> dict[str, Any]:
        """The difference as JSON values."""
        return {
            "both": self.both,
            "gained": self.gained_events.to_dict(),
            "lost": self.lost_events.to_dict(),
        }


def compare_on_trail(
    old: RuleSet,
    new: RuleSet,
    pairs: Pairs,
    paths: Sequence[str],
    selection: Selection | None,
    limits: Limits | None,
    watcher: Watcher | None,
) -> tuple[Mapping[str, TrailDifference], Counter[str], tuple[Ledger, ...]]:
    """The differences by ID of the new rule, the matches of rules without a partner, the accounts of both readings."""
    names = {one.id: other.id for one, other in pairs.changed}
    found = {other.id: TrailDifference(0, Side(), Side()) for _, other in pairs.changed}
    both: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    config = ScanConfig(selection=selection or Selection(), limits=limits or Limits())
    callbacks = ScanCallbacks(watcher=watcher)
    before = Scan(paths, _only(old, [*(one for one, _ in pairs.changed), *pairs.only_old]), config, callbacks=callbacks)
    after = Scan(paths, _only(new, [*(one for _, one in pairs.changed), *pairs.only_new]), config, callbacks=callbacks)
    with closing(open_temporary()) as database:
        database.execute(
            "CREATE TABLE matches (rule TEXT, event TEXT, row BLOB, PRIMARY KEY (rule, event)) WITHOUT ROWID"
        )
        for match in before:
            rule = names.get(match.rule_id)
            if rule is None:
                alone[match.rule_id] += match.rule_id in {each.id for each in pairs.only_old}
                continue
            database.execute(
                "INSERT OR IGNORE INTO matches VALUES (?, ?, ?)",
                (rule, _event(match), msgspec.json.encode(event_row(match))),
            )
        for match in after:
            if match.rule_id not in found:
                alone[match.rule_id] += match.rule_id in {each.id for each in pairs.only_new}
                continue
            place = (match.rule_id, _event(match))
            if database.execute("DELETE FROM matches WHERE rule = ? AND event = ?", place).rowcount:
                both[match.rule_id] += 1
            else:
                found[match.rule_id].gained_events.add(event_row(match))
        for rule, row in database.execute("SELECT rule, row FROM matches ORDER BY rule, event"):
            found[rule].lost_events.add(msgspec.json.decode(row, type=list[str]))
    counted = {rule: TrailDifference(both[rule], each.gained_events, each.lost_events) for rule, each in found.items()}
    return counted, alone, (before.ledger, after.ledger)


def _only(rules: RuleSet, wanted: Sequence[Rule]) -> RuleSet:
    """A set of some rules, with those that correlations among them refer to."""
    return rules.where(id=[rule.id for rule in wanted]) if wanted else RuleSet((), declared=rules.declared)


def _event(match: Match) -> str:
    """The identity of the event, or of the records of a correlation, whatever the rule."""
    return "\n".join(sorted(_identities(match)))


def _identities(match: Match) -> Iterator[str]:
    return (event_identity(record) for record in match.records)


def event_row(match: Match) -> list[str]:
    """The event of a match for `Side.add`: its ID, principal, account and resource."""
    context = match.context
    return [
        context.event_id or match.key, str(context.principal or "nobody"), context.account or "no account",
        str(context.resource or "nothing"),
    ]  # fmt: skip

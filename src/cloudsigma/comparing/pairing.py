"""Joins the rules of two sets: by ID, and rules without a partner by their name or title."""

from __future__ import annotations

import msgspec

from cloudsigma.engine.rule import Rule
from cloudsigma.rulesets.rule_set import RuleSet


class Pairs(msgspec.Struct, frozen=True):
    """The rules of two sets."""

    changed: tuple[tuple[Rule, Rule], ...]
    """Rules whose definitions differ, perhaps only in their text."""
    unchanged: tuple[Rule, ...]
    only_old: tuple[Rule, ...]
    only_new: tuple[Rule, ...]


def pair_rules(old: RuleSet, new: RuleSet) -> Pairs:
    """The pairs, in the order of the new set."""
    by_id = {rule.id: rule for rule in old}
    left = dict(by_id)
    pairs: list[tuple[Rule, Rule]] = []
    alone: list[Rule] = []
    for rule in new:
        partner = left.pop(rule.id, None)
        if partner is None:
            alone.append(rule)
        else:
            pairs.append((partner, rule))
    by_name = {name: rule for rule in left.values() for name in (rule.title, rule.name) if name}
    only_new = []
    for rule in alone:
        partner = by_name.get(rule.name or "") or by_name.get(rule.title)
        if partner is not None and partner.id in left:
            del left[partner.id]
            pairs.append((partner, rule))
        else:
            only_new.append(rule)
    return Pairs(
        tuple((one, other) for one, other in pairs if one.identity != other.identity),
        tuple(other for one, other in pairs if one.identity == other.identity),
        tuple(left.values()),
        tuple(only_new),
    )

"""Records made for a rule: one that it matches, and for each of its tests a near miss."""

from __future__ import annotations

import json

from cloudsigma import ir
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import UsageError
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.testing.generation.generated import Generated, NearMiss, Obstacle
from cloudsigma.testing.generation.near_misses import NearMisses
from cloudsigma.testing.generation.record_maker import RecordMaker
from cloudsigma.testing.solver.search import Contradiction


def generate(rule: Rule, rules: RuleSet | None = None) -> Generated:
    """Make records for a rule.

    The match is as real as the rule lets it be: for CloudTrail it starts from a template of the call that the rule
    names, for other logs it has the fields of the rule. A near miss differs from a match in one place, and shows that
    one test decides. All of it was tried with the rule. What cannot be made is in `obstacles`, with the reason.

    The log source is not looked at. The same rule gives the same records, anywhere.

    Args:
        rule: A compiled rule.
        rules: For a correlation the rules that it refers to, with those that these refer to.

    Raises:
        UsageError: The rule is a correlation, and `rules` is missing or does not have what it refers to.
    """
    if isinstance(rule.definition, ir.CorrelationRule):
        from cloudsigma.testing.generation.sequences import generate_sequence

        if rules is None or any(each not in rules for each in rule.definition.rules):
            raise UsageError(f"{rule.title!r} is a correlation; give generate the rules that it refers to")
        return generate_sequence(rule, rules)
    maker = RecordMaker(rule)
    match = maker.make(maker.formula.node())
    if isinstance(match, Contradiction):
        return Generated(rule, None, (), (maker.obstacle(match),))
    near = NearMisses(maker, match)
    misses: list[NearMiss] = []
    obstacles: list[Obstacle] = []
    for part in maker.formula.parts:
        made = near.make(part)
        if isinstance(made, Obstacle):
            obstacles.append(made)
        else:
            misses.append(made)
    return Generated(rule, match, _merged(misses), tuple(obstacles))


def _merged(misses: list[NearMiss]) -> tuple[NearMiss, ...]:
    """Near misses of which none has the records of another: one may stand for several tests."""
    found: dict[str, NearMiss] = {}
    for miss in misses:
        key = json.dumps(miss.records, sort_keys=True, default=str)
        if (other := found.get(key)) is not None:
            reason = f"{other.reason}, and {miss.reason}"
            miss = NearMiss(  # noqa: PLW2901  # the two as one
                other.records, other.matching, other.differences, reason, (*other.tests, *miss.tests), other.line
            )
        found[key] = miss
    return tuple(found.values())

"""Generate records for a rule: one that matches, and for each test a near miss."""

from __future__ import annotations

import json
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import UsageError
from cloudsigma.rulesets.rule_set import RuleSet
from cloudsigma.testing.generation.generated import Generated, NearMiss, Obstacle
from cloudsigma.testing.generation.near_misses import NearMisses, is_true
from cloudsigma.testing.generation.record_maker import RecordMaker
from cloudsigma.testing.generation.remarks import remarks
from cloudsigma.testing.records.places import paths
from cloudsigma.testing.solver import start_records
from cloudsigma.testing.solver.formula import RulePart
from cloudsigma.testing.solver.search import Contradiction


def generate(rule: Rule, rules: RuleSet | None = None) -> Generated:
    """Make records for a rule.

    For CloudTrail, the match is made from the template of the call that the rule names; for other logs, it has the
    fields of the rule. A near miss differs from a match in one place, which shows that one test decides the verdict.
    Each record is checked with the rule. A missing record has its reason in `obstacles`.

    The log source is ignored. The same rule gives the same records on every machine.

    Args:
        rule: A compiled rule.
        rules: For a correlation, all rules that it refers to, directly or through others.

    Raises:
        UsageError: The rule is a correlation, and `rules` is missing or lacks a rule that it refers to.
    """
    if not isinstance(rule.definition, ir.DetectionRule):
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
    present = [part for part in maker.formula.parts if is_true(part, match.record) and _is_there(part, match.record)]
    found = tuple(remarks(present, match.template)) if start_records.is_cloudtrail(rule.definition) else ()
    return Generated(rule, match, _merged(misses), tuple(obstacles), found)


def _is_there(part: RulePart, record: dict[str, Any]) -> bool:
    return part.field is not None and next(paths(record, part.field), None) is not None


def _merged(misses: list[NearMiss]) -> tuple[NearMiss, ...]:
    """Merge near misses with the same records into one for several tests."""
    found: dict[str, NearMiss] = {}
    for miss in misses:
        key = json.dumps(miss.records, sort_keys=True, default=str)
        if (other := found.get(key)) is not None:
            reason = f"{other.reason}, and {miss.reason}"
            miss = NearMiss(  # noqa: PLW2901  # both in one
                other.records, other.matching, other.differences, reason, (*other.tests, *miss.tests), other.line
            )
        found[key] = miss
    return tuple(found.values())

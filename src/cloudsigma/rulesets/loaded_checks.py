"""Checks rules that were read from a file: all invariants of the compiler that evaluation relies on."""

from __future__ import annotations

import math
from collections.abc import Iterator

from cloudsigma import ir
from cloudsigma.correlation.condition import MAX_TERMS, count_terms
from cloudsigma.engine.evaluate import operators
from cloudsigma.ir.walk import names_in
from cloudsigma.rulesets.compiled_file import Artifact
from cloudsigma.rulesets.levels import LEVELS

_TIME_PARTS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "week": (1, 53), "month": (1, 12), "year": (1, 9999)}
_DEEPEST = 100
"""Deepest nesting of groups and of expressions; the compiler allows less."""


class Damage(Exception):  # noqa: N818  # becomes a UsageError that names the file
    """A defect of a rule, in words that follow "it is damaged:"."""


def check_loaded(saved: Artifact) -> None:
    """Raise `Damage` for the first invariant that does not hold."""
    seen: set[str] = set()
    for rule in saved.rules:
        rule_id = rule.metadata.id
        if not rule_id:
            raise Damage("a rule has no ID")
        if rule_id in seen:
            raise Damage(f"two rules have the ID {rule_id!r}")
        seen.add(rule_id)
    children: dict[str, tuple[str, ...]] = {}
    for rule in saved.rules:
        try:
            _check_level(rule.metadata.level)
            if isinstance(rule, ir.DetectionRule):
                _check_detection(rule)
            else:
                _check_correlation(rule, seen)
                children[rule.metadata.id] = rule.rules
        except Damage as damage:
            raise Damage(f"the rule {rule.metadata.id!r} has {damage}") from damage
    _check_circles(children)


def _check_level(level: str | None) -> None:
    if level is not None and level not in LEVELS:
        raise Damage(f"the unknown level {level!r}")


def _check_detection(rule: ir.DetectionRule) -> None:
    names = [selection.name for selection in rule.selections]
    if len(set(names)) < len(names):
        raise Damage("two selections of one name")
    if not rule.conditions:
        raise Damage("no condition")
    for selection in rule.selections:
        for test in _tests(selection.body):
            _check_test(test)
    for condition in rule.conditions:
        _check_depth(condition.expression)
        for name in names_in(condition.expression):
            if name not in names:
                raise Damage(f"a condition that names the selection {name!r}, which is not there")


def _tests(body: ir.Group | ir.Test) -> Iterator[ir.Test]:
    waiting: list[tuple[ir.Group | ir.Test, int]] = [(body, 0)]
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, ir.Test):
            yield node
            continue
        if not node.members:
            raise Damage("a group without members")
        if depth > _DEEPEST:
            raise Damage(f"groups that nest more than {_DEEPEST} levels deep")
        waiting += [(member, depth + 1) for member in node.members]


def _check_test(test: ir.Test) -> None:
    if not test.matchers:
        raise Damage(f"a test of {test.field or 'keywords'!r} without values")
    if len(test.written) != len(test.matchers):
        raise Damage(f"a test of {test.field or 'keywords'!r} with other values than it shows")
    if test.field == "":
        raise Damage("a field without a name")
    waiting = [*test.matchers]
    while waiting:
        matcher = waiting.pop()
        if isinstance(matcher, ir.OneOf):
            if not matcher.variants:
                raise Damage("a value without variants")
            waiting += matcher.variants
        elif test.field is None and not isinstance(matcher, (ir.Pattern, ir.Regex, ir.Cidr, ir.Number, ir.Boolean)):
            raise Damage("a test of keywords that needs a field")
        else:
            _check_matcher(matcher)


def _check_matcher(matcher: ir.Matcher) -> None:
    match matcher:
        case ir.Regex(pattern, flags):
            import re2  # its presence was checked

            if "".join(flag for flag in "ims" if flag in flags) != flags:
                raise Damage(f"the unknown flags {flags!r} of a regular expression")
            try:
                operators.compile_regex(pattern, flags)
            except (re2.error, UnicodeEncodeError) as error:
                raise Damage(f"the regular expression {pattern[:80]!r}, which is not valid") from error
        case ir.Cidr(network):
            try:
                operators.parse_network(network)
            except ValueError as error:
                raise Damage(f"the network {network[:80]!r}, which is not valid") from error
        case ir.TimePart(unit, operator, value):
            low, high = _TIME_PARTS[unit]
            if operator == "eq" and not low <= value <= high:
                raise Damage(f"the {unit} {value}, which is not valid")
        case ir.FieldRef(""):
            raise Damage("a reference to a field without a name")
        case _:
            pass


def _check_depth(expression: ir.Expression) -> None:
    waiting: list[tuple[ir.Expression, int]] = [(expression, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > _DEEPEST:
            raise Damage(f"a condition that nests more than {_DEEPEST} levels deep")
        match node:
            case ir.Not(operand):
                waiting.append((operand, depth + 1))
            case ir.And(operands) | ir.Or(operands):
                if not operands:
                    raise Damage("a condition with nothing to join")
                waiting += [(operand, depth + 1) for operand in operands]
            case ir.Quantified(_, _, names):
                if not names:
                    raise Damage("a condition with nothing to count")
            case ir.Identifier():
                pass


def _check_correlation(rule: ir.CorrelationRule, known: set[str]) -> None:
    if not rule.rules or len(set(rule.rules)) < len(rule.rules):
        raise Damage("no rules that it refers to, or one of them twice")
    for name in rule.rules:
        if name not in known:
            raise Damage(f"a reference to the rule {name!r}, which is not there")
    if rule.timespan < 1:
        raise Damage(f"the timespan {rule.timespan}")
    if (rule.threshold is None) is (rule.expression is None):
        raise Damage("no condition, or two")
    if rule.expression is not None:
        _check_expression(rule, rule.expression)
    elif rule.threshold is not None:
        _check_threshold(rule, rule.threshold)
    for alias in rule.aliases:
        if any(rule_id not in rule.rules for rule_id, _ in alias.fields):
            raise Damage(f"the alias {alias.name!r} for another rule")


def _check_expression(rule: ir.CorrelationRule, expression: ir.Expression) -> None:
    if not rule.type.startswith("temporal"):
        raise Damage("an expression, which its type does not have")
    _check_depth(expression)
    for name in names_in(expression):
        if name not in rule.rules:
            raise Damage(f"a condition that names the rule {name!r}, which it does not refer to")
    if rule.type == "temporal_ordered" and count_terms(expression) > MAX_TERMS:
        raise Damage(f"a condition that allows more than {MAX_TERMS} sequences")


def _check_threshold(rule: ir.CorrelationRule, threshold: ir.Threshold) -> None:
    if not math.isfinite(threshold.value):
        raise Damage("a threshold that is not a number")
    if rule.type.startswith("value_") and not (
        len(threshold.fields) == 1 or (threshold.fields and rule.type == "value_count")
    ):
        raise Damage("no field to measure, or too many")
    if rule.type == "value_percentile" and not (threshold.percentile is not None and 0 <= threshold.percentile <= 100):
        raise Damage(f"the percentile {threshold.percentile}")


def _check_circles(children: dict[str, tuple[str, ...]]) -> None:
    done: set[str] = set()
    waiting = dict(children)
    while waiting:
        ready = [name for name, rules in waiting.items() if all(each in done or each not in children for each in rules)]
        if not ready:
            raise Damage(f"the correlation {min(waiting)!r} refers to itself")
        done.update(ready)
        for name in ready:
            del waiting[name]

"""The parts of a correlation that its cases must cover: rules, order, group-by, time span, condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from msgspec.structs import replace

from cloudsigma import ir
from cloudsigma.ir.walk import Joint, Leaf, fold

_ALWAYS = ir.Threshold("gte", -(10**30))
_NO_END = 100 * 31_556_952
"""A hundred years in seconds."""


@dataclass(frozen=True, slots=True)
class CorrelationPart:
    """One part of a correlation."""

    correlation: ir.CorrelationRule
    kind: Literal["rule", "condition", "order", "group-by", "timespan"]
    name: str = ""
    """The ID of a rule, or the field of a `group-by`."""
    way: tuple[Any, ...] = ()
    """Path to the part in the YAML of the rule."""

    def label(self, names: Mapping[str, str]) -> str:
        """The part as text; `names` maps IDs of rules to names."""
        match self.kind:
            case "rule":
                return f"rule {names.get(self.name, self.name)}"
            case "condition":
                threshold = self.correlation.threshold
                return f"condition {threshold.operator}: {threshold.value}" if threshold is not None else "condition"
            case "order":
                return "order of the rules"
            case "group-by":
                return f"group-by {self.name}"
            case "timespan":
                return "timespan"

    def without(self) -> ir.CorrelationRule:
        """The correlation with this part removed."""
        rule = self.correlation
        match self.kind:
            case "rule":
                return _without_rule(rule, self.name)
            case "condition":
                threshold = replace(rule.threshold or _ALWAYS, operator="gte", value=_ALWAYS.value)
                return replace(rule, threshold=threshold)
            case "order":
                return replace(rule, type="temporal")
            case "group-by":
                return replace(rule, group_by=tuple(each for each in rule.group_by if each != self.name))
            case "timespan":
                return replace(rule, timespan=_NO_END)


def parts_of(rule: ir.CorrelationRule) -> tuple[CorrelationPart, ...]:
    """The parts of a correlation, in their usual order in a rule."""
    section = ("correlation",)
    several = len(rule.rules) > 1
    temporal = rule.type.startswith("temporal")
    by_rule = several and (rule.expression is not None or temporal)
    parts = [
        CorrelationPart(rule, "rule", each, (*section, "rules", position))
        for position, each in enumerate(rule.rules)
        if by_rule
    ]
    if rule.type == "temporal_ordered" and several:
        parts.append(CorrelationPart(rule, "order", "", (*section, "type")))
    parts += [
        CorrelationPart(rule, "group-by", field, (*section, "group-by", position))
        for position, field in enumerate(rule.group_by)
    ]
    if several or not temporal:
        parts.append(CorrelationPart(rule, "timespan", "", (*section, "timespan")))
    if rule.threshold is not None and not temporal:
        parts.append(CorrelationPart(rule, "condition", "", (*section, "condition")))
    return tuple(parts)


def _without_rule(rule: ir.CorrelationRule, name: str) -> ir.CorrelationRule:
    """The correlation that does not need an event of this rule."""
    if rule.expression is not None:
        anything = ir.Or(tuple(ir.Identifier(each) for each in rule.rules))
        return replace(rule, expression=_replaced(rule.expression, name, anything))
    threshold = rule.threshold
    if threshold is not None and threshold.value == len(rule.rules):
        threshold = replace(threshold, value=threshold.value - 1)
    rules = tuple(each for each in rule.rules if each != name)
    return replace(rule, rules=rules, threshold=threshold)


def _replaced(expression: ir.Expression, name: str, by: ir.Expression) -> ir.Expression:
    """The expression with the name of a rule replaced."""

    def leaf(each: Leaf, _: bool) -> ir.Expression:  # noqa: FBT001  # called by `fold`
        assert isinstance(each, ir.Identifier)  # noqa: S101  # a correlation contains no tests
        return by if each.name == name else each

    def join(parts: list[ir.Expression], all_of: bool, _: Joint) -> ir.Expression:  # noqa: FBT001
        return ir.And(tuple(parts)) if all_of else ir.Or(tuple(parts))

    return fold(expression, leaf, join, ir.Not)

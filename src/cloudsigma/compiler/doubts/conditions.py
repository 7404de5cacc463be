"""Doubts about conditions: selections that none uses, and conditions that are always false or always true."""

from __future__ import annotations

from collections.abc import Iterator

from cloudsigma import ir
from cloudsigma.compiler.document import Located, Path, Place
from cloudsigma.compiler.doubts.contradictions import Conflict, conflict_of, may_conflict
from cloudsigma.compiler.remedies import quoted
from cloudsigma.errors import RuleError
from cloudsigma.ir.walk import filters_of, names_in, without_filters


def condition_doubts(rule: ir.DetectionRule, located: Located, *, aws: bool) -> Iterator[RuleError]:
    """Warnings about the conditions of a rule and the use of its selections."""
    used = {name for condition in rule.conditions for name in names_in(condition.expression)}
    unused = [selection.name for selection in rule.selections if selection.name not in used]
    for name in unused:
        reason = f"no condition uses the selection {quoted(name)}"
        remedy = "Add it to the condition, or remove it."
        yield located.warning("condition", reason, ("detection", name), remedy)
    bodies = {selection.name: selection.body for selection in rule.selections}
    if may_conflict(rule, aws=aws):
        yield from _constant(rule, bodies, located, aws=aws)
    for at, condition in enumerate(rule.conditions):
        positive = _filter_as_selection(condition, [selection.name for selection in rule.selections])
        if aws and positive is not None:
            reason = f"{quoted(positive)} is named as a filter, and the condition does not negate it"
            yield located.warning("condition", reason, _way(rule, at), f"Write not {positive}, or rename it.")


def masked_by(rule: ir.DetectionRule, *, aws: bool) -> str | None:
    """The ID of a filter that provably leaves no match of a rule which has some without it."""
    filters = filters_of(rule)
    if not filters or not may_conflict(rule, aws=aws) or not _never(rule, aws=aws):
        return None
    if _never(without_filters(rule), aws=aws):
        return None
    alone = (each for at, each in enumerate(filters) if _never(without_filters(rule, at), aws=aws))
    return next(alone, filters[-1])


def _never(rule: ir.DetectionRule, *, aws: bool) -> bool:
    bodies = {selection.name: selection.body for selection in rule.selections}
    return all(conflict_of(condition.expression, bodies, aws=aws) for condition in rule.conditions)


def _constant(
    rule: ir.DetectionRule, bodies: dict[str, ir.Group | ir.Test], located: Located, *, aws: bool
) -> Iterator[RuleError]:
    told = False
    for selection in rule.selections:
        if isinstance(selection.body, ir.Test) and not selection.body.all_of:
            continue
        if conflict := conflict_of(ir.Identifier(selection.name), bodies, aws=aws):
            told = True
            reason = f"the selection {quoted(selection.name)} can never match: {_why(conflict)}"
            remedy = "Correct one of the two."
            if conflict.first is conflict.second:
                remedy = "Leave all out: a list of values means any of them."
            place = Place(conflict.second.line or 1, conflict.second.column or 1)
            yield located.at(place, "condition", reason, remedy, "warning")
    if told:
        return
    for at, condition in enumerate(rule.conditions):
        if conflict := conflict_of(condition.expression, bodies, aws=aws):
            reason = f"the condition can never be true: {_why(conflict)}"
            yield located.warning("condition", reason, _way(rule, at), "Join the selections by or, or correct one.")
        elif conflict_of(ir.Not(condition.expression), bodies, aws=aws):
            reason = "the condition is true for every record"
            yield located.warning("condition", reason, _way(rule, at), "Remove the part that makes it so.")


def _why(conflict: Conflict) -> str:
    first, second = conflict.first, conflict.second
    if conflict.negated:
        field = first.field or "the record"
        return f"a negated part matches whenever {field} matches {_values(first)}"
    if first is second:
        return f"{first.field} has one value, and cannot be all of {_values(first)}"
    return f"{first.field} has one value, and cannot be {_values(first)} and {_values(second)}"


def _values(test: ir.Test) -> str:
    shown = ", ".join(quoted(value) for value in test.written[:2])
    return f"{shown}, …" if len(test.written) > 2 else shown


def _way(rule: ir.DetectionRule, at: int) -> Path:
    return ("detection", "condition", at) if len(rule.conditions) > 1 else ("detection", "condition")


def _filter_as_selection(condition: ir.Condition, names: list[str]) -> str | None:
    """A selection called filter that a condition without a `not` uses like the others."""
    filters = [name for name in names if name.lower().startswith(("filter", "exclu"))]
    if not filters or len(filters) == len(names) or "not" in condition.text:
        return None
    used = set(names_in(condition.expression))
    return next((name for name in filters if name in used), None) if used - set(filters) else None

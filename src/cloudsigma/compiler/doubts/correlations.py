"""Warnings about valid correlations that cannot do what their author intended, each with a remedy."""

from __future__ import annotations

import math
from collections.abc import Iterator

from cloudsigma import ir
from cloudsigma.catalogue.record_fields import SCALARS
from cloudsigma.compiler.document import Located
from cloudsigma.compiler.doubts.fields import field_doubt
from cloudsigma.compiler.remedies import quoted, shortened
from cloudsigma.errors import RuleError

_WAY = ("correlation",)
_OF_ONE_EVENT = frozenset({"eventID", "eventTime"})
_COUNTS = frozenset({"event_count", "value_count", "temporal", "temporal_ordered"})


def most_counted(rule_type: str, rules: int) -> float:
    """The highest count that a correlation of this type can reach: the number of its rules, if it counts rules."""
    return rules if rule_type in ("temporal", "temporal_ordered") else math.inf


def correlation_warnings(located: Located, rule: ir.CorrelationRule, *, aws: bool) -> list[RuleError]:
    """Warnings about a correlation, before a pipeline changes it; `aws`: whether its records are of AWS."""
    found = [
        *_threshold(located, rule),
        *_timespan(located, rule),
        *_unused(located, rule),
        *_fields(located, rule, aws=aws),
    ]
    for each in found:
        each.severity = "warning"
    return found


def _threshold(located: Located, rule: ir.CorrelationRule) -> Iterator[RuleError]:
    threshold = rule.threshold
    section = located.document.value["correlation"]
    if threshold is None or rule.type not in _COUNTS or not isinstance(section.get("condition"), dict):
        return
    operator, limit = threshold.operator, threshold.value
    most = most_counted(rule.type, len(rule.rules))
    low = {"lt": math.inf, "lte": math.inf, "gt": limit, "gte": limit}.get(operator)
    written = f"{operator}: {limit}"
    way = (*_WAY, "condition", operator)
    never = (
        (operator == "lt" and limit <= 1)
        or (operator == "lte" and limit < 1)
        or (operator == "eq" and (limit < 1 or limit != int(limit)))
    )
    if never:
        why = (
            "a time frame begins with an event, so it never has none"
            if limit <= 1
            else "a count is a whole number"
        )  # fmt: skip
        remedy = (
            "Correlations cannot find that nothing happened. Count what did happen, for example gte: 5."
            if limit <= 1
            else "Write a whole number."
        )
        yield located.warning("condition", f"{written} can never hold: {why}", way, remedy)
    elif (
        (operator == "gte" and limit < 1)
        or (operator == "gt" and limit < 0)
        or (operator == "neq" and (limit < 1 or limit > most or limit != int(limit)))
        or (low == math.inf and limit > most)
        or (operator == "lte" and limit >= most)
    ):
        yield located.warning(
            "condition", f"{written} always holds, so every group of events gives a match", way,
            "Write the count from which it should match, for example gte: 2.",
        )  # fmt: skip


def _timespan(located: Located, rule: ir.CorrelationRule) -> Iterator[RuleError]:
    written = located.document.value["correlation"].get("timespan")
    if isinstance(written, str) and written.endswith("M"):
        days = round(rule.timespan / 86400)
        number = written[:-1]
        yield located.warning(
            "value", f"the timespan {written} is {number} {'month' if number == '1' else 'months'}",
            (*_WAY, "timespan"), f"Write {number}m for minutes, or {days}d if months are meant.",
        )  # fmt: skip


def _fields(located: Located, rule: ir.CorrelationRule, *, aws: bool) -> Iterator[RuleError]:
    """Names that no record has as a field, so that no event joins a group or has a value."""
    group_by: tuple[str, ...] = (*_WAY, "group-by")
    condition: tuple[str, ...] = (*_WAY, "condition", "field")
    fields = rule.threshold.fields if rule.threshold is not None else ()
    known = {alias.name for alias in rule.aliases}
    used = [(name, group_by) for name in rule.group_by] + [(name, condition) for name in fields]
    used = [(name, way) for name, way in used if name not in known]
    for alias in rule.aliases:
        yield from _other_names(located, rule, alias, aws=aws)
        used += [(name, (*_WAY, "aliases", alias.name)) for _, name in alias.fields]
    for name, way in used:
        if doubt := _name_doubt(name, aws=aws):
            reason, remedy = doubt
            yield located.warning("schema", reason, way, remedy)
    if aws and (alone := next((name for name in rule.group_by if name in _OF_ONE_EVENT), None)):
        reason = f"each event has an {alone} of its own, so each is a group of its own"
        yield located.warning("schema", reason, group_by, f"Remove {alone} from group-by.")
    if rule.type == "value_count" and (same := next((name for name in fields if name in rule.group_by), None)):
        reason = f"the events of a group have one value of {quoted(same)}, since they are grouped by it"
        yield located.warning("condition", reason, condition, "Count another field, or remove it from group-by.")


def _other_names(located: Located, rule: ir.CorrelationRule, alias: ir.Alias, *, aws: bool) -> Iterator[RuleError]:
    """An alias that some rules lack, and that is not the name of a field that their records would have."""
    if not aws or "." in alias.name or alias.name in SCALARS or alias.name not in rule.group_by:
        return
    given = {name for name, _ in alias.fields}
    if not given <= set(rule.rules):  # some are named by ID here and by name there
        return
    if lacking := [name for name in rule.rules if name not in given]:
        yield located.warning(
            "reference",
            f"the alias {quoted(alias.name)} says no field of {quoted(lacking[0])}, whose events have none of that "
            "name and so belong to no group",
            (*_WAY, "aliases", alias.name), f"Add {shortened(lacking[0])}: and the field to the alias.",
        )  # fmt: skip


def _name_doubt(name: str, *, aws: bool) -> tuple[str, str] | None:
    plain, *modifiers = name.split("|")
    if modifiers:
        return f"{quoted(name)} has a modifier, and a correlation compares whole values", f"Write {shortened(plain)}."
    if name != name.strip():
        return f"the field name {quoted(name)} begins or ends with a blank", f"Write {shortened(name.strip())}."
    return field_doubt(name, aws=aws)


def _unused(located: Located, rule: ir.CorrelationRule) -> Iterator[RuleError]:
    fields = rule.threshold.fields if rule.threshold is not None else ()
    for alias in rule.aliases:
        if alias.name not in rule.group_by and alias.name not in fields:
            yield located.warning(
                "reference", f"the alias {quoted(alias.name)} is not used", (*_WAY, "aliases", alias.name),
                f"Add it to group-by: [{alias.name}], or remove it.",
            )  # fmt: skip
    if "logsource" in located.document.value:
        yield located.warning(
            "schema", "the logsource of a correlation is ignored", ("logsource",),
            "Remove it: a correlation sees the matches of its rules, which have log sources.",
        )  # fmt: skip

"""Correlation document → IR; then its references, once all rules are known.

pySigma checks the attributes that every rule has. The section `correlation` is read here: pySigma leaves unknown keys,
circles, aliases and percentiles unchecked, and resolves numbers as positions.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, get_args

from msgspec import structs

from cloudsigma import ir
from cloudsigma.compiler.conditions import ConditionProblem, parse_condition, renamed
from cloudsigma.compiler.document import Located
from cloudsigma.compiler.limits import RuleLimits
from cloudsigma.compiler.remedies import CORRELATION_KEYS, CORRELATION_TYPES, nearest, quoted
from cloudsigma.compiler.timespan import parse_timespan, timespan_remedy
from cloudsigma.correlation.condition import MAX_TERMS, count_terms
from cloudsigma.errors import RuleError

_KEYS = ("type", "rules", "group-by", "timespan", "condition", "aliases", "generate")
_KEYS_OF_THE_SECTION = ("rules", "group-by", "timespan", "condition", "aliases")
"""Top-level keys that only correlations have."""
_TYPES = get_args(ir.CorrelationType)
_OPERATORS = ("lt", "lte", "gt", "gte", "eq", "neq")
_OPERATOR_TEXT = re.compile(r"(lte?|gte?|n?eq) *:? *([0-9]{1,18})", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_WORDS = frozenset({"and", "or", "not"})
_WAY = ("correlation",)


def lower_correlation(
    located: Located, metadata: ir.Metadata, field_paths: Sequence[ir.FieldPath]
) -> ir.CorrelationRule:
    """Read the `correlation` part; its references are still as written. Raises `RuleError`."""
    section = located.document.value["correlation"]
    if "detection" in located.document.value:
        raise located.error(
            "schema", "the rule has both a detection and a correlation", ("detection",),
            "Write two documents with --- between them, and name the detection in the correlation's rules.",
        )  # fmt: skip
    if not isinstance(section, dict):
        raise located.error("schema", "correlation is not a map", _WAY, "Add type, rules, timespan and condition.")
    for key in section:
        if key not in _KEYS:
            remedy = CORRELATION_KEYS.get(str(key)) or nearest(str(key), _KEYS)
            raise located.error("schema", f"there is no {quoted(key)} in a correlation", (*_WAY, key), remedy)
    for key in _KEYS_OF_THE_SECTION:
        if key in located.document.value and key not in section:
            raise located.error(
                "schema",
                f"{key} is beside correlation, not in it",
                (key,),
                f"Indent {key}, to move it into correlation.",
            )
    return _Reader(located, section).read(metadata, field_paths)


class _Reader:
    """Reads one `correlation` section."""

    def __init__(self, located: Located, section: dict[Any, Any]) -> None:
        self._located = located
        self._section = section

    def read(self, metadata: ir.Metadata, field_paths: Sequence[ir.FieldPath]) -> ir.CorrelationRule:
        kind: Any = self._section.get("type")
        if kind is None:
            raise self._error("schema", "the correlation has no type", "type", nearest("", _TYPES))
        if kind not in _TYPES:
            meant = CORRELATION_TYPES.get(str(kind))
            remedy = f"Did you mean {meant!r}?" if meant else nearest(str(kind), _TYPES)
            raise self._error("schema", f"there is no correlation type {quoted(kind)}", "type", remedy)
        condition: Any = self._section.get("condition")
        extended = isinstance(condition, str)
        names = self._texts("rules")
        if extended:
            expression, names = self._extended(kind, condition, names)
        elif not names:
            raise self._error("schema", "the correlation names no rules", "rules", "Add the IDs or names of rules.")
        else:
            expression = None
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise self._error("schema", f"the rule {twice[0]!r} is named twice", "rules", "Name it once.")
        generate = self._generate()
        return ir.CorrelationRule(
            metadata=metadata,
            type=kind,
            rules=tuple(names),
            group_by=self._group_by(),
            timespan=self._timespan(),
            threshold=None if extended else self._threshold(kind, condition, len(names)),
            expression=expression,
            aliases=self._aliases(),
            generate=generate,
            field_paths=tuple(field_paths),
        )

    def _generate(self) -> bool:
        """`generate`, which the specification has at the top level and pySigma within the correlation."""
        found: list[bool] = []
        for holder, way in ((self._located.document.value, ("generate",)), (self._section, (*_WAY, "generate"))):
            value = holder.get("generate")
            if value is not None:
                if not isinstance(value, bool):
                    raise self._located.error(
                        "schema", f"generate is {quoted(value)}, neither true nor false", way,
                        "Use true or false, without quotation marks.",
                    )  # fmt: skip
                found.append(value)
        if len(set(found)) > 1:
            raise self._error(
                "schema", "generate is true in one place and false in another", "generate", "Write it once."
            )
        return bool(found and found[0])

    def _error(self, category: Any, reason: str, key: str, remedy: str) -> RuleError:
        return self._located.error(category, reason, (*_WAY, *key.split("/")), remedy)

    def _texts(self, key: str) -> list[str]:
        value = self._section.get(key)
        values = value if isinstance(value, list) else [] if value is None else [value]
        for item in values:
            if not isinstance(item, str) or not item:
                category = "reference" if key == "rules" else "schema"
                raise self._error(category, f"{item!r} in {key} is not text", key, "Write names as text.")
        return values

    def _group_by(self) -> tuple[str, ...]:
        names = self._texts("group-by")
        for name in names:
            if "," in name:
                parts = ", ".join(part.strip() for part in name.split(",") if part.strip())
                raise self._error(
                    "schema", f"group-by has {quoted(name)}, which is one field with a comma in its name", "group-by",
                    f"Write a list: [{parts}].",
                )  # fmt: skip
        return tuple(dict.fromkeys(names))

    def _timespan(self) -> int:
        value = self._section.get("timespan")
        if value is None:
            raise self._error("schema", "the correlation has no timespan", "timespan", "Add timespan: 10m.")
        seconds = parse_timespan(value)
        if seconds is None:
            raise self._error("value", f"{quoted(value)} is no timespan", "timespan", timespan_remedy(value))
        return seconds

    def _extended(self, kind: str, text: str, given: list[str]) -> tuple[ir.Expression, list[str]]:
        if not kind.startswith("temporal"):
            given_operator = _OPERATOR_TEXT.fullmatch(text.strip())
            written = f"{given_operator[1]}: {given_operator[2]}" if given_operator else "gte: 5"
            raise self._error(
                "condition", f"{kind} needs an operator and a number, not the text {quoted(text)}", "condition",
                f"Write condition: {{{written}}}.",
            )  # fmt: skip
        found = [word for word in dict.fromkeys(_NAME.findall(text)) if word not in _WORDS]
        try:
            expression = parse_condition(text, found)
        except ConditionProblem as problem:
            raise self._error("condition", problem.reason, "condition", problem.remedy) from problem
        if kind == "temporal_ordered" and (count := count_terms(expression)) > MAX_TERMS:
            raise self._error(
                "condition", f"the condition allows {count:,} sequences, more than {MAX_TERMS} (the limit of "
                "temporal_ordered)", "condition", "Write several correlations, or use type: temporal.",
            )  # fmt: skip
        if _has_quantifier(expression):
            raise self._error(
                "condition",
                "1 of and all of need selections",
                "condition",
                "Name the rules.",
            )
        if given and set(given) != set(found):
            raise self._error(
                "condition", "the condition and rules do not name the same rules", "condition",
                "Name each rule in both, or leave rules out.",
            )  # fmt: skip
        return expression, given or found

    def _threshold(self, kind: str, condition: Any, rules: int) -> ir.Threshold:
        if condition is None and kind.startswith("temporal"):
            return ir.Threshold("gte", rules)
        if not isinstance(condition, dict):
            what = "no condition" if condition is None else "a condition that is not a map"
            category = "schema" if condition is None else "condition"
            raise self._error(category, f"the correlation has {what}", "condition", "Write condition: {gte: 5}.")
        operators = [key for key in condition if key in _OPERATORS]
        unknown = [key for key in condition if key not in (*_OPERATORS, "field", "percentile")]
        if unknown:
            raise self._error(
                "condition", f"there is no {unknown[0]!r} in a condition", f"condition/{unknown[0]}",
                nearest(str(unknown[0]), (*_OPERATORS, "field", "percentile")),
            )  # fmt: skip
        if len(operators) != 1:
            raise self._error("condition", "a condition has exactly one operator", "condition", "Keep one of them.")
        value = condition[operators[0]]
        if type(value) is not int and not (isinstance(value, float) and math.isfinite(value)):
            digits = isinstance(value, str) and value.strip().isdecimal()
            raise self._error(
                "condition", f"{operators[0]} is {quoted(value)}, which is not a number", f"condition/{operators[0]}",
                f"Remove the quotation marks: {operators[0]}: {value.strip()}." if digits else "Write a number.",
            )  # fmt: skip
        if value < 0 and kind in ("event_count", "value_count", "temporal", "temporal_ordered"):
            raise self._error("condition", "no count is below zero", f"condition/{operators[0]}", "Write 0 or more.")
        operator: Any = operators[0]
        if kind.startswith("temporal") and not _reachable(operator, value, rules):
            names = "1 rule" if rules == 1 else f"{rules} rules"
            raise self._error(
                "condition", f"{operator}: {value} can never hold for {names}", f"condition/{operator}",
                f"Write gte: {rules} for all of them, or name more rules.",
            )  # fmt: skip
        return ir.Threshold(operator, value, self._fields(kind, condition), self._percentile(kind, condition))

    def _fields(self, kind: str, condition: dict[Any, Any]) -> tuple[str, ...]:
        value = condition.get("field")
        names = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(name, str) and name for name in names):
            raise self._error("condition", "field is not a name", "condition/field", "Name a field of the records.")
        if kind.startswith("value_"):
            if not names:
                raise self._error("condition", f"{kind} needs a field", "condition", "Add field: to the condition.")
            if len(names) > 1 and kind != "value_count":
                raise self._error("condition", f"{kind} measures one field", "condition/field", "Name one field.")
            if comma := next((name for name in names if "," in name), None):
                raise self._error(
                    "condition", f"field is {quoted(comma)}, one field with a comma in its name", "condition/field",
                    "Write a list of fields.",
                )  # fmt: skip
        elif names:
            what = "events" if kind == "event_count" else "rules"
            raise self._error(
                "condition", f"{kind} counts {what} and has no field", "condition/field",
                f"Write type: value_count to count different values of {names[0]}, or remove field.",
            )  # fmt: skip
        return tuple(names)

    def _percentile(self, kind: str, condition: dict[Any, Any]) -> int | None:
        value = condition.get("percentile")
        if kind != "value_percentile":
            if value is not None:
                raise self._error("condition", f"{kind} has no percentile", "condition/percentile", "Remove it.")
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
            raise self._error(
                "condition",
                "value_percentile has no percentile" if value is None else f"the percentile is {quoted(value)}",
                "condition",
                "Add percentile: a whole number from 0 to 100.",
            )
        return value

    def _aliases(self) -> tuple[ir.Alias, ...]:
        value = self._section.get("aliases")
        if value is None:
            return ()
        if not isinstance(value, dict):
            raise self._error("schema", "aliases is not a map", "aliases", "Write alias: {rule: field}.")
        aliases: list[ir.Alias] = []
        for name, fields in value.items():
            whole = isinstance(name, str) and isinstance(fields, dict) and fields
            if not whole or not all(isinstance(part, str) for pair in fields.items() for part in pair):
                raise self._error("schema", f"the alias {name!r} is not a map of rules to fields", "aliases",
                                  "Write alias: {rule: field}.")  # fmt: skip
            aliases.append(ir.Alias(name, tuple(fields.items())))
        return tuple(aliases)


def _reachable(operator: str, value: float, rules: int) -> bool:
    """Whether the number of rules can reach the condition's bound."""
    return {"gt": value < rules, "gte": value <= rules, "eq": value <= rules}.get(operator, True)


def _has_quantifier(expression: ir.Expression) -> bool:
    match expression:
        case ir.Quantified():
            return True
        case ir.Not(operand):
            return _has_quantifier(operand)
        case ir.And(operands) | ir.Or(operands):
            return any(map(_has_quantifier, operands))
        case _:
            return False


# --- references ---------------------------------------------------------------------------------------------


def resolve(
    correlations: Sequence[tuple[Located, ir.CorrelationRule]],
    detections: Sequence[ir.DetectionRule],
    limits: RuleLimits,
) -> tuple[list[ir.CorrelationRule], list[RuleError]]:
    """Replace references by IDs; correlations come after those that they refer to.

    A correlation with a reference to nothing, to several rules or to itself, or above too many others, is left out with
    its error, and so is one that refers to a correlation that is left out.
    """
    known: list[ir.Metadata] = [rule.metadata for rule in detections]
    waiting = list(correlations)
    resolved: list[ir.CorrelationRule] = []
    everything = [*known, *(rule.metadata for _, rule in correlations)]
    for _ in range(limits.correlation_depth):  # each round resolves those that are one reference further up
        ready = [item for item in waiting if all(_found(name, known) for name in item[1].rules)]
        if not ready:
            break
        failed: list[tuple[Located, ir.CorrelationRule]] = []
        for located, rule in ready:
            try:
                resolved.append(_with_ids(located, rule, everything))
                known.append(rule.metadata)
            except RuleError:
                failed.append((located, rule))
        waiting = [item for item in waiting if item not in ready] + failed
        if failed and len(failed) == len(ready):
            break
    return resolved, [_why(located, rule, everything, known, limits) for located, rule in waiting]


def _found(name: str, rules: Sequence[ir.Metadata]) -> list[ir.Metadata]:
    return [rule for rule in rules if name.lower() == rule.id] or [rule for rule in rules if name == rule.name]


def _with_ids(located: Located, rule: ir.CorrelationRule, rules: Sequence[ir.Metadata]) -> ir.CorrelationRule:
    ids: dict[str, str] = {}
    for name in rule.rules:
        found = _found(name, rules)
        if len({each.id for each in found}) > 1:
            places = " and ".join(f"{each.title!r}" for each in found[:3])
            raise located.error(
                "reference", f"the name {name!r} is that of several rules, {places}", (*_WAY, "rules"),
                "Refer to the rule by its ID.",
            )  # fmt: skip
        ids[name] = found[0].id
    aliases: list[ir.Alias] = []
    for alias in rule.aliases:
        fields: list[tuple[str, str]] = []
        for name, field in alias.fields:
            named = {each.id for each in _found(name, rules)}
            if not named & set(ids.values()):
                raise located.error(
                    "reference", f"the alias {alias.name!r} is for {name!r}, which the correlation does not refer to",
                    (*_WAY, "aliases", alias.name, name), nearest(name, rule.rules),
                )  # fmt: skip
            fields += [(rule_id, field) for rule_id in ids.values() if rule_id in named]
        aliases.append(ir.Alias(alias.name, tuple(fields)))
    return structs.replace(
        rule,
        rules=tuple(ids[name] for name in rule.rules),
        aliases=tuple(aliases),
        expression=renamed(rule.expression, ids) if rule.expression is not None else None,
    )


def _why(
    located: Located,
    rule: ir.CorrelationRule,
    rules: Sequence[ir.Metadata],
    resolved: Sequence[ir.Metadata],
    limits: RuleLimits,
) -> RuleError:
    """The error of a correlation whose references fail; `resolved` has the rules that can be referred to."""
    way = (*_WAY, "rules")
    for name in rule.rules:
        if not _found(name, rules):
            by_title = next((each for each in rules if each.title == name), None)
            if by_title is not None:
                return located.error(
                    "reference", f"{name!r} is the title of a rule, and titles are no references", way,
                    f"Refer to it by its ID {by_title.id}{f' or its name {by_title.name}' if by_title.name else ''}.",
                )  # fmt: skip
            if "," in name:
                parts = ", ".join(part.strip() for part in name.split(",") if part.strip())
                return located.error("reference", f"rules has {quoted(name)}, one name with a comma in it", way,
                                     f"Write a list: [{parts}].")  # fmt: skip
            known = [each.name for each in rules if each.name]
            return located.error(
                "reference", f"the rule {name!r} is not loaded", way,
                f"Load it as well, or correct its ID or name. {nearest(name, known)}" if known else "Load it as well.",
            )  # fmt: skip
    try:
        _with_ids(located, rule, rules)
    except RuleError as error:
        return error
    if all(_found(name, resolved) for name in rule.rules):
        reason = f"the correlation is nested more deeply than {limits.said('correlation_depth')}"
        return located.error("reference", reason, way, "Refer to rules further down the chain.")
    return located.error(
        "reference", "the correlation refers to itself, or to one that is left out", way, "Break the circle."
    )

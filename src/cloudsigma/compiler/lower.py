"""pySigma rule → IR.

It reads the named detections, not pySigma's processed tree, whose leaves have lost selection names, lines, modifiers
and the spelling of values. Meaningless values are refused here with the place of the item.
"""

from __future__ import annotations

import datetime as dt
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sigma.conditions import ConditionAND
from sigma.modifiers import (
    SigmaBase64OffsetModifier,
    SigmaCaseSensitiveModifier,
    SigmaModifier,
    reverse_modifier_mapping,
)
from sigma.rule import SigmaRule, SigmaRuleBase
from sigma.rule.detection import SigmaDetection, SigmaDetectionItem
from sigma.types import (
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from cloudsigma import ir
from cloudsigma.compiler.items import TIME_RANGES, expression_mistake, holds_for_part
from cloudsigma.errors import Category, RuleError, RuleErrors, each_error, one_or_group

_WILDCARDS = {SpecialChars.WILDCARD_MULTI: ir.Wildcard.MANY, SpecialChars.WILDCARD_SINGLE: ir.Wildcard.ONE}
_MANY = ir.Wildcard.MANY
_NAMESPACE = uuid.UUID("0b6c1e3a-7f0c-4a55-9f62-6f1c5d0f7c11")
"""Namespace of the IDs made from a rule's content."""
_EXACT_FROM = 2**53
"""From here on pySigma's numbers may have lost digits; YAML's value is used instead."""
_COMPARED = {"eq": "", "lt": "below ", "lte": "at most ", "gt": "above ", "gte": "at least "}
"""Words before the number of a comparison."""


def lower(
    rule: SigmaRule,
    conditions: Sequence[ir.Condition],
    metadata: ir.Metadata,
    field_paths: Sequence[ir.FieldPath],
    selection_lines: Mapping[str, int],
) -> ir.DetectionRule:
    """Turn a parsed rule into IR; raises `RuleError`, or `RuleErrors` for several items."""
    given = _Given(metadata.path, str(rule.id or rule.title), [])
    selections = tuple(
        ir.Selection(name, _detection(detection, given), selection_lines.get(name))
        for name, detection in rule.detection.detections.items()
    )
    if given.errors:
        raise one_or_group(given.errors)
    source = rule.logsource
    return ir.DetectionRule(
        metadata=metadata,
        logsource=ir.LogSource(source.category, source.product, source.service),
        selections=selections,
        conditions=tuple(conditions),
        field_paths=tuple(field_paths),
    )


def lower_metadata(rule: SigmaRuleBase, digest: str, path: str | None, line: int | None) -> ir.Metadata:
    """The metadata of a rule; a rule without an ID gets one made from the digest of its content."""
    return ir.Metadata(
        id=str(rule.id if rule.id is not None else uuid.uuid5(_NAMESPACE, digest)),
        title=rule.title,
        name=rule.name,
        description=rule.description,
        level=rule.level.name.lower() if rule.level else None,
        status=rule.status.name.lower() if rule.status else None,
        author=rule.author,
        date=_date(rule.date),
        modified=_date(rule.modified),
        tags=tuple(f"{tag.namespace}.{tag.name}" for tag in rule.tags),
        references=tuple(rule.references),
        falsepositives=tuple(rule.falsepositives),
        fields=tuple(rule.fields),
        license=rule.license,
        custom={str(key): _plain(value) for key, value in rule.custom_attributes.items()},
        path=path,
        line=line,
        digest=digest,
    )


def _date(value: dt.date | None) -> dt.date | None:
    return value.date() if isinstance(value, dt.datetime) else value


def _plain(value: Any) -> Any:
    """A YAML value converted to JSON types."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


@dataclass(frozen=True, slots=True)
class _Given:
    """The context in which the items of a rule are lowered."""

    path: str | None
    rule: str
    """The rule's ID or title, for errors."""
    errors: list[RuleError]
    """Of each item that cannot be lowered."""


def _detection(detection: SigmaDetection, given: _Given) -> ir.Group | ir.Test:
    members: list[ir.Group | ir.Test] = []
    for item in detection.detection_items:
        try:
            members.append(_detection(item, given) if isinstance(item, SigmaDetection) else _Item(item, given).lower())
        except (RuleError, RuleErrors) as error:
            given.errors.extend(each for each in each_error(error) if each not in given.errors)
    if len(members) == 1:
        return members[0]
    return ir.Group(tuple(members), all_of=detection.item_linking is ConditionAND)


class _Item:
    """One detection item on its way to a test."""

    def __init__(self, item: SigmaDetectionItem, given: _Given) -> None:
        self._item = item
        self._given = given
        self._cased = SigmaCaseSensitiveModifier in item.modifiers
        self._place: Any = item.source
        self._written: tuple[Any, ...] = getattr(item.source, "written", ())

    def lower(self) -> ir.Test:
        item = self._item
        matchers = self._matchers() or (ir.Null(),)
        written = self._written if len(self._written) == len(matchers) else matchers
        return ir.Test(
            field=item.field,
            modifiers=getattr(item.source, "modifiers", None) or tuple(map(_modifier_name, item.modifiers)),
            matchers=matchers,
            written=tuple(map(_spelled, written)),
            all_of=item.value_linking is ConditionAND,
            negated=item.negated,
            line=getattr(self._place, "line", None),
            column=getattr(self._place, "char", None),
        )

    def _matchers(self) -> tuple[ir.Matcher, ...]:
        matchers: list[ir.Matcher] = []
        errors: list[RuleError] = []
        for at, value in enumerate(self._item.value):
            try:
                matchers.append(self._matcher(value, at))
            except RuleError as error:
                errors.append(error)
        if errors:
            raise one_or_group(errors)
        return tuple(matchers)

    def _matcher(self, value: SigmaType, at: int) -> ir.Matcher:
        match value:  # subclasses before their parents: cased strings, parts of a time
            case SigmaString():
                return self._pattern(value)
            case SigmaRegularExpression():
                for part in value.regexp.s:
                    if isinstance(part, Placeholder):
                        raise self._placeholder(part.name)
                return self._regex(str(value.regexp), value)
            case SigmaCIDRExpression():
                return ir.Cidr(str(value.network))
            case SigmaCompareExpression():
                return self._compare(value, at)
            case SigmaTimestampPart():
                return self._time_part(value, "eq", at)
            case SigmaNumber():
                number = self._number(value, at)
                return ir.Number(number) if self._item.field is not None else _keyword(str(number))
            case SigmaBool():
                return ir.Boolean(value.boolean)
            case SigmaNull():
                return ir.Null()
            case SigmaExists():
                return ir.Exists(value.exists)
            case SigmaFieldReference():
                return self._field_reference(value)
            case SigmaExpansion():
                return ir.OneOf(tuple(self._matcher(variant, at) for variant in value.values))
        raise self._error("unsupported", f"{type(value).__name__} cannot be evaluated", None)

    def _pattern(self, value: SigmaString) -> ir.Pattern:
        parts: list[str | ir.Wildcard] = []
        for part in value.s:
            if isinstance(part, Placeholder):  # from a rule that another program parsed with pySigma
                raise self._placeholder(part.name)
            if isinstance(part, str):
                if part and parts and isinstance(parts[-1], str):
                    parts[-1] += part
                elif part:
                    parts.append(part)
            elif not (parts and parts[-1] is _MANY and _WILDCARDS[part] is _MANY):
                parts.append(_WILDCARDS[part])
        if SigmaBase64OffsetModifier in self._item.modifiers and all(part is _MANY for part in parts):
            raise self._error("value", "base64offset of one byte finds nothing certain", "Use a longer value.")
        if self._item.field is None:
            return _keyword(*parts, cased=self._cased)
        return ir.Pattern(tuple(parts), cased=self._cased or isinstance(value, SigmaCasedString))

    def _regex(self, pattern: str, value: SigmaRegularExpression) -> ir.Regex:
        flags = "".join(sorted(SigmaRegularExpression.sigma_to_re_flag[flag] for flag in value.flags))
        if mistake := expression_mistake(pattern, flags):
            raise self._error("value", *mistake)
        return ir.Regex(pattern, flags)

    def _compare(self, value: SigmaCompareExpression, at: int) -> ir.Matcher:
        operator: Any = value.op.name.lower()
        if isinstance(value.number, SigmaTimestampPart):
            return self._time_part(value.number, operator, at)
        return ir.Compare(operator, self._number(value.number, at))

    def _time_part(self, value: SigmaTimestampPart, operator: Any, at: int) -> ir.TimePart:
        unit: Any = value.timestamp_part.name.lower()
        written = self._written[at] if at < len(self._written) else value.number
        if isinstance(written, float) and not written.is_integer():
            raise self._error("value", f"{unit} is a whole number, and {written} is not", "Write a whole number.")
        number = int(value.number)
        if holds_for_part(unit, operator, number) is False:
            least, most = TIME_RANGES[unit]
            reason = f"no {unit} is {_COMPARED[operator]}{number}"
            raise self._error("value", reason, f"It is between {least} and {most}.")
        return ir.TimePart(unit, operator, number)

    def _number(self, value: SigmaNumber, at: int) -> int | float:
        written = self._written[at] if at < len(self._written) else None
        if type(written) is int and abs(written) >= _EXACT_FROM and math.isclose(written, value.number):
            return written
        return value.number

    def _field_reference(self, value: SigmaFieldReference) -> ir.FieldRef:
        comparison: ir.Comparison = "equals"
        if value.starts_with and value.ends_with:
            comparison = "contains"
        elif value.starts_with or value.ends_with:
            comparison = "startswith" if value.starts_with else "endswith"
        name = value.field.replace("\\*", "*").replace("\\?", "?")  # pySigma keeps the escapes of a plain string
        return ir.FieldRef(name, comparison, cased=self._cased)

    def _placeholder(self, name: str) -> RuleError:
        return self._error(
            "unsupported",
            f"the placeholder %{name}% has no values",
            f"Give them: placeholders={{{name!r}: [values]}}, or --placeholders FILE.",
        )

    def _error(self, category: Category, reason: str, remedy: str | None) -> RuleError:
        return RuleError(
            category,
            reason,
            path=self._given.path,
            line=getattr(self._place, "line", None),
            column=getattr(self._place, "char", None),
            rule=self._given.rule,
            remedy=remedy,
        )


def _keyword(*parts: str | ir.Wildcard, cased: bool = False) -> ir.Pattern:
    """A keyword is found anywhere in a value: the pattern with `*` at both ends."""
    start = () if parts and parts[0] is _MANY else (_MANY,)
    end = () if parts and parts[-1] is _MANY else (_MANY,)
    return ir.Pattern((*start, *parts, *end) if parts else (_MANY,), cased)


def _modifier_name(modifier: type[SigmaModifier[Any, Any]]) -> str:
    return reverse_modifier_mapping[modifier.__name__]


def _spelled(value: Any) -> str:
    """A value as written in the rule."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)

"""Processing pipelines applied to rules, filters and correlations before they are lowered.

The order is pySigma's: a rule is joined with its filters first, so that a transformation for the rule's log source
changes the filters' fields as well; then each pipeline is applied once. If pySigma's result would change
the meaning of the rule, it is corrected or refused here.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import structs
from sigma.conditions import ConditionAND, ConditionOR
from sigma.correlations import SigmaCorrelationRule
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaRule
from sigma.rule.detection import SigmaDetection, SigmaDetectionItem
from sigma.types import SigmaExists, SigmaExpansion, SigmaFieldReference, SigmaNull, SigmaNumber, SigmaType

from cloudsigma import ir
from cloudsigma.compiler.document import Located
from cloudsigma.compiler.expansion import items_of
from cloudsigma.compiler.limits import RuleLimits
from cloudsigma.compiler.pipeline import Pipeline
from cloudsigma.compiler.transformations import Budget, adapt
from cloudsigma.errors import RuleError


class Processor:
    """Applies one pipeline to one rule after another."""

    def __init__(self, pipeline: Pipeline, limits: RuleLimits) -> None:
        self.pipeline = pipeline
        self._budget = Budget(limits)

    def prepared(self) -> ProcessingPipeline:
        """The pipeline of pySigma for the next rule."""
        self._budget.start()
        return self.pipeline.prepared(lambda made: adapt(made, self._budget, _flatten))

    def process_rule(self, rule: SigmaRule, filters: Sequence[SigmaRule], located: Located) -> list[str]:
        """Apply the pipeline to a fresh rule and fresh copies of its filters; returns the rule's conditions.

        The filters' selections are changed in place, their log sources stay. Raises `RuleError`.
        """
        pipeline = self.pipeline
        detections = rule.detection.detections
        homes: dict[str, tuple[SigmaRule, str]] = {}
        for at, each in enumerate(filters):
            for name, detection in each.detection.detections.items():
                key = f"\0{at} {name}"  # no condition can name it
                homes[key] = (each, name)
                detections[key] = detection
        for detection in detections.values():
            for item in items_of(detection):
                _flatten(item)
        own = set(detections)
        prepared = self.prepared()
        taken = own & {name for each in prepared.items for name in _added_names(each.transformation)}
        if taken:
            name = min(taken)
            raise located.error(
                "unsupported", f"the pipeline {pipeline.name!r} adds a selection {name!r}, and the rule has one",
                ("detection", name), "Name the condition of the pipeline differently.",
            )  # fmt: skip
        _apply(prepared, rule, pipeline, located)
        for name, detection in detections.items():
            shown = homes[name][1] if name in homes else name
            _check(detection, pipeline, located, shown)
        for key, (home, name) in homes.items():
            home.detection.detections[name] = detections.pop(key)
        return [each.condition for each in rule.detection.parsed_condition]


def _added_names(transformation: Any) -> Iterator[str]:
    if nested := getattr(transformation, "_nested_pipeline", None):
        for item in nested.items:
            yield from _added_names(item.transformation)
    elif hasattr(transformation, "apply_condition"):
        yield transformation.name


def _apply(prepared: Any, rule: Any, pipeline: Pipeline, located: Located) -> None:
    try:
        prepared.apply(rule)
    except RuleError:
        raise
    except Exception as error:  # pySigma raises more than its own errors here
        reason = " ".join(str(error.args[0] if error.args else error).split())
        reason = reason.split("ProcessingPipeline(")[0][:300].rstrip(". ")
        failure = located.error(
            "unsupported", f"the pipeline {pipeline.name!r} cannot be applied: {reason}", (),
            "Change the pipeline or the rule.",
        )  # fmt: skip
        source: Any = getattr(error, "source", None)
        if source is not None and getattr(source, "line", None) is not None:
            failure.line, failure.column = source.line, getattr(source, "char", None)
            failure.path = located.document.path and str(source.path)
        raise failure from error


# --- before: pySigma's transformations ignore variants, so each becomes a separate value ----------------------


def _flatten(item: SigmaDetectionItem) -> None:
    """Replace a value by its variants (`windash`, placeholders), and record which belong together."""
    source: Any = item.source
    variants = [list(_variants(value)) for value in item.value]
    for value, written in zip(item.value, source.written, strict=False):
        if isinstance(value, SigmaNumber) and type(written) is int and math.isclose(written, value.number):
            value.number = written  # pySigma's own has lost digits
    item.value = [each for values in variants for each in values]
    item.source = dataclasses.replace(source, compared=tuple(item.value), sizes=tuple(map(len, variants)))


def _variants(value: SigmaType) -> Iterator[SigmaType]:
    if isinstance(value, SigmaExpansion):
        for each in value.values:
            yield from _variants(each)
    else:
        yield value


# --- after: the results of pySigma's transformations --------------------------------------------------------


def _check(detection: SigmaDetection, pipeline: Pipeline, located: Located, name: str) -> None:
    if not detection.detection_items:
        raise located.error(
            "unsupported", f"the pipeline {pipeline.name!r} leaves nothing of a part of the selection {name!r}",
            ("detection", name), "Drop no more than some items of each map, or leave the rule out.",
        )  # fmt: skip
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            _check(item, pipeline, located, name)
        else:
            _check_item(item, pipeline, located, name)
    if detection.item_linking is ConditionOR and _is_absence_under_many_names(detection):
        detection.item_linking = ConditionAND


def _is_absence_under_many_names(detection: SigmaDetection) -> bool:
    """Whether this is one negative test of the rule under several names: pySigma joins those by `or`.

    A field that must not have a value must not have it under any of its names.
    """
    items = list(items_of(detection))
    first = items[0]
    origin = getattr(first.source, "origin", None)
    same = origin is not None and all(getattr(item.source, "origin", None) == origin for item in items)
    if not same or len(items) < 2:
        return False
    absent = all(
        isinstance(value, SigmaNull) or (isinstance(value, SigmaExists) and not value.exists) for value in first.value
    )
    return first.negated is not absent


def _check_item(item: SigmaDetectionItem, pipeline: Pipeline, located: Located, name: str) -> None:
    source: Any = item.source
    old = getattr(source, "compared", None)
    if old is None:  # added by the pipeline, or waiting for placeholders
        return
    whole = len(item.value) == len(old)
    if not item.value or (not whole and item.value_linking is ConditionAND and len(old) > 1):
        left = "no value" if not item.value else "several values for one of those that must all match"
        failure = located.error(
            "unsupported", f"the pipeline {pipeline.name!r} leaves {left} of {item.field or 'the keywords'!r}",
            ("detection", name), "Change the pipeline or the rule.",
        )  # fmt: skip
        failure.line, failure.column = source.line, source.char
        raise failure
    written = source.written
    if not whole or any(value is not was for value, was in zip(item.value, old, strict=True)):
        written = tuple(_written(value) for value in item.value)
    if whole and max(source.sizes, default=1) > 1:
        item.value, together = _regrouped(item.value, source.sizes)
        written = source.written if written is source.written else tuple(map(_written, together))
    item.source = dataclasses.replace(source, written=written)


def _regrouped(values: Sequence[SigmaType], sizes: Sequence[int]) -> tuple[list[SigmaType], list[SigmaType]]:
    """The variants of each value regrouped, and the first of each."""
    grouped: list[SigmaType] = []
    firsts: list[SigmaType] = []
    start = 0
    for size in sizes:
        part = list(values[start : start + size])
        start += size
        grouped.append(part[0] if size == 1 else SigmaExpansion(part))
        firsts += part[:1]
    return grouped, firsts


def _written(value: SigmaType) -> Any:
    match value:
        case SigmaNumber():
            return value.number
        case SigmaFieldReference():
            return value.field
    return str(value)


# --- correlations -------------------------------------------------------------------------------------------


def process_correlation(
    processor: Processor,
    loaded: SigmaCorrelationRule,
    rule: ir.CorrelationRule,
    sources: Mapping[str, SigmaRule],
    located: Located,
) -> ir.CorrelationRule:
    """Apply the pipeline to the fields of a resolved correlation: of groups, aliases and the condition.

    Args:
        processor: Applies the pipeline.
        loaded: The correlation's attributes; its `fields` are changed in place.
        rule: The correlation, its references resolved to IDs.
        sources: The rules it may refer to, by ID, with the log sources that their files have.
        located: For errors.
    """
    threshold = rule.threshold or ir.Threshold("gte", 1)
    condition: dict[str, Any] = {"gte": 1}
    if threshold.fields:
        condition["field"] = list(threshold.fields)
    if threshold.percentile is not None:
        condition["percentile"] = threshold.percentile
    section = {
        "type": rule.type,
        "rules": list(rule.rules),
        "timespan": "1s",
        "group-by": list(rule.group_by),
        "aliases": {alias.name: dict(alias.fields) for alias in rule.aliases},
        "condition": condition,
    }
    pipeline = processor.pipeline

    def processed(fields: Sequence[str]) -> SigmaCorrelationRule:
        made = SigmaCorrelationRule.from_dict({"title": rule.metadata.title, "correlation": section})
        made.fields = list(fields)
        made.tags, made.level, made.status = loaded.tags, loaded.level, loaded.status
        made.custom_attributes = loaded.custom_attributes
        made.referenced_rules = made.rules or []
        for reference in made.referenced_rules:
            if reference.reference in sources:
                reference.rule = sources[reference.reference]
        _apply(processor.prepared(), made, pipeline, located)
        return made

    times = processed([rule.time_field]).fields  # alone, since one field may become several
    if len(times) > 1:
        raise located.error(
            "unsupported", f"the pipeline {pipeline.name!r} gives {rule.time_field} several names", ("correlation",),
            "Map it to one name: a correlation reads the time of an event from one field.",
        )  # fmt: skip
    made = processed(loaded.fields)
    loaded.fields = made.fields
    groups = made.group_by or []
    if len(groups) != len(rule.group_by):
        raise located.error(
            "unsupported", f"the pipeline {pipeline.name!r} gives a field of group-by several names",
            ("correlation", "group-by"), "Use aliases, or map it to one name.",
        )  # fmt: skip
    named: Any = getattr(made.condition, "fieldref", None)
    fields = tuple(named) if isinstance(named, list) else (named,) if named else ()
    aliases = tuple(
        ir.Alias(alias.alias, tuple((reference.reference, field) for reference, field in alias.mapping.items()))
        for alias in made.aliases
    )
    return structs.replace(
        rule,
        group_by=tuple(groups),
        aliases=aliases,
        threshold=rule.threshold and structs.replace(rule.threshold, fields=fields),
        time_field=times[0] if times else rule.time_field,
    )

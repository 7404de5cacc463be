"""Processing pipelines applied to rules, filters and correlations before they are lowered.

The order is pySigma's: a rule is joined with its filters first, so that a transformation for the rule's log source
changes the filters' fields as well; then each pipeline is applied once. Where pySigma's result would not mean what
the rule says, it is put right or refused here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import structs
from sigma.conditions import ConditionAND, ConditionOR
from sigma.correlations import SigmaCorrelationRule
from sigma.rule import SigmaRule
from sigma.rule.detection import SigmaDetection, SigmaDetectionItem
from sigma.types import SigmaExists, SigmaFieldReference, SigmaNull, SigmaNumber, SigmaType

from cloudsigma import ir
from cloudsigma.compiler.document import Located
from cloudsigma.compiler.pipeline import Pipeline

_Values = dict[int, tuple[Any, list[SigmaType]]]
"""The place of an item, by its identity → the place itself, kept alive, and the values before the pipeline."""


def process_rule(pipeline: Pipeline, rule: SigmaRule, filters: Sequence[SigmaRule], located: Located) -> list[str]:
    """Apply the pipeline to a fresh rule and fresh copies of its filters; returns the rule's conditions.

    The filters' selections are changed in place, their log sources stay. Raises `RuleError`.
    """
    detections = rule.detection.detections
    before: _Values = {}
    homes: dict[str, tuple[SigmaRule, str]] = {}
    for at, each in enumerate(filters):
        for name, detection in each.detection.detections.items():
            key = f"\0{at} {name}"  # no condition can name it
            homes[key] = (each, name)
            detections[key] = detection
    for detection in detections.values():
        for item in _leaves(detection):
            before[id(item.source)] = (item.source, list(item.value))
    own = set(detections)
    prepared = pipeline.prepared()
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
        _check(detection, before, pipeline, located, shown)
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


def _leaves(detection: SigmaDetection) -> Iterator[SigmaDetectionItem]:
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            yield from _leaves(item)
        else:
            yield item


# --- what pySigma's transformations leave behind ------------------------------------------------------------


def _check(detection: SigmaDetection, before: _Values, pipeline: Pipeline, located: Located, name: str) -> None:
    if not detection.detection_items:
        raise located.error(
            "unsupported", f"the pipeline {pipeline.name!r} leaves nothing of a part of the selection {name!r}",
            ("detection", name), "Drop no more than some items of each map, or leave the rule out.",
        )  # fmt: skip
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            _check(item, before, pipeline, located, name)
        else:
            _check_item(item, before, pipeline, located, name)
    if detection.item_linking is ConditionOR and _is_absence_under_many_names(detection):
        detection.item_linking = ConditionAND


def _is_absence_under_many_names(detection: SigmaDetection) -> bool:
    """Whether this is one negative test of the rule under several names: pySigma joins those by `or`.

    What a field must not be, it must not be under any of its names.
    """
    items = list(_leaves(detection))
    first = items[0]
    same = first.source is not None and all(item.source is first.source for item in items)
    if not same or len(items) < 2:
        return False
    absent = all(
        isinstance(value, SigmaNull) or (isinstance(value, SigmaExists) and not value.exists) for value in first.value
    )
    return first.negated is not absent


def _check_item(item: SigmaDetectionItem, before: _Values, pipeline: Pipeline, located: Located, name: str) -> None:
    _, old = before.get(id(item.source), (None, item.value))
    if len(item.value) == len(old) and all(value is was for value, was in zip(item.value, old, strict=True)):
        return
    source: Any = item.source
    if not item.value or (len(item.value) != len(old) and item.value_linking is ConditionAND and len(old) > 1):
        what = "no value" if not item.value else "several values for one of those that must all match"
        failure = located.error(
            "unsupported", f"the pipeline {pipeline.name!r} leaves {what} of {item.field or 'the keywords'!r}",
            ("detection", name), "Change the pipeline or the rule.",
        )  # fmt: skip
        failure.line, failure.column = source.line, source.char
        raise failure
    written = tuple(_written(value) for value in item.value)
    item.source = dataclasses.replace(source, written=written)


def _written(value: SigmaType) -> Any:
    match value:
        case SigmaNumber():
            return value.number
        case SigmaFieldReference():
            return value.field
    return str(value)


# --- correlations -------------------------------------------------------------------------------------------


def process_correlation(
    pipeline: Pipeline,
    loaded: SigmaCorrelationRule,
    rule: ir.CorrelationRule,
    sources: Mapping[str, SigmaRule],
    located: Located,
) -> ir.CorrelationRule:
    """Apply the pipeline to the fields of a resolved correlation: of groups, aliases and the condition.

    Args:
        pipeline: What to apply.
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
    made = SigmaCorrelationRule.from_dict({"title": rule.metadata.title, "correlation": section})
    made.fields = list(loaded.fields)
    made.tags, made.level, made.status = loaded.tags, loaded.level, loaded.status
    made.custom_attributes = loaded.custom_attributes
    made.referenced_rules = made.rules or []
    for reference in made.referenced_rules:
        if reference.reference in sources:
            reference.rule = sources[reference.reference]
    _apply(pipeline.prepared(), made, pipeline, located)
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
    )

"""pySigma rule → IR and source, for the plugin `sigma/backends/cloudsigma`.

pySigma may have applied filters and pipelines to the rule. Its YAML positions are lost: errors name the rule but no
line, and the source has no line comments.
"""

from __future__ import annotations

import hashlib

from msgspec.structs import replace
from sigma.conditions import ConditionOR
from sigma.rule import SigmaRule
from sigma.rule.detection import SigmaDetection, SigmaDetectionItem

from cloudsigma import ir
from cloudsigma.compiler import lower
from cloudsigma.compiler.conditions import ConditionProblem, parse_condition
from cloudsigma.compiler.fieldpath import FieldPathProblem, parse_field_path
from cloudsigma.engine.evaluate import codegen
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import Category, RuleError


def convert(rule: SigmaRule) -> Rule:
    """Compile a detection rule of pySigma unchanged; raises `RuleError`."""
    path = str(rule.source.path) if rule.source is not None else None
    metadata = lower.lower_metadata(rule, "", path, None)
    for name, detection in rule.detection.detections.items():
        if _has_split_negation(detection):
            reason = f"a pipeline has split a neq in {name!r} over several fields, and pySigma joins the parts by or"
            raise _error("unsupported", reason, "Map this field to one name.", metadata)
    names = tuple(rule.detection.detections)
    conditions = [_condition(each.condition, names, metadata) for each in rule.detection.parsed_condition]
    paths = [_field_path(name, metadata) for name in rule.fields]
    definition = lower.lower(rule, conditions, metadata, paths, {})
    source = codegen.generate(definition).source
    # A rule that was transformed has no plain form to take a digest of; the digest of its source identifies it.
    digest = hashlib.sha256(f"{rule.title}\n{definition.logsource}\n{source}".encode(errors="replace")).hexdigest()
    return Rule(replace(definition, metadata=lower.lower_metadata(rule, digest, path, None)))


def _condition(text: str, names: tuple[str, ...], metadata: ir.Metadata) -> ir.Condition:
    try:
        return ir.Condition(parse_condition(text, names), text, None)
    except ConditionProblem as problem:
        raise _error("condition", problem.reason, problem.remedy, metadata) from problem


def _field_path(name: str, metadata: ir.Metadata) -> ir.FieldPath:
    try:
        return parse_field_path(name)
    except FieldPathProblem as problem:
        reason = f"the JSONPath {name!r} in fields cannot be used: {problem}"
        raise _error("value", reason, "Use keys, [n], [*] and ..key.", metadata) from problem


def _has_split_negation(detection: SigmaDetection) -> bool:
    """Whether a pipeline has split a `neq` item into `not a or not b`, where `not (a or b)` was meant."""
    items = detection.detection_items
    split = detection.item_linking is ConditionOR and len(items) > 1
    return any(
        _has_split_negation(item) if isinstance(item, SigmaDetection) else split and item.negated
        for item in items
        if isinstance(item, (SigmaDetection, SigmaDetectionItem))
    )


def _error(category: Category, reason: str, remedy: str, metadata: ir.Metadata) -> RuleError:
    return RuleError(category, reason, path=metadata.path, rule=metadata.id, remedy=remedy)

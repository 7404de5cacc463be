"""The stages in order: documents → rules of the IR, with the errors of those that are left out.

`document` (YAML with places) and `collection` (legacy actions) come before; then `loader` (pySigma rules),
`conditions` and `fieldpath` (what stands in their texts), `lower` (IR), `filters` (IR → IR); `codegen` comes after.
The stages do not know each other: only this module knows their order, and that one bad rule must not hide the others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudsigma import ir
from cloudsigma.compiler import lower
from cloudsigma.compiler.conditions import ConditionProblem, parse_condition
from cloudsigma.compiler.correlations import lower_correlation, resolve
from cloudsigma.compiler.document import Document, Located
from cloudsigma.compiler.fieldpath import FieldPathProblem, parse_field_path
from cloudsigma.compiler.filters import Filter, absent_references, apply_filters, as_rule, filtered_rules
from cloudsigma.compiler.loader import load_correlation, load_rule
from cloudsigma.compiler.placeholders import Placeholders
from cloudsigma.errors import RuleError


@dataclass
class Compiled:
    """What documents came to."""

    rules: list[ir.DetectionRule] = field(default_factory=list)
    correlations: list[ir.CorrelationRule] = field(default_factory=list)
    errors: list[RuleError] = field(default_factory=list)
    warnings: list[RuleError] = field(default_factory=list)


def compile_documents(documents: Iterable[Document | RuleError], placeholders: Placeholders) -> Compiled:
    """Compile documents; every one that is bad has an error, and filters narrow the rules that are good."""
    found = Compiled()
    filters: list[Filter] = []
    correlations: list[tuple[Located, ir.CorrelationRule]] = []
    for document in documents:
        if isinstance(document, RuleError):
            found.errors.append(document)
            continue
        try:
            if isinstance(document.value, dict) and "correlation" in document.value:
                correlations.append(_compile_correlation(document))
            elif isinstance(document.value, dict) and "filter" in document.value:
                filters.append(_compile_filter(document, placeholders))
            else:
                found.rules.append(_compile_document(document, placeholders))
        except RuleError as error:
            found.errors.append(error)
    found.warnings = absent_references(filters, [rule.metadata for rule in found.rules])
    found.rules = [apply_filters(rule, filters) for rule in found.rules]
    found.correlations, unresolved = resolve(correlations, found.rules)
    found.errors += unresolved
    return found


def _compile_document(document: Document, placeholders: Placeholders) -> ir.DetectionRule:
    try:
        return _compile_detection(document, placeholders)
    except RuleError as error:
        if error.category != "condition":
            _check_conditions(document)  # of several errors in one rule, that of a condition is told
        raise


def _compile_detection(document: Document, placeholders: Placeholders) -> ir.DetectionRule:
    loaded = load_rule(document)
    names = tuple(loaded.detection.detections)
    conditions = _conditions(document, loaded.detection.condition, names)
    paths = _field_paths(document, loaded.fields)
    metadata = lower.lower_metadata(loaded, _digest(document.value), document.path, document.line)
    lines = {name: document.place(("detection", name)).line for name in names}
    return lower.lower(loaded, conditions, metadata, paths, lines, placeholders)


def _compile_correlation(document: Document) -> tuple[Located, ir.CorrelationRule]:
    located = Located(document)
    loaded = load_correlation(located)
    metadata = lower.lower_metadata(loaded, _digest(document.value), document.path, document.line)
    return located, lower_correlation(located, metadata, _field_paths(document, loaded.fields))


def _compile_filter(document: Document, placeholders: Placeholders) -> Filter:
    located = Located(document)
    rules = filtered_rules(document)
    if isinstance(rules, str):
        raise located.error("schema", rules, ("filter",), "Add rules: any, or a list of IDs and names.")
    if isinstance(document.value["filter"].get("condition"), list):
        raise located.error(
            "condition", "a filter has one condition, not a list", ("filter", "condition"), "Join them."
        )
    definition = _compile_document(as_rule(document), placeholders)
    places = [document.place(("filter", "rules", at)) for at in range(len(rules or ()))]
    return Filter(definition, rules, tuple((place.line, place.column) for place in places))


def _check_conditions(document: Document) -> None:
    """Raise the error of a condition, where the document is whole enough to have one."""
    value = document.value
    detection = value.get("detection") if isinstance(value, dict) else None
    if not isinstance(detection, dict) or "condition" not in detection:
        return
    names = [name for name in detection if isinstance(name, str) and name not in ("condition", "timeframe")]
    if names:
        condition = detection["condition"]
        _conditions(document, condition if isinstance(condition, list) else [condition], names)


def _conditions(document: Document, texts: Sequence[object], names: Sequence[str]) -> tuple[ir.Condition, ...]:
    several = isinstance(document.value["detection"]["condition"], list)
    conditions: list[ir.Condition] = []
    for at, text in enumerate(texts):
        way = ("detection", "condition", at) if several else ("detection", "condition")
        try:
            expression = parse_condition(text, names)
        except ConditionProblem as problem:
            raise _condition_error(document, way, text, problem) from problem
        conditions.append(ir.Condition(expression, str(text), document.place(way).line))
    return tuple(conditions)


def _condition_error(
    document: Document, way: tuple[str | int, ...], text: object, problem: ConditionProblem
) -> RuleError:
    place = document.values.get(way) or document.place(way)
    column = place.column
    excerpt = None
    if problem.at is not None and isinstance(text, str):
        if place.single_line:
            column += place.offset + problem.at
        start = text.rfind("\n", 0, problem.at) + 1
        line = text[start:].split("\n", 1)[0]
        excerpt = f"{line}\n{' ' * (problem.at - start)}^"
    return RuleError(
        "condition",
        problem.reason,
        path=document.path,
        line=place.line,
        column=column,
        rule=Located(document).rule,
        remedy=problem.remedy,
        excerpt=excerpt,
    )


def _field_paths(document: Document, names: Sequence[str]) -> tuple[ir.FieldPath, ...]:
    paths: list[ir.FieldPath] = []
    for at, name in enumerate(names):
        try:
            paths.append(parse_field_path(name))
        except FieldPathProblem as problem:
            raise Located(document).error(
                "value",
                f"the JSONPath {name!r} in fields cannot be used: {problem}",
                ("fields", at),
                "Use keys, [n], [*] and ..key, or a dotted name without $.",
            ) from problem
    return tuple(paths)


def _digest(value: Any) -> str:
    """SHA-256 of a rule's content, whatever the order of its keys and wherever its file stands."""
    written = json.dumps(value, sort_keys=True, default=str, ensure_ascii=True)
    return hashlib.sha256(written.encode()).hexdigest()

"""The stages in order: documents → rules of the IR, with the errors of those that are left out.

`document` (YAML with places) and `collection` (legacy actions) come before; then `loader` (pySigma rules),
`processing` (pipelines, where there are any), `conditions` and `fieldpath` (what stands in their texts), `lower` (IR),
`filters` (IR → IR).
The stages do not know each other: only this module knows their order, and that one bad rule must not hide the others.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import structs

from cloudsigma import ir
from cloudsigma.compiler import lower
from cloudsigma.compiler.conditions import ConditionProblem, parse_condition
from cloudsigma.compiler.correlations import lower_correlation, resolve
from cloudsigma.compiler.document import Document, Located
from cloudsigma.compiler.fieldpath import FieldPathProblem, parse_field_path
from cloudsigma.compiler.filters import Filter, absent_references, apply_filters, as_rule, filtered_rules, narrowed
from cloudsigma.compiler.loader import load_correlation, load_rule
from cloudsigma.compiler.placeholders import Placeholders
from cloudsigma.compiler.remedies import quoted
from cloudsigma.errors import RuleError, RuleErrors, each_error, one_or_group

if TYPE_CHECKING:
    from sigma.correlations import SigmaCorrelationRule
    from sigma.rule import SigmaRule

    from cloudsigma.compiler.pipeline import Pipeline


@dataclass
class Compiled:
    """What documents came to."""

    rules: list[ir.DetectionRule] = field(default_factory=list)
    correlations: list[ir.CorrelationRule] = field(default_factory=list)
    errors: list[RuleError] = field(default_factory=list)
    warnings: list[RuleError] = field(default_factory=list)


def compile_documents(
    documents: Iterable[Document | RuleError], placeholders: Placeholders, pipeline: Pipeline | None = None
) -> Compiled:
    """Compile documents; every one that is bad has an error, and filters narrow the rules that are good."""
    if pipeline is not None:
        return _Processed(pipeline, placeholders).compile(documents)
    found = Compiled()
    filters: list[Filter] = []
    correlations: list[tuple[Located, ir.CorrelationRule]] = []
    for document in documents:
        if isinstance(document, RuleError):
            found.errors.append(document)
            continue
        try:
            if isinstance(document.value, dict) and "correlation" in document.value:
                located, _, correlation = _compile_correlation(document)
                correlations.append((located, correlation))
            elif isinstance(document.value, dict) and "filter" in document.value:
                filters.append(_compile_filter(document, placeholders))
            else:
                found.rules.append(_compile_document(document, placeholders))
        except (RuleError, RuleErrors) as error:
            found.errors += each_error(error)
    found.warnings = absent_references(filters, [rule.metadata for rule in found.rules])
    found.rules = [apply_filters(rule, filters) for rule in found.rules]
    found.correlations, unresolved = resolve(correlations, found.rules)
    found.errors += unresolved
    return found


def _compile_document(document: Document, placeholders: Placeholders) -> ir.DetectionRule:
    try:
        return _compile_detection(document, placeholders)
    except (RuleError, RuleErrors) as error:
        raise _with_condition_errors(document, error) from error


def _compile_detection(document: Document, placeholders: Placeholders) -> ir.DetectionRule:
    loaded = load_rule(document)
    names = tuple(loaded.detection.detections)
    conditions = _conditions(document, loaded.detection.condition, names)
    paths = _field_paths(document, loaded.fields)
    metadata = lower.lower_metadata(loaded, _digest(document.value), document.path, document.line)
    lines = {name: document.place(("detection", name)).line for name in names}
    return lower.lower(loaded, conditions, metadata, paths, lines, placeholders)


def _compile_correlation(document: Document) -> tuple[Located, SigmaCorrelationRule, ir.CorrelationRule]:
    located = Located(document)
    loaded = load_correlation(located)
    metadata = lower.lower_metadata(loaded, _digest(document.value), document.path, document.line)
    return located, loaded, lower_correlation(located, metadata, _field_paths(document, loaded.fields))


def _compile_filter(document: Document, placeholders: Placeholders) -> Filter:
    rules, places = _narrowed_by(document)
    return Filter(_compile_document(as_rule(document), placeholders), rules, places)


def _narrowed_by(document: Document) -> tuple[tuple[str, ...] | None, tuple[tuple[int, int], ...]]:
    """The references of a filter and their places, once its form is that of a filter."""
    located = Located(document)
    rules = filtered_rules(document)
    if isinstance(rules, str):
        raise located.error("schema", rules, ("filter",), "Add rules: any, or a list of IDs and names.")
    if isinstance(document.value["filter"].get("condition"), list):
        raise located.error(
            "condition", "a filter has one condition, not a list", ("filter", "condition"), "Join them."
        )
    places = [document.place(("filter", "rules", at)) for at in range(len(rules or ()))]
    return rules, tuple((place.line, place.column) for place in places)


# --- with pipelines -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A rule or filter that has been read, before a pipeline changes it."""

    document: Document
    rule: SigmaRule
    outline: ir.DetectionRule
    """Metadata, log source and conditions as the file has them, and no selections yet."""


class _Processed:
    """The stages where there is a pipeline: it is applied to a rule together with the filters that are for it."""

    def __init__(self, pipeline: Pipeline, placeholders: Placeholders) -> None:
        self._pipeline = pipeline
        self._placeholders = placeholders
        self._found = Compiled()

    def compile(self, documents: Iterable[Document | RuleError]) -> Compiled:
        found = self._found
        rules: list[_Loaded] = []
        filters: list[tuple[Filter, _Loaded]] = []
        correlations: list[tuple[Located, SigmaCorrelationRule, ir.CorrelationRule]] = []
        for document in documents:
            if isinstance(document, RuleError):
                found.errors.append(document)
                continue
            try:
                if isinstance(document.value, dict) and "correlation" in document.value:
                    correlations.append(_compile_correlation(document))
                elif isinstance(document.value, dict) and "filter" in document.value:
                    named, places = _narrowed_by(document)
                    loaded = self._load(as_rule(document))
                    filters.append((Filter(loaded.outline, named, places), loaded))
                else:
                    rules.append(self._load(document))
            except (RuleError, RuleErrors) as error:
                found.errors += each_error(error)
        sources = {each.outline.metadata.id: copy.copy(each.rule) for each in rules}
        for each in rules:
            try:
                found.rules.append(self._rule(each, [pair for pair in filters if pair[0].is_for(each.outline)]))
            except (RuleError, RuleErrors) as error:
                self._report(error)
        found.warnings = absent_references(
            [definition for definition, _ in filters], [rule.metadata for rule in found.rules]
        )
        self._correlations(correlations, sources)
        return found

    def _report(self, error: RuleError | RuleErrors) -> None:
        known = self._found.errors  # an error of a filter is raised once for each of its rules
        known += [each for each in each_error(error) if each not in known]

    def _load(self, document: Document) -> _Loaded:
        try:
            loaded = load_rule(document)
        except (RuleError, RuleErrors) as error:
            raise _with_condition_errors(document, error) from error
        conditions = _conditions(document, loaded.detection.condition, tuple(loaded.detection.detections))
        metadata = lower.lower_metadata(loaded, _digest(document.value), document.path, document.line)
        source = loaded.logsource
        logsource = ir.LogSource(source.category, source.product, source.service)
        return _Loaded(document, loaded, ir.DetectionRule(metadata, logsource, (), conditions, ()))

    def _rule(self, loaded: _Loaded, filters: Sequence[tuple[Filter, _Loaded]]) -> ir.DetectionRule:
        from cloudsigma.compiler.processing import process_rule

        narrowing = [load_rule(each.document) for _, each in filters]
        texts = process_rule(self._pipeline, loaded.rule, narrowing, Located(loaded.document))
        rule = self._lower(loaded, loaded.rule, texts)
        for (_, each), processed in zip(filters, narrowing, strict=True):
            try:
                rule = narrowed(rule, self._lower(each, processed, [it.text for it in each.outline.conditions]))
            except (RuleError, RuleErrors) as error:
                self._report(error)
        return rule

    def _lower(self, loaded: _Loaded, rule: SigmaRule, texts: Sequence[str]) -> ir.DetectionRule:
        document = loaded.document
        metadata = lower.lower_metadata(rule, loaded.outline.metadata.digest, document.path, document.line)
        names = tuple(rule.detection.detections)
        conditions = _conditions(document, texts, names)
        lines = {name: document.place(("detection", name)).line for name in names}
        paths = _field_paths(document, rule.fields)
        return lower.lower(rule, conditions, metadata, paths, lines, self._placeholders)

    def _correlations(
        self,
        correlations: Sequence[tuple[Located, SigmaCorrelationRule, ir.CorrelationRule]],
        sources: dict[str, SigmaRule],
    ) -> None:
        from cloudsigma.compiler.processing import process_correlation

        found = self._found
        resolved, errors = resolve([(located, rule) for located, _, rule in correlations], found.rules)
        found.errors += errors
        origins = {rule.metadata.id: (located, loaded) for located, loaded, rule in correlations}
        left_out: set[str] = set()
        for rule in resolved:
            located, loaded = origins[rule.metadata.id]
            try:
                if gone := left_out.intersection(rule.rules):
                    raise located.error(
                        "reference", f"the correlation {min(gone)!r} is left out", ("correlation", "rules"),
                        "Correct that one first.",
                    )  # fmt: skip
                made = process_correlation(self._pipeline, loaded, rule, sources, located)
                paths = _field_paths(located.document, loaded.fields)
                found.correlations.append(structs.replace(made, field_paths=paths))
            except RuleError as error:
                left_out.add(rule.metadata.id)
                found.errors.append(error)


# --- texts in documents -------------------------------------------------------------------------------------


def _with_condition_errors(document: Document, error: RuleError | RuleErrors) -> RuleError | RuleErrors:
    """The errors of a rule together with those of its conditions, which come first."""
    others = [each for each in each_error(error) if each.category != "condition"]
    value = document.value
    detection = value.get("detection") if isinstance(value, dict) else None
    if not others or not isinstance(detection, dict) or "condition" not in detection:
        return error
    names = [name for name in detection if isinstance(name, str) and name not in ("condition", "timeframe")]
    if not names:
        return error
    condition = detection["condition"]
    try:
        _conditions(document, condition if isinstance(condition, list) else [condition], names)
    except (RuleError, RuleErrors) as found:
        return one_or_group([*each_error(found), *others])
    return error


def _conditions(document: Document, texts: Sequence[object], names: Sequence[str]) -> tuple[ir.Condition, ...]:
    several = isinstance(document.value["detection"]["condition"], list)
    conditions: list[ir.Condition] = []
    errors: list[RuleError] = []
    for at, text in enumerate(texts):
        way = ("detection", "condition", at) if several else ("detection", "condition")
        try:
            expression = parse_condition(text, names)
        except ConditionProblem as problem:
            errors.append(_condition_error(document, way, text, problem))
        else:
            conditions.append(ir.Condition(expression, str(text), document.place(way).line))
    if errors:
        raise one_or_group(errors)
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
    errors: list[RuleError] = []
    for at, name in enumerate(names):
        try:
            paths.append(parse_field_path(name))
        except FieldPathProblem as problem:
            reason = f"the JSONPath {quoted(name)} in fields cannot be used: {problem}"
            remedy = "Use keys, [n], [*] and ..key, or a dotted name without $."
            errors.append(Located(document).error("value", reason, ("fields", at), remedy))
    if errors:
        raise one_or_group(errors)
    return tuple(paths)


def _digest(value: Any) -> str:
    """SHA-256 of a rule's content, whatever the order of its keys and wherever its file stands."""
    written = json.dumps(_text_keys(value), sort_keys=True, default=str, ensure_ascii=True)
    return hashlib.sha256(written.encode()).hexdigest()


def _text_keys(value: Any) -> Any:
    """The value with keys that sort: YAML has others than text (`on`, `1`), and JSON takes some of them for text."""
    if isinstance(value, dict):
        named = {(key if isinstance(key, str) else f"{type(key).__name__} {key}"): item for key, item in value.items()}
        return {key: _text_keys(item) for key, item in named.items()}
    return [_text_keys(item) for item in value] if isinstance(value, list) else value

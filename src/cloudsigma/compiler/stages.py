"""The stages in order: documents → rules of the IR, and the errors of bad rules.

`document` (YAML with places) and `actions` (legacy actions) come before; then `misread` and `cost` (refusals before
pySigma sees a rule), `loader` (pySigma rules), `expansion` (placeholders), `processing` (pipelines, if any),
`conditions` and `fieldpath` (texts inside rules), `lower` (IR), `filters` (IR → IR).
The stages do not import each other. This module defines their order, and keeps one bad rule from hiding the others.
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
from cloudsigma.compiler.cost import Cost, check_cost
from cloudsigma.compiler.document import Document, Located
from cloudsigma.compiler.doubts import attribute_doubts, correlation_warnings, filter_doubts, masked_doubts, rule_doubts
from cloudsigma.compiler.expansion import expand, require_values
from cloudsigma.compiler.fieldpath import FieldPathProblem, parse_field_path
from cloudsigma.compiler.filters import (
    Filter,
    FilterIndex,
    apply_filters,
    filter_as_rule,
    filtered_rules,
    warnings_of,
)
from cloudsigma.compiler.limits import DEFAULT_LIMITS, RuleLimits
from cloudsigma.compiler.loader import load_correlation, load_rule
from cloudsigma.compiler.misread import misread_errors
from cloudsigma.compiler.placeholders import Placeholders
from cloudsigma.compiler.remedies import quoted
from cloudsigma.errors import RuleError, RuleErrors, each_error, one_or_group

if TYPE_CHECKING:
    from sigma.correlations import SigmaCorrelationRule
    from sigma.rule import SigmaRule

    from cloudsigma.compiler.pipeline import Pipeline


@dataclass
class Compiled:
    """The rules of some documents, and the errors of bad ones, in the order of the documents."""

    rules: list[ir.DetectionRule] = field(default_factory=list)
    correlations: list[ir.CorrelationRule] = field(default_factory=list)
    errors: list[RuleError] = field(default_factory=list)
    warnings: list[RuleError] = field(default_factory=list)


def compile_documents(
    documents: Iterable[Document | RuleError],
    placeholders: Placeholders,
    pipeline: Pipeline | None = None,
    limits: RuleLimits = DEFAULT_LIMITS,
    declared: ir.LogSource | None = None,
) -> Compiled:
    """Compile documents; bad ones yield errors, and filters narrow the good rules.

    `declared` is the log source of the records; without it there are no warnings about doubtful rules.
    """
    return _Compilation(placeholders, pipeline, limits, declared).compile(documents)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A rule or filter that pySigma has parsed."""

    at: int
    """Its position among the documents."""
    document: Document
    rule: SigmaRule
    outline: ir.DetectionRule
    """Metadata, log source and conditions as the file has them, and no selections yet."""


class _Compilation:
    """The stages for some documents, one after the other.

    A pipeline is applied to a rule together with its filters, so rules are then lowered once all filters are known.
    Without a pipeline they are lowered at once, and no pySigma rule is kept.
    """

    def __init__(
        self,
        placeholders: Placeholders,
        pipeline: Pipeline | None,
        limits: RuleLimits,
        declared: ir.LogSource | None,
    ) -> None:
        self._placeholders = placeholders
        self._limits = limits
        self._declared = declared
        self._warnings: list[RuleError] = []
        self._processor = None
        if pipeline is not None:
            from cloudsigma.compiler.processing import Processor

            self._processor = Processor(pipeline, limits)
        self._rules: list[_Parsed | ir.DetectionRule] = []
        self._filters: list[tuple[Filter, _Parsed]] = []
        self._correlations: list[tuple[Located, SigmaCorrelationRule, ir.CorrelationRule]] = []
        self._errors: dict[tuple[int, RuleError], None] = {}

    def compile(self, documents: Iterable[Document | RuleError]) -> Compiled:
        for at, document in enumerate(documents):
            try:
                self._add(at, document)
            except (RuleError, RuleErrors) as error:
                self._report(at, error)
        found = Compiled()
        sources = {each.outline.metadata.id: copy.copy(each.rule) for each in self._rules if isinstance(each, _Parsed)}
        filters = [each for each, _ in self._filters]
        index = FilterIndex(filters)
        for each in self._rules:
            if not isinstance(each, _Parsed):
                definitions = [filters[at].definition for at in index.of(each)]
                found.rules.append(apply_filters(each, definitions))
                continue
            try:
                found.rules.append(self._processed(each, [self._filters[at][1] for at in index.of(each.outline)]))
            except (RuleError, RuleErrors) as error:
                self._report(each.at, error)
        found.warnings = self._warnings + warnings_of(filters, found.rules, [rule for _, _, rule in self._correlations])
        if self._declared is not None:
            found.warnings += masked_doubts(found.rules, [each.definition for each in filters], self._declared)
        for located, _, rule in self._correlations:
            aws = self._declared is not None and (self._declared.product or "").lower() == "aws"
            found.warnings += correlation_warnings(located, rule, aws=aws)
        found.errors = [error for _, error in sorted(self._errors, key=lambda pair: pair[0])]
        self._resolve(found, sources)
        return found

    def _report(self, at: int, error: RuleError | RuleErrors) -> None:
        for each in each_error(error):
            self._errors[at, each] = None  # that of a filter is raised once for each of its rules

    # --- one document -----------------------------------------------------------------------------------------

    def _add(self, at: int, document: Document | RuleError) -> None:
        if isinstance(document, RuleError):
            if document.severity == "error":
                raise document
            self._warnings.append(document)
            return
        value = document.value if isinstance(document.value, dict) else {}
        if misread := misread_errors(document):
            raise one_or_group([*misread, *self._other_errors(at, document)])
        if "correlation" in value:
            self._correlations.append(self._correlation(document))
            if self._declared is not None:
                self._warnings += attribute_doubts(value, Located(document))
        elif "filter" in value:
            self._filters.append(self._filter(at, document))
        else:
            parsed = self._parsed(at, document)
            if self._processor is not None:
                self._rules.append(parsed)
                return
            lowered = self._lowered(parsed, parsed.rule, None)
            self._rules.append(lowered)
            if self._declared is not None:
                self._warnings += rule_doubts(document, lowered, self._declared)

    def _other_errors(self, at: int, document: Document) -> tuple[RuleError, ...]:
        """The errors of a rule that was left out before."""
        if not isinstance(document.value, dict) or "correlation" in document.value or "filter" in document.value:
            return ()
        try:
            parsed = self._parsed(at, document)
            self._lowered(parsed, parsed.rule, None)
        except (RuleError, RuleErrors) as error:
            return each_error(error)
        return ()

    def _parsed(self, at: int, document: Document) -> _Parsed:
        try:
            return self._parse(at, document)
        except (RuleError, RuleErrors) as error:
            raise _with_condition_errors(document, error) from error

    def _parse(self, at: int, document: Document) -> _Parsed:
        located = Located(document)
        cost = Cost(located, self._limits)
        check_cost(document, cost)
        rule = load_rule(document)
        conditions = _conditions(document, rule.detection.condition, tuple(rule.detection.detections))
        metadata = lower.lower_metadata(rule, _digest(document.value), document.path, document.line)
        source = rule.logsource
        logsource = ir.LogSource(source.category, source.product, source.service)
        expand(rule, located, self._placeholders, cost)
        return _Parsed(at, document, rule, ir.DetectionRule(metadata, logsource, (), conditions, ()))

    def _lowered(self, parsed: _Parsed, rule: SigmaRule, texts: Sequence[str] | None) -> ir.DetectionRule:
        """The rule as IR; `texts` are its conditions if a pipeline may have changed them."""
        document, outline = parsed.document, parsed.outline
        require_values(rule)
        names = tuple(rule.detection.detections)
        conditions = outline.conditions if texts is None else _conditions(document, texts, names)
        metadata = (
            outline.metadata
            if texts is None
            else lower.lower_metadata(rule, outline.metadata.digest, document.path, document.line)
        )
        lines = {name: document.place(("detection", name)).line for name in names}
        paths = self._field_paths(document, rule.fields)
        return lower.lower(rule, conditions, metadata, paths, lines)

    def _correlation(self, document: Document) -> tuple[Located, SigmaCorrelationRule, ir.CorrelationRule]:
        located = Located(document)
        loaded = load_correlation(located)
        metadata = lower.lower_metadata(loaded, _digest(document.value), document.path, document.line)
        return located, loaded, lower_correlation(located, metadata, self._field_paths(document, loaded.fields))

    def _filter(self, at: int, document: Document) -> tuple[Filter, _Parsed]:
        rules, places = _narrowed_by(document)
        parsed = self._parsed(at, filter_as_rule(document))
        definition = parsed.outline
        if self._processor is None:
            definition = self._lowered(parsed, parsed.rule, None)
            if self._declared is not None:
                self._warnings += filter_doubts(parsed.document, definition, self._declared)
        return Filter(definition, rules, places, negates=_negates(document.value["filter"])), parsed

    # --- pipelines and correlations ---------------------------------------------------------------------------

    def _processed(self, parsed: _Parsed, filters: Sequence[_Parsed]) -> ir.DetectionRule:
        """A rule and its filters after the pipeline, joined."""
        copies = [self._parse(each.at, each.document).rule for each in filters]
        texts = None
        if self._processor is not None:
            texts = self._processor.process_rule(parsed.rule, copies, Located(parsed.document))
        rule = self._lowered(parsed, parsed.rule, texts)
        if self._declared is not None:
            self._warnings += rule_doubts(parsed.document, rule, self._declared)
        definitions: list[ir.DetectionRule] = []
        for each, processed in zip(filters, copies, strict=True):
            try:
                definitions.append(self._lowered(each, processed, [it.text for it in each.outline.conditions]))
            except (RuleError, RuleErrors) as error:
                self._report(each.at, error)
        return apply_filters(rule, definitions)

    def _resolve(self, found: Compiled, sources: dict[str, SigmaRule]) -> None:
        """Put the correlations in order, with IDs for references, and apply the pipeline, if any."""
        written = [(located, rule) for located, _, rule in self._correlations]
        resolved, unresolved = resolve(written, found.rules, self._limits)
        found.errors += unresolved
        if self._processor is None:
            found.correlations = resolved
            return
        from cloudsigma.compiler.processing import process_correlation

        origins = {rule.metadata.id: (located, loaded) for located, loaded, rule in self._correlations}
        left_out: set[str] = set()
        for rule in resolved:
            located, loaded = origins[rule.metadata.id]
            try:
                if gone := left_out.intersection(rule.rules):
                    raise located.error(
                        "reference", f"the correlation {min(gone)!r} is left out", ("correlation", "rules"),
                        "Correct that one first.",
                    )  # fmt: skip
                made = process_correlation(self._processor, loaded, rule, sources, located)
                paths = self._field_paths(located.document, loaded.fields)
                found.correlations.append(structs.replace(made, field_paths=paths))
            except (RuleError, RuleErrors) as error:
                left_out.add(rule.metadata.id)
                found.errors += each_error(error)

    def _field_paths(self, document: Document, names: Sequence[str]) -> tuple[ir.FieldPath, ...]:
        paths: list[ir.FieldPath] = []
        errors: list[RuleError] = []
        for at, name in enumerate(names):
            try:
                paths.append(parse_field_path(name, self._limits))
            except FieldPathProblem as problem:
                reason = f"the JSONPath {quoted(name)} in fields cannot be used: {problem}"
                remedy = "Use keys, [n], [*] and ..key, or a dotted name without $."
                errors.append(Located(document).error("value", reason, ("fields", at), remedy))
        if errors:
            raise one_or_group(errors)
        return tuple(paths)


# --- filters --------------------------------------------------------------------------------------------------


def _narrowed_by(document: Document) -> tuple[tuple[str, ...] | None, tuple[tuple[int, int], ...]]:
    """The references of a filter and their places, after checking its form."""
    located = Located(document)
    rules = filtered_rules(document)
    if isinstance(rules, str):
        way = ("filter", "rules") if isinstance(document.value["filter"], dict) else ("filter",)
        raise located.error("schema", rules, way, "Add rules: any, or a list of IDs and names.")
    if isinstance(document.value["filter"].get("condition"), list):
        raise located.error(
            "condition", "a filter has one condition, not a list", ("filter", "condition"), "Join them."
        )
    places = [document.place(("filter", "rules", at)) for at in range(len(rules or ("any",)))]
    return rules, tuple((place.line, place.column) for place in places)


def _negates(definition: Any) -> bool:
    """Whether a test of a filter is negated by its modifier."""
    if isinstance(definition, list):
        return any(map(_negates, definition))
    if isinstance(definition, dict):
        return any(
            (isinstance(key, str) and "neq" in key.split("|")[1:]) or _negates(value)
            for key, value in definition.items()
        )
    return False


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


def _digest(value: Any) -> str:
    """SHA-256 of a rule's content, independent of the order of its keys and of its file's path."""
    written = json.dumps(_text_keys(value), sort_keys=True, default=str, ensure_ascii=True)
    return hashlib.sha256(written.encode()).hexdigest()


def _text_keys(value: Any) -> Any:
    """The value with sortable keys: YAML also has keys other than text (`on`, `1`), some of which JSON makes text."""
    if isinstance(value, dict):
        named = {(key if isinstance(key, str) else f"{type(key).__name__} {key}"): item for key, item in value.items()}
        return {key: _text_keys(item) for key, item in named.items()}
    return [_text_keys(item) for item in value] if isinstance(value, list) else value

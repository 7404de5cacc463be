"""Rules in: Sigma rule files and text → a rule set. The only home of pySigma and YAML.

The stages in order: `document` (YAML with places), `collection` (legacy actions), `loader` (pySigma rules),
`conditions` and `fieldpath` (what stands in their texts), `lower` (IR), `codegen` (Python source). Only this module
knows the order, and that one bad rule must not hide the others.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from cloudsigma import ir
from cloudsigma.compiler import codegen, lower
from cloudsigma.compiler.collection import apply_actions
from cloudsigma.compiler.conditions import ConditionProblem, parse_condition
from cloudsigma.compiler.document import Document, read_documents
from cloudsigma.compiler.fieldpath import FieldPathProblem, parse_field_path
from cloudsigma.compiler.files import read_file, rule_files
from cloudsigma.compiler.loader import Located, load_rule
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import RuleError, RuleErrors, UsageError
from cloudsigma.ruleset import CLOUDTRAIL, RuleSet, without_duplicates

OnError = Literal["raise", "skip"]


def compile_rules(
    *paths: str | os.PathLike[str],
    on_error: OnError = "raise",
    logsource: Mapping[str, str] | None = None,
    bundled: bool = False,
) -> RuleSet:
    """Compile rule files and folders of them.

    Args:
        paths: Files, and folders, which are searched to any depth for `.yml` and `.yaml` files; `*.cases.yml` and
            `info.yml` are no rules.
        on_error: `raise`, or `skip` to leave bad rules out and have them in `rules.errors`.
        logsource: What the records are declared to be; rules for other log sources never match.
            Default: `{"product": "aws", "service": "cloudtrail"}`.
        bundled: Compile the bundled rules as well, before the others.

    Raises:
        RuleError: One rule is bad, and `on_error` is `raise`.
        RuleErrors: Several are.
        UsageError: An argument makes no sense.
    """
    if not paths and not bundled:
        raise UsageError("compile_rules needs at least one file or folder")
    given: list[str | os.PathLike[str]] = list(paths)
    if bundled:
        from cloudsigma.compiler.packaged import packaged_rules

        given.insert(0, packaged_rules())
    with _garbage_collection_paused():
        return _compile(_read_all(given), on_error=on_error, logsource=logsource)


def compile_text(
    text: str,
    *,
    on_error: OnError = "raise",
    logsource: Mapping[str, str] | None = None,
    bundled: bool = False,
) -> RuleSet:
    """Compile rule text: one or more YAML documents. Arguments and errors are those of `compile_rules`."""
    if not isinstance(text, str):
        raise UsageError(f"compile_text takes text, not {type(text).__name__}")
    given: list[str | os.PathLike[str]] = []
    if bundled:
        from cloudsigma.compiler.packaged import packaged_rules

        given.append(packaged_rules())
    documents = [*_read_all(given), *apply_actions(read_documents(text, None))]
    return _compile(documents, on_error=on_error, logsource=logsource)


# --- the stages in order ------------------------------------------------------------------------------------


def _read_all(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Document | RuleError]:
    seen: set[str] = set()
    for path in paths:
        for found in rule_files(path):
            if isinstance(found, RuleError):
                yield found
            elif (real := os.path.realpath(found)) not in seen:
                seen.add(real)
                data = read_file(found)
                if isinstance(data, RuleError):
                    yield data
                else:
                    yield from apply_actions(read_documents(data, _shown(found)))


def _shown(path: Path) -> str:
    return os.fspath(path).encode(errors="surrogateescape").decode(errors="replace")


def _compile(
    documents: Iterable[Document | RuleError], *, on_error: OnError, logsource: Mapping[str, str] | None
) -> RuleSet:
    if on_error not in ("raise", "skip"):
        raise UsageError(f"on_error is {on_error!r}; use 'raise' or 'skip'")
    declared = _declared(logsource)
    rules: list[Rule] = []
    errors: list[RuleError] = []
    for document in documents:
        if isinstance(document, RuleError):
            errors.append(document)
            continue
        try:
            rules.append(_compile_document(document))
        except RuleError as error:
            errors.append(error)
    kept, conflicts = without_duplicates(rules)
    errors += conflicts
    if errors and on_error == "raise":
        if len(errors) == 1:
            raise errors[0]
        raise RuleErrors(f"{len(errors)} rules cannot be used", errors)
    return RuleSet(kept, errors=tuple(errors), declared=declared)


def _declared(logsource: Mapping[str, str] | None) -> ir.LogSource:
    if logsource is None:
        return CLOUDTRAIL
    unknown = set(logsource) - {"category", "product", "service"}
    if unknown or not all(isinstance(value, str) for value in logsource.values()):
        raise UsageError(f"logsource is {dict(logsource)!r}; give text for some of product, service and category")
    return ir.LogSource(**logsource)


def _compile_document(document: Document) -> Rule:
    try:
        return _compile_detection(document)
    except RuleError as error:
        if error.category != "condition":
            _check_conditions(document)  # of several errors in one rule, that of a condition is told
        raise


def _compile_detection(document: Document) -> Rule:
    located = Located(document)
    value = document.value
    if isinstance(value, dict):
        for kind in ("correlation", "filter"):
            if kind in value:
                raise located.error(
                    "unsupported",
                    f"this is a Sigma {kind}, which is not evaluated yet",
                    (kind,),
                    "Load detection rules only.",
                )
    loaded = load_rule(document)
    names = tuple(loaded.detection.detections)
    conditions = _conditions(document, loaded.detection.condition, names)
    paths = _field_paths(document, loaded.fields)
    metadata = lower.lower_metadata(loaded, _digest(value), document.path, document.line)
    lines = {name: document.place(("detection", name)).line for name in names}
    definition = lower.lower(loaded, conditions, metadata, paths, lines)
    return Rule(definition, codegen.generate(definition))


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


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Building many small objects that all stay: collecting meanwhile finds nothing and takes most of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()

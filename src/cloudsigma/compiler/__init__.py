"""Rules in: Sigma rule files and text → a rule set. The only home of pySigma and YAML.

`stages` goes from documents to IR, this module from files and text to documents and from IR to a rule set.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from cloudsigma import ir
from cloudsigma.compiler.collection import apply_actions
from cloudsigma.compiler.document import Document, read_documents
from cloudsigma.compiler.files import read_files
from cloudsigma.compiler.placeholders import check_placeholders, read_placeholders
from cloudsigma.compiler.stages import compile_documents
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import RuleError, RuleErrors, UsageError
from cloudsigma.ruleset import CLOUDTRAIL, RuleSet, without_duplicates

__all__ = ["compile_rules", "compile_text", "read_placeholders"]

OnError = Literal["raise", "skip"]


def compile_rules(
    *paths: str | os.PathLike[str],
    on_error: OnError = "raise",
    logsource: Mapping[str, str] | None = None,
    placeholders: Mapping[str, Sequence[str | int | float]] | None = None,
    pipelines: Sequence[str | os.PathLike[str]] = (),
    bundled: bool = False,
) -> RuleSet:
    """Compile rule files and folders of them.

    Args:
        paths: Files, and folders, which are searched to any depth for `.yml` and `.yaml` files; `*.cases.yml` and
            `info.yml` are no rules.
        on_error: `raise`, or `skip` to leave bad rules out and have them in `rules.errors`.
        logsource: What the records are declared to be; rules for other log sources never match.
            Default: `{"product": "aws", "service": "cloudtrail"}`.
        placeholders: Values for `%name%` in values with `expand`; a rule with others is an `unsupported` error.
        pipelines: pySigma processing pipelines, applied to every rule in the order of their priority: YAML files, and
            names of those that come with the package (`evtx_json`). One that cannot be used is raised at once.
        bundled: Compile the four bundled detections as well, before the others.

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
        return _compile(
            _read_all(given), on_error=on_error, logsource=logsource, placeholders=placeholders, pipelines=pipelines
        )


def compile_text(
    text: str,
    *,
    on_error: OnError = "raise",
    logsource: Mapping[str, str] | None = None,
    placeholders: Mapping[str, Sequence[str | int | float]] | None = None,
    pipelines: Sequence[str | os.PathLike[str]] = (),
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
    return _compile(documents, on_error=on_error, logsource=logsource, placeholders=placeholders, pipelines=pipelines)


# --- the stages in order ------------------------------------------------------------------------------------


def _read_all(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Document | RuleError]:
    for file in read_files(paths):
        if isinstance(file, RuleError):
            yield file
        else:
            yield from apply_actions(read_documents(file.data, file.shown))


def _compile(
    documents: Iterable[Document | RuleError],
    *,
    on_error: OnError,
    logsource: Mapping[str, str] | None,
    placeholders: Mapping[str, Sequence[str | int | float]] | None,
    pipelines: Sequence[str | os.PathLike[str]],
) -> RuleSet:
    if on_error not in ("raise", "skip"):
        raise UsageError(f"on_error is {on_error!r}; use 'raise' or 'skip'")
    declared = _declared(logsource)
    pipeline = None
    if pipelines:
        from cloudsigma.compiler.pipeline import read_pipelines

        pipeline = read_pipelines(pipelines)
    found = compile_documents(documents, check_placeholders(placeholders), pipeline)
    rules, conflicts = without_duplicates(
        [
            *map(Rule, found.rules),
            *map(Rule, found.correlations),
        ]
    )
    errors = [*found.errors, *conflicts]
    if errors and on_error == "raise":
        if len(errors) == 1:
            raise errors[0]
        raise RuleErrors(f"{len(errors)} rules cannot be used", errors)
    return RuleSet(rules, tuple(errors), tuple(found.warnings), declared)


def _declared(logsource: Mapping[str, str] | None) -> ir.LogSource:
    if logsource is None:
        return CLOUDTRAIL
    unknown = set(logsource) - {"category", "product", "service"}
    if unknown or not all(isinstance(value, str) for value in logsource.values()):
        raise UsageError(f"logsource is {dict(logsource)!r}; give text for some of product, service and category")
    return ir.LogSource(**logsource)


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

"""Rules in: Sigma rule files and text → a rule set. The only home of pySigma and YAML.

This module goes from files and text to a rule set; `documents` in `stages` and what it calls do the work. It imports
them when there is something to compile: a rule set that comes from the cache needs neither pySigma nor YAML.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cloudsigma import ir
from cloudsigma.arguments import check_flag, check_instance, check_path, check_paths, compiling
from cloudsigma.compiler.cache import cache_of, key_of
from cloudsigma.compiler.files import RuleFile, no_rule_in, read_file, read_files
from cloudsigma.compiler.limits import DEFAULT_LIMITS, RuleLimits
from cloudsigma.engine.rule import Rule
from cloudsigma.errors import RuleError, UsageError, WrongTypeError, one_or_group, shown_value
from cloudsigma.rulesets.resources import packaged_rules
from cloudsigma.rulesets.rule_set import CLOUDTRAIL, RuleSet, without_duplicates

if TYPE_CHECKING:
    from cloudsigma.compiler.document import Document

__all__ = ["RuleLimits", "compile_rules", "compile_text", "read_placeholders"]

OnError = Literal["raise", "skip"]
Values = Mapping[str, Sequence[str | int | float]]


def compile_rules(
    *paths: str | os.PathLike[str],
    on_error: OnError = "raise",
    logsource: Mapping[str, str] | None = None,
    placeholders: Values | None = None,
    pipelines: Sequence[str | os.PathLike[str]] = (),
    bundled: bool = False,
    cache: bool | str | os.PathLike[str] | None = None,
    limits: RuleLimits | None = None,
) -> RuleSet:
    """Compile rule files and folders of them.

    Args:
        paths: Files, and folders, which are searched to any depth for `.yml` and `.yaml` files; `*.cases.yml` and
            `info.yml` are skipped.
        on_error: `raise`, or `skip` to leave bad rules out and have them in `rules.errors`.
        logsource: The log source of the records; rules for other log sources never match.
            Default: `{"product": "aws", "service": "cloudtrail"}`.
        placeholders: Values for `%name%` in values with `expand`; a rule with others is an `unsupported` error.
        pipelines: pySigma processing pipelines, applied to every rule in the order of their priority: YAML files, and
            names of those that come with the package (`evtx_json`). One that cannot be used is raised at once.
        bundled: Compile the four bundled detections as well, before the others.
        cache: Cache the compiled rules on disk while files, options and versions are the same:
            `True` for the user's folder of caches (or `CLOUDSIGMA_CACHE_DIR`), a path for another, `None` for none.
            Never used where `CLOUDSIGMA_NO_CACHE` is set.
        limits: Limits on the cost of a rule; a rule that exceeds one is an error that names it.

    Raises:
        RuleError: There is one mistake, and `on_error` is `raise`.
        RuleErrors: There are several, in one rule or in more.
        UsageError: An argument makes no sense.
    """
    check_paths(paths, "compile_rules")
    _check(on_error, logsource, placeholders, pipelines, bundled)
    if not isinstance(cache, (bool, type(None))):
        check_path("cache", cache)
    if not paths and not bundled:
        raise UsageError("compile_rules needs at least one file or folder")
    with _garbage_collection_paused(), compiling("compiling rules"):
        given = _Options(_declared(logsource), placeholders, pipelines, _limits(limits))
        files = list(read_files([packaged_rules(), *paths] if bundled else paths, given.limits))
        kept = cache_of(cache)
        key = _key(files, given) if kept is not None else None
        rules = kept.load(key) if kept is not None and key is not None else None
        if rules is None:
            rules = _compile(_documents(files, given.limits), given)
            if kept is not None and key is not None:
                kept.store(key, rules)
    return _raised(rules, on_error)


def compile_files(files: Iterable[RuleFile | RuleError]) -> RuleSet:
    """Compile files that have been read, or are open in an editor; errors are in the set, and nothing is raised."""
    with _garbage_collection_paused(), compiling("compiling rules"):
        given = _Options(CLOUDTRAIL, None, (), DEFAULT_LIMITS)
        return _compile(_documents(files, given.limits), given)


def compile_text(
    text: str,
    *,
    on_error: OnError = "raise",
    logsource: Mapping[str, str] | None = None,
    placeholders: Values | None = None,
    pipelines: Sequence[str | os.PathLike[str]] = (),
    bundled: bool = False,
    limits: RuleLimits | None = None,
) -> RuleSet:
    """Compile rule text: one or more YAML documents. Arguments and errors are those of `compile_rules`."""
    if not isinstance(text, str):
        raise WrongTypeError("text", text, "the text of rules; compile_rules(PATH) takes paths")
    _check(on_error, logsource, placeholders, pipelines, bundled)
    with compiling("compiling rules"):
        from cloudsigma.compiler.actions import apply_actions
        from cloudsigma.compiler.document import read_documents

        given = _Options(_declared(logsource), placeholders, pipelines, _limits(limits))
        documents = [
            *_documents(read_files([packaged_rules()] if bundled else []), given.limits),
            *apply_actions(read_documents(text, None, given.limits)),
        ]
        rules = _compile(documents, given)
    return _raised(rules, on_error)


def read_placeholders(path: str | os.PathLike[str]) -> Mapping[str, tuple[str, ...]]:
    """Values of placeholders from a YAML file of names and values; raises `RuleError` and `UsageError`."""
    check_path("path", path)
    with compiling("reading placeholders"):
        from cloudsigma.compiler import placeholders

    return placeholders.read_placeholders(path)


# --- the stages in order ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Options:
    """The options of compiling."""

    declared: ir.LogSource
    placeholders: Values | None
    pipelines: Sequence[str | os.PathLike[str]]
    limits: RuleLimits


def _documents(files: Iterable[RuleFile | RuleError], limits: RuleLimits) -> Iterator[Document | RuleError]:
    from cloudsigma.compiler.actions import apply_actions
    from cloudsigma.compiler.document import read_documents

    for file in files:
        if isinstance(file, RuleError):
            yield file
        else:
            documents = list(apply_actions(read_documents(file.data, file.shown, limits)))
            yield from documents or [no_rule_in(file.shown)]


def _compile(documents: Iterable[Document | RuleError], given: _Options) -> RuleSet:
    from cloudsigma.compiler.placeholders import check_placeholders
    from cloudsigma.compiler.stages import compile_documents

    pipeline = None
    if given.pipelines:
        from cloudsigma.compiler.pipeline import read_pipelines

        pipeline = read_pipelines(given.pipelines, given.limits)
    placeholders = check_placeholders(given.placeholders)
    found = compile_documents(documents, placeholders, pipeline, given.limits, declared=given.declared)
    rules, conflicts = without_duplicates([*map(Rule, found.rules), *map(Rule, found.correlations)])
    return RuleSet(rules, (*found.errors, *conflicts), tuple(found.warnings), given.declared)


def _raised(rules: RuleSet, on_error: OnError) -> RuleSet:
    if not rules.errors or on_error == "skip":
        return rules
    raise one_or_group(rules.errors)


def _key(files: Iterable[RuleFile | RuleError], given: _Options) -> str | None:
    """The cache key; `None` if the result depends on inputs that a key cannot represent."""
    read = [file for file in files if isinstance(file, RuleFile)]
    if len(read) != len(list(files)) or isinstance(given.pipelines, (str, os.PathLike)):
        return None
    for pipeline in given.pipelines:
        data = read_file(pipeline, given.limits)
        if not isinstance(data, RuleError):  # otherwise the name of a bundled one
            read.append(RuleFile(f"pipeline {os.fspath(pipeline)}", data))
    options = {
        "declared": given.declared,
        "placeholders": given.placeholders,
        "limits": given.limits,
        "pipelines": [os.fspath(pipeline) for pipeline in given.pipelines],
    }
    try:
        return key_of(read, options)
    except (TypeError, ValueError, OverflowError):
        return None  # an option without a JSON form: compiling reports it better


def _check(on_error: object, logsource: object, placeholders: object, pipelines: object, bundled: object) -> None:
    if on_error not in ("raise", "skip"):
        raise UsageError(f"on_error is {shown_value(on_error)}; give 'raise' or 'skip'")
    check_instance("logsource", logsource, Mapping, "a map of product, service and category to text, or None")
    check_instance("placeholders", placeholders, Mapping, "a map of names to lists of text and numbers, or None")
    if isinstance(pipelines, (str, os.PathLike, Mapping)) or not isinstance(pipelines, Sequence):
        raise WrongTypeError("pipelines", pipelines, "a list of files and names")
    for each in pipelines:
        check_path("one of the pipelines", each)
    check_flag("bundled", bundled)


def _limits(given: RuleLimits | None) -> RuleLimits:
    if given is None:
        return DEFAULT_LIMITS
    check_instance("limits", given, RuleLimits, "cloudsigma.RuleLimits(…), or None")
    return given


def _declared(logsource: Mapping[str, str] | None) -> ir.LogSource:
    if logsource is None:
        return CLOUDTRAIL
    unknown = set(logsource) - {"category", "product", "service"}
    if unknown or not all(isinstance(value, str) for value in logsource.values()):
        raise UsageError(f"logsource is {dict(logsource)!r}; give text for some of product, service and category")
    return ir.LogSource(**logsource)


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Suspend garbage collection: while many lasting objects are built, it frees nothing and takes most of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()

"""Lints rule files: compiles them, runs the checks, and takes out what comments silence."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from cloudsigma import ir
from cloudsigma.catalogue import Catalogue
from cloudsigma.compiler import compile_files
from cloudsigma.compiler.document import Document, Place, read_documents
from cloudsigma.compiler.files import RuleFile, read_files
from cloudsigma.compiler.remedies import closest, quoted
from cloudsigma.compiler.rule_text import decode
from cloudsigma.errors import RuleError, UsageError
from cloudsigma.linting.checks import PROFILES, checks
from cloudsigma.linting.compiled import slug_of
from cloudsigma.linting.conjunctions import conjunctions
from cloudsigma.linting.dead_values import dead_value_notes
from cloudsigma.linting.finding import SEVERITIES, Finding, Fix
from cloudsigma.linting.items import item_notes
from cloudsigma.linting.notes import Note, RuleDocument
from cloudsigma.linting.outcome import intent_notes
from cloudsigma.linting.pairs import pair_notes
from cloudsigma.linting.rule_text import RuleText
from cloudsigma.linting.shapes import shape_notes
from cloudsigma.linting.tokens import token_notes
from cloudsigma.linting.twins import twin_notes

_WORLD = frozenset(
    {"impossible-value", "unknown-event-name", "unknown-event-source", "regex-meets-nothing", "text-compared-as-number"}
)
"""Findings about the value as a whole, which others on its line explain better."""


class LintResult(msgspec.Struct, frozen=True):
    """What the linter found."""

    findings: tuple[Finding, ...]
    suppressed: int
    """Findings that comments or settings silence."""
    catalogue: str
    """The date of the catalogue."""
    rules: int
    """Rules that were looked at."""

    def to_dict(self) -> dict[str, object]:
        """The result as JSON values."""
        return {
            "findings": [finding.to_dict() for finding in self.findings],
            "suppressed": self.suppressed,
            "catalogue": self.catalogue,
        }


class LintOptions(msgspec.Struct, frozen=True):
    """How to lint."""

    profile: str = "default"
    ignore: tuple[str, ...] = ()
    """Kinds of findings that are silenced everywhere."""
    events: Mapping[str, tuple[str, ...]] = {}
    """Source → event names that the catalogue does not have."""


def lint(
    *paths: str | os.PathLike[str],
    profile: str = "default",
    ignore: Iterable[str] = (),
    events: Mapping[str, Iterable[str]] | None = None,
) -> list[Finding]:
    """Look for mistakes in rules: what the compiler says, and what no CloudTrail record can hold.

    Args:
        paths: Rule files and folders.
        profile: `default`, `thorough` or `sigmahq`; each has the findings of those before it.
        ignore: Kinds of findings to leave out.
        events: Event names that the catalogue lacks: source → names.

    Returns:
        The findings by file and place.

    Raises:
        UsageError: There is no such profile or kind of finding.
    """
    added = {source: tuple(names) for source, names in (events or {}).items()}
    return list(run_lint(paths, LintOptions(profile, tuple(ignore), added)).findings)


def run_lint(paths: Iterable[str | os.PathLike[str]], options: LintOptions | None = None) -> LintResult:
    """Lint rule files; `lint` with all results."""
    return lint_files(read_files([Path(os.fspath(path)) for path in paths]), options)


def lint_files(files: Iterable[RuleFile | RuleError], options: LintOptions | None = None) -> LintResult:
    """Lint files that have been read, or are open in an editor."""
    options = options or LintOptions()
    _check(options)
    given = list(files)
    catalogue = Catalogue.load(options.events)
    texts: dict[str | None, RuleText] = {}
    documents: list[Document] = []
    for file in given:
        if isinstance(file, RuleError):
            continue  # the compiler tells
        documents += [each for each in read_documents(file.data, file.shown) if isinstance(each, Document)]
        try:
            texts[file.shown] = RuleText(file.shown, decode(file.data))
        except UnicodeDecodeError:
            continue
    rules = compile_files(given)
    found = [_compiled(error, texts) for error in (*rules.errors, *rules.warnings)]
    definitions = {
        (rule.path, rule.definition.metadata.line): rule.definition
        for rule in rules
        if isinstance(rule.definition, ir.DetectionRule)
    }
    for document in documents:
        definition = definitions.get((document.path, document.line))
        found += _findings(RuleDocument(document), definition, catalogue, texts, rules.declared)
    for rule, note in twin_notes(definitions.values(), documents):
        found.append(_finding(note, rule.metadata.path, rule.metadata.id, texts))
    if options.profile == "sigmahq":
        from cloudsigma.linting.validators import validator_findings

        found += validator_findings(texts)
    return _result(_without_repeats(found), texts, options, catalogue, len(documents))


def _check(options: LintOptions) -> None:
    if options.profile not in PROFILES:
        raise UsageError(f"there is no profile {options.profile!r}; there are: {', '.join(PROFILES)}")
    for slug in options.ignore:
        if slug not in checks():
            near = closest(slug, checks(), 0.7)
            raise UsageError(f"there is no finding {slug!r}" + (f"; did you mean {near!r}?" if near else ""))


# --- findings -----------------------------------------------------------------------------------------------


def _findings(
    document: RuleDocument,
    definition: ir.DetectionRule | None,
    catalogue: Catalogue,
    texts: Mapping[str | None, RuleText],
    declared: ir.LogSource,
) -> Iterator[Finding]:
    if _is_for_others(document, declared):
        return
    rule = str(document.value.get("id") or document.value.get("title") or "")[:120] or None
    notes = list(item_notes(document, catalogue))
    if (text := texts.get(document.document.path)) is not None:
        notes += token_notes(document, text)
    if definition is not None:
        ways = conjunctions(definition)
        if not any(note.slug == "unknown-field" for note in notes):
            notes += pair_notes(document, ways, catalogue)
            notes += shape_notes(document, ways, catalogue)
        notes += dead_value_notes(document, definition, ways, catalogue)
        notes += intent_notes(document, definition, ways, catalogue)
    for note in notes:
        yield _finding(note, document.document.path, rule, texts)


def _is_for_others(document: RuleDocument, declared: ir.LogSource) -> bool:
    """Whether a rule is for records of another product, where other fields are known."""
    source = document.value.get("logsource")
    if not isinstance(source, dict):
        return False
    written = {part: source.get(part) for part in ("category", "product", "service")}
    return not ir.LogSource(
        **{part: str(value) if value is not None else None for part, value in written.items()}
    ).covers(declared)


def _finding(note: Note, path: str | None, rule: str | None, texts: Mapping[str | None, RuleText]) -> Finding:
    check = checks()[note.slug]
    line, column = note.place.line, note.place.column
    text = texts.get(path)
    end_line, end_column = text.end(line, column) if text is not None else (line, column)
    fixes: tuple[Fix, ...] = ()
    if note.fix is not None and text is not None and line == end_line:
        start, stop = text.offset(line, column), text.offset(end_line, end_column)
        old = text.text[start:stop]
        quote = old[:1] if old[:1] in ("'", '"') else ""
        if text.can_edit(start, note.replaces):
            fixes = (Fix(start, stop, f"{quote}{note.fix}{quote}"),)
    return Finding(
        note.slug, check.severity, check.confidence, path, line, column, end_line, end_column, rule, note.message,
        note.remedy, fixes,
    )  # fmt: skip


def _compiled(error: RuleError, texts: Mapping[str | None, RuleText]) -> Finding:
    note = Note(slug_of(error), Place(error.line or 1, error.column or 1), error.reason, error.remedy or "")
    return _finding(note, error.path, error.rule, texts)


def _without_repeats(found: Iterable[Finding]) -> list[Finding]:
    """The findings by place, at most one of a kind at a place; a test that never matches hides the values in it."""
    order = {severity: at for at, severity in enumerate(SEVERITIES)}
    seen: dict[tuple[object, ...], Finding] = {}
    for finding in found:
        seen.setdefault((finding.path, finding.line, finding.column, finding.slug), finding)
    better = {
        (each.path, each.line)
        for each in seen.values()
        if each.slug not in _WORLD and each.severity != "info" and not each.slug.endswith("-suppression")
    }
    impossible = {(each.path, each.line) for each in seen.values() if each.slug == "impossible-value"}
    kept = [
        each
        for each in seen.values()
        if each.slug not in _WORLD
        or ((each.path, each.line) not in better
            and (each.slug != "unknown-event-name" or (each.path, each.line) not in impossible))
    ]  # fmt: skip
    return sorted(kept, key=lambda each: (each.path or "", each.line, each.column, order[each.severity], each.slug))


# --- suppressions -------------------------------------------------------------------------------------------


def _result(
    found: list[Finding],
    texts: Mapping[str | None, RuleText],
    options: LintOptions,
    catalogue: Catalogue,
    rules: int,
) -> LintResult:
    known = checks()
    profiles = PROFILES[: PROFILES.index(options.profile) + 1]
    shown = [each for each in found if known[each.slug].profile in profiles]
    kept: list[Finding] = []
    used: set[tuple[str | None, int, str]] = set()
    silenced = 0
    comments = {path: text.suppressions() for path, text in texts.items()}
    for finding in shown:
        if finding.slug in options.ignore:
            silenced += 1
            continue
        by = next(
            (
                each
                for each in comments.get(finding.path, ())
                if finding.slug in each.slugs and _covers(each.line, finding, texts, whole=each.whole_rule)
            ),
            None,
        )
        if by is None:
            kept.append(finding)
        else:
            silenced += 1
            used.add((finding.path, by.line, finding.slug))
    for path, each_of in comments.items():
        for each in each_of:
            place = Place(each.line, each.column)
            for slug in each.slugs:
                if slug not in known:
                    near = closest(slug, known, 0.7)
                    remedy = f"Did you mean {near}?" if near else "cloudsigma lint --list shows all."
                    note = Note("unknown-suppression", place, f"there is no finding {quoted(slug)}", remedy)
                    kept.append(_finding(note, path, None, texts))
                elif (path, each.line, slug) not in used and known[slug].profile in profiles:
                    note = Note("unused-suppression", place, f"nothing here is {slug}", "Remove the comment.")
                    kept.append(_finding(note, path, None, texts))
            if not each.reason and "thorough" in profiles:
                note = Note("suppression-without-reason", place, "the comment gives no reason", "Say why.")
                kept.append(_finding(note, path, None, texts))
    return LintResult(tuple(_without_repeats(kept)), silenced, catalogue.made, rules)


def _covers(line: int, finding: Finding, texts: Mapping[str | None, RuleText], *, whole: bool) -> bool:
    if not whole:
        return finding.line <= line <= finding.end_line
    text = texts[finding.path]
    return text.first_line(finding.line) in (line, line + 1)

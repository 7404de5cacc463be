"""Recompile the rules of a suite when the text of a rule file changes.

Only affected rules are compiled again: the changed document with the Sigma filters that apply to it, or, for a filter,
the rules that it applies to.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from cloudsigma import ir
from cloudsigma.compiler.actions import apply_actions
from cloudsigma.compiler.document import Document, read_documents
from cloudsigma.compiler.files import read_file
from cloudsigma.compiler.placeholders import check_placeholders
from cloudsigma.compiler.rule_text import decode
from cloudsigma.compiler.stages import compile_documents
from cloudsigma.errors import RuleError
from cloudsigma.testing.cases.suite import Options

Definition = ir.DetectionRule | ir.CorrelationRule


class RuleFile:
    """One rule file."""

    def __init__(self, path: str) -> None:
        data = read_file(Path(path))
        self.path = os.fspath(Path(path))  # as the compiler names it: `./rule.yml` is `rule.yml`
        self.text = ""
        """Empty if the file cannot be read."""
        if isinstance(data, bytes):
            with suppress(UnicodeDecodeError):
                self.text = decode(data)
        self.documents: list[Document] = self.read(self.text) or []
        """The documents after legacy actions; empty if one cannot be read."""

    def read(self, text: str) -> list[Document] | None:
        """The documents of a changed text; `None` if one cannot be read."""
        found: list[Document] = []
        for document in apply_actions(read_documents(text, self.path)):
            if isinstance(document, RuleError):
                return None
            found.append(document)
        return found


class Recompiler:
    """Compiles changed rules of a suite, with one list of pipelines."""

    def __init__(self, sources: Sequence[RuleFile], options: Options, rules: Iterable[Definition]) -> None:
        self._sources = sources
        self._placeholders = check_placeholders(options.placeholders)
        self._pipeline = None
        if options.pipelines:
            from cloudsigma.compiler.pipeline import read_pipelines

            self._pipeline = read_pipelines(options.pipelines)
        self._by_id = {each.metadata.id: each for each in rules}
        self._by_place = {(each.metadata.path, each.metadata.line): each for each in rules}
        everything = [document for source in sources for document in source.documents]
        self._filters = [document for document in everything if _is(document, "filter")]
        self._documents = {
            rule.metadata.id: document for document in everything if (rule := self._rule_of(document)) is not None
        }
        """ID of a rule → its document."""

    def _rule_of(self, document: Document) -> Definition | None:
        """The rule of a document: the rule with its ID, or without an ID the rule at its place."""
        value = document.value if isinstance(document.value, dict) else {}
        rule = self._by_id.get(str(value.get("id")).lower())
        if rule is not None and rule.metadata.path == document.path:
            return rule
        return self._by_place.get((document.path, document.line))

    def same(self, definition: Definition) -> bool:
        """Whether compiling the rule's document gives the definition in the suite."""
        document = self._documents.get(definition.metadata.id)
        return document is not None and self._compiled(definition, document) == definition

    def changed(self, source: RuleFile, text: str) -> dict[str, Definition] | None:
        """ID → definition of the rules that a changed text affects; `None` if one does not compile."""
        after = source.read(text)
        before = source.documents
        if after is None:
            return None
        pairs: list[tuple[Document, Document | None]]
        if len(after) == len(before):
            pairs = [(one, other) for one, other in zip(before, after, strict=True) if one.value != other.value]
        else:  # a filter was removed
            kept = [document.value for document in after]
            pairs = [(one, None) for one in before if one.value not in kept]
        found: dict[str, Definition] = {}
        for one, other in pairs:
            made = self._with_filter(one, other) if _is(one, "filter") else self._one(one, other)
            if made is None:
                return None
            found |= made
        return found

    def _one(self, before: Document, after: Document | None) -> dict[str, Definition] | None:
        rule = self._rule_of(before)
        if rule is None:  # a rule that is not in the suite
            return {}
        made = self._compiled(rule, after) if after is not None else None
        return {rule.metadata.id: made} if made is not None else None

    def _compiled(self, rule: Definition, after: Document) -> Definition | None:
        """The rule of a changed document, with the metadata of the original."""
        if isinstance(rule, ir.CorrelationRule):
            referred = [self._documents[key] for key in self._closure(rule) if key in self._documents]
            found = self._compile([after, *referred])
            made: Iterable[Definition] = found[1]
        else:
            narrowing = self._filters if any(selection.filter for selection in rule.selections) else []
            found = self._compile([after, *narrowing])
            made = found[0]
        own = [each for each in made if each.metadata.line == after.line and each.metadata.path == after.path]
        return _with_metadata(own[0], rule) if own else None

    def _closure(self, rule: ir.CorrelationRule) -> list[str]:
        found: list[str] = []
        waiting = list(rule.rules)
        while waiting:
            key = waiting.pop()
            if key in found:
                continue
            found.append(key)
            inner = self._by_id.get(key)
            waiting += inner.rules if isinstance(inner, ir.CorrelationRule) else ()
        return found

    def _with_filter(self, before: Document, after: Document | None) -> dict[str, Definition] | None:
        """All rules with filters, with one filter changed or removed."""
        filters = [after if each is before else each for each in self._filters]
        kept = [each for each in filters if each is not None]
        narrowed = {
            key: rule
            for key, rule in self._by_id.items()
            if isinstance(rule, ir.DetectionRule) and any(selection.filter for selection in rule.selections)
        }
        rules, _, errors = self._compile([*(self._documents[key] for key in narrowed if key in self._documents), *kept])
        if errors:
            return None
        return {
            each.metadata.id: each
            for each in rules
            if each.metadata.id in narrowed and each != narrowed[each.metadata.id]
        }

    def _compile(
        self, documents: Sequence[Document]
    ) -> tuple[list[ir.DetectionRule], list[ir.CorrelationRule], list[RuleError]]:
        with _quiet():
            compiled = compile_documents(documents, self._placeholders, self._pipeline)
        return compiled.rules, compiled.correlations, compiled.errors


def _is(document: Document, kind: str) -> bool:
    return isinstance(document.value, dict) and kind in document.value


def _with_metadata(made: Any, rule: Definition) -> Definition:
    """The changed rule with the original's metadata: its ID may be derived from its content."""
    changed: Definition = replace(made, metadata=rule.metadata)
    return changed


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress pySigma's warnings, since mutants are wrong on purpose."""
    logger = logging.getLogger("sigma")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before

"""The rule files of a suite, and what their rules become when the text of a file is changed.

Only what a change can reach is compiled again: the changed document, with the Sigma filters that narrow it, and for a
filter the rules that it narrows.
"""

from __future__ import annotations

import logging
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
from cloudsigma.compiler.spans import read_text
from cloudsigma.compiler.stages import compile_documents
from cloudsigma.errors import RuleError
from cloudsigma.testing.cases.suite import Options

Definition = ir.DetectionRule | ir.CorrelationRule


class RuleFile:
    """One rule file."""

    def __init__(self, path: str) -> None:
        data = read_file(Path(path))
        self.path = path
        self.text = ""
        """Empty where the file cannot be read."""
        if isinstance(data, bytes):
            with suppress(UnicodeDecodeError):
                self.text = read_text(data)
        self.documents: list[Document] = self.read(self.text) or []
        """What the file comes to once its actions are carried out; none where a part of it cannot be read."""

    def read(self, text: str) -> list[Document] | None:
        """The documents of another text in the place of the file's; `None` where a part of it cannot be read."""
        found: list[Document] = []
        for document in apply_actions(read_documents(text, self.path)):
            if isinstance(document, RuleError):
                return None
            found.append(document)
        return found


class Recompiler:
    """The rule files of a suite, compiled in one way."""

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
        """Where each rule comes from."""

    def _rule_of(self, document: Document) -> Definition | None:
        """The rule that a document is: the one with its ID, or where it has none the one at its place."""
        value = document.value if isinstance(document.value, dict) else {}
        rule = self._by_id.get(str(value.get("id")).lower())
        if rule is not None and rule.metadata.path == document.path:
            return rule
        return self._by_place.get((document.path, document.line))

    def same(self, definition: Definition) -> bool:
        """Whether a rule, compiled so, means what the suite says it means."""
        document = self._documents.get(definition.metadata.id)
        return document is not None and self._compiled(definition, document) == definition

    def changed(self, source: RuleFile, text: str) -> dict[str, Definition] | None:
        """The rules that another text of a file changes, by their IDs; `None` where one of them does not compile."""
        after = source.read(text)
        before = source.documents
        if after is None:
            return None
        pairs: list[tuple[Document, Document | None]]
        if len(after) == len(before):
            pairs = [(one, other) for one, other in zip(before, after, strict=True) if one.value != other.value]
        else:  # a filter has been taken out
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
        if rule is None:  # one that is not used, which no case looks at
            return {}
        made = self._compiled(rule, after) if after is not None else None
        return {rule.metadata.id: made} if made is not None else None

    def _compiled(self, rule: Definition, after: Document) -> Definition | None:
        """The rule of a document, with the metadata of the one that it stands in the place of."""
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
        """All rules that filters narrow, with one of the filters changed or taken out."""
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
    """A rule keeps its ID when its content changes, also where that was made from the content."""
    changed: Definition = replace(made, metadata=rule.metadata)
    return changed


@contextmanager
def _quiet() -> Iterator[None]:
    """Mutants are odd on purpose, so nobody is warned of them."""
    logger = logging.getLogger("sigma")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before

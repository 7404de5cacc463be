"""A check of all rules together: two with the same logic."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from cloudsigma import ir
from cloudsigma.compiler.document import Document, Place
from cloudsigma.compiler.remedies import quoted
from cloudsigma.linting.conjunctions import conjunctions
from cloudsigma.linting.notes import Note


def twin_notes(
    rules: Iterable[ir.DetectionRule], documents: Iterable[Document]
) -> Iterator[tuple[ir.DetectionRule, Note]]:
    """The rules that ask for the same as an earlier one, with a note each; not those that a correlation is made of."""
    first: dict[Hashable, ir.DetectionRule] = {}
    parts = _parts_of_correlations(documents)
    for rule in rules:
        if parts & {rule.metadata.id, rule.metadata.name, rule.metadata.title}:
            continue
        logic = _logic_of(rule)
        if logic is None:
            continue
        other = first.setdefault(logic, rule)
        if other is rule:
            continue
        path = f" ({other.metadata.path})" if other.metadata.path != rule.metadata.path else ""
        yield rule, Note(
            "same-logic", Place(rule.metadata.line or 1, 1),
            f"the rule has the same logic as {quoted(other.metadata.title)}{path}",
            "Remove one of the two, or set them apart.",
        )  # fmt: skip


def _parts_of_correlations(documents: Iterable[Document]) -> set[str | None]:
    """The names, IDs and titles by which correlations refer to rules."""
    found: set[str | None] = set()
    for document in documents:
        section = document.value.get("correlation") if isinstance(document.value, dict) else None
        rules = section.get("rules") if isinstance(section, dict) else None
        found.update(each for each in (rules if isinstance(rules, list) else [rules]) if isinstance(each, str))
    return found


def _logic_of(rule: ir.DetectionRule) -> Hashable | None:
    """The conjunctions of a rule whatever the order of its parts; `None` if there are too many."""
    found = conjunctions(rule)
    if not found:
        return None
    return (
        rule.logsource,
        frozenset(
            frozenset((test.field, frozenset(test.matchers), test.all_of, wanted) for test, wanted in conjunction)
            for conjunction in found
        ),
    )

"""Sigma filters: rules that narrow other rules, so that a team tunes upstream rules without editing them.

A filter is compiled like a rule and joined to each condition of the rules it is for: `(rule) and (filter)`, as
written, without a hidden `not`. Its selections get names of their own, which neither the rule's patterns nor those
of another filter see. See `docs/semantics.md`, "Filters".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from cloudsigma import ir
from cloudsigma.compiler.conditions import renamed
from cloudsigma.compiler.document import Document, Path
from cloudsigma.errors import RuleError


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled filter: what it is for, and what it adds."""

    definition: ir.DetectionRule
    """The filter's selections and condition, as those of a rule."""
    rules: tuple[str, ...] | None
    """IDs and names of the rules that it is for; `None` is any."""
    places: tuple[tuple[int, int], ...] = ()
    """Line and column of each entry of `rules`."""

    def is_for(self, rule: ir.DetectionRule) -> bool:
        """Whether the filter narrows the rule: named (or any), and every attribute of its log source is the rule's."""
        mine, theirs = self.definition.logsource, rule.logsource
        return all(
            wanted is None or wanted == given
            for wanted, given in (
                (mine.category, theirs.category),
                (mine.product, theirs.product),
                (mine.service, theirs.service),
            )
        ) and (self.rules is None or any(refers_to(name, rule.metadata) for name in self.rules))


def refers_to(name: str, metadata: ir.Metadata) -> bool:
    """Whether a reference of a filter or correlation means this rule: by ID, in any case, or by name."""
    return name.lower() == metadata.id or (metadata.name is not None and name == metadata.name)


def as_rule(document: Document) -> Document:
    """The filter's document in the shape of a rule's, every node in its place."""
    value = document.value
    detection = {key: item for key, item in value["filter"].items() if key != "rules"}
    plain = {key: item for key, item in value.items() if key != "filter"}
    made = Document({**plain, "detection": detection}, document.line, document.path)
    for source, target in ((document.keys, made.keys), (document.values, made.values)):
        target.update({_moved(way): place for way, place in source.items()})
    return made


def _moved(way: Path) -> Path:
    return ("detection", *way[1:]) if way[:1] == ("filter",) else way


def filtered_rules(document: Document) -> tuple[str, ...] | str | None:
    """The references of a filter's `rules`; `None` is any; text says what is wrong with them."""
    section: Any = document.value["filter"]
    if not isinstance(section, dict):
        return "filter is not a map"
    if "rules" not in section:
        return "the filter does not say which rules it is for"
    named = section["rules"]
    if isinstance(named, str):
        return None if named.lower() == "any" else (named,)
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        return "rules is neither any nor a list of IDs and names"
    return tuple(named) or None


def apply_filters(rule: ir.DetectionRule, filters: Iterable[Filter]) -> ir.DetectionRule:
    """The rule narrowed by every filter that is for it."""
    for each in filters:
        if each.is_for(rule):
            rule = narrowed(rule, each.definition)
    return rule


def narrowed(rule: ir.DetectionRule, by: ir.DetectionRule) -> ir.DetectionRule:
    """The rule narrowed by a filter's definition."""
    taken = {selection.name for selection in rule.selections}
    prefix = by.metadata.title
    while any(f"{prefix}: {selection.name}" in taken for selection in by.selections):
        prefix += "'"
    names = {selection.name: f"{prefix}: {selection.name}" for selection in by.selections}
    added = tuple(
        structs.replace(selection, name=names[selection.name], filter=by.metadata.id) for selection in by.selections
    )
    wanted = renamed(by.conditions[0].expression, names)
    conditions = tuple(
        structs.replace(condition, expression=ir.And((condition.expression, wanted))) for condition in rule.conditions
    )
    return structs.replace(rule, selections=rule.selections + added, conditions=conditions)


def absent_references(filters: Sequence[Filter], rules: Sequence[ir.Metadata]) -> list[RuleError]:
    """A warning for each rule that a filter names and that is not loaded."""
    warnings: list[RuleError] = []
    for each in filters:
        about = each.definition.metadata
        for at, name in enumerate(each.rules or ()):
            if not any(refers_to(name, rule) for rule in rules):
                line, column = each.places[at] if at < len(each.places) else (about.line, None)
                warnings.append(
                    RuleError(
                        "reference",
                        f"the filter is for a rule {name!r} that is not loaded",
                        path=about.path,
                        line=line,
                        column=column,
                        rule=about.title,
                        remedy="Load the rule as well, or correct its ID or name (titles do not count).",
                    )
                )
    return warnings

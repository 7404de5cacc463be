"""Sigma filters: rules that narrow other rules, so that a team can tune third-party rules without editing them.

A filter is compiled like a rule and joined to each condition of the rules it is for: `(rule) and (filter)`, as
written, without a hidden `not`. Its selections get unique names, which neither the rule's patterns nor those
of another filter match. See `docs/semantics.md`, "Filters".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from cloudsigma import ir
from cloudsigma.compiler.conditions import renamed
from cloudsigma.compiler.document import Document, Path
from cloudsigma.compiler.remedies import closest, quoted, shortened
from cloudsigma.errors import Category, RuleError


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter: the rules it is for, and its addition to them."""

    definition: ir.DetectionRule
    """The filter's selections and condition, as those of a rule."""
    rules: tuple[str, ...] | None
    """IDs and names of the rules that it is for; `None` means any."""
    places: tuple[tuple[int, int], ...] = ()
    """Line and column of each entry of `rules`; of `any`, those of `rules` itself."""
    negates: bool = True
    """Whether one of its tests is negated by a modifier (`neq`)."""

    def fits(self, rule: ir.DetectionRule) -> bool:
        """Whether every attribute of the filter's log source is that of the rule, letter case aside."""
        return self.definition.logsource.covers(rule.logsource)

    def warnings(self, rules: Sequence[ir.DetectionRule], known: _Names) -> Iterator[RuleError]:
        """Reasons why the filter may not do what its author wants.

        Args:
            rules: The detection rules that are loaded.
            known: The same rules and the correlations, by ID and name.
        """
        if self.rules is None and not any(map(self.fits, rules)):
            mine = self.definition.logsource
            reason = f"the filter is for any rule, and no rule with its log source ({mine}) is loaded"
            yield self._warning("reference", reason, 0, "Load such rules as well, or correct the log source.")
        for at, name in enumerate(self.rules or ()):
            found = known.find(name)
            if not found:
                reason = f"the filter is for a rule {quoted(name)} that is not loaded"
                yield self._warning("reference", reason, at, known.remedy(name))
            elif all(isinstance(rule, ir.CorrelationRule) for rule in found):
                remedy = "Name the rules that the correlation refers to."
                reason = f"{name!r} is a correlation, and filters do not reach correlations"
                yield self._warning("reference", reason, at, remedy)
            elif not any(isinstance(rule, ir.DetectionRule) and self.fits(rule) for rule in found):
                theirs = next(rule.logsource for rule in found if isinstance(rule, ir.DetectionRule))
                reason = (
                    f"the filter does not narrow {name!r}: its log source is {self.definition.logsource}, "
                    f"that of the rule is {theirs}"
                )
                yield self._warning("reference", reason, at, "Write the log source of the rule, or part of it.")
        if not self.negates and not any(_has_not(each.expression) for each in self.definition.conditions):
            condition = self.definition.conditions[0]
            about = self.definition.metadata
            yield RuleError(
                "condition", "the condition of the filter has no not: the rules keep only events that meet it",
                path=about.path, line=condition.line, rule=about.title,
                remedy=f"Write not ({condition.text.strip()}) to leave those events out.", severity="warning",
            )  # fmt: skip

    def _warning(self, category: Category, reason: str, at: int, remedy: str) -> RuleError:
        about = self.definition.metadata
        line, column = self.places[at] if at < len(self.places) else (about.line, None)
        return RuleError(
            category, reason, path=about.path, line=line, column=column, rule=about.title, remedy=remedy,
            severity="warning",
        )  # fmt: skip


_MAX_COMPARED = 100
"""Unknown references for which the nearest name is looked for."""


class _Names:
    """The loaded rules, by the IDs and names that refer to them."""

    def __init__(self, rules: Iterable[ir.DetectionRule | ir.CorrelationRule]) -> None:
        self._by_id: dict[str, list[ir.DetectionRule | ir.CorrelationRule]] = {}
        self._by_name: dict[str, list[ir.DetectionRule | ir.CorrelationRule]] = {}
        self._compared = 0
        self._by_title: dict[str, ir.Metadata] = {}
        for rule in rules:
            self._by_id.setdefault(rule.metadata.id, []).append(rule)
            self._by_title.setdefault(rule.metadata.title, rule.metadata)
            if rule.metadata.name is not None:
                self._by_name.setdefault(rule.metadata.name, []).append(rule)

    def find(self, name: str) -> list[ir.DetectionRule | ir.CorrelationRule]:
        return [*self._by_id.get(name.lower(), ()), *self._by_name.get(name, ())]

    def remedy(self, name: str) -> str:
        """What to write for a reference that means no rule."""
        if name.strip().lower() in ("any", "all", "*", ""):
            return "Write rules: any, without a list, to narrow every rule."
        if "," in name:
            return f"Write a list: [{shortened(', '.join(part.strip() for part in name.split(',') if part.strip()))}]."
        if (rule := self._by_title.get(name)) is not None:
            called = f" or its name {shortened(rule.name)}" if rule.name else ""
            return f"That is the title of a rule: refer to it by its ID {rule.id}{called}."
        self._compared += 1
        if self._compared <= _MAX_COMPARED and (near := closest(name, self._by_name)):
            return f"Did you mean {quoted(near)}?"
        return "Load the rule as well, or correct its ID or name (titles do not count)."


class FilterIndex:
    """Filters by the rules that they are for."""

    def __init__(self, filters: Sequence[Filter]) -> None:
        self._filters = filters
        self._any = [at for at, each in enumerate(filters) if each.rules is None]
        self._named: dict[str, list[int]] = {}
        for at, each in enumerate(filters):
            for name in dict.fromkeys(each.rules or ()):
                self._named.setdefault(name, []).append(at)
                if name != name.lower():
                    self._named.setdefault(name.lower(), []).append(at)

    def of(self, rule: ir.DetectionRule) -> list[int]:
        """The positions of the filters that narrow a rule, in their order.

        They name it (or any rule), and every attribute of their log source is the rule's.
        """
        about = rule.metadata
        found = {*self._any, *self._named.get(about.id, ())}
        if about.name is not None:
            found.update(at for at in self._named.get(about.name, ()) if about.name in (self._filters[at].rules or ()))
        return [at for at in sorted(found) if self._filters[at].fits(rule)]


def filter_as_rule(document: Document) -> Document:
    """The filter's document in the shape of a rule's, every node in its place."""
    value = document.value
    detection = {key: item for key, item in value["filter"].items() if key != "rules"}
    plain = {key: item for key, item in value.items() if key != "filter"}
    made = Document({**plain, "detection": detection}, document.line, document.path)
    made.keys.update({_moved(way): place for way, place in document.keys.items()})
    made.values.update({_moved(way): place for way, place in document.values.items()})
    made.spelled.update({_moved(way): spelled for way, spelled in document.spelled.items()})
    made.unwritten.update(map(_moved, document.unwritten))
    made.comments = document.comments
    return made


def _moved(way: Path) -> Path:
    return ("detection", *way[1:]) if way[:1] == ("filter",) else way


def filtered_rules(document: Document) -> tuple[str, ...] | str | None:
    """The references of a filter's `rules`: `None` means any, text is an error message."""
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
    return tuple(named) or "rules is an empty list, so the filter is for no rule"


def apply_filters(rule: ir.DetectionRule, filters: Sequence[ir.DetectionRule]) -> ir.DetectionRule:
    """The rule narrowed by the definitions of filters, in their order; each condition stays flat."""
    if not filters:
        return rule
    taken = {selection.name for selection in rule.selections}
    titles: Counter[str] = Counter()
    added: list[ir.Selection] = []
    wanted: list[ir.Expression] = []
    for each in filters:
        names = _own_names(each, taken, titles)
        taken.update(names.values())
        added += [
            structs.replace(selection, name=names[selection.name], filter=each.metadata.id, path=each.metadata.path)
            for selection in each.selections
        ]
        wanted.append(renamed(each.conditions[0].expression, names))
    conditions = tuple(
        structs.replace(
            condition, expression=ir.And((condition.expression, *wanted)), filters=tuple(f.metadata.id for f in filters)
        )
        for condition in rule.conditions
    )
    return structs.replace(rule, selections=rule.selections + tuple(added), conditions=conditions)


def _own_names(each: ir.DetectionRule, taken: set[str], titles: Counter[str]) -> Mapping[str, str]:
    """The filter's selections → unique names: its title and the name, with a number if another filter has the title."""
    title = each.metadata.title
    while True:
        titles[title] += 1
        prefix = title if titles[title] == 1 else f"{title} ({titles[title]})"
        names = {selection.name: f"{prefix}: {selection.name}" for selection in each.selections}
        if taken.isdisjoint(names.values()):
            return names


def warnings_of(
    filters: Sequence[Filter], rules: Sequence[ir.DetectionRule], correlations: Sequence[ir.CorrelationRule]
) -> list[RuleError]:
    """The warnings about filters, in their order."""
    if not filters:
        return []
    known = _Names([*rules, *correlations])
    return [warning for each in filters for warning in each.warnings(rules, known)]


def _has_not(expression: ir.Expression) -> bool:
    match expression:
        case ir.Not():
            return True
        case ir.And(operands) | ir.Or(operands):
            return any(map(_has_not, operands))
        case _:
            return False

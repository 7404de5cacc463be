"""A rule as a predicate over clauses: what each clause says of a record, and which of them decide the verdict.

A *clause* is the smallest question that a rule asks: a field, its modifiers and one of its values. The words are those
of logic coverage (Ammann and Offutt, *Introduction to Software Testing*), where MC/DC is called active clause
coverage. Outcomes come from `engine.operators`, as those of explanations do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cloudsigma import ir
from cloudsigma.engine.evaluate import operators

Memo = MutableMapping[tuple[str | None, ir.Matcher], bool]
"""Outcomes that are known already, of one record."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One value of one test of a selection."""

    selection: ir.Selection
    test: ir.Test
    position: int
    """Which of the test's values, from 0."""

    @property
    def matcher(self) -> ir.Matcher:
        """What the value asks."""
        return self.test.matchers[self.position]

    @property
    def written(self) -> str:
        """The value as the rule has it."""
        return self.test.written[self.position]

    def holds(self, record: Mapping[str, Any]) -> bool:
        """Whether the field of the record passes the value."""
        return operators.field_matches(self.matcher, record, self.test.field)


@dataclass(frozen=True, slots=True)
class _Node:
    kind: Literal["clause", "not", "all", "any"]
    clause: int = -1
    parts: tuple[_Node, ...] = ()


class Predicate:
    """The verdict of a detection rule as a function of its clauses' outcomes. The log source is not looked at."""

    def __init__(self, rule: ir.DetectionRule) -> None:
        self.rule = rule
        clauses: list[Clause] = []
        selections = {selection.name: _selection(selection, selection.body, clauses) for selection in rule.selections}
        self.clauses = tuple(clauses)
        """Selection by selection, test by test, value by value."""
        self._root = _Node("any", parts=tuple(_expression(each.expression, selections) for each in rule.conditions))
        uses = [0] * len(clauses)
        for clause in _used(self._root):
            uses[clause] += 1
        self._repeated = [clause for clause, count in enumerate(uses) if count > 1]
        self.unused = frozenset(clause for clause, count in enumerate(uses) if not count)
        """Positions of clauses in selections that no condition names."""

    def outcomes(self, record: Mapping[str, Any], memo: Memo | None = None) -> list[bool]:
        """What each clause says of the record."""
        if memo is None:
            return [clause.holds(record) for clause in self.clauses]
        found = []
        for clause in self.clauses:
            key = (clause.test.field, clause.matcher)
            outcome = memo.get(key)
            if outcome is None:
                outcome = memo[key] = clause.holds(record)
            found.append(outcome)
        return found

    def verdict(self, outcomes: Sequence[bool]) -> bool:
        """Whether a rule whose clauses come out so matches."""
        return _verdict(self._root, outcomes)

    def matches(self, record: Mapping[str, Any], memo: Memo | None = None) -> bool:
        """Whether the rule matches the record; clauses that make no difference are not asked."""
        return self._matches(self._root, record, {} if memo is None else memo)

    def _matches(self, node: _Node, record: Mapping[str, Any], memo: Memo) -> bool:
        match node.kind:
            case "clause":
                clause = self.clauses[node.clause]
                key = (clause.test.field, clause.matcher)
                outcome = memo.get(key)
                if outcome is None:
                    outcome = memo[key] = clause.holds(record)
                return outcome
            case "not":
                return not self._matches(node.parts[0], record, memo)
            case "all":
                return all(self._matches(part, record, memo) for part in node.parts)
            case "any":
                return any(self._matches(part, record, memo) for part in node.parts)

    def deciding(self, outcomes: Sequence[bool]) -> set[int]:
        """Positions of the clauses of which each, turned round alone, would turn the verdict round."""
        found: set[int] = set()
        _observe(self._root, outcomes, found)
        before = self.verdict(outcomes)
        turned = list(outcomes)
        for clause in self._repeated:  # standing in several places it turns round in all of them
            turned[clause] = not turned[clause]
            if self.verdict(turned) is not before:
                found.add(clause)
            else:
                found.discard(clause)
            turned[clause] = not turned[clause]
        return found


def _selection(selection: ir.Selection, body: ir.Group | ir.Test, clauses: list[Clause]) -> _Node:
    if isinstance(body, ir.Group):
        parts = tuple(_selection(selection, member, clauses) for member in body.members)
        return _Node("all" if body.all_of else "any", parts=parts)
    first = len(clauses)
    clauses += [Clause(selection, body, position) for position in range(len(body.matchers))]
    parts = tuple(_Node("clause", clause) for clause in range(first, len(clauses)))
    node = _Node("all" if body.all_of else "any", parts=parts)
    return _Node("not", parts=(node,)) if body.negated else node


def _expression(expression: ir.Expression, selections: Mapping[str, _Node]) -> _Node:
    match expression:
        case ir.Identifier(name):
            return selections[name]
        case ir.Quantified(all_of, _, names):
            return _Node("all" if all_of else "any", parts=tuple(selections[name] for name in names))
        case ir.Not(operand):
            return _Node("not", parts=(_expression(operand, selections),))
        case ir.And(operands):
            return _Node("all", parts=tuple(_expression(operand, selections) for operand in operands))
        case ir.Or(operands):
            return _Node("any", parts=tuple(_expression(operand, selections) for operand in operands))


def _used(node: _Node) -> Iterator[int]:
    if node.kind == "clause":
        yield node.clause
    for part in node.parts:
        yield from _used(part)


def _verdict(node: _Node, outcomes: Sequence[bool]) -> bool:
    match node.kind:
        case "clause":
            return outcomes[node.clause]
        case "not":
            return not _verdict(node.parts[0], outcomes)
        case "all":
            return all(_verdict(part, outcomes) for part in node.parts)
        case "any":
            return any(_verdict(part, outcomes) for part in node.parts)


def _observe(node: _Node, outcomes: Sequence[bool], found: set[int]) -> None:
    """Collect the clauses that are seen at the root: at every node above, no other part masks them."""
    if node.kind == "clause":
        found.add(node.clause)
        return
    if node.kind == "not":
        _observe(node.parts[0], outcomes, found)
        return
    masking = node.kind == "any"  # one true part hides the others of `any`, one false part those of `all`
    hiding = [part for part in node.parts if _verdict(part, outcomes) is masking]
    for part in node.parts if not hiding else hiding if len(hiding) == 1 else ():
        _observe(part, outcomes, found)

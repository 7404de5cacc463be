"""A rule as a predicate over clauses: the outcome of each clause for a record, and the clauses that decide the verdict.

A *clause* is the smallest question that a rule asks: a field, its modifiers and one value. The terms are those of logic
coverage (Ammann and Offutt, *Introduction to Software Testing*), where MC/DC is called active clause coverage. Outcomes
come from `engine.evaluate.operators`, as in explanations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cloudsigma import ir
from cloudsigma.engine.evaluate import operators
from cloudsigma.ir.walk import Joint, Leaf, Node, fold

Memo = MutableMapping[tuple[str | None, ir.Matcher], bool]
"""Known outcomes for one record: field and matcher → outcome."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One value of one test of a selection."""

    selection: ir.Selection
    test: ir.Test
    position: int
    """Position of the value in the test, from 0."""

    @property
    def matcher(self) -> ir.Matcher:
        """The matcher of the value."""
        return self.test.matchers[self.position]

    @property
    def written(self) -> str:
        """The value as the rule writes it."""
        return self.test.written[self.position]

    def holds(self, record: Mapping[str, Any]) -> bool:
        """Whether the field of the record matches the value."""
        return operators.field_matches(self.matcher, record, self.test.field)


@dataclass(frozen=True, slots=True)
class _Node:
    kind: Literal["clause", "not", "all", "any"]
    clause: int = -1
    parts: tuple[_Node, ...] = ()


class Predicate:
    """The verdict of a detection rule as a function of the outcomes of its clauses. The log source is ignored."""

    def __init__(self, rule: ir.DetectionRule) -> None:
        self.rule = rule
        clauses: list[Clause] = []
        selections = {selection.name: _selection(selection, clauses) for selection in rule.selections}
        self.clauses = tuple(clauses)
        """In the order of the rule: by selection, test and value."""
        self._root = _Node("any", parts=tuple(_expression(each.expression, selections) for each in rule.conditions))
        uses = [0] * len(clauses)
        for clause in _used(self._root):
            uses[clause] += 1
        self._repeated = [clause for clause, count in enumerate(uses) if count > 1]
        self.unused = frozenset(clause for clause, count in enumerate(uses) if not count)
        """Positions of clauses in selections that no condition uses."""

    def outcomes(self, record: Mapping[str, Any], memo: Memo | None = None) -> list[bool]:
        """The outcome of each clause for the record."""
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
        """Whether the rule matches, given the outcomes of its clauses."""
        return _verdict(self._root, outcomes)

    def matches(self, record: Mapping[str, Any], memo: Memo | None = None) -> bool:
        """Whether the rule matches the record; evaluation stops when the verdict is known."""
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
        """Positions of the clauses that decide: flipping one of them alone flips the verdict."""
        found: set[int] = set()
        _observe(self._root, outcomes, found)
        before = self.verdict(outcomes)
        flipped = list(outcomes)
        for clause in self._repeated:  # a clause that is used several times flips everywhere
            flipped[clause] = not flipped[clause]
            if self.verdict(flipped) is not before:
                found.add(clause)
            else:
                found.discard(clause)
            flipped[clause] = not flipped[clause]
        return found


def _tree(root: Node, leaf: Callable[[Leaf], _Node]) -> _Node:
    def join(parts: list[_Node], all_of: bool, _: Joint) -> _Node:  # noqa: FBT001  # called by `fold`
        return _Node("all" if all_of else "any", parts=tuple(parts))

    return fold(root, lambda each, _: leaf(each), join, lambda part: _Node("not", parts=(part,)))


def _selection(selection: ir.Selection, clauses: list[Clause]) -> _Node:
    """The tree of a selection; its clauses are appended to `clauses`."""

    def test_node(test: Leaf) -> _Node:
        assert isinstance(test, ir.Test)  # noqa: S101  # a selection contains no names
        first = len(clauses)
        clauses.extend(Clause(selection, test, position) for position in range(len(test.matchers)))
        parts = tuple(_Node("clause", clause) for clause in range(first, len(clauses)))
        node = _Node("all" if test.all_of else "any", parts=parts)
        return _Node("not", parts=(node,)) if test.negated else node

    return _tree(selection.body, test_node)


def _expression(expression: ir.Expression, selections: Mapping[str, _Node]) -> _Node:
    return _tree(expression, lambda name: selections[name.name])  # type: ignore[union-attr]  # it contains no tests


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
    """Collect the clauses that no other part masks at any node above them."""
    if node.kind == "clause":
        found.add(node.clause)
        return
    if node.kind == "not":
        _observe(node.parts[0], outcomes, found)
        return
    masking_outcome = node.kind == "any"  # one true part masks the others of `any`, one false part those of `all`
    masking = [part for part in node.parts if _verdict(part, outcomes) is masking_outcome]
    for part in node.parts if not masking else masking if len(masking) == 1 else ():
        _observe(part, outcomes, found)

"""Whether a condition can never be true: a cheap search that proves some contradictions, and never a wrong one.

The parts that must hold are collected, and one `or` after the other is split into its cases. If every case requires two
tests that exclude each other, the condition is always false. A test implies another of the same field if each of its
values is one of the other's. Two tests exclude each other only on a field with a single value, such as the scalars of a
CloudTrail record: in a list, one element may pass the first test and another the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from cloudsigma import ir
from cloudsigma.catalogue.record_fields import SCALARS
from cloudsigma.engine.evaluate.operators import fold, matches
from cloudsigma.ir.walk import all_tests, names_in

_MAX_STEPS = 2_000
"""Most parts of a condition, and pairs of tests, that the search examines."""
_MAX_SPLIT = 12
"""Most choices of one case that are split. Ignoring the others finds fewer contradictions, never a wrong one."""
_MAX_PAIRS = 4_096
"""Most pairs of values of two tests that are compared."""
_MAX_TEXT = 1_000
"""Most characters of a value that is compared with a pattern."""

_Node = ir.Expression | ir.Group | ir.Test


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two tests that exclude each other in the first case that was tried."""

    first: ir.Test
    second: ir.Test
    negated: bool
    """Whether the second must not hold, and the first implies it."""


def may_conflict(rule: ir.DetectionRule, *, aws: bool) -> bool:
    """Whether a search can succeed: a part is negated, or a scalar field is tested twice."""
    tests = list(all_tests(rule))
    negates = any("not" in condition.text for condition in rule.conditions) or any(test.negated for test in tests)
    if not (negates or aws):
        return False
    fields = [test.field for test in tests if negates or test.field in SCALARS]
    if len(set(fields)) < len(fields):
        return True
    if aws and any(test.all_of and test.field in SCALARS and len(test.matchers) > 1 for test in tests):
        return True
    used = [name for condition in rule.conditions for name in names_in(condition.expression)]
    return negates and len(set(used)) < len(used)


def conflict_of(expression: ir.Expression, bodies: Mapping[str, ir.Group | ir.Test], *, aws: bool) -> Conflict | None:
    """The first conflict of an expression that is always false; `None` where it may be true, or nothing is proved."""
    return _Search(bodies, aws=aws).conflict([(expression, True)], _Facts(), [])


@dataclass(slots=True)
class _Facts:
    """Tests that must hold, and tests that must not, by field."""

    hold: dict[str | None, list[ir.Test]] = field(default_factory=dict)
    fail: dict[str | None, list[ir.Test]] = field(default_factory=dict)

    def copy(self) -> _Facts:
        return _Facts(
            {name: list(tests) for name, tests in self.hold.items()},
            {name: list(tests) for name, tests in self.fail.items()},
        )


class _Search:
    def __init__(self, bodies: Mapping[str, ir.Group | ir.Test], *, aws: bool) -> None:
        self._bodies = bodies
        self._aws = aws
        self._steps = 0

    def conflict(
        self, goals: list[tuple[_Node, bool]], facts: _Facts, choices: list[list[tuple[_Node, bool]]]
    ) -> Conflict | None:
        """The conflict of the first case, if all cases have one."""
        while goals:
            self._steps += 1
            if self._steps > _MAX_STEPS:
                return None
            node, wanted = goals.pop()
            if isinstance(node, ir.Test):
                if conflict := self._add(node, facts, wanted=wanted is not node.negated):
                    return conflict
                continue
            if isinstance(node, ir.Not):
                goals.append((node.operand, not wanted))
                continue
            if isinstance(node, ir.Identifier):
                goals.append((self._bodies[node.name], wanted))
                continue
            parts = [(part, wanted) for part in _parts(node)]
            if _is_all(node) is wanted or len(parts) == 1:
                goals += parts
            else:
                choices.append(parts)
        return self._cases(facts, sorted(choices, key=len)[:_MAX_SPLIT])

    def _cases(self, facts: _Facts, choices: list[list[tuple[_Node, bool]]]) -> Conflict | None:
        if not choices:
            return None
        first: Conflict | None = None
        for goal in choices[0]:
            conflict = self.conflict([goal], facts.copy(), list(choices[1:]))
            if conflict is None:
                return None
            first = first or conflict
        return first

    def _add(self, test: ir.Test, facts: _Facts, *, wanted: bool) -> Conflict | None:
        name = test.field
        others = facts.fail.get(name, ()) if wanted else facts.hold.get(name, ())
        self._steps += len(others)
        for other in others:
            first, second = (test, other) if wanted else (other, test)
            if _implies(first, second):
                return Conflict(first, second, negated=True)
        (facts.hold if wanted else facts.fail).setdefault(name, []).append(test)
        if self._aws and name in SCALARS:
            return _exclusion(facts.hold.get(name, ()), facts.fail.get(name, ()))
        return None


def _parts(node: ir.Expression | ir.Group) -> Sequence[_Node]:
    match node:
        case ir.And(operands) | ir.Or(operands):
            return operands
        case ir.Quantified(_, _, names):
            return [ir.Identifier(name) for name in names]
        case ir.Group(members, _):
            return members
    return ()


def _is_all(node: ir.Expression | ir.Group) -> bool:
    match node:
        case ir.Quantified(all_of, _, _) | ir.Group(_, all_of):
            return all_of
    return isinstance(node, ir.And)


# --- one field ----------------------------------------------------------------------------------------------


def _implies(first: ir.Test, second: ir.Test) -> bool:
    """Whether the first test of a field implies the second, ignoring their negation."""
    if first.matchers == second.matchers and first.all_of == second.all_of:
        return True
    if len(first.matchers) * len(second.matchers) > _MAX_PAIRS:
        return not second.all_of and not first.all_of and set(first.matchers) <= set(second.matchers)
    if first.all_of:
        covered = [any(covers(wide, narrow) for narrow in first.matchers) for wide in second.matchers]
    else:
        if second.all_of and len(second.matchers) > 1:
            return all(covers(wide, narrow) for wide in second.matchers for narrow in first.matchers)
        return all(any(covers(wide, narrow) for wide in second.matchers) for narrow in first.matchers)
    return all(covered) if second.all_of else any(covered)


def covers(wide: ir.Matcher, narrow: ir.Matcher) -> bool:
    """Whether every value that the narrow matcher accepts is accepted by the wide one."""
    if wide == narrow:
        return True
    if isinstance(narrow, ir.OneOf):
        return all(covers(wide, variant) for variant in narrow.variants)
    if isinstance(wide, ir.OneOf):
        return any(covers(variant, narrow) for variant in wide.variants)
    if not isinstance(wide, ir.Pattern) or not isinstance(narrow, ir.Pattern) or (wide.cased and not narrow.cased):
        return False
    text = literal_text(narrow)
    if text is not None:
        return len(text) <= _MAX_TEXT and matches(wide, text)
    return _has_text(wide, narrow)


def _has_text(wide: ir.Pattern, narrow: ir.Pattern) -> bool:
    """Whether a pattern of the form `*text*` covers another that has the text in one of its parts."""
    many = ir.Wildcard.MANY
    if len(wide.parts) != 3 or wide.parts[0] is not many or wide.parts[2] is not many:
        return False
    wanted = wide.parts[1]
    if not isinstance(wanted, str):
        return False
    prepared = wanted if wide.cased else fold(wanted)
    return any(prepared in (part if wide.cased else fold(part)) for part in narrow.parts if isinstance(part, str))


def literal_text(matcher: ir.Matcher) -> str | None:
    """The text of a pattern without wildcards."""
    if isinstance(matcher, ir.Pattern) and all(isinstance(part, str) for part in matcher.parts):
        return "".join(part for part in matcher.parts if isinstance(part, str))
    return None


def _exclusion(hold: Sequence[ir.Test], fail: Sequence[ir.Test]) -> Conflict | None:
    """The conflict of a field that has one value: no text that one test allows passes all others."""
    for test in hold:
        texts = [literal_text(matcher) for matcher in test.matchers[:_MAX_PAIRS]]
        known = [fold(text) for text in texts if text is not None and len(text) <= _MAX_TEXT]
        if not known or (len(known) < len(test.matchers) and not test.all_of):
            continue
        left = set(known[:1] if test.all_of else known)
        for other in chain(hold, fail):
            if len(left) * len(other.matchers) > _MAX_PAIRS:
                continue
            wanted = any(other is each for each in hold)
            left = {text for text in left if may_pass(other, text, wanted=wanted)}
            if not left:
                return Conflict(test, other, negated=not wanted)
    return None


def may_pass(test: ir.Test, text: str, *, wanted: bool) -> bool:
    """Whether a value that equals the text, case aside, may pass the test (`wanted`), or may fail it (not `wanted`)."""
    verdicts = [_verdict(matcher, text) for matcher in test.matchers]
    if wanted:
        impossible = [verdict is False for verdict in verdicts]
        return not (any(impossible) if test.all_of else all(impossible))
    certain = [verdict is True for verdict in verdicts]
    return not (all(certain) if test.all_of else any(certain))


def _verdict(matcher: ir.Matcher, text: str) -> bool | None:
    """Whether a matcher accepts the text whatever the case of its letters; `None` where that depends."""
    if isinstance(matcher, ir.OneOf):
        verdicts = [_verdict(variant, text) for variant in matcher.variants]
        return True if True in verdicts else None if None in verdicts else False
    if isinstance(matcher, ir.Null):
        return False
    if not isinstance(matcher, ir.Pattern):
        return None
    accepted = matches(ir.Pattern(matcher.parts), text)
    return accepted if not matcher.cased or not accepted else None

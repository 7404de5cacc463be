"""Partial evaluation, IR → IR: reduces a rule by the tests whose verdicts are known.

Most tests of a CloudTrail rule ask for the event's name and source, and a trail has few pairs of them. Given a pair, a
rule is false, true, or smaller: only its other tests run for a record. The same pass derives the *prefilter* of a
field: a rule that reads this field alone, and that is true whenever the whole rule is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from msgspec import structs

from cloudsigma import ir
from cloudsigma.engine.evaluate.calls import cost, fields_of
from cloudsigma.ir.walk import Joint, Leaf, fold

Body = ir.Group | ir.Test
Known = Callable[[ir.Test, bool], bool | None]
"""The verdict of a test, if known; the flag is the test's polarity (false beneath a `not`)."""


class _Part(NamedTuple):
    body: Body
    cost: int
    """That of its most expensive test."""
    members: tuple[_Part, ...] = ()
    """Of a group."""


class PartialEvaluator:
    """Evaluates one rule partially, any number of times."""

    def __init__(self, rule: ir.DetectionRule) -> None:
        self._conditions = rule.conditions
        self._bodies = {selection.name: selection.body for selection in rule.selections}
        self._tests: dict[tuple[int, bool], _Part] = {}

    def reduce(self, known: Known) -> bool | Body:
        """The rule without the known tests: a verdict, or an equivalent body.

        In a body every `not` is applied to a test (`negated`), no group directly contains a group of its kind, and
        members are ordered by cost. A selection that the conditions name twice becomes one shared object.
        """
        selections: dict[tuple[str, bool], bool | _Part] = {}

        def leaf(part: Leaf, wanted: bool) -> bool | _Part:  # noqa: FBT001  # the form that `fold` asks for
            if isinstance(part, ir.Test):
                verdict = known(part, wanted)
                return self._test(part, wanted) if verdict is None else verdict is wanted
            key = (part.name, wanted)
            if key not in selections:
                selections[key] = fold(self._bodies[part.name], leaf, _join, wanted=wanted)
            return selections[key]

        alternatives = [fold(condition.expression, leaf, _join) for condition in self._conditions]
        whole = _joined(alternatives, all_of=False)
        return whole.body if isinstance(whole, _Part) else whole

    def _test(self, test: ir.Test, wanted: bool) -> _Part:  # noqa: FBT001  # as above
        key = (id(test), wanted)
        part = self._tests.get(key)
        if part is None:
            body = test if wanted else structs.replace(test, negated=not test.negated)
            part = self._tests[key] = _Part(body, cost(test))
        return part


def _join(parts: list[bool | _Part], all_of: bool, _: Joint) -> bool | _Part:  # noqa: FBT001  # as above
    return _joined(parts, all_of=all_of)


def _joined(parts: list[bool | _Part], *, all_of: bool) -> bool | _Part:
    """Parts of which all, or any, must hold; a part that decides alone replaces the group."""
    left: dict[int, _Part] = {}  # by identity: the same test need not run twice
    for part in parts:
        if isinstance(part, _Part):
            same_kind = isinstance(part.body, ir.Group) and part.body.all_of is all_of
            for each in part.members if same_kind else (part,):
                left[id(each.body)] = each
        elif part is not all_of:
            return part
    if len(left) < 2:
        return next(iter(left.values()), all_of)
    members = tuple(sorted(left.values(), key=lambda each: each.cost))  # stable: as written among equals
    return _Part(ir.Group(tuple([each.body for each in members]), all_of), members[-1].cost, members)


def prefilter(evaluator: PartialEvaluator, field: str) -> bool | Body:
    """A body that reads one field alone and is true whenever the rule matches; a verdict if no test is left.

    Tests of other fields are assumed to have the verdict that the rule wants.
    """
    return evaluator.reduce(lambda test, wanted: None if determined_by(test, (field,)) else wanted)


def determined_by(test: ir.Test, names: Collection[str]) -> bool:
    """Whether the values of these fields alone decide a test."""
    return test.field in names and all(name in names for name in fields_of(test))

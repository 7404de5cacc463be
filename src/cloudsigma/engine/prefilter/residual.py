"""Partial evaluation: what is left of a rule once some of its tests are known.

Most tests of a CloudTrail rule ask for the event's name and source, and a trail has few pairs of them. For such a
pair a rule is false, true, or comes down to its other tests: only these are run for a record. The same walk gives the
*gate* of a field: the loosest rule that looks at this field alone, and that holds wherever the whole rule does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from cloudsigma import ir
from cloudsigma.engine.evaluate import runtime
from cloudsigma.engine.evaluate.calls import COST, PLAIN, Call, calls

RecordTest = Callable[[Mapping[str, Any]], bool]
Known = Callable[[ir.Test, bool], bool | None]
"""The verdict of a test where it is known; the flag says whether the rule gains by it (false below a `not`)."""

_KEYWORDS = 2 * (max(COST.values()) + 1)
"""The rank of a test that walks the whole record."""


class Residual(NamedTuple):
    """What is left of a rule."""

    test: RecordTest
    cost: int
    """The rank of the dearest test in it, as in `vocabulary.COST`."""
    fields: frozenset[str | None]
    """The fields that it looks at; `None` stands for keywords."""


def residual(rule: ir.DetectionRule, known: Known) -> bool | Residual:
    """The rule without the tests that are known: a verdict, or what has still to be asked of a record."""
    return _Walk(rule, known).rule()


def gate(rule: ir.DetectionRule, field: str) -> RecordTest | None:
    """A test that looks at one field alone and passes wherever the rule matches; `None` where it always passes.

    Tests of other fields are taken to come out as the rule wishes.
    """

    def wishful(test: ir.Test, gains: bool) -> bool | None:  # noqa: FBT001  # the signature of `Known`
        return None if determined_by(test, field) else gains

    left = residual(rule, wishful)
    if isinstance(left, Residual):
        return left.test
    return None if left else _never


def _never(record: Mapping[str, Any]) -> bool:  # noqa: ARG001  # a test of a record
    return False


def determined_by(test: ir.Test, *fields: str) -> bool:
    """Whether the values of these fields alone decide a test."""
    return test.field in fields and all(
        other in fields for call in calls(test.matchers) if call.function == "agrees" for other in call.arguments[:1]
    )


def holds(test: ir.Test, record: Mapping[str, Any]) -> bool:
    """Whether a record passes one test of a rule."""
    made = _test(test.field, test.matchers, test.all_of, test.negated)
    return made.test(record) if isinstance(made, Residual) else made


class _Walk:
    def __init__(self, rule: ir.DetectionRule, known: Known) -> None:
        self._rule = rule
        self._known = known
        self._bodies = {selection.name: selection.body for selection in rule.selections}

    def rule(self) -> bool | Residual:
        conditions = self._rule.conditions
        return _joined([self._expression(each.expression, gains=True) for each in conditions], all_of=False)

    def _expression(self, expression: ir.Expression, *, gains: bool) -> bool | Residual:
        match expression:
            case ir.Identifier(name):
                return self._body(self._bodies[name], gains=gains)
            case ir.Quantified(all_of, _, names):
                return _joined([self._body(self._bodies[name], gains=gains) for name in names], all_of=all_of)
            case ir.And(operands):
                return _joined([self._expression(operand, gains=gains) for operand in operands], all_of=True)
            case ir.Or(operands):
                return _joined([self._expression(operand, gains=gains) for operand in operands], all_of=False)
            case ir.Not(operand):
                return _negated(self._expression(operand, gains=not gains))

    def _body(self, body: ir.Group | ir.Test, *, gains: bool) -> bool | Residual:
        if isinstance(body, ir.Group):
            return _joined([self._body(member, gains=gains) for member in body.members], all_of=body.all_of)
        verdict = self._known(body, gains)
        return _test(body.field, body.matchers, body.all_of, body.negated) if verdict is None else verdict


def _joined(parts: list[bool | Residual], *, all_of: bool) -> bool | Residual:
    """Parts of which all, or any, must pass; one that decides alone takes the place of the whole."""
    left: list[Residual] = []
    for part in parts:
        if isinstance(part, Residual):
            left.append(part)
        elif part is not all_of:
            return part
    if not left:
        return all_of
    left.sort(key=lambda part: part.cost)  # stable: as written among equals
    test = left[0].test
    for part in left[1:]:
        test = _both(test, part.test) if all_of else _either(test, part.test)
    return Residual(test, left[-1].cost, frozenset().union(*(part.fields for part in left)))


def _both(first: RecordTest, second: RecordTest) -> RecordTest:
    return lambda record: first(record) and second(record)


def _either(first: RecordTest, second: RecordTest) -> RecordTest:
    return lambda record: first(record) or second(record)


def _negated(part: bool | Residual) -> bool | Residual:  # noqa: FBT001  # a verdict or what is left of one
    if not isinstance(part, Residual):
        return not part
    test = part.test
    return Residual(lambda record: not test(record), part.cost, part.fields)


@lru_cache(maxsize=4096)
def _test(field: str | None, matchers: tuple[ir.Matcher, ...], all_of: bool, negated: bool) -> bool | Residual:  # noqa: FBT001  # the key of the cache: rules that ask the same share one test
    alternatives = [calls((matcher,)) for matcher in matchers] if all_of else [calls(matchers)]
    parts = [_joined([_called(field, call) for call in asked], all_of=False) for asked in alternatives]
    whole = _joined(parts, all_of=True)
    return _negated(whole) if negated else whole


def _called(field: str | None, call: Call) -> Residual:
    """One call of the vocabulary as a test of a record."""
    cost = COST[call.function] + (_KEYWORDS if field is None else 0)
    looked_at = frozenset({field})
    if call.function == "present":
        there = runtime.present(field or "")
        (wanted,) = call.arguments
        return Residual(there if wanted else lambda record: not there(record), cost, looked_at)
    read = runtime.field(field) if field is not None else runtime.everything
    if call.function == "agrees":
        other, comparison = call.arguments
        made = runtime.agrees(read, runtime.field(str(other)), _comparison(comparison), cased=call.cased)
        return Residual(made, cost, looked_at | {str(other)})
    function = runtime.VOCABULARY[call.function]
    if call.function not in PLAIN:
        function = function(*call.arguments, **({"cased": True} if call.cased else {}))
    return Residual(lambda record: function(read(record)), cost, looked_at)


def _comparison(value: object) -> Literal["equals", "startswith", "endswith", "contains"]:
    return value  # type: ignore[return-value]  # from an `ir.FieldRef`, which holds no other

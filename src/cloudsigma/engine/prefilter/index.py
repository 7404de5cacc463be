"""Which rules could match a record, told from a few of its fields: never too few.

From each rule, whatever its construction, follows what a record must have for it to match: one of some exact event
names, a certain source, a user agent with one of some texts in it. `Index` turns this round. It works on the IR and
is sound by construction: a rule is left out only where partial evaluation (`residual`) shows that it cannot match.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from cloudsigma import ir
from cloudsigma.engine.evaluate.operators import fold
from cloudsigma.engine.prefilter.residual import RecordTest, gate

NAME, SOURCE = "eventName", "eventSource"
GATE_FIELDS = (
    "userAgent",
    "errorCode",
    "errorMessage",
    "sourceIPAddress",
    "userIdentity.arn",
    "userIdentity.userName",
    "userIdentity.principalId",
    "userIdentity.accessKeyId",
    "userIdentity.invokedBy",
    "userIdentity.accountId",
    "userIdentity.type",
    "eventType",
    "eventCategory",
    "awsRegion",
    "recipientAccountId",
)
"""Texts that nearly every record has near its top, those that tell records apart best first."""

_IMPROBABLE = "\x00 no record says this"


@dataclass(frozen=True)
class Index:
    """How the rules of a set are found; rules are named by their position."""

    named: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Folded event name → rules that can match no record with another one."""
    unnamed: tuple[int, ...] = ()
    """Rules without such names: they are asked about every pair of event name and source."""
    gates: dict[str, tuple[tuple[int, RecordTest], ...]] = field(default_factory=dict)
    """Field → unnamed rules, with the test that this field must pass for each of them to match."""
    found_by: tuple[str | None, ...] = ()
    """For each rule the field that tells which records could match; `None`: all are evaluated."""


def build_index(rules: Sequence[ir.DetectionRule]) -> Index:
    """Find out what every rule needs a record to have."""
    named: dict[str, list[int]] = {}
    unnamed: list[int] = []
    gates: dict[str, list[tuple[int, RecordTest]]] = {}
    found_by: list[str | None] = []
    for position, rule in enumerate(rules):
        names = exact_names(rule)
        if names is not None:
            for name in names:
                named.setdefault(name, []).append(position)
            found_by.append(NAME)
            continue
        unnamed.append(position)
        if _selective(gate(rule, NAME), NAME):  # `UpdateFunction*`: few pairs of name and source pass
            found_by.append(NAME)
            continue
        for name in GATE_FIELDS:
            test = gate(rule, name)
            if test is not None and _selective(test, name):
                gates.setdefault(name, []).append((position, test))
                found_by.append(name)
                break
        else:
            found_by.append(SOURCE if _selective(gate(rule, SOURCE), SOURCE) else None)
    return Index(
        {name: tuple(positions) for name, positions in named.items()},
        tuple(unnamed),
        {name: tuple(tests) for name, tests in gates.items()},
        tuple(found_by),
    )


def _selective(test: RecordTest | None, name: str) -> bool:
    """Whether a gate stops a record whose field says something improbable, and one that has no such field."""
    return test is not None and not test({name: _IMPROBABLE}) and not test({})


# --- exact event names --------------------------------------------------------------------------------------

_Names = frozenset[str] | None
"""Event names (folded) of which a record must have one; `None`: the rule does not say."""


def exact_names(rule: ir.DetectionRule) -> _Names:
    """The event names of which one must stand in a record for the rule to match; `None` where there is no such list."""
    bodies = {selection.name: selection.body for selection in rule.selections}

    def of_expression(expression: ir.Expression, wanted: bool) -> _Names:  # noqa: FBT001  # false below a `not`
        match expression:
            case ir.Identifier(name):
                return of_body(bodies[name], wanted)
            case ir.Quantified(all_of, _, names):
                return _joined((of_body(bodies[name], wanted) for name in names), all_of=all_of is wanted)
            case ir.And(operands):
                return _joined((of_expression(operand, wanted) for operand in operands), all_of=wanted)
            case ir.Or(operands):
                return _joined((of_expression(operand, wanted) for operand in operands), all_of=not wanted)
            case ir.Not(operand):
                return of_expression(operand, not wanted)

    def of_body(body: ir.Group | ir.Test, wanted: bool) -> _Names:  # noqa: FBT001  # as above
        if isinstance(body, ir.Group):
            return _joined((of_body(member, wanted) for member in body.members), all_of=body.all_of is wanted)
        return _of_test(body) if wanted is not body.negated else None

    return _joined((of_expression(each.expression, True) for each in rule.conditions), all_of=False)  # noqa: FBT003


def _joined(parts: Iterable[_Names], *, all_of: bool) -> _Names:
    listed = list(parts)
    known = [names for names in listed if names is not None]
    if all_of:
        return min(known, key=len, default=None)
    return frozenset(chain.from_iterable(known)) if len(known) == len(listed) else None


def _of_test(test: ir.Test) -> _Names:
    if test.field != NAME:
        return None
    return _joined((_of_matcher(matcher) for matcher in test.matchers), all_of=test.all_of)


def _of_matcher(matcher: ir.Matcher) -> _Names:
    match matcher:
        case ir.Pattern((str() as text,)):
            return frozenset({fold(text)})  # where case counts, too: one of its spellings must be there
        case ir.OneOf(variants):
            return _joined(map(_of_matcher, variants), all_of=False)
        case _:
            return None

"""Why a rule matched a record, or why not: the plain, slow evaluator that takes no shortcut.

It walks the IR as it stands, evaluates every part with the definitions in `operators`, and records each step. The
evidence of a match is read from the same tree, so match, explanation and predicate cannot tell different stories;
tests hold the predicate against it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from cloudsigma import ir
from cloudsigma.engine.evaluate import fields, operators
from cloudsigma.escaping import printable

Kind = Literal["all", "any", "not", "selection", "test"]

SHOWN_VALUES = 20
"""A test that failed shows at most this many of the values that it saw."""


class Evidence(msgspec.Struct, frozen=True):
    """One value of the rule that had a part in the match."""

    selection: str
    """The name of the selection."""
    field: str | None
    """The field, `None` for keywords."""
    modifiers: tuple[str, ...]
    """As written."""
    pattern: str
    """The value as the rule has it."""
    values: tuple[Any, ...]
    """The values of the record that met it; where `negated`, those that were there instead (at most 20)."""
    negated: bool
    """The match needed this not to be met (`not`, `neq`)."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "selection": self.selection,
            "field": self.field,
            "modifiers": list(self.modifiers),
            "pattern": self.pattern,
            "values": list(self.values),
            "negated": self.negated,
        }


class Outcome(msgspec.Struct, frozen=True):
    """What one value of a rule met in the record."""

    pattern: str
    matched: bool
    values: tuple[Any, ...]
    """The values that met it."""


class Step(msgspec.Struct, frozen=True):
    """One node of an explanation."""

    kind: Kind
    label: str
    matched: bool
    steps: tuple[Step, ...] = ()
    field: str | None = None
    modifiers: tuple[str, ...] = ()
    all_of: bool = False
    negated: bool = False
    outcomes: tuple[Outcome, ...] = ()
    """Of a test: one for each value of the rule."""
    seen: tuple[Any, ...] = ()
    """Of a test: the values of the field (of keywords: none, they look at all)."""
    line: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The node and all below it, for JSON."""
        node: dict[str, Any] = {"kind": self.kind, "label": self.label, "matched": self.matched, "line": self.line}
        if self.kind == "test":
            node |= {
                "field": self.field,
                "modifiers": list(self.modifiers),
                "negated": self.negated,
                "seen": list(self.seen),
                "patterns": [
                    {"pattern": outcome.pattern, "matched": outcome.matched, "values": list(outcome.values)}
                    for outcome in self.outcomes
                ],
            }
        else:
            node["steps"] = [step.to_dict() for step in self.steps]
        return node


class Explanation(msgspec.Struct, frozen=True):
    """Why one rule matched one record, or why not."""

    rule_id: str
    title: str
    matched: bool
    """Whether the rule matches; never where its log source does not cover the records."""
    applies: bool
    """Whether the rule's log source covers what the records are declared to be."""
    tree: Step

    def to_dict(self) -> dict[str, Any]:
        """The explanation as plain values, for JSON."""
        return {
            "rule_id": self.rule_id,
            "title": self.title,
            "matched": self.matched,
            "applies": self.applies,
            "tree": self.tree.to_dict(),
        }

    def __str__(self) -> str:
        verdict = "matches" if self.matched else "does not match"
        lines = [printable(f"{self.title} ({self.rule_id}) {verdict}")]
        if not self.applies:
            lines.append("  the rule is for another log source than the records are declared to be")
        lines += _drawn(self.tree, 1)
        return "\n".join(lines)


# --- evaluating ---------------------------------------------------------------------------------------------


def explain(rule: ir.DetectionRule, record: Mapping[str, Any]) -> Step:
    """Evaluate every part of a rule on a record."""
    selections = {selection.name: selection for selection in rule.selections}
    steps = tuple(_expression(condition.expression, selections, record) for condition in rule.conditions)
    if len(steps) == 1:
        return steps[0]
    return Step("any", "any of the conditions", any(step.matched for step in steps), steps)


def _expression(expression: ir.Expression, selections: Mapping[str, ir.Selection], record: Mapping[str, Any]) -> Step:
    match expression:
        case ir.Identifier(name):
            selection = selections[name]
            inner = _body(selection.body, record)
            return Step("selection", name, inner.matched, (inner,), line=selection.line)
        case ir.Quantified(all_of, pattern, names):
            steps = tuple(_expression(ir.Identifier(name), selections, record) for name in names)
            return _combined(steps, all_of=all_of, label=f"{'all' if all_of else '1'} of {pattern}")
        case ir.And(operands):
            steps = tuple(_expression(operand, selections, record) for operand in operands)
            return _combined(steps, all_of=True, label="and")
        case ir.Or(operands):
            steps = tuple(_expression(operand, selections, record) for operand in operands)
            return _combined(steps, all_of=False, label="or")
        case ir.Not(operand):
            inner = _expression(operand, selections, record)
            return Step("not", "not", not inner.matched, (inner,))


def _body(body: ir.Group | ir.Test, record: Mapping[str, Any]) -> Step:
    if isinstance(body, ir.Test):
        return judge_test(body, record)
    steps = tuple(_body(member, record) for member in body.members)
    return _combined(steps, all_of=body.all_of, label="all of" if body.all_of else "any of")


def _combined(steps: tuple[Step, ...], *, all_of: bool, label: str) -> Step:
    verdicts = [step.matched for step in steps]
    return Step("all" if all_of else "any", label, all(verdicts) if all_of else any(verdicts), steps)


def judge_test(test: ir.Test, record: Mapping[str, Any]) -> Step:
    """Evaluate one test on a record."""
    values = tuple(fields.values(record, test.field))
    outcomes = tuple(
        Outcome(
            written,
            operators.field_matches(matcher, record, test.field),
            tuple(value for value in values if _meets(matcher, value, record)),
        )
        for matcher, written in zip(test.matchers, test.written, strict=True)
    )
    verdicts = [outcome.matched for outcome in outcomes]
    met = all(verdicts) if test.all_of else any(verdicts)
    return Step(
        "test",
        "|".join((test.field or "", *test.modifiers)) or "keywords",
        met is not test.negated,
        field=test.field,
        modifiers=test.modifiers,
        all_of=test.all_of,
        negated=test.negated,
        outcomes=outcomes,
        seen=values[:SHOWN_VALUES] if test.field is not None else (),
        line=test.line,
    )


def _meets(matcher: ir.Matcher, value: Any, record: Mapping[str, Any]) -> bool:
    match matcher:
        case ir.Null():
            return value is None
        case ir.Exists(wanted):
            return wanted
        case ir.FieldRef(other, comparison, cased):
            return any(operators.agree(value, their, comparison, cased=cased) for their in fields.values(record, other))
        case _:
            return operators.matches(matcher, value)


# --- evidence -----------------------------------------------------------------------------------------------


def evidence(tree: Step) -> tuple[Evidence, ...]:
    """What made a rule match, from the explanation of the match."""
    found: list[Evidence] = []
    for item in _supporting(tree, "", wanted=True):
        if item not in found:  # a selection that stands twice in the condition
            found.append(item)
    return tuple(found)


def _supporting(step: Step, selection: str, *, wanted: bool) -> Iterator[Evidence]:
    """The evidence that a step came out as `wanted`; `wanted` false is asked below a `not`."""
    match step.kind:
        case "test":
            yield from evidence_of_test(step, selection, wanted=wanted)
        case "not":
            yield from _supporting(step.steps[0], selection, wanted=not wanted)
        case "selection":
            yield from _supporting(step.steps[0], step.label, wanted=wanted)
        case _:
            for child in step.steps:
                if child.matched is wanted:
                    yield from _supporting(child, selection, wanted=wanted)


def evidence_of_test(step: Step, selection: str, *, wanted: bool) -> Iterator[Evidence]:
    """The evidence that a test came out as `wanted`."""
    needed = wanted is not step.negated  # whether the values of the rule had to be met
    for outcome in step.outcomes:
        if outcome.matched is needed:
            values = outcome.values if needed else step.seen
            yield Evidence(selection, step.field, step.modifiers, outcome.pattern, values, negated=not needed)


# --- drawing ------------------------------------------------------------------------------------------------


def _drawn(step: Step, depth: int) -> Iterator[str]:
    mark = "✓" if step.matched else "✗"
    indent = "  " * depth
    where = f"  (line {step.line})" if step.line is not None else ""
    if step.kind != "test":
        yield f"{indent}{mark} {printable(step.label)}{where}"
        for child in step.steps:
            yield from _drawn(child, depth + 1)
        return
    patterns = [outcome.pattern for outcome in step.outcomes]
    wanted = patterns[0] if len(patterns) == 1 else f"{'all' if step.all_of else 'any'} of {_listed(patterns)}"
    saw = "" if step.field is None else f"; the record has {_listed(step.seen) if step.seen else 'no value'}"
    if met := [value for outcome in step.outcomes if outcome.matched for value in outcome.values]:
        saw = f"; met by {_listed(met)}"
    yield f"{indent}{mark} " + printable(f"{step.label}: {wanted}{saw}") + where


def _listed(values: Any) -> str:
    shown = [_shown(value) for value in values[:SHOWN_VALUES]]
    return ", ".join(shown) + (", …" if len(values) > SHOWN_VALUES else "")


def _shown(value: Any) -> str:
    """A value as JSON writes it (no control characters), cut where it is long."""
    try:
        written = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        written = repr(type(value))
    return written if len(written) <= 200 else f"{written[:199]}…"

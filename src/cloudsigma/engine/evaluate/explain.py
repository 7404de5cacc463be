"""Why a rule matched a record, or why not: the plain, slow evaluator, which judges all others.

It walks the IR as it stands, evaluates every part with the definitions in `operators`, and records each step. The
evidence of a match is read from the same tree, and tests compare generated predicates with it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from cloudsigma import ir
from cloudsigma.engine.evaluate import excerpt, fields, operators
from cloudsigma.engine.evaluate.spellings import spelled_otherwise
from cloudsigma.escaping import printable
from cloudsigma.ir.walk import Joint, Leaf, Node, fold

Kind = Literal["all", "any", "not", "selection", "test"]

SHOWN_VALUES = 20
"""A test that failed shows at most this many of the values that it saw."""


class Evidence(msgspec.Struct, frozen=True):
    """One value of the rule that had a part in the match.

    A match has at most 500 items, 100 for one field of a selection, and 262,144 characters in their values. Where items
    are left out, a last one without a selection says how many: its pattern is `9,900 more`.
    """

    selection: str
    """The name of the selection."""
    field: str | None
    """The field, `None` for keywords."""
    modifiers: tuple[str, ...]
    """As written."""
    pattern: str
    """The value as the rule has it; of a last item, how many are left out."""
    values: tuple[Any, ...]
    """The values of the record that met it (at most 100); if `negated`, the values found instead (at most 20).

    Of a text of more than 4,096 characters, its beginning and end.
    """
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
    """The result of one value of a rule: the record's values that met it."""

    pattern: str
    matched: bool
    values: tuple[Any, ...]
    """The values that met it (at most 100)."""
    theirs: tuple[Any, ...] | None = None
    """Of `fieldref`: the values of the other field (at most 20)."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        shown = {"pattern": self.pattern, "matched": self.matched, "values": list(self.values)}
        return shown if self.theirs is None else {**shown, "other_field": list(self.theirs)}


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
    """Of a test: the values of the field; empty for keywords, which search the whole record."""
    line: int | None = None
    path: str | None = None
    """Of a selection that a Sigma filter has added: the filter's file, in which the lines below are."""

    def to_dict(self) -> dict[str, Any]:
        """The node and all below it, for JSON."""
        node: dict[str, Any] = {"kind": self.kind, "label": self.label, "matched": self.matched, "line": self.line}
        if self.kind == "test":
            node |= {
                "field": self.field,
                "modifiers": list(self.modifiers),
                "negated": self.negated,
                "seen": list(self.seen),
                "patterns": [outcome.to_dict() for outcome in _first(self.outcomes)],
            }
            if len(self.outcomes) > excerpt.MOST_PATTERNS:
                node["patterns_left_out"] = len(self.outcomes) - excerpt.MOST_PATTERNS
        else:
            if self.path is not None:
                node["path"] = self.path
            node["steps"] = [step.to_dict() for step in self.steps]
        return node


def _first(outcomes: tuple[Outcome, ...]) -> list[Outcome]:
    """The outcomes that are shown, in their order: of many, first those that matched."""
    if len(outcomes) <= excerpt.MOST_PATTERNS:
        return list(outcomes)
    chosen = sorted(range(len(outcomes)), key=lambda at: not outcomes[at].matched)[: excerpt.MOST_PATTERNS]
    return [outcomes[at] for at in sorted(chosen)]


class Explanation(msgspec.Struct, frozen=True):
    """Why one rule matched one record, or why not."""

    rule_id: str
    title: str
    matched: bool
    """Whether the rule matches; never where its log source does not cover the records."""
    applies: bool
    """Whether the rule's log source covers the declared log source of the records."""
    tree: Step
    spellings: dict[str, str] = {}
    """Fields that differ from the record's only in letter case: the rule's name → the record's."""

    def to_dict(self) -> dict[str, Any]:
        """The explanation as plain values, for JSON."""
        return {
            "rule_id": self.rule_id,
            "title": self.title,
            "matched": self.matched,
            "applies": self.applies,
            "spellings": self.spellings,
            "tree": self.tree.to_dict(),
        }

    def __str__(self) -> str:
        verdict = "matches" if self.matched else "does not match"
        lines = [printable(f"{self.title} ({self.rule_id}) {verdict}")]
        if not self.applies:
            lines.append("  the rule is for another log source than the records are declared to be")
        lines += _drawn(self.tree, self.spellings)
        return "\n".join(lines)


def spellings_in(tree: Step, record: Mapping[str, Any]) -> dict[str, str]:
    """For each field without a value: the record's name that differs only in letter case, if any."""
    found: dict[str, str] = {}
    waiting = [tree]
    while waiting:
        step = waiting.pop()
        waiting += step.steps
        unseen = [step.field] if step.field is not None and not step.seen else []
        unseen += [outcome.pattern for outcome in step.outcomes if outcome.theirs == ()]
        for name in unseen:
            if name is not None and name not in found and (other := spelled_otherwise(record, name)) is not None:
                found[name] = other
    return found


# --- evaluating ---------------------------------------------------------------------------------------------


Evaluate = Callable[[ir.Test, Mapping[str, Any]], Step]
"""Evaluates one test on a record."""


def explain(rule: ir.DetectionRule, record: Mapping[str, Any], evaluate: Evaluate | None = None) -> Step:
    """Evaluate every part of a rule on a record; `evaluate` is a faster `evaluate_test` with the same results."""
    evaluate = evaluate or evaluate_test
    selections = {selection.name: selection for selection in rule.selections}
    evaluated: dict[str, Step] = {}

    def leaf(part: Leaf, _: bool) -> Step:  # noqa: FBT001  # the form that `fold` asks for
        if isinstance(part, ir.Test):
            return evaluate(part, record)
        step = evaluated.get(part.name)
        if step is None:
            selection = selections[part.name]
            inner = steps_of(selection.body)
            step = Step("selection", part.name, inner.matched, (inner,), line=selection.line, path=selection.path)
            evaluated[part.name] = step
        return step

    def steps_of(node: Node) -> Step:
        return fold(node, leaf, _combined, _negated)

    steps = tuple([steps_of(condition.expression) for condition in rule.conditions])
    if len(steps) == 1:
        return steps[0]
    return Step("any", "any of the conditions", any(step.matched for step in steps), steps)


def _negated(step: Step) -> Step:
    return Step("not", "not", not step.matched, (step,))


def _combined(steps: list[Step], all_of: bool, joint: Joint) -> Step:  # noqa: FBT001  # the form that `fold` asks for
    verdicts = [step.matched for step in steps]
    matched = all(verdicts) if all_of else any(verdicts)
    return Step("all" if all_of else "any", _label(joint), matched, tuple(steps))


def _label(joint: Joint) -> str:
    match joint:
        case ir.Quantified(all_of, pattern):
            return f"{'all' if all_of else '1'} of {pattern}"
        case ir.Group(_, all_of):
            return "all of" if all_of else "any of"
        case ir.And():
            return "and"
        case ir.Or():
            return "or"


def evaluate_test(test: ir.Test, record: Mapping[str, Any]) -> Step:
    """Evaluate one test on a record."""
    values = tuple(fields.values(record, test.field))
    subjects = [operators.Subject(value) for value in values]
    shown = [excerpt.cut(value) for value in values]
    outcomes = tuple(
        [
            Outcome(written, *_outcome(matcher, subjects, shown, record, test.field))
            for matcher, written in zip(test.matchers, test.written, strict=True)
        ]
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
        seen=tuple(shown[:SHOWN_VALUES]) if test.field is not None else (),
        line=test.line,
    )


def _outcome(
    matcher: ir.Matcher,
    subjects: Sequence[operators.Subject],
    shown: Sequence[Any],
    record: Mapping[str, Any],
    field: str | None,
) -> tuple[bool, tuple[Any, ...], tuple[Any, ...] | None]:
    """Whether a field passes one value of a rule, the values that meet it, and those of a field that it refers to.

    `shown` has what is shown of each subject.
    """
    match matcher:
        case ir.Null():
            matched = operators.field_matches(matcher, record, field)
            return matched, tuple([each.value for each in subjects if each.value is None][: excerpt.MOST_VALUES]), None
        case ir.Exists(wanted):
            matched = operators.field_matches(matcher, record, field)
            return matched, tuple(shown[: excerpt.MOST_VALUES]) if wanted else (), None
        case ir.FieldRef(other, comparison, cased):
            theirs = fields.values(record, other)
            values = [each.value for each in subjects]
            given = list(operators.agreeing(values, theirs, comparison, cased=cased))
            return bool(given), excerpt.first(given, excerpt.MOST_VALUES), excerpt.first(theirs, SHOWN_VALUES)
        case _:
            met = [value for each, value in zip(subjects, shown, strict=True) if operators.meets(each, matcher)]
            return bool(met), tuple(met[: excerpt.MOST_VALUES]), None


# --- evidence -----------------------------------------------------------------------------------------------


def evidence(tree: Step) -> tuple[Evidence, ...]:
    """The evidence of a match, from its explanation; bounded as `Evidence` says."""
    shown: list[Evidence] = []
    of_one: Counter[tuple[str, str | None, tuple[str, ...]]] = Counter()
    size = left_out = 0
    for item in _distinct(_supporting(tree)):
        test, more = (item.selection, item.field, item.modifiers), excerpt.characters(item.values)
        of_one[test] += 1
        if (
            of_one[test] > excerpt.MOST_PATTERNS
            or len(shown) >= excerpt.MOST_EVIDENCE
            or (shown and size + more > excerpt.MOST_CHARACTERS)
        ):
            left_out += 1
        else:
            shown.append(item)
            size += more
    if left_out:
        shown.append(Evidence("", None, (), f"{left_out:,} more", (), negated=False))
    return tuple(shown)


def _supporting(root: Step) -> Iterator[Evidence]:
    """The evidence for a verdict, in the order of the rule.

    A step contributes if it has the wanted verdict; a `not` wants the opposite of its part.
    """
    waiting = [(root, "", True)]
    while waiting:
        step, selection, wanted = waiting.pop()
        match step.kind:
            case "test":
                yield from _evidence_of_test(step, selection, wanted=wanted)
            case "not":
                waiting.append((step.steps[0], selection, not wanted))
            case "selection":
                waiting.append((step.steps[0], step.label, wanted))
            case _:
                waiting.extend((child, selection, wanted) for child in reversed(step.steps) if child.matched is wanted)


def _evidence_of_test(step: Step, selection: str, *, wanted: bool) -> Iterator[Evidence]:
    """The evidence that a test has the `wanted` verdict."""
    needed = wanted is not step.negated  # whether the values of the rule had to be met
    for outcome in step.outcomes:
        if outcome.matched is needed:
            values = outcome.values if needed else step.seen
            yield Evidence(selection, step.field, step.modifiers, outcome.pattern, values, negated=not needed)


def _distinct(found: Iterable[Evidence]) -> Iterator[Evidence]:
    """Without repetitions: a condition may name a selection twice."""
    seen: set[Evidence] = set()
    unhashable: list[Evidence] = []  # with a value that JSON does not have
    for item in found:
        try:
            if item not in seen:
                seen.add(item)
                yield item
        except TypeError:
            if item not in unhashable:
                unhashable.append(item)
                yield item


# --- drawing ------------------------------------------------------------------------------------------------


def _drawn(root: Step, spellings: Mapping[str, str]) -> Iterator[str]:
    waiting: list[tuple[Step, int, str | None]] = [(root, 1, None)]
    while waiting:
        step, depth, path = waiting.pop()
        path = path or step.path
        mark = "✓" if step.matched else "✗"
        where = "" if step.line is None else f"  ({f'{printable(path)}:' if path else 'line '}{step.line})"
        said = step.label if step.kind != "test" else f"{step.label}: {_wanted(step, spellings)}{_saw(step, spellings)}"
        yield f"{'  ' * depth}{mark} {printable(said)}{where}"
        waiting.extend((child, depth + 1, path) for child in reversed(step.steps))


def _wanted(step: Step, spellings: Mapping[str, str]) -> str:
    if len(step.outcomes) == 1 and (theirs := step.outcomes[0].theirs) is not None:
        name = step.outcomes[0].pattern
        return f"{name}, which has {_listed(theirs) if theirs else _nothing(name, spellings)}"
    patterns = [outcome.pattern for outcome in step.outcomes]
    return patterns[0] if len(patterns) == 1 else f"{'all' if step.all_of else 'any'} of {_listed(patterns)}"


def _nothing(name: str, spellings: Mapping[str, str]) -> str:
    return f"no value, but {spellings[name]} is there" if name in spellings else "no value"


def _saw(step: Step, spellings: Mapping[str, str]) -> str:
    if met := [value for outcome in step.outcomes if outcome.matched for value in outcome.values]:
        return f"; met by {_listed(met)}"
    if step.field is None:
        return ""
    return f"; the record has {_listed(step.seen) if step.seen else _nothing(step.field, spellings)}"


def _listed(values: Any) -> str:
    shown = [_shown(value) for value in values[:SHOWN_VALUES]]
    return ", ".join(shown) + (", …" if len(values) > SHOWN_VALUES else "")


def _shown(value: Any) -> str:
    """A value as JSON (no control characters), truncated if long."""
    try:
        written = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        written = repr(type(value))
    return written if len(written) <= 200 else f"{written[:199]}…"

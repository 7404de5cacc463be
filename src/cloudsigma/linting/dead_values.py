"""Checks of values without effect: excluded by the rest of the rule, covered by another, or in an idle filter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudsigma import ir
from cloudsigma.catalogue import Catalogue
from cloudsigma.catalogue.record_fields import SCALARS
from cloudsigma.compiler.document import Place
from cloudsigma.compiler.doubts.contradictions import conflict_of, covers, literal_text, may_pass
from cloudsigma.compiler.remedies import quoted
from cloudsigma.engine.evaluate.operators import fold as folded
from cloudsigma.ir.walk import all_tests, without_filters
from cloudsigma.linting.conjunctions import Conjunction, place_of
from cloudsigma.linting.notes import Note, RuleDocument
from cloudsigma.linting.pairs import is_possible, possible_sources

_MOST_VALUES = 200
"""Most values of a test that are compared with each other."""
_MOST_CHECKS = 200_000
"""Most comparisons of a value with the other tests of its field."""


def dead_value_notes(
    document: RuleDocument, rule: ir.DetectionRule, found: Sequence[Conjunction], catalogue: Catalogue
) -> Iterator[Note]:
    """The notes about values and filters that change nothing. `found`: the rule's conjunctions."""
    yield from _excluded(document, found)
    yield from _idle_sources(document, found, catalogue)
    yield from _covered(document, rule)
    yield from _idle_filters(document, rule, found, catalogue)


# --- values that cannot hold beside the rest ----------------------------------------------------------------


def _excluded(document: RuleDocument, found: Sequence[Conjunction]) -> Iterator[Note]:
    """Values of a field with one value that other tests of the field exclude in all conjunctions."""
    alive: dict[tuple[int, int], bool] = {}
    lists: dict[int, tuple[ir.Test, ir.Test | None]] = {}
    left = _MOST_CHECKS
    for conjunction in found:
        for test, wanted in conjunction:
            if not wanted or test.field not in SCALARS or len(test.matchers) < 2 or test.all_of or test.negated:
                continue
            others = [each for each in conjunction if each[0].field == test.field and each[0] is not test]
            left -= len(test.matchers) * max(1, len(others))
            if left < 0:
                return
            for at, matcher in enumerate(test.matchers):
                text = literal_text(matcher)
                key = (id(test), at)
                by = next((other for other, asked in others if _excludes(other, asked, text)), None)
                alive[key] = alive.get(key, False) or by is None
                if by is not None or id(test) not in lists:
                    lists[id(test)] = (test, by)
    for test, by in lists.values():
        states = [alive[id(test), at] for at in range(len(test.matchers))]
        if by is None or not any(states):  # the compiler tells a test that never passes
            continue
        for at, state in enumerate(states):
            if not state:
                where = f" in line {by.line}" if by.line else ""
                yield Note("dead-value", place_of(document, test, at),
                           f"{quoted(test.written[at])} never matches: another test of {test.field}{where} excludes it",
                           "Remove it, or correct the other test.")  # fmt: skip


def _excludes(other: ir.Test, asked: bool, text: str | None) -> bool:  # noqa: FBT001  # as a `Literal` holds it
    return text is not None and not may_pass(other, folded(text), wanted=asked is not other.negated)


def _has_one(source: str, names: ir.Test, catalogue: Catalogue) -> bool:
    """Whether a source has an event of the names."""
    return any(is_possible(name, (source,), catalogue) for name in names.matchers)


def _idle_sources(document: RuleDocument, found: Sequence[Conjunction], catalogue: Catalogue) -> Iterator[Note]:
    """Sources in a list that have none of the events that the rule names."""
    alive: dict[tuple[int, int], bool] = {}
    lists: dict[int, ir.Test] = {}
    for conjunction in found:
        names = [test for test, wanted in conjunction if test.field == "eventName" and wanted and not test.all_of]
        for test, wanted in conjunction:
            if not wanted or test.field != "eventSource" or len(test.matchers) < 2 or test.all_of:
                continue
            lists[id(test)] = test
            for at, matcher in enumerate(test.matchers[:_MOST_VALUES]):
                source = literal_text(matcher)
                known = source is not None and catalogue.has_source(source)
                alive[id(test), at] = (
                    alive.get((id(test), at), False)
                    or not known
                    or source is None
                    or all(_has_one(source.lower(), each, catalogue) for each in names)
                )
    for key, test in lists.items():
        states = [alive.get((key, at), True) for at in range(len(test.matchers))]
        for at, state in enumerate(states):
            if not state and any(states):
                yield Note("dead-value", place_of(document, test, at),
                           f"{quoted(test.written[at])} has none of the rule's events (catalogue of {catalogue.made})",
                           "Remove it, or add its events.")  # fmt: skip


# --- values that another one covers -------------------------------------------------------------------------


def _covered(document: RuleDocument, rule: ir.DetectionRule) -> Iterator[Note]:
    for test in all_tests(without_filters(rule)):
        if test.all_of or not 2 <= len(test.matchers) <= _MOST_VALUES or len(test.written) != len(test.matchers):
            continue
        for at, matcher in enumerate(test.matchers):
            if not isinstance(matcher, ir.Pattern):
                continue
            wide = next(
                (
                    other
                    for other, each in enumerate(test.matchers)
                    if other != at and covers(each, matcher) and not (other > at and covers(matcher, each))
                ),
                None,
            )
            if wide is None:
                continue
            same = covers(matcher, test.matchers[wide])
            text, other = quoted(test.written[at]), quoted(test.written[wide])
            if same:
                why = "" if test.written[at] == test.written[wide] else f", as {other}: letter case does not count"
                yield Note("duplicate-value", place_of(document, test, at), f"{text} is in the list twice{why}",
                           "Remove one.")  # fmt: skip
            else:
                yield Note("shadowed-value", place_of(document, test, at), f"{text} is one of {other} in the list",
                           "Remove one of the two.")  # fmt: skip


# --- filters that take nothing away -------------------------------------------------------------------------


def _idle_filters(
    document: RuleDocument, rule: ir.DetectionRule, found: Sequence[Conjunction], catalogue: Catalogue
) -> Iterator[Note]:
    """Selections beneath a `not` that exclude what the other parts ask for, and values there that no event has."""
    rule = without_filters(rule)
    bodies = {selection.name: selection.body for selection in rule.selections}
    told = set()
    for condition in rule.conditions:
        if not isinstance(condition.expression, ir.And):
            continue
        negated = [each for each in condition.expression.operands if isinstance(each, ir.Not)]
        asked = tuple(each for each in condition.expression.operands if not isinstance(each, ir.Not))
        if not asked or conflict_of(ir.And(asked), bodies, aws=True):
            continue
        for each in negated:
            names = each.operand.names if isinstance(each.operand, ir.Quantified) else ()
            if isinstance(each.operand, ir.Identifier):
                names = (each.operand.name,)
            if isinstance(each.operand, ir.Quantified) and each.operand.all_of:
                continue
            for name in names:
                identifier = ir.Identifier(name)
                if conflict_of(identifier, bodies, aws=True) or name in told:
                    continue
                if conflict := conflict_of(ir.And((*asked, identifier)), bodies, aws=True):
                    told.add(name)
                    yield _idle(document, name, f"{conflict.second.field} is never both")
    yield from _unknown_in_filters(document, found, catalogue)


def _idle(document: RuleDocument, name: str, why: str) -> Note:
    place = document.document.place(("detection", name))
    reason = f"{quoted(name)} and the rest exclude each other: it takes no match away"
    return Note("filter-without-effect", place, reason, f"Remove or correct it: {why}.")


def _unknown_in_filters(document: RuleDocument, found: Sequence[Conjunction], catalogue: Catalogue) -> Iterator[Note]:
    """Event names beneath a `not` that none of the rule's sources has."""
    alive: dict[tuple[int, int], bool] = {}
    tests: dict[int, ir.Test] = {}
    for conjunction in found:
        sources = possible_sources(conjunction, catalogue)
        for test, wanted in conjunction:
            if wanted or test.field != "eventName":
                continue
            tests[id(test)] = test
            for at, matcher in enumerate(test.matchers):
                if literal_text(matcher) is None or alive.get((id(test), at)):
                    alive[id(test), at] = True
                else:
                    alive[id(test), at] = is_possible(matcher, sources, catalogue)
    for key, test in tests.items():
        for at in range(len(test.matchers)):
            if not alive.get((key, at), True) and at < len(test.written):
                near = catalogue.nearest_event(test.written[at])
                place: Place = place_of(document, test, at)
                yield Note("filter-without-effect", place,
                           f"{quoted(test.written[at])} takes no match away: the rule's sources have no such event "
                           f"(catalogue of {catalogue.made})",
                           f"Did you mean {near.name}?" if near and near.name.lower() != test.written[at].lower()
                           else "Remove or correct it.")  # fmt: skip

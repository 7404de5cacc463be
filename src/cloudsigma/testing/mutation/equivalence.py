"""Prove that two rules mean the same. The proofs are cheap and sound, but not complete.

`canonical` normalizes a rule: letter case where it does not count, order and repetition of alternatives, alternatives
that another one covers, parentheses and quantifiers. `same_verdicts` tries every combination of outcomes that the tests
of two rules can have.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.evaluate import operators
from cloudsigma.ir.walk import Joint, Leaf, fold

_MOST_TESTS = 14
"""All combinations of outcomes are tried for at most this many different tests."""

Form = tuple[Any, ...]
"""`("test", field, matcher)`, `("not", form)`, `("all", frozenset of forms)` or `("any", frozenset of forms)`."""


def canonical(rule: ir.DetectionRule) -> Form:
    """The normal form of a rule. Two rules with equal forms match the same records."""
    bodies = {selection.name: selection.body for selection in rule.selections}
    selections: dict[str, Form] = {}

    def leaf(each: Leaf, _: bool) -> Form:  # noqa: FBT001  # called by `fold`
        if isinstance(each, ir.Test):
            return _test(each)
        if each.name not in selections:
            selections[each.name] = fold(bodies[each.name], leaf, join, _negated)
        return selections[each.name]

    def join(forms: list[Form], all_of: bool, _: Joint) -> Form:  # noqa: FBT001
        return _joined("all" if all_of else "any", forms)

    return _joined("any", [fold(each.expression, leaf, join, _negated) for each in rule.conditions])


@lru_cache(maxsize=8192)
def _test(test: ir.Test) -> Form:
    """The normal form of a test; cached, since a mutant shares most tests with the rule."""
    made = [_matcher(test.field, matcher) for matcher in test.matchers]
    form = _joined("all" if test.all_of else "any", made)
    return _negated(form) if test.negated else form


def _negated(form: Form) -> Form:
    return form[1] if form[0] == "not" else ("not", form)


def _joined(kind: str, forms: Sequence[Form]) -> Form:
    flat: set[Form] = set()
    for form in forms:
        if form[0] == kind:
            flat |= form[1]
        else:
            flat.add(form)
    kept = frozenset(flat - set(_needless(kind, flat)))
    return next(iter(kept)) if len(kept) == 1 else (kind, kept)


def _needless(kind: str, forms: set[Form]) -> Iterator[Form]:
    """The tests that another test on the same field makes superfluous."""
    by_field: dict[str | None, list[tuple[Form, str, str]]] = {}
    for form in forms:
        if form[0] == "test":
            by_field.setdefault(form[1], []).append((form, *_literals(form[2])))
    for tests in by_field.values():
        for form, longest, whole in tests:
            for other, other_longest, other_whole in tests:
                # A quick necessary condition: the narrow pattern contains the longest text of the wide one.
                near = other_longest in whole if kind == "any" else longest in other_whole
                if near and _superfluous(kind, form, other):
                    yield form
                    break


def _literals(matcher: ir.Matcher) -> tuple[str, str]:
    """The longest text of a pattern, and all its texts, case-folded."""
    if not isinstance(matcher, ir.Pattern):
        return "", ""
    parts = [operators.fold(part) for part in matcher.parts if isinstance(part, str)]
    return max(parts, key=len, default=""), "\n".join(parts)


def _superfluous(kind: str, form: Form, other: Form) -> bool:
    """Whether a test next to another makes no difference: it is wider (`all`) or narrower (`any`)."""
    if form == other or form[0] != "test" or other[0] != "test" or form[1] != other[1]:
        return False
    narrow, wide = (other[2], form[2]) if kind == "all" else (form[2], other[2])
    if not covers(wide, narrow):
        return False
    return not covers(narrow, wide) or repr(other[2]) < repr(form[2])  # of two equivalent tests, one is kept


# --- single values ------------------------------------------------------------------------------------------


def _matcher(field: str | None, matcher: ir.Matcher) -> Form:
    match matcher:
        case ir.OneOf(variants):
            return _joined("any", [_matcher(field, variant) for variant in variants])
        case ir.Pattern():
            return ("test", field, _pattern(matcher))
        case ir.Exists(True):
            return ("not", ("test", field, ir.Exists(value=False)))
        case ir.FieldRef(other, comparison, cased):
            return ("test", field, ir.FieldRef(other, comparison, cased=cased))
        case _:
            return ("test", field, matcher)


def _pattern(pattern: ir.Pattern) -> ir.Pattern:
    """The pattern with each run of wildcards in one order, and not `cased` if it has no letters."""
    parts: list[str | ir.Wildcard] = []
    run: list[ir.Wildcard] = []
    for part in (*pattern.parts, ""):
        if isinstance(part, ir.Wildcard):
            run.append(part)
            continue
        parts += sorted(set(run) & {ir.Wildcard.MANY}, key=repr) if not run.count(ir.Wildcard.ONE) else []
        if ones := run.count(ir.Wildcard.ONE):
            parts += [ir.Wildcard.ONE] * ones + [ir.Wildcard.MANY] * (ir.Wildcard.MANY in run)
        run = []
        if part:
            parts.append(part)
    cased = pattern.cased and not all(
        has_no_case(character) for part in parts if isinstance(part, str) for character in part
    )
    if not cased:
        parts = [part if isinstance(part, ir.Wildcard) else operators.fold(part) for part in parts]
    return ir.Pattern(tuple(parts), cased=cased)


@lru_cache(maxsize=4096)
def has_no_case(character: str) -> bool:
    """Whether no other character has the same case folding."""
    return character.isascii() and not character.isalpha()


def covers(wide: ir.Matcher, narrow: ir.Matcher) -> bool:
    """Whether every value that matches `narrow` is known to match `wide` as well."""
    if wide == narrow:
        return True
    match wide, narrow:
        case ir.Pattern(), ir.Pattern():
            return (not wide.cased or narrow.cased) and _pattern_covers(wide, narrow)
        case ir.Cidr(outer), ir.Cidr(inner):
            one, other = ipaddress.ip_network(outer), ipaddress.ip_network(inner)
            return one.version == other.version and other.subnet_of(one)  # type: ignore[arg-type]  # one version
        case ir.Compare(operator, limit), ir.Number(value):
            return operators.compare(value, operator, limit)
        case ir.Compare(), ir.Compare():
            return _order_covers(wide, narrow)
    return False


def _pattern_covers(wide: ir.Pattern, narrow: ir.Pattern) -> bool:
    """Match the wide pattern against the narrow one, whose `*` only a `*` can match."""
    subject = list(_symbols(narrow, cased=wide.cased))
    wanted = list(_symbols(wide, cased=wide.cased))
    at, seen, star, resume = 0, 0, -1, 0
    while seen < len(subject):
        one = at < len(wanted) and (
            wanted[at] == subject[seen] or (wanted[at] is ir.Wildcard.ONE and subject[seen] is not ir.Wildcard.MANY)
        )
        if at < len(wanted) and wanted[at] is ir.Wildcard.MANY:
            star, resume = at, seen
            at += 1
        elif one:
            at, seen = at + 1, seen + 1
        elif star >= 0:
            resume += 1
            at, seen = star + 1, resume
        else:
            return False
    return all(part is ir.Wildcard.MANY for part in wanted[at:])


def _symbols(pattern: ir.Pattern, *, cased: bool) -> Iterator[str | ir.Wildcard]:
    for part in pattern.parts:
        if isinstance(part, ir.Wildcard):
            yield part
        else:
            yield from part if cased else operators.fold(part)


def _order_covers(wide: ir.Compare, narrow: ir.Compare) -> bool:
    if wide.operator[0] != narrow.operator[0]:
        return False
    if wide.value == narrow.value:
        return wide.operator.endswith("e") or not narrow.operator.endswith("e")
    return narrow.value < wide.value if wide.operator[0] == "l" else narrow.value > wide.value


# --- all combinations of outcomes ---------------------------------------------------------------------------


def same_verdicts(one: Form, other: Form) -> int | None:
    """The number of tests, if the two have the same verdict for every combination of outcomes; otherwise `None`.

    Impossible combinations are skipped: a value that matches a narrow test but not a wider one, a field that is null or
    absent and has a value. With too many tests the result is `None`, too.
    """
    tests = sorted({*_tests(one), *_tests(other)}, key=repr)
    if len(tests) > _MOST_TESTS:
        return None
    positions = {test: position for position, test in enumerate(tests)}
    rules = list(_implications(tests))
    for outcomes in range(1 << len(tests)):
        if any(outcomes & yes == yes and outcomes & no != want for yes, no, want in rules):
            continue
        if _holds(one, positions, outcomes) is not _holds(other, positions, outcomes):
            return None
    return len(tests)


def _tests(form: Form) -> Iterator[Form]:
    if form[0] == "test":
        yield form
    else:
        for part in (form[1],) if form[0] == "not" else form[1]:
            yield from _tests(part)


def _implications(tests: Sequence[Form]) -> Iterator[tuple[int, int, int]]:
    """Triples of bit masks: if the first bit is set, the bits of the second mask have the values of the third."""
    for one, other in combinations(range(len(tests)), 2):
        if tests[one][1] != tests[other][1]:
            continue
        for first, second in ((one, other), (other, one)):
            narrow, wide = tests[first][2], tests[second][2]
            if isinstance(narrow, ir.Exists) and isinstance(wide, ir.Null):
                yield 1 << first, 1 << second, 1 << second  # an absent field is null as well
            elif isinstance(narrow, (ir.Null, ir.Exists)):
                if not isinstance(wide, (ir.Null, ir.Exists)):
                    yield 1 << first, 1 << second, 0
            elif covers(wide, narrow):
                yield 1 << first, 1 << second, 1 << second


def _holds(form: Form, positions: dict[Form, int], outcomes: int) -> bool:
    match form[0]:
        case "test":
            return bool(outcomes >> positions[form] & 1)
        case "not":
            return not _holds(form[1], positions, outcomes)
        case "all":
            return all(_holds(part, positions, outcomes) for part in form[1])
        case _:
            return any(_holds(part, positions, outcomes) for part in form[1])

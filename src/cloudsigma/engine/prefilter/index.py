"""Selects the rules that could match a record, from a few of its fields; never too few.

Each rule implies properties that a matching record must have: one of some exact event names, a certain source, a user
agent that contains one of some texts. `build_index` derives them from the IR. It is sound by construction: a rule is
left out only if partial evaluation proves that it cannot match.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from cloudsigma import ir
from cloudsigma.engine.evaluate.codegen import generate_part
from cloudsigma.engine.evaluate.loading import Predicate, Vocabulary
from cloudsigma.engine.evaluate.operators import fold as fold_case
from cloudsigma.engine.prefilter.partial import Body, PartialEvaluator, determined_by, prefilter
from cloudsigma.ir.walk import Joint, Leaf, all_tests, fold

NAME, SOURCE = "eventName", "eventSource"
PREFILTER_FIELDS = (
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
"""Text fields that nearly every record has near its top, the most selective first."""

_IMPROBABLE = "\x00 no record says this"


@dataclass(frozen=True)
class Index:
    """The index of a rule set; rules are identified by position."""

    named: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Folded event name → rules that match only records with one of their event names."""
    unnamed: tuple[int, ...] = ()
    """Rules without required event names: they are reduced for every pair of event name and source."""
    prefilters: dict[str, tuple[tuple[int, Predicate], ...]] = field(default_factory=dict)
    """Field → unnamed rules, each with the test that this field must pass."""
    found_by: tuple[str | None, ...] = ()
    """For each rule its index field; `None`: it is evaluated on every record."""


def build_index(rules: Sequence[ir.DetectionRule], vocabulary: Vocabulary) -> Index:
    """Derive the index from the rules."""
    named: dict[str, list[int]] = {}
    unnamed: list[int] = []
    prefilters: dict[str, list[tuple[int, Predicate]]] = {}
    found_by: list[str | None] = []
    for position, rule in enumerate(rules):
        names = exact_values(rule)
        if names is not None:
            for name in names:
                named.setdefault(name, []).append(position)
            found_by.append(NAME)
            continue
        unnamed.append(position)
        index_field, test = _index_field(rule, vocabulary)
        found_by.append(index_field)
        if index_field in PREFILTER_FIELDS:
            prefilters.setdefault(index_field, []).append((position, test))
    return Index(
        {name: tuple(positions) for name, positions in named.items()},
        tuple(unnamed),
        {name: tuple(tests) for name, tests in prefilters.items()},
        tuple(found_by),
    )


def load_part(body: Body, rule: ir.DetectionRule, vocabulary: Vocabulary) -> Predicate:
    """The predicate of a part of a rule."""
    return vocabulary.load(generate_part(body), rule.metadata.path or rule.metadata.id)


def _index_field(rule: ir.DetectionRule, vocabulary: Vocabulary) -> tuple[str | None, Predicate]:
    """The most selective field of a rule, and the test that it must pass.

    The event name comes first (of `UpdateFunction*` few pairs of name and source pass) and the source last.
    """
    evaluator = PartialEvaluator(rule)
    tests = list(all_tests(rule))
    for name in (NAME, *PREFILTER_FIELDS, SOURCE):
        if not any(determined_by(test, (name,)) for test in tests):
            continue
        body = prefilter(evaluator, name)
        if not isinstance(body, bool) and _selective(test := load_part(body, rule, vocabulary), name):
            return name, test
    return None, _always


def _always(_: object) -> bool:
    return True


def _selective(test: Predicate, name: str) -> bool:
    """Whether a prefilter rejects a record with an improbable value in the field, and one without the field."""
    return not test({name: _IMPROBABLE}) and not test({})


# --- exact values -------------------------------------------------------------------------------------------

_Values = frozenset[str] | None
"""Texts (folded) of which a record must have one; `None`: the rule requires none."""


def exact_values(rule: ir.DetectionRule, name: str = NAME) -> _Values:
    """The values of a field, event names by default, of which a matching record must have one.

    `None` if the rule has no such list.
    """
    bodies = {selection.name: selection.body for selection in rule.selections}
    found: dict[tuple[str, bool], _Values] = {}

    def leaf(part: Leaf, wanted: bool) -> _Values:  # noqa: FBT001  # the form that `walk.fold` asks for
        if isinstance(part, ir.Test):
            return _of_test(part, name) if wanted is not part.negated else None
        key = (part.name, wanted)
        if key not in found:
            found[key] = fold(bodies[part.name], leaf, join, wanted=wanted)
        return found[key]

    def join(parts: list[_Values], all_of: bool, _: Joint) -> _Values:  # noqa: FBT001  # as above
        return _joined(parts, all_of=all_of)

    return _joined((fold(each.expression, leaf, join) for each in rule.conditions), all_of=False)


def _joined(parts: Iterable[_Values], *, all_of: bool) -> _Values:
    listed = list(parts)
    known = [values for values in listed if values is not None]
    if all_of:
        return min(known, key=len, default=None)
    return frozenset(chain.from_iterable(known)) if len(known) == len(listed) else None


def _of_test(test: ir.Test, name: str) -> _Values:
    if test.field != name:
        return None
    return _joined((_of_matcher(matcher) for matcher in test.matchers), all_of=test.all_of)


def _of_matcher(matcher: ir.Matcher) -> _Values:
    match matcher:
        case ir.Pattern((str() as text,)):
            return frozenset({fold_case(text)})  # where case counts, too: one of its spellings must be there
        case ir.OneOf(variants):
            return _joined(map(_of_matcher, variants), all_of=False)
        case _:
            return None

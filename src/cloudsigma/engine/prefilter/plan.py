"""How to find the rules that match records of one pair of event name and source.

The rules of a plan depend on a few values of the record; if these are short texts, the answer is cached by them,
within the budget of the matcher.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cloudsigma.engine.evaluate import fields
from cloudsigma.engine.evaluate.loading import Predicate
from cloudsigma.engine.memo import Budget, Memo
from cloudsigma.engine.prefilter.reduction import Residual

Positions = tuple[int, ...]
"""Positions of rules, rising."""
Find = Callable[[Mapping[str, Any]], Positions]
"""Returns the rules that match a record."""

_ANSWERS = 2_000
"""Most answers that one plan or prefilter caches."""
_POSITION = 32
"""Bytes of a position in an answer."""


# --- rules that the whole record decides --------------------------------------------------------------------


def find_directly(fixed: Sequence[int], left: Sequence[tuple[int, Residual]], budget: Budget) -> Find | None:
    """Rules that the pair decides, and rules with tests left to run; `None` if there are neither."""
    decided = tuple(fixed)
    if not left:
        return (lambda record: decided) if decided else None  # noqa: ARG005  # the form of `Find`
    tests = [(residual.test, position) for position, residual in left]
    if len(tests) == 1 and not decided:
        ((only, position),) = tests
        alone = (position,)
        find: Find = lambda record: alone if only(record) else ()  # noqa: E731  # one of several forms
    else:

        def find(record: Mapping[str, Any]) -> Positions:
            found = tuple([position for test, position in tests if test(record)])
            return tuple(sorted(decided + found)) if decided else found

    names = frozenset[str | None]().union(*(residual.fields for _, residual in left))
    if None in names or len(names) > 2 or any("." in name for name in names if name):
        return find
    return _remembered(find, sorted(name for name in names if name), budget)


def _remembered(find: Find, names: Sequence[str], budget: Budget) -> Find:
    """The same, cached by the values of one or two top-level fields."""
    answers = budget.memo(entries=_ANSWERS, size=_size)

    def find_and_keep(key: Any, record: Mapping[str, Any]) -> Positions:
        found = find(record)
        answers.keep(key, found)
        return found

    if len(names) == 1:
        (name,) = names

        def find_by_one(record: Mapping[str, Any]) -> Positions:
            value = record.get(name, fields.ABSENT)
            try:
                return answers[value]  # type: ignore[no-any-return]  # a memo holds answers of any type
            except (KeyError, TypeError):  # not seen yet, or a value that is no key
                return find_and_keep(value, record)

        return find_by_one
    first, second = names

    def find_by_two(record: Mapping[str, Any]) -> Positions:
        key = (record.get(first, fields.ABSENT), record.get(second, fields.ABSENT))
        try:
            return answers[key]  # type: ignore[no-any-return]  # as above
        except (KeyError, TypeError):
            return find_and_keep(key, record)

    return find_by_two


# --- rules behind a prefilter -------------------------------------------------------------------------------


class Prefilter:
    """The rules with a prefilter on one field, and which of them each value of the field selects."""

    def __init__(self, name: str, tests: Iterable[tuple[int, Predicate]], budget: Budget) -> None:
        self.name = name
        self._tests = tuple(tests)
        self.all = tuple([position for position, _ in self._tests])
        """Used if the field may have several values, or one that is not text."""
        self.passing: Memo = budget.memo(self._passing, entries=_ANSWERS, size=_size)
        """Value of the field → the rules that it selects."""

    def _passing(self, value: Any) -> Positions:
        if type(value) is not str and value is not None and value is not fields.ABSENT:
            return self.all
        # A dotted name is also read as one key: a record in its smallest form.
        record = {} if value is fields.ABSENT else {self.name: value}
        return tuple([position for position, test in self._tests if test(record)])


def find_prefiltered(find: Find | None, prefilters: Sequence[Prefilter], left: Mapping[int, bool | Residual]) -> Find:
    """The rules from `find`, and those in `left` whose prefilter and remaining tests pass."""
    asked = [(fields.reader(each.name), each) for each in prefilters]
    tests = {position: residual.test if isinstance(residual, Residual) else None for position, residual in left.items()}

    def find_behind_prefilters(record: Mapping[str, Any]) -> Positions:
        found = find(record) if find is not None else ()
        for read, prefilter in asked:
            try:
                passed = prefilter.passing[read(record)]
            except TypeError:  # a value that is no key
                passed = prefilter.all
            if passed:
                more = tuple([at for at in passed if at in tests and ((test := tests[at]) is None or test(record))])
                if more:
                    found = tuple(sorted(found + more))
        return found

    return find_behind_prefilters


def _size(found: Positions) -> int:
    return _POSITION * len(found)

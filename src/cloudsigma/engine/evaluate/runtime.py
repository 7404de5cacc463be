"""The functions that generated predicates call: the fast form of `operators`, which stays the definition.

Each creates a test when a predicate is loaded, from literals in its source; the test then runs on the values of a
field. Property tests compare the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.context.event_time import read_time
from cloudsigma.engine.evaluate import fields, operators
from cloudsigma.engine.python_values import JSON_TYPES

ValuesTest = Callable[[fields.Values], bool]
RecordTest = Callable[[Mapping[str, Any]], bool]
TextTest = Callable[[str], bool]
FieldReader = Callable[[Mapping[str, Any]], fields.Values]
Remember = Callable[[TextTest], TextTest]
"""Wraps a test of texts in a cache of its verdicts, within the owner's bounds."""

ONE = ir.Wildcard.ONE
MANY = ir.Wildcard.MANY

_PLAIN = frozenset({str, int, float, bool})


def _unremembered(test: TextTest) -> TextTest:
    return test


# --- reading ------------------------------------------------------------------------------------------------

field = fields.values_reader
"""A reader of the values of one field."""


def everything(record: Mapping[str, Any]) -> fields.Values:
    """The values that keywords search: every scalar of the record."""
    return fields.scalars(record)


# --- text ---------------------------------------------------------------------------------------------------

_MANY_TEXTS = 32
"""From this many texts on, one pass for all is faster than one pass each."""


def _text_test(passes: TextTest, *, cased: bool) -> ValuesTest:
    """Any value whose text passes; the text is folded first unless letter case counts."""
    fold, text = operators.fold, operators.text
    if cased:

        def test_cased(values: fields.Values) -> bool:
            for value in values:
                subject = value if type(value) is str else text(value)
                if subject is not None and passes(subject):
                    return True
            return False

        return test_cased

    def test_folded(values: fields.Values) -> bool:
        for value in values:
            subject = value if type(value) is str else text(value)
            if subject is not None and passes(fold(subject)):
                return True
        return False

    return test_folded


def _prepared(texts: tuple[str, ...], *, cased: bool) -> tuple[str, ...]:
    return texts if cased else tuple(map(operators.fold, texts))


def equals(*texts: str, cased: bool = False) -> ValuesTest:
    """Any value is one of the texts."""
    return _text_test(frozenset(_prepared(texts, cased=cased)).__contains__, cased=cased)


def startswith(*texts: str, cased: bool = False) -> ValuesTest:
    """Any value starts with one of the texts."""
    wanted = _prepared(texts, cased=cased)
    return _text_test(lambda subject: subject.startswith(wanted), cased=cased)


def endswith(*texts: str, cased: bool = False) -> ValuesTest:
    """Any value ends with one of the texts."""
    wanted = _prepared(texts, cased=cased)
    return _text_test(lambda subject: subject.endswith(wanted), cased=cased)


def contains(*texts: str, cased: bool = False, remember: Remember = _unremembered) -> ValuesTest:
    """Any value contains one of the texts."""
    wanted = _prepared(texts, cased=cased)
    if len(wanted) == 1:
        (only,) = wanted
        return _text_test(lambda subject: only in subject, cased=cased)
    one_by_one: TextTest = lambda subject: any(text in subject for text in wanted)  # noqa: E731
    if len(wanted) < _MANY_TEXTS:
        return _text_test(one_by_one, cased=cased)
    return _text_test(remember(_any_of_many(wanted, one_by_one)), cased=cased)


def _any_of_many(wanted: Sequence[str], one_by_one: TextTest) -> TextTest:
    """Search for all texts in one pass: RE2 builds an automaton, whose time depends only on the subject."""
    automaton = operators.compile_alternatives(tuple(wanted))
    if automaton is None:
        return one_by_one

    def found(subject: str) -> bool:
        try:
            return automaton.search(subject) is not None
        except UnicodeEncodeError:  # a lone surrogate
            return one_by_one(subject)

    return found


def has_value(values: fields.Values) -> bool:
    """Any value at all, the empty string too (the pattern `*`)."""
    return any(type(value) in _PLAIN or operators.text(value) is not None for value in values)


def like(
    *patterns: tuple[str | ir.Wildcard, ...], cased: bool = False, remember: Remember = _unremembered
) -> ValuesTest:
    """Any value matches one of the patterns, given as parts."""
    tests = [_wildcard_test(pattern, cased=cased) for pattern in patterns]
    one_of_them = tests[0] if len(tests) == 1 else lambda subject: any(test(subject) for test in tests)
    return _text_test(remember(one_of_them), cased=cased)


def _wildcard_test(parts: tuple[str | ir.Wildcard, ...], *, cased: bool) -> TextTest:
    """Match piece by piece between the `*`: the first and last are anchored, the others found leftmost.

    Leftmost is enough, since a later start of a middle piece never leaves more room for what follows; so the
    time is bounded by text times pattern, whatever the number of `*`.
    """
    pieces: list[list[str | ir.Wildcard]] = [[]]
    for part in parts:
        if part is MANY:
            pieces.append([])
        else:
            pieces[-1].append(part if cased or isinstance(part, ir.Wildcard) else operators.fold(part))
    compiled = [_Piece(piece) for piece in pieces]
    if len(compiled) == 1:
        (only,) = compiled
        return lambda subject: len(subject) == only.length and only.stands_at(subject, 0)
    first, *middle, last = compiled
    least = sum(piece.length for piece in compiled)

    def test(subject: str) -> bool:
        end = len(subject) - last.length
        if len(subject) < least or not first.stands_at(subject, 0) or not last.stands_at(subject, end):
            return False
        at = first.length
        for piece in middle:
            found = piece.find(subject, at, end)
            if found < 0:
                return False
            at = found + piece.length
        return at <= end

    return test


class _Piece:
    """The piece between two `*` of a pattern: literals, and `?` for any one character."""

    __slots__ = ("anchor", "anchor_at", "length", "literals")

    def __init__(self, parts: list[str | ir.Wildcard]) -> None:
        self.literals: list[tuple[int, str]] = []
        self.length = 0
        for part in parts:
            if isinstance(part, ir.Wildcard):
                self.length += 1
            else:
                self.literals.append((self.length, part))
                self.length += len(part)
        self.anchor_at, self.anchor = max(self.literals, key=lambda item: len(item[1]), default=(0, ""))

    def stands_at(self, subject: str, start: int) -> bool:
        return all(subject.startswith(literal, start + at) for at, literal in self.literals)

    def find(self, subject: str, start: int, end: int) -> int:
        """The first offset in `start` to `end` where the whole piece fits and matches; -1 if not found."""
        latest = end - self.length
        while start <= latest:
            found = subject.find(self.anchor, start + self.anchor_at, latest + self.anchor_at + len(self.anchor))
            if found < 0:
                return -1
            start = found - self.anchor_at
            if self.stands_at(subject, start):
                return start
            start += 1
        return -1


# --- other comparisons --------------------------------------------------------------------------------------


def search(*patterns: str, flags: str = "", remember: Remember = _unremembered) -> ValuesTest:
    """Any value in whose text one of the RE2 expressions is found."""
    compiled = [operators.new_regex(pattern, flags) for pattern in patterns]
    found: TextTest = lambda subject: any(operators.search(each, subject) for each in compiled)  # noqa: E731
    if len(compiled) == 1:
        (only,) = compiled
        found = lambda subject: operators.search(only, subject)  # noqa: E731
    return _text_test(remember(found), cased=True)


def in_network(*networks: str) -> ValuesTest:
    """Any value is an address in one of the networks."""
    parsed = [operators.parse_network(network) for network in networks]
    by_prefix: dict[tuple[int, int], set[int]] = {}  # version and bits behind the prefix → prefixes
    for network in parsed:
        bits = network.max_prefixlen - network.prefixlen
        by_prefix.setdefault((network.version, bits), set()).add(int(network.network_address) >> bits)

    def test(values: fields.Values) -> bool:
        for value in values:
            address = operators.address(value)
            if address is not None:
                number = int(address)
                for (version, bits), prefixes in by_prefix.items():
                    if version == address.version and number >> bits in prefixes:
                        return True
        return False

    return test


def equals_number(*numbers: int | float) -> ValuesTest:
    """Any value is one of the numbers, or the text of one."""
    wanted = frozenset(numbers)

    def test(values: fields.Values) -> bool:
        for value in values:
            given = operators.number(value)
            if isinstance(given, Decimal):  # whose equality with a float may raise in the caller's context
                if any(operators.compare(given, "eq", each) for each in numbers):
                    return True
            elif given is not None and given in wanted:
                return True
        return False

    return test


def is_boolean(wanted: bool) -> ValuesTest:  # noqa: FBT001  # read as `is_boolean(True)` in generated source
    """Any value is the boolean, or a text that YAML reads as it."""
    return lambda values: any(operators.is_boolean(value, wanted=wanted) for value in values)


def compare(*limits: tuple[str, int | float]) -> ValuesTest:
    """Any value whose number passes one of the comparisons, each an operator and a limit."""

    def test(values: fields.Values) -> bool:
        for value in values:
            given = operators.number(value)
            if given is not None:
                for operator, limit in limits:
                    if operators.compare(given, operator, limit):
                        return True
        return False

    return test


def time_part(*parts: tuple[ir.TimeUnit, str, int]) -> ValuesTest:
    """Any time of which one part, in UTC, passes its comparison: a unit, an operator and a limit."""

    def test(values: fields.Values) -> bool:
        for value in values:
            when = read_time(value)
            if when is not None:
                for unit, operator, limit in parts:
                    if operators.compare(operators.time_part(when, unit), operator, limit):
                        return True
        return False

    return test


def is_null(values: fields.Values) -> bool:
    """No value other than null: missing, null, empty."""
    return all(value is None for value in values)


def present(name: str) -> RecordTest:
    """The field is present, whatever its value."""
    if "." in name:
        return lambda record: bool(fields.nodes(record, name))

    def is_there(record: Mapping[str, Any]) -> bool:
        return name in record and (type(record[name]) in JSON_TYPES or bool(fields.nodes(record, name)))

    return is_there


def agrees(
    ours: FieldReader, *theirs: FieldReader, comparison: ir.Comparison = "equals", cased: bool = False
) -> RecordTest:
    """Some value of one field agrees with some value of one of the others."""

    def test(record: Mapping[str, Any]) -> bool:
        mine = ours(record)
        others = theirs[0](record) if len(theirs) == 1 else [other for read in theirs for other in read(record)]
        return any(True for _ in operators.agreeing(mine, others, comparison, cased=cased))

    return test


FUNCTIONS: dict[str, Any] = {
    "MANY": MANY,
    "ONE": ONE,
    "agrees": agrees,
    "compare": compare,
    "contains": contains,
    "endswith": endswith,
    "equals": equals,
    "equals_number": equals_number,
    "everything": everything,
    "field": field,
    "has_value": has_value,
    "in_network": in_network,
    "is_boolean": is_boolean,
    "is_null": is_null,
    "like": like,
    "present": present,
    "search": search,
    "startswith": startswith,
    "time_part": time_part,
}
"""Every name that generated source may use; there are no builtins."""
REMEMBERING = frozenset({"contains", "like", "search"})
"""Functions that accept `remember`: their verdicts cost more than a look-up."""

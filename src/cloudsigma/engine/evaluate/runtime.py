"""The closed namespace that generated predicates run in, and how they are loaded.

The functions here are the vocabulary of generated source. Each makes a test once, when the source is loaded, from
values that the source holds as literals; the test then runs on the values of a field. They are the fast form of
`operators`, which stays the definition: property tests hold one against the other.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cloudsigma import ir
from cloudsigma.engine.evaluate import fields, operators
from cloudsigma.engine.memo import Remembered

Predicate = Callable[[Mapping[str, Any]], bool]
FieldReader = Callable[[Mapping[str, Any]], fields.Values]
ValuesTest = Callable[[fields.Values], bool]
RecordTest = Callable[[Mapping[str, Any]], bool]

ONE = ir.Wildcard.ONE
MANY = ir.Wildcard.MANY

_PLAIN = frozenset({str, int, float, bool})
_NOTHING: fields.Values = ()


# --- reading ------------------------------------------------------------------------------------------------


def field(name: str) -> FieldReader:
    """A reader of the values of one field."""
    if "." in name:
        return _path_reader(name)

    def read_top(record: Mapping[str, Any]) -> fields.Values:
        value = record.get(name, _NOTHING)
        if type(value) is str:
            return (value,)
        return fields.scalars(value)  # of what is absent: of an empty tuple, hence none

    return read_top


def _path_reader(name: str) -> FieldReader:
    """A reader that goes straight down through objects, and leaves all else to `fields.values`.

    Straight means: each segment is a key of its own, no key joins several, and no array is on the way.
    """
    levels = _levels(name)

    def read_path(record: Mapping[str, Any]) -> fields.Values:
        node: Any = record
        for segment, joined in levels:
            if type(node) is not dict:
                return _NOTHING if node is None else fields.values(record, name)
            for key in joined:
                if key in node:
                    return fields.values(record, name)
            node = node.get(segment, _NOTHING)
        if type(node) is str:
            return (node,)
        return fields.scalars(node)

    return read_path


def _levels(name: str) -> list[tuple[str, tuple[str, ...]]]:
    """For each segment of a dotted name the segment, and the keys that join it with those after it."""
    segments = name.split(".")
    ends = range(len(segments))
    return [
        (segment, tuple(".".join(segments[at : end + 1]) for end in ends if end > at))
        for at, segment in enumerate(segments)
    ]


def shown(path: ir.FieldPath) -> Callable[[Mapping[str, Any]], list[Any]]:
    """`fields.select` of one entry of `fields`, straight down where nothing but objects is on the way."""
    if path.steps is not None:
        return lambda record: fields.select(record, path)
    levels = _levels(path.name)

    def select_straight(record: Mapping[str, Any]) -> list[Any]:
        node: Any = record
        for segment, joined in levels:
            if type(node) is not dict:
                return [] if node is None else fields.select(record, path)
            for key in joined:
                if key in node:
                    return fields.select(record, path)
            if segment not in node:
                return []
            node = node[segment]
        return fields.select(record, path) if isinstance(node, (list, tuple)) else [node]

    return select_straight


def everything(record: Mapping[str, Any]) -> fields.Values:
    """The values that keywords look at: every scalar of the record."""
    return fields.scalars(record)


# --- text ---------------------------------------------------------------------------------------------------

_MANY_TEXTS = 32
"""Texts from which one pass for all is quicker than one for each."""
_REMEMBERED, _LONGEST = 2_000, 500
"""Texts that a costly test remembers its verdict of, and their most characters; all are forgotten at once."""


def _text_test(passes: Callable[[str], bool], *, cased: bool) -> ValuesTest:
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


def contains(*texts: str, cased: bool = False) -> ValuesTest:
    """Any value contains one of the texts."""
    wanted = _prepared(texts, cased=cased)
    if len(wanted) == 1:
        (only,) = wanted
        return _text_test(lambda subject: only in subject, cased=cased)
    one_by_one: Callable[[str], bool] = lambda subject: any(text in subject for text in wanted)  # noqa: E731
    if len(wanted) < _MANY_TEXTS:
        return _text_test(one_by_one, cased=cased)
    return _text_test(_remembered(_any_of_many(wanted, one_by_one)), cased=cased)


def _any_of_many(wanted: Sequence[str], one_by_one: Callable[[str], bool]) -> Callable[[str], bool]:
    """Look for all texts in one pass: RE2 makes an automaton of them, whose time is that of the subject alone."""
    automaton = operators.compile_alternatives(tuple(wanted))
    if automaton is None:
        return one_by_one

    def found(subject: str) -> bool:
        try:
            return automaton.search(subject) is not None
        except UnicodeEncodeError:  # a lone surrogate
            return one_by_one(subject)

    return found


def _remembered(passes: Callable[[str], bool]) -> Callable[[str], bool]:
    """What a costly test has said of texts, which come again and again."""
    return Remembered(passes, most=_REMEMBERED, worth=lambda subject: len(subject) <= _LONGEST).__getitem__


def has_value(values: fields.Values) -> bool:
    """Any value at all, the empty string too (the pattern `*`)."""
    return any(type(value) in _PLAIN or operators.text(value) is not None for value in values)


def like(*patterns: tuple[str | ir.Wildcard, ...], cased: bool = False) -> ValuesTest:
    """Any value is met by one of the patterns, given as parts."""
    tests = [_wildcard_test(pattern, cased=cased) for pattern in patterns]
    if len(tests) == 1:
        return _text_test(_remembered(tests[0]), cased=cased)
    return _text_test(_remembered(lambda subject: any(test(subject) for test in tests)), cased=cased)


def _wildcard_test(parts: tuple[str | ir.Wildcard, ...], *, cased: bool) -> Callable[[str], bool]:
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
    """What stands between two `*` of a pattern: literals, and `?` for any one character."""

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
        """The first place from `start` on where the piece stands and ends before `end`; -1 if there is none."""
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


def search(pattern: str, flags: str = "") -> ValuesTest:
    """Any value in whose text the RE2 expression is found."""
    compiled = operators.compile_regex(pattern, flags)
    return _text_test(_remembered(lambda subject: operators.search(compiled, subject)), cased=True)


def in_network(*networks: str) -> ValuesTest:
    """Any value is an address in one of the networks."""
    parsed = [operators.parse_network(network) for network in networks]
    return lambda values: any(operators.in_network(value, network) for value in values for network in parsed)


def equals_number(*numbers: int | float) -> ValuesTest:
    """Any value is one of the numbers, or a text that is."""
    return lambda values: any((given := operators.number(value)) is not None and given in numbers for value in values)


def is_boolean(wanted: bool) -> ValuesTest:  # noqa: FBT001  # read as `is_boolean(True)` in generated source
    """Any value is the boolean, or a text that YAML reads as it."""
    return lambda values: any(operators.is_boolean(value, wanted=wanted) for value in values)


def compare(operator: str, limit: int | float) -> ValuesTest:
    """Any value whose number stands in this order to the limit."""
    return lambda values: any(operators.compare(operators.number(value), operator, limit) for value in values)


def time_part(unit: ir.TimeUnit, operator: str, limit: int) -> ValuesTest:
    """Any value that is a time whose part, in UTC, stands in this order to the limit."""
    matcher = ir.TimePart(unit, operator, limit)  # type: ignore[arg-type]  # `codegen` writes known operators only
    return lambda values: any(operators.matches(matcher, value) for value in values)


def is_null(values: fields.Values) -> bool:
    """No value but nulls: missing, null, empty."""
    return all(value is None for value in values)


def present(name: str) -> RecordTest:
    """The field is there, whatever its value."""
    if "." not in name:
        return lambda record: name in record
    return lambda record: bool(fields.nodes(record, name))


def agrees(ours: FieldReader, theirs: FieldReader, comparison: ir.Comparison, *, cased: bool = False) -> RecordTest:
    """Some value of one field agrees with some value of the other."""

    def test(record: Mapping[str, Any]) -> bool:
        others = theirs(record)
        return any(operators.agree(our, other, comparison, cased=cased) for our in ours(record) for other in others)

    return test


# --- loading ------------------------------------------------------------------------------------------------

VOCABULARY: dict[str, Any] = {
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


def load(source: str, name: str) -> Predicate:
    """Run generated source in the closed namespace and return its `predicate`.

    `name` (the rule's file, or its ID) stands in tracebacks as the file of the code, and the source is known to
    `linecache`: a traceback or a debugger shows the generated line, which ends with the line of the rule.
    """
    filename = f"<cloudsigma predicate of {name}>"
    namespace: dict[str, Any] = {"__builtins__": {}, "__name__": "cloudsigma.generated", **VOCABULARY}
    exec(compile(source, filename, "exec", dont_inherit=True), namespace)  # noqa: S102  # text of `codegen` only
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    predicate: Predicate = namespace["predicate"]
    return predicate

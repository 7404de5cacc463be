"""Regular expressions as automata that can be walked one character at a time.

Python's parser reads the expression, which then gets RE2's meaning: classes are ASCII, `$` is the end of the text. An
expression that the two read differently is refused, so that proofs by automata are sound.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from re import _constants as op  # type: ignore[attr-defined]  # the parser that `re` itself uses
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from cloudsigma.engine.evaluate import operators

Ranges = tuple[tuple[int, int], ...]
"""Ranges of code points, both ends included."""

LAST = 0x10FFFF
_ANY: Ranges = ((0, LAST),)
_DIGIT: Ranges = ((48, 57),)
_WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE: Ranges = ((9, 10), (12, 13), (32, 32))
_NEWLINE = 10
_MAX_NODES = 5000
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_UNKNOWN_ESCAPES = frozenset("pPQEC")
"""Escapes that Python's parser rejects, or reads differently from RE2."""


class NotReadError(ValueError):
    """The expression cannot be turned into an automaton."""


def _parsed(pattern: str, flags: str) -> Any:
    given = sum({"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}[letter] for letter in flags)
    if _UNKNOWN_ESCAPES & set(_ESCAPE.findall(pattern)) or "{," in pattern:
        raise NotReadError(pattern)
    end_of_text = _ESCAPE.sub(lambda found: r"\Z" if found[1] == "z" else found[0], pattern)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return _parser.parse(end_of_text, given)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise NotReadError(pattern) from error


@lru_cache(maxsize=1)
def _same_letters() -> dict[str, tuple[str, ...]]:
    """Folded letter → the characters that fold to it, unless it is only the letter itself."""
    letters: dict[str, list[str]] = {}
    for code in range(LAST + 1):
        character = chr(code)
        if character.upper() != character or character.lower() != character:
            letters.setdefault(operators.fold(character), []).append(character)
    return {folded: tuple(found) for folded, found in letters.items()}


_ALSO = {"k": ("\N{KELVIN SIGN}",), "s": ("\N{LATIN SMALL LETTER LONG S}",)}
"""The only non-ASCII characters that fold to an ASCII letter."""


def same_letters(character: str) -> tuple[str, ...]:
    """The characters with the same case folding."""
    folded = operators.fold(character)
    if folded.isascii():
        return tuple(dict.fromkeys((folded, folded.upper(), *_ALSO.get(folded, ()))))
    return _same_letters().get(folded, (folded,))


def complement(ranges: Ranges) -> Ranges:
    """All other code points."""
    found, start = [], 0
    for low, high in sorted(ranges):
        if low > start:
            found.append((start, low - 1))
        start = max(start, high + 1)
    return (*found, (start, LAST)) if start <= LAST else tuple(found)


def _without_case(ranges: Ranges) -> Ranges:
    """The ranges, and the other letter cases of their characters."""
    more = [
        (ord(other), ord(other))
        for low, high in ranges
        for code in range(low, min(high, low + 0x300) + 1)
        for other in same_letters(chr(code))
    ]
    return (*ranges, *more)


class Expression:
    """A regular expression in search mode. A state is a set of nodes and the kind of the last character."""

    def __init__(self, pattern: str, flags: str = "") -> None:
        self._edges: list[list[tuple[Ranges, int]]] = []
        self._free: list[list[tuple[str | None, int]]] = []
        parsed = _parsed(pattern, flags)
        start, end = self._node(), self._node()
        self._edges[start].append((_ANY, start))  # search: a match may start anywhere
        inner = self._sequence(parsed, parsed.state.flags, start)
        self._free[inner].append((None, end))
        self._edges[end].append((_ANY, end))
        self._end = end
        self.start: Any = (frozenset({start}), "start")
        self.weight = len(self._edges)
        self._moves: dict[tuple[Any, str], Any] = {}
        self._finals: dict[Any, bool] = {}

    # --- walking ----------------------------------------------------------------------------------------------

    def step(self, state: Any, character: str) -> Any:
        """The state after one more character."""
        if (found := self._moves.get((state, character))) is None:
            code = ord(character)
            kind = _kind(code)
            reached = self._closed(state, kind)
            nodes = {
                target
                for node in reached
                for ranges, target in self._edges[node]
                if any(low <= code <= high for low, high in ranges)
            }
            found = self._moves[state, character] = (frozenset(nodes), kind)
        return found

    def accepts(self, state: Any) -> bool:
        """Whether the text may end in this state."""
        if (found := self._finals.get(state)) is None:
            found = self._finals[state] = self._end in self._closed(state, "end")
        return found

    def is_dead(self, state: Any) -> bool:
        """Whether no continuation is accepted."""
        return not state[0]

    def is_full(self, state: Any) -> bool:
        """Whether every continuation is accepted."""
        return self._end in state[0]

    def place_of(self, character: str) -> tuple[bool | str, ...]:
        """The class of a character: equal for characters that the automaton does not distinguish."""
        code = ord(character)
        return (_kind(code), *(any(low <= code <= high for low, high in ranges) for ranges in self._ranges))

    @cached_property
    def _ranges(self) -> tuple[Ranges, ...]:
        return tuple({ranges: None for edges in self._edges for ranges, _ in edges})

    def edges(self) -> Iterable[int]:
        """Code points at which the behavior may change."""
        yield from (0, 9, 11, 12, 14, 32, 33, 48, 58, 65, 91, 95, 96, 97, 123)
        for ranges in self._ranges:
            for low, high in ranges:
                yield low
                yield high + 1

    def _closed(self, state: Any, after: str) -> set[int]:
        nodes, before = state
        reached, waiting = set(nodes), list(nodes)
        while waiting:
            for assertion, target in self._free[waiting.pop()]:
                if target not in reached and (assertion is None or _ASSERTIONS[assertion](before, after)):
                    reached.add(target)
                    waiting.append(target)
        return reached

    # --- building ---------------------------------------------------------------------------------------------

    def _node(self) -> int:
        if len(self._edges) >= _MAX_NODES:
            raise NotReadError("too large")
        self._edges.append([])
        self._free.append([])
        return len(self._edges) - 1

    def _then(self, at: int, ranges: Ranges) -> int:
        end = self._node()
        self._edges[at].append((ranges, end))
        return end

    def _sequence(self, items: Any, flags: int, at: int) -> int:
        for kind, argument in items:
            at = self._item(kind, argument, flags, at)
        return at

    def _item(self, kind: Any, argument: Any, flags: int, at: int) -> int:
        fold = _without_case if flags & re.IGNORECASE else (lambda ranges: ranges)
        match kind:
            case op.LITERAL:
                return self._then(at, fold(((argument, argument),)))
            case op.NOT_LITERAL:
                return self._then(at, complement(fold(((argument, argument),))))
            case op.ANY:
                return self._then(at, _ANY if flags & re.DOTALL else complement(((_NEWLINE, _NEWLINE),)))
            case op.IN:
                return self._then(at, _class(argument, fold))
            case op.BRANCH:
                end = self._node()
                for branch in argument[1]:
                    start = self._node()
                    self._free[at].append((None, start))
                    self._free[self._sequence(branch, flags, start)].append((None, end))
                return end
            case op.SUBPATTERN:
                _, add, remove, inner = argument
                return self._sequence(inner, (flags | add) & ~remove, at)
            case op.MAX_REPEAT | op.MIN_REPEAT:
                least, most, inner = argument
                return self._repeated(least, most, inner, flags, at)
            case op.AT:
                end = self._node()
                name = "line_end" if argument is op.AT_END and flags & re.MULTILINE else str(argument)
                name = "line_start" if argument is op.AT_BEGINNING and flags & re.MULTILINE else name
                self._free[at].append((name, end))
                return end
        raise NotReadError(str(kind))

    def _repeated(self, least: int, most: Any, inner: Any, flags: int, at: int) -> int:
        for _ in range(least):
            at = self._sequence(inner, flags, at)
        end = self._node()
        if most is op.MAXREPEAT:
            loop = self._node()
            self._free[at].append((None, loop))
            self._free[loop].append((None, end))
            self._free[self._sequence(inner, flags, loop)].append((None, loop))
            return end
        self._free[at].append((None, end))
        for _ in range(most - least):
            at = self._sequence(inner, flags, at)
            self._free[at].append((None, end))
        return end


def _class(items: Any, fold: Callable[[Ranges], Ranges]) -> Ranges:
    negated, ranges = False, []
    for kind, argument in items:
        match kind:
            case op.NEGATE:
                negated = True
            case op.LITERAL:
                ranges.append((argument, argument))
            case op.RANGE:
                ranges.append(argument)
            case op.CATEGORY:
                ranges += _CATEGORIES[str(argument)]
            case _:
                raise NotReadError(str(kind))
    found = fold(tuple(ranges))
    return complement(found) if negated else found


_CATEGORIES: dict[str, Ranges] = {
    f"CATEGORY_{prefix}{name}": complement(ranges) if prefix else ranges
    for name, ranges in (("DIGIT", _DIGIT), ("WORD", _WORD), ("SPACE", _SPACE))
    for prefix in ("", "NOT_")
}


def _kind(code: int) -> str:
    if code == _NEWLINE:
        return "newline"
    return "word" if any(low <= code <= high for low, high in _WORD) else "other"


def _between_words(before: str, after: str) -> bool:
    return (before == "word") is not (after == "word")


_ASSERTIONS: dict[str, Callable[[str, str], bool]] = {
    "AT_BEGINNING": lambda before, _: before == "start",
    "AT_BEGINNING_STRING": lambda before, _: before == "start",
    "AT_END": lambda _, after: after == "end",
    "AT_END_STRING": lambda _, after: after == "end",
    "line_start": lambda before, _: before in ("start", "newline"),
    "line_end": lambda _, after: after in ("end", "newline"),
    "AT_BOUNDARY": _between_words,
    "AT_NON_BOUNDARY": lambda before, after: not _between_words(before, after),
}


# --- samples ------------------------------------------------------------------------------------------------

NICE = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ -._/\\:"
"""Common characters, the preferred first."""
_MAX_SAMPLE = 20_000


def samples(pattern: str, flags: str = "") -> Iterable[str]:
    """Texts that an expression is likely to match, made from its parts; assertions are ignored."""
    try:
        parsed = _parsed(pattern, flags)
    except NotReadError:
        return []
    found = ("".join(_sample(parsed, variant, more)) for variant in range(3) for more in (0, 1))
    return dict.fromkeys(text[:_MAX_SAMPLE] for text in found)


def _sample(items: Any, variant: int, more: int) -> Iterator[str]:
    for kind, argument in items:
        match kind:
            case op.LITERAL:
                yield chr(argument)
            case op.NOT_LITERAL:
                yield _nice(complement(((argument, argument),)), variant)
            case op.ANY:
                yield NICE[variant]
            case op.IN:
                yield _nice(_class(argument, lambda ranges: ranges), variant)
            case op.BRANCH:
                yield from _sample(argument[1][variant % len(argument[1])], variant, more)
            case op.SUBPATTERN:
                yield from _sample(argument[3], variant, more)
            case op.MAX_REPEAT | op.MIN_REPEAT:
                least, most, inner = argument
                for _ in range(min(max(least, more), most)):
                    yield from _sample(inner, variant, more)


def _nice(ranges: Ranges, variant: int) -> str:
    fitting = [each for each in NICE if any(low <= ord(each) <= high for low, high in ranges)]
    return fitting[variant % len(fitting)] if fitting else "".join(chr(low) for low, _ in ranges[:1])

"""Regular expressions as automata that can be walked one character at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

from cloudsigma.testing.solver.regex_parser import (
    ANY,
    WORD,
    Assert,
    Characters,
    Choice,
    NotReadError,
    Part,
    Ranges,
    Repeat,
    Sequence,
    parse,
)

_NEWLINE = 10
_MAX_NODES = 5000


class Expression:
    """A regular expression in search mode. A state is a set of nodes and the kind of the last character."""

    def __init__(self, pattern: str, flags: str = "") -> None:
        self._edges: list[list[tuple[Ranges, int]]] = []
        self._free: list[list[tuple[str | None, int]]] = []
        parsed = parse(pattern, flags)
        start, end = self._node(), self._node()
        self._edges[start].append((ANY, start))  # search: a match may start anywhere
        self._free[self._part(parsed, start)].append((None, end))
        self._edges[end].append((ANY, end))
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

    def _part(self, part: Part, at: int) -> int:
        """Add a part after a node; returns the node after it."""
        match part:
            case Sequence(parts):
                for each in parts:
                    at = self._part(each, at)
                return at
            case Choice(parts):
                end = self._node()
                for each in parts:
                    start = self._node()
                    self._free[at].append((None, start))
                    self._free[self._part(each, start)].append((None, end))
                return end
            case Repeat(inner, least, most):
                return self._repeated(inner, least, most, at)
            case Characters(ranges):
                end = self._node()
                self._edges[at].append((ranges, end))
                return end
            case Assert(kind):
                end = self._node()
                self._free[at].append((kind, end))
                return end

    def _repeated(self, inner: Part, least: int, most: int | None, at: int) -> int:
        for _ in range(least):
            at = self._part(inner, at)
        end = self._node()
        if most is None:
            loop = self._node()
            self._free[at].append((None, loop))
            self._free[loop].append((None, end))
            self._free[self._part(inner, loop)].append((None, loop))
            return end
        self._free[at].append((None, end))
        for _ in range(most - least):
            at = self._part(inner, at)
            self._free[at].append((None, end))
        return end


def _kind(code: int) -> str:
    if code == _NEWLINE:
        return "newline"
    return "word" if any(low <= code <= high for low, high in WORD) else "other"


_ASSERTIONS: dict[str, Callable[[str, str], bool]] = {
    "text_start": lambda before, _: before == "start",
    "text_end": lambda _, after: after == "end",
    "line_start": lambda before, _: before in ("start", "newline"),
    "line_end": lambda _, after: after in ("end", "newline"),
    "boundary": lambda before, after: (before == "word") is not (after == "word"),
}


# --- samples ------------------------------------------------------------------------------------------------

NICE = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ -._/\\:"
"""Common characters, the preferred first."""
_MAX_SAMPLE = 20_000
_FEW = 5


def samples(pattern: str, flags: str = "") -> Iterable[str]:
    """Texts that an expression is likely to match, made from its parts; assertions are ignored."""
    try:
        parsed = parse(pattern, flags)
    except NotReadError:
        return []
    found = ("".join(_sample(parsed, variant, more)) for variant in range(3) for more in (0, 1))
    return dict.fromkeys(text[:_MAX_SAMPLE] for text in found)


def _sample(part: Part, variant: int, more: int) -> Iterator[str]:
    match part:
        case Sequence(parts):
            for each in parts:
                yield from _sample(each, variant, more)
        case Choice(parts):
            yield from _sample(parts[variant % len(parts)], variant, more)
        case Repeat(inner, least, most):
            times = max(least, more)
            for _ in range(times if most is None else min(times, most)):
                yield from _sample(inner, variant, more)
        case Characters(((low, high), *others)) if low == high and len(others) < _FEW:
            yield chr(low)  # a letter, perhaps with its other cases
        case Characters(ranges):
            fitting = [each for each in NICE if any(low <= ord(each) <= high for low, high in ranges)]
            yield fitting[variant % len(fitting)] if fitting else "".join(chr(low) for low, _ in ranges[:1])

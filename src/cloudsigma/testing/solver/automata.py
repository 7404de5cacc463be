"""Find texts that several patterns accept and several others reject: the shortest first, or a proof that none exists.

Patterns, regular expressions and IPv4 networks are automata, which are walked together, one character at a time. One
character of each class that no automaton distinguishes is tried, so a walk through every state is a proof.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, Protocol

from cloudsigma import ir
from cloudsigma.engine.evaluate import operators
from cloudsigma.testing.solver.regex_automaton import NICE, Expression
from cloudsigma.testing.solver.regex_parser import LAST, NotReadError, same_letters

MAX_WORK, HASTY = 600_000, 60_000
"""A walk gives up after about this many comparisons: half a second, or a tenth of that."""

_SURROGATES = range(0xD800, 0xE000)


class Automaton(Protocol):
    """An automaton that can be walked."""

    start: Any
    weight: int
    """Approximate cost of a step."""

    def step(self, state: Any, character: str) -> Any:
        """The state after one more character."""

    def accepts(self, state: Any) -> bool:
        """Whether the text may end in this state."""

    def is_dead(self, state: Any) -> bool:
        """Whether no continuation is accepted."""

    def is_full(self, state: Any) -> bool:
        """Whether every continuation is accepted."""

    def edges(self) -> Iterable[int]:
        """Code points at which the behavior may change."""

    def place_of(self, character: str) -> Any:
        """The class of a character: equal for characters that the automaton does not distinguish."""


class WildcardPattern:
    """A pattern with wildcards; a state is a set of positions in it, one bit each."""

    def __init__(self, pattern: ir.Pattern) -> None:
        self._cased = pattern.cased
        self._elements: list[str | ir.Wildcard] = []
        for part in pattern.parts:
            if isinstance(part, ir.Wildcard):
                if part is not ir.Wildcard.MANY or self._elements[-1:] != [part]:
                    self._elements.append(part)
            else:
                self._elements.extend(part if pattern.cased else operators.fold(part))
        self._many = sum(1 << at for at, part in enumerate(self._elements) if part is ir.Wildcard.MANY)
        self._one = sum(1 << at for at, part in enumerate(self._elements) if part is ir.Wildcard.ONE)
        self._places: dict[str, int] = {}
        for at, part in enumerate(self._elements):
            if isinstance(part, str):
                self._places[part] = self._places.get(part, 0) | 1 << at
        self.start = self._closed(1)
        self.weight = 1

    def _closed(self, state: int) -> int:
        return state | (state & self._many) << 1

    def step(self, state: int, character: str) -> int:
        """The state after one more character."""
        same = self._places.get(character if self._cased else operators.fold(character), 0)
        return self._closed((state & (same | self._one)) << 1 | state & self._many)

    def accepts(self, state: int) -> bool:
        """Whether the text may end in this state."""
        return bool(state >> len(self._elements) & 1)

    def is_dead(self, state: int) -> bool:
        """Whether no continuation is accepted."""
        return state == 0

    def is_full(self, state: int) -> bool:
        """Whether every continuation is accepted."""
        return bool(state & self._many & 1 << len(self._elements) - 1) if self._elements else False

    def place_of(self, character: str) -> int:
        """The class of a character: equal for characters that the automaton does not distinguish."""
        return self._places.get(character if self._cased else operators.fold(character), 0)

    def edges(self) -> Iterator[int]:
        """Code points at which the behavior may change."""
        for element in self._places:
            for character in element if self._cased else same_letters(element):
                yield ord(character)
                yield ord(character) + 1


@lru_cache(maxsize=2048)
def automaton(matcher: ir.Matcher) -> Automaton | None:
    """The automaton of a matcher; `None` if it has none, or one that is too large."""
    try:
        match matcher:
            case ir.Pattern():
                return WildcardPattern(matcher)
            case ir.Regex(pattern, flags):
                return Expression(pattern, flags)
            case ir.Boolean(value):
                return Expression(f"^(?:{'true|yes|on' if value else 'false|no|off'})$", "i")
            case ir.Cidr(network):
                return _ipv4(operators.parse_network(network))
    except NotReadError:
        pass
    return None


@lru_cache(maxsize=1)
def number_texts() -> Automaton:
    """The automaton of all texts that are numbers, `inf` included (as `1e400` is read)."""
    return Expression(r"^-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|inf|Infinity)$")


def _ipv4(network: operators.Network) -> Automaton | None:
    if not isinstance(network, ipaddress.IPv4Network):
        return None  # an IPv6 address can be written in many ways
    first, last = network.network_address.packed, network.broadcast_address.packed
    octets = ["|".join(map(str, range(low, high + 1))) for low, high in zip(first, last, strict=True)]
    return Expression("^" + r"\.".join(f"(?:{octet})" for octet in octets) + "$")


def texts(wanted: Sequence[Automaton], unwanted: Sequence[Automaton], work: int = MAX_WORK) -> Iterator[str | None]:
    """Texts that all of `wanted` accept and none of `unwanted`, the shortest first.

    Each state of the walk gives at most one text. If the walk ends before it has seen every state, the last item is
    `None`. So no items at all prove that there is no text.
    """
    alphabet = _alphabet([*wanted, *unwanted])
    start = (tuple(each.start for each in wanted), tuple(each.start for each in unwanted))
    origin: dict[Any, tuple[Any, str] | None] = {start: None}
    waiting = deque([start])
    visited = 0
    limit = work // (len(alphabet) * sum(each.weight for each in (*wanted, *unwanted)) or 1)
    while waiting:
        if visited >= limit:
            yield None
            return
        state = waiting.popleft()
        visited += 1
        inside, outside = state
        if all(each.accepts(at) for each, at in zip(wanted, inside, strict=True)) and not any(
            each.accepts(at) for each, at in zip(unwanted, outside, strict=True)
        ):
            yield _text(origin, state)
        for character in alphabet:
            following = _followed(wanted, inside, character, hopeless="is_dead")
            if following is None:
                continue
            beside = _followed(unwanted, outside, character, hopeless="is_full")
            if beside is None:
                continue
            reached = (following, beside)
            if reached not in origin:
                origin[reached] = (state, character)
                waiting.append(reached)


def _followed(
    automata: Sequence[Automaton], states: tuple[Any, ...], character: str, *, hopeless: str
) -> tuple[Any, ...] | None:
    """The states after one more character; `None` if no continuation can be right."""
    found = []
    for each, at in zip(automata, states, strict=True):
        if at == 0:  # a pattern that can no longer match
            found.append(0)
            continue
        following = each.step(at, character)
        if getattr(each, hopeless)(following):
            return None
        found.append(following)
    return tuple(found)


def _text(origin: dict[Any, tuple[Any, str] | None], state: Any) -> str:
    found = []
    while (step := origin[state]) is not None:
        state, character = step
        found.append(character)
    return "".join(reversed(found))


def _alphabet(automata: Sequence[Automaton]) -> list[str]:
    """One character of each class that no automaton distinguishes, common characters first."""
    cuts = sorted({0, 0xD800, 0xE000, *(cut for each in automata for cut in each.edges()), LAST + 1})
    runs = [range(low, high) for low, high in pairwise(cuts) if high <= LAST + 1]
    nice = [ord(character) for character in NICE]
    found = [next((code for code in nice if code in run), run[0]) for run in runs if run[0] not in _SURROGATES]
    rank = {code: at for at, code in enumerate(nice)}
    told_apart: dict[tuple[Any, ...], str] = {}
    for code in sorted(found, key=lambda code: (rank.get(code, len(rank)), code)):
        told_apart.setdefault(tuple(each.place_of(chr(code)) for each in automata), chr(code))
    return list(told_apart.values())

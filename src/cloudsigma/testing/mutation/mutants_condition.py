"""Mistakes in a condition: `and` for `or`, a lost `not`, another quantifier, a missing operand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(r"[()]|[^\s()]+")
_QUANTIFIERS = ("1", "any", "all")

Change = tuple[str, tuple[int, int, str]]
"""A description, and the start, end and new text of the changed part of the condition."""


@dataclass(slots=True)
class _Operand:
    """The extent of an operand, or of a chain of operands, in the condition."""

    start: int
    end: int
    parts: list[_Operand] = field(default_factory=list)
    """The operands of a chain."""


class _Unreadable(Exception):  # noqa: N818  # control flow: no mutants
    pass


def condition_changes(text: str) -> list[Change]:
    """The mistakes that can be made in a condition; none if it cannot be parsed."""
    reader = _Reader(text)
    try:
        reader.whole()
    except _Unreadable:
        return []
    words: list[tuple[str, tuple[int, int, str]]] = []
    counts: dict[str, int] = {}

    def numbered(what: str) -> str:
        counts[what] = counts.get(what, 0) + 1
        return f"{what} #{counts[what]}"

    for start, end in sorted(reader.operators):
        word = text[start:end]
        words.append(
            (numbered(f"{word}->{'or' if word == 'and' else 'and'}"), (start, end, "or" if word == "and" else "and"))
        )
    for start, end in sorted(reader.negations):
        words.append((numbered("not dropped"), (start, end, "")))
    for start, end, pattern in reader.quantifiers:
        word = text[start:end]
        other = "1" if word == "all" else "all"
        words.append((f"{word} of {pattern}->{other} of", (start, end, other)))
    for start, end, name in _removals(text, reader.chains):
        words.append((f"{name} dropped", (start, end, "")))
    return words


def _removals(text: str, chains: list[_Operand]) -> Iterator[tuple[int, int, str]]:
    for chain in chains:
        for position, operand in enumerate(chain.parts):
            name = " ".join(text[operand.start : operand.end].split())
            if position:
                yield chain.parts[position - 1].end, operand.end, name
            else:
                yield operand.start, chain.parts[1].start, name


class _Reader:
    """Parses a condition (`not` binds tighter than `and`, `and` tighter than `or`) and records positions."""

    def __init__(self, text: str) -> None:
        self._tokens = [(found[0], found.start(), found.end()) for found in _TOKEN.finditer(text)]
        self._at = 0
        self.operators: list[tuple[int, int]] = []
        self.negations: list[tuple[int, int]] = []
        """Each with the blanks after it."""
        self.quantifiers: list[tuple[int, int, str]] = []
        self.chains: list[_Operand] = []

    def whole(self) -> None:
        self._chain("or")
        if self._at < len(self._tokens):
            raise _Unreadable

    def _next(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _take(self) -> tuple[str, int, int]:
        if self._at >= len(self._tokens):
            raise _Unreadable
        self._at += 1
        return self._tokens[self._at - 1]

    def _chain(self, word: str) -> _Operand:
        parts = [self._operand(word)]
        while self._next() == word:
            _, start, end = self._take()
            self.operators.append((start, end))
            parts.append(self._operand(word))
        if len(parts) == 1:
            return parts[0]
        chain = _Operand(parts[0].start, parts[-1].end, parts)
        self.chains.append(chain)
        return chain

    def _operand(self, word: str) -> _Operand:
        return self._chain("and") if word == "or" else self._negated()

    def _negated(self) -> _Operand:
        if self._next() != "not":
            return self._atom()
        _, start, _ = self._take()
        behind = self._tokens[self._at][1] if self._at < len(self._tokens) else start
        self.negations.append((start, behind))
        return _Operand(start, self._negated().end)

    def _atom(self) -> _Operand:
        word, start, end = self._take()
        if word == "(":
            self._chain("or")
            closing, _, end = self._take()
            if closing != ")":
                raise _Unreadable
        elif word in _QUANTIFIERS and self._next() == "of":
            self._take()
            pattern, _, stop = self._take()
            self.quantifiers.append((start, end, pattern))
            end = stop
        elif word in ("and", "or", ")"):
            raise _Unreadable
        return _Operand(start, end)

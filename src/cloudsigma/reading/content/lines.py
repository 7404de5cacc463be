"""Content → lines, in blocks of whole lines and one by one, in bounded memory for any content."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import msgspec

LOG_PREFIX = (
    r"[ \t]*\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
    r"[ \t]+(?:[^\s{}\"]{1,512}[ \t]*)?"
)
"""Text before a record in an exported log: a time, and perhaps the name of the stream."""
ENOUGH = 1 << 20
"""Bytes of whole lines that make a block."""


class Block:
    """Lines that follow one another."""

    def __init__(self, data: bytes, number: int) -> None:
        """`data` includes line endings; `number` is the first line's, from 1."""
        self.data = data
        self.number = number

    @cached_property
    def lines(self) -> list[bytes]:
        """The lines without what ends them."""
        lines = self.data.split(b"\n")
        if self.data.endswith(b"\n"):
            lines.pop()
        return lines


class TooLong(msgspec.Struct, frozen=True):
    """A line that is skipped because it is too long."""

    number: int


def blocks(chunks: Iterator[bytes], most: int) -> Iterator[Block | TooLong]:
    """All lines in blocks; a line longer than `most` bytes may be part of a block or be skipped."""
    number = 1
    whole: list[bytes | memoryview] = []  # lines that have ended
    begun: list[bytes | memoryview] = []  # the line that has not
    held = size = 0
    passing = False
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if passing:
            if not end:
                continue
            passing = False
            number += 1
            chunk = chunk[chunk.find(b"\n") + 1 :]  # noqa: PLW2901  # what follows the line
            end = chunk.rfind(b"\n") + 1
        if end:
            piece = memoryview(chunk)
            whole += (*begun, piece[:end])
            held += size + end
            begun, size = [piece[end:]], len(chunk) - end
        else:
            begun.append(chunk)
            size += len(chunk)
        if whole and (held >= ENOUGH or size > most):
            block = Block(b"".join(whole), number)
            whole, held = [], 0
            yield block
            number += len(block.lines)  # the consumer has cut it off
        if size > most:
            yield TooLong(number)
            begun, size = [], 0
            passing = True
    if whole:
        block = Block(b"".join(whole), number)
        yield block
        number += len(block.lines)
    if not passing:
        yield Block(b"".join(begun), number)


def split_lines(chunks: Iterator[bytes], most: int) -> Iterator[bytes | None]:
    """The lines without what ends them; `None`, and nothing more, where one is longer than `most` bytes."""
    for block in blocks(chunks, most):
        for line in block.lines if isinstance(block, Block) else (None,):
            if line is None or len(line) > most:
                yield None
                return
            yield line

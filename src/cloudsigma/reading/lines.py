"""Content → lines, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator


def split_lines(chunks: Iterator[bytes], most: int) -> Iterator[bytes | None]:
    """The lines without what ends them; `None`, and nothing more, where one is longer than `most` bytes."""
    begun: list[bytes] = []
    size = 0
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        begun.append(first)
        size += len(first)
        if others:
            yield b"".join(begun)
            yield from others[:-1]
            begun = [others[-1]]
            size = len(others[-1])
        if size > most:
            yield None
            return
    yield b"".join(begun)

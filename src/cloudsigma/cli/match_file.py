"""A file of matches as JSON lines, which a command reads: its lines, numbered."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import click

from cloudsigma.escaping import printable
from cloudsigma.reading.content.lines import Block, blocks
from cloudsigma.reading.scope.limits import Limits

_CHUNK = 1 << 20


def open_matches(path: str, stack: ExitStack) -> BinaryIO:
    """Open a file, or standard input for `-`, until the stack is closed; raises `click.UsageError`."""
    if path == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(Path(path).open("rb"))
    except OSError as error:
        raise click.UsageError(f"{printable(path)} cannot be read ({error.strerror or error}).") from error


def match_lines(source: BinaryIO, limits: Limits) -> Iterator[tuple[int, bytes | None]]:
    """The lines that are not empty, with their numbers from 1; `None` for one that is too long."""
    for block in blocks(iter(lambda: source.read(_CHUNK), b""), limits.document):
        if isinstance(block, Block):
            yield from ((number, line) for number, line in enumerate(block.lines, block.number) if line.strip())
        else:
            yield block.number, None

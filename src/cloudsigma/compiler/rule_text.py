"""Bytes of a rule file → text, cut into its YAML documents."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MARKER = re.compile(r"^(?:---|\.\.\.)(?=[ \t\r\n]|$)", re.MULTILINE)


def decode(data: bytes | str) -> str:
    """The text of a rule file without a byte order mark; raises `UnicodeDecodeError`."""
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8")):
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding)
    return data.decode("utf-8")


def documents_of(text: str) -> Iterator[tuple[int, str]]:
    """The text cut before each document marker, with the number of the first line of each part.

    YAML forbids `---` and `...` at the start of a line inside any document, block scalars included, so the cut
    needs no parser. Directives (`%YAML`) belong to the document that follows them.
    """
    starts = [0, *(found.start() for found in _MARKER.finditer(text) if found.start())]
    held = 0
    counted, line = 0, 1
    for at, start in enumerate(starts):
        end = starts[at + 1] if at + 1 < len(starts) else len(text)
        lines = text[start:end].splitlines()
        if any(line.startswith("%") for line in lines) and all(not line or line[0] in "%#." for line in lines):
            held = held or start + 1
            continue
        begin = held - 1 if held else start
        held = 0
        part = text[begin:end]
        # `...` only ends the document before it: make it a comment, which keeps lines and columns.
        line += text.count("\n", counted, begin)
        counted = begin
        yield line, f"#{part[1:]}" if part.startswith("...") else part

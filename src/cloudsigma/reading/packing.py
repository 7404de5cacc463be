"""Compression and archives that are not read, told by their first bytes, and what to do with them."""

from __future__ import annotations

import re

_PACKINGS = (
    (re.compile(rb"\x1f\x8b"), "compressed with gzip twice", "decompress it once", "zcat"),
    (re.compile(rb"\xfd7zXZ\0"), "compressed with xz", "decompress it", "xzcat"),
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), "compressed with bzip2", "decompress it", "bzcat"),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "compressed with zstd", "decompress it", "zstdcat"),
    (re.compile(rb"PK(?:\x03\x04|\x05\x06)"), "a zip archive", "unpack it", "unzip -p"),
    (re.compile(rb"7z\xbc\xaf\x27\x1c"), "a 7z archive", "unpack it", "7z x -so"),
    (re.compile(rb".{257}ustar", re.DOTALL), "a tar archive", "unpack it", "tar -xOf"),
)
"""What content begins with that was inflated already, what it is, and what undoes it, in words and as a command."""


def refusal(head: bytes) -> str | None:
    """Why content that begins so is not read; `None` where it is not packed."""
    for start, what, remedy, command in _PACKINGS:
        if start.match(head):
            return f"it is {what}, which is not read: {remedy} first, or pipe it: {command} FILE | cloudsigma scan -"
    return None

"""Compression and archives that are not read, known by their first bytes or their names, and how to unpack them."""

from __future__ import annotations

import re
from typing import NamedTuple


class _Format(NamedTuple):
    start: re.Pattern[bytes]
    """The first bytes of the content, after gzip is inflated."""
    endings: frozenset[str]
    what: str
    remedy: str
    command: str
    """The command that unpacks a file to standard output."""

    @property
    def refusal(self) -> str:
        return (
            f"it is {self.what}, which is not read: {self.remedy} first, "
            f"or pipe it: {self.command} FILE | cloudsigma scan -"
        )


def _format(start: bytes, endings: str, what: str, remedy: str, command: str) -> _Format:
    return _Format(re.compile(start, re.DOTALL), frozenset(endings.split()), what, remedy, command)


_FORMATS = (
    _format(rb"\x1f\x8b", "", "compressed with gzip twice", "decompress it once", "zcat"),
    _format(rb"\xfd7zXZ\0", ".xz", "compressed with xz", "decompress it", "xzcat"),
    _format(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", ".bz2", "compressed with bzip2", "decompress it", "bzcat"),
    _format(rb"\x28\xb5\x2f\xfd", ".zst", "compressed with zstd", "decompress it", "zstdcat"),
    _format(rb"\x04\x22\x4d\x18", ".lz4", "compressed with lz4", "decompress it", "lz4cat"),
    _format(rb"PK(?:\x03\x04|\x05\x06)", ".zip", "a zip archive", "unpack it", "unzip -p"),
    _format(rb"7z\xbc\xaf\x27\x1c", ".7z", "a 7z archive", "unpack it", "7z x -so"),
    _format(rb".{257}ustar", ".tar .tgz", "a tar archive", "unpack it", "tar -xOf"),
)


def refusal(head: bytes) -> str | None:
    """Why content that begins like this is not read; `None` if it is not an archive."""
    return next((each.refusal for each in _FORMATS if each.start.match(head)), None)


def refusal_of_ending(ending: str) -> str | None:
    """Why a file with this ending (in lower case) is not read; `None` if it is not an archive's."""
    return next((each.refusal for each in _FORMATS if ending in each.endings), None)

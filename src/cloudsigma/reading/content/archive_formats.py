"""Compression and archives that are not read, told by their first bytes or by their names, and what to do with them."""

from __future__ import annotations

import re
from typing import NamedTuple


class _Packing(NamedTuple):
    start: re.Pattern[bytes]
    """What content begins with that was inflated already, if it was gzip."""
    endings: frozenset[str]
    what: str
    remedy: str
    command: str
    """What unpacks a file to standard output."""

    @property
    def refusal(self) -> str:
        return (
            f"it is {self.what}, which is not read: {self.remedy} first, "
            f"or pipe it: {self.command} FILE | cloudsigma scan -"
        )


def _packing(start: bytes, endings: str, what: str, remedy: str, command: str) -> _Packing:
    return _Packing(re.compile(start, re.DOTALL), frozenset(endings.split()), what, remedy, command)


_PACKINGS = (
    _packing(rb"\x1f\x8b", "", "compressed with gzip twice", "decompress it once", "zcat"),
    _packing(rb"\xfd7zXZ\0", ".xz", "compressed with xz", "decompress it", "xzcat"),
    _packing(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", ".bz2", "compressed with bzip2", "decompress it", "bzcat"),
    _packing(rb"\x28\xb5\x2f\xfd", ".zst", "compressed with zstd", "decompress it", "zstdcat"),
    _packing(rb"\x04\x22\x4d\x18", ".lz4", "compressed with lz4", "decompress it", "lz4cat"),
    _packing(rb"PK(?:\x03\x04|\x05\x06)", ".zip", "a zip archive", "unpack it", "unzip -p"),
    _packing(rb"7z\xbc\xaf\x27\x1c", ".7z", "a 7z archive", "unpack it", "7z x -so"),
    _packing(rb".{257}ustar", ".tar .tgz", "a tar archive", "unpack it", "tar -xOf"),
)


def refusal(head: bytes) -> str | None:
    """Why content that begins so is not read; `None` where it is not packed."""
    return next((each.refusal for each in _PACKINGS if each.start.match(head)), None)


def refusal_of_ending(ending: str) -> str | None:
    """Why a file is not read whose name ends so, in lower case; `None` where that does not say that it is packed."""
    return next((each.refusal for each in _PACKINGS if ending in each.endings), None)

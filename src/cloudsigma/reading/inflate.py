"""Stored bytes → content: the only door to a decompressor.

Gzip is told by content, and all its members are read. `Inflater` streams, and says what is damaged; `inflate` takes a
whole healthy file at once with a faster library, and leaves everything else to `Inflater`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

_fast: Any
try:
    from isal import isal_zlib

    _fast = isal_zlib
except ImportError:  # a slim installation: same results, half as fast
    _fast = zlib

_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"


class Limits(msgspec.Struct, frozen=True):
    """Bounds that no honest trail meets."""

    inflated: int = 64 << 30
    """Bytes of one file after decompression."""
    document: int = 2 << 30
    """Bytes of one document (a log file, one line), which is held in memory whole."""
    payload: int = 256 << 20
    """Bytes that the envelopes of one document carry, after decompression."""
    envelopes: int = 10
    """Envelopes within one another."""


class Damage(msgspec.Struct, frozen=True):
    """A part of a file that cannot be read."""

    reason: str
    position: str | None = None


class Inflater:
    """The bytes of a stream, decompressed if they are gzip; what went wrong stands in `damage` afterwards."""

    def __init__(self, stream: BinaryIO, limits: Limits, head: bytes = b"") -> None:
        """`head` is what has been read of the stream before."""
        self._stream = stream
        self._head = head
        self._limits = limits
        self.damage: Damage | None = None
        self.stored = 0
        self.inflated = 0

    def chunks(self) -> Iterator[bytes]:
        """The content piece by piece; ends early at damage or at the limit."""
        first = self._read()
        while first and len(first) < len(_GZIP) and (more := self._read()):
            first += more
        for chunk in self._members(first) if first.startswith(_GZIP) else self._plain(first):
            self.inflated += len(chunk)
            if self.inflated > self._limits.inflated:
                self.damage = Damage(f"it inflates to more than {self._limits.inflated:,} bytes; the rest is not read")
                return
            yield chunk

    def _read(self) -> bytes:
        data = self._head[self.stored : self.stored + _CHUNK] or self._stream.read(_CHUNK)
        self.stored += len(data)
        return data

    def _plain(self, data: bytes) -> Iterator[bytes]:
        while data:
            yield data
            data = self._read()

    def _members(self, data: bytes) -> Iterator[bytes]:
        member = zlib.decompressobj(31)
        while data or (data := self._read()):
            before = member.copy()
            try:
                piece = member.decompress(data, _CHUNK)
            except zlib.error as error:
                self.damage = Damage(f"the gzip data is damaged ({error})")
                yield from _up_to_damage(before, data)
                return
            if piece:
                yield piece
            data = member.unconsumed_tail
            if member.eof:
                data = member.unused_data.lstrip(b"\0") or self._read().lstrip(b"\0")
                if not data:
                    return
                if len(data) < len(_GZIP):
                    data += self._read()
                if not data.startswith(_GZIP):
                    self.damage = Damage("there are other bytes after the end of the gzip data")
                    return
                member = zlib.decompressobj(31)
        if piece := member.flush():
            yield piece
        if not member.eof:
            self.damage = Damage("the gzip data is cut off")


def _up_to_damage(member: Any, data: bytes) -> Iterator[bytes]:
    """What still inflates of data in which the decompressor has met damage: it is fed byte by byte."""
    for at in range(len(data)):
        try:
            piece = member.decompress(data[at : at + 1])
        except zlib.error:
            return
        if piece:
            yield piece


def inflate(stored: bytes, most: int) -> bytes | None:
    """The content of a file that is held whole, decompressed if it is gzip; `None` where `Inflater` must see to it.

    That is so where the data is damaged or cut, where something follows its end, and where it inflates to more than
    `most` bytes.
    """
    if not stored.startswith(_GZIP):
        return stored if len(stored) <= most else None
    pieces: list[bytes] = []
    room = most
    while stored:
        member = _fast.decompressobj(31)
        try:
            piece = member.decompress(stored, room + 1)
        except (zlib.error, _fast.error):
            return None
        room -= len(piece)
        if room < 0 or not member.eof:
            return None
        pieces.append(piece)
        stored = member.unused_data.lstrip(b"\0")  # some writers pad to a block
        if stored and not stored.startswith(_GZIP):
            return None
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)

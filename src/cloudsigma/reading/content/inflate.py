"""Stored bytes → content: the only door to a decompressor.

Gzip is recognized by content, and all its members are read. `Inflater` streams and reports damage; `inflate`
decompresses a whole healthy file at once with a faster library, and leaves everything else to `Inflater`. In a seekable
stream `Inflater`, too, tries the faster library first, and falls back to zlib, whose errors say more. Both check the
compression ratio after every 64 MiB of output, so a decompression bomb is stopped early.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import msgspec

from cloudsigma.reading.scope.limits import RATIO_FROM, Limits

_fast: Any
try:
    from isal import isal_zlib

    _fast = isal_zlib
except ImportError:  # a slim installation: same results, half as fast
    _fast = zlib

_USUAL = Limits()
_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_PADDING = re.compile(rb"[\0 \t\r\n]*+")
_HEADER = 4
"""Bytes of a member's header up to its flags."""
_UNUSUAL = 0xE2
"""Flags that libraries treat differently: the reserved ones, and that for a checksum of the header."""
_BEGINNING = 1 << 14
"""Bytes of gzip data read to identify a file's format."""
_NEXT_MEMBER = 1 << 14
"""Bytes first fed to each later member: the unused rest is copied for every member, so it is kept small."""


class Damage(msgspec.Struct, frozen=True):
    """A part of a file that cannot be read."""

    reason: str
    position: str | None = None
    records: int = 0
    """Records of a list lost to the damage, if they can be counted: later records keep their positions."""


class Inflater:
    """The bytes of a stream, decompressed if they are gzip; `damage` lists the errors afterwards."""

    def __init__(self, stream: BinaryIO, limits: Limits, head: bytes = b"", *, quick: bool = False) -> None:
        """`head` holds the bytes already read from the stream.

        With `quick` the faster library decompresses gzip data. If anything is unusual, the stream is read again from
        the start and output already yielded is skipped, so the stream must be seekable.
        """
        self._stream = stream
        # `read` of a pipe waits for a whole chunk without looking for signals: Ctrl-C would wait for more data, too.
        self._read_some = stream.read1 if isinstance(stream, io.BufferedReader) else stream.read
        self._head = head
        self._limits = limits
        self._start = stream.tell() if quick and _fast is not zlib else None
        self._reached = 0
        self._begin()

    def _begin(self) -> None:
        self.damage: Damage | None = None
        self.stored = 0
        self.inflated = 0
        self._waiting = 0  # bytes read and not yet inflated

    @property
    def reached(self) -> int:
        """The most stored bytes read so far; unlike `stored`, it does not restart when the stream is read again."""
        return max(self._reached, self.stored)

    def chunks(self) -> Iterator[bytes]:
        """The content piece by piece; ends early at damage or at the limit."""
        first = self._first()
        if not first.startswith(_GZIP):
            yield from self._checked(self._plain(first), compressed=False)
            return
        given = 0
        if self._start is not None:
            for piece in self._quickly(first):
                given += len(piece)
                yield piece
            if self.damage is None:
                return
            self._reached = self.stored
            self._stream.seek(self._start)
            self._begin()
            first = self._first()
        for piece in self._checked(self._members(first, zlib.decompressobj), compressed=True):
            if self.inflated > given:
                yield piece[-(self.inflated - given) :]

    def _quickly(self, first: bytes) -> Iterator[bytes]:
        """The content by the faster library; anything unusual ends it and is added to `damage`."""
        for piece in self._members(first, _fast.decompressobj):
            inflated = self.inflated + len(piece)
            # When the data is read again, limits are checked at other moments; that second reading decides.
            if inflated > self._limits.inflated - _CHUNK:
                self._stop_at("inflated")
                return
            if self._limits.inflates_too_much(2 * inflated, self.stored - self._waiting):
                self._stop_at("ratio")
                return
            self.inflated = inflated
            yield piece

    def _checked(self, pieces: Iterator[bytes], *, compressed: bool) -> Iterator[bytes]:
        looked_at = RATIO_FROM
        for piece in pieces:
            self.inflated += len(piece)
            if self.inflated > self._limits.inflated:
                self._stop_at("inflated")
                return
            if compressed and self.inflated > looked_at:
                looked_at += RATIO_FROM
                if self._limits.inflates_too_much(self.inflated, self.stored - self._waiting):
                    self._stop_at("ratio")
                    return
            yield piece

    def _stop_at(self, limit: str) -> None:
        self.damage = Damage(f"it inflates to more than {self._limits.said(limit)}; the rest is not read")

    def _first(self) -> bytes:
        first = self._read()
        while first and len(first) < len(_GZIP) and (more := self._read()):
            first += more
        return first

    def _rest(self) -> int:
        """Bytes that are not inflated, up to the end of the stream."""
        rest = self._waiting
        while data := self._read():
            rest += len(data)
        return rest

    def _read(self) -> bytes:
        data = self._head[self.stored : self.stored + _CHUNK] or self._read_some(_CHUNK)
        self.stored += len(data)
        return data

    def _plain(self, data: bytes) -> Iterator[bytes]:
        while data:
            yield data
            data = self._read()

    def _members(self, data: bytes, make: Callable[[int], Any]) -> Iterator[bytes]:
        member = make(31)
        at = 0
        step = _CHUNK
        begins = True  # whether a member begins here
        while True:
            if at == len(data):
                if not (data := self._read()):
                    break
                at = 0
            if make is not zlib.decompressobj and begins and _is_unusual(data, at):
                self.damage = Damage("the header of the gzip data is unusual")  # the other library decides
                return
            begins = False
            fed = memoryview(data)[at : at + step]
            before = member.copy() if make is zlib.decompressobj else None
            try:
                piece = member.decompress(fed, _CHUNK)
            except (zlib.error, _fast.error) as error:
                self._waiting = len(data) - at
                self.damage = Damage(
                    f"the gzip data is damaged ({error}); the last {self._rest():,} bytes are not read"
                )
                if before is not None:
                    yield from _up_to_damage(before, fed)
                return
            # At the end of a member both may hold the rest of a piece.
            at += len(fed) - len(member.unused_data if member.eof else member.unconsumed_tail)
            self._waiting = len(data) - at
            step = _CHUNK
            if piece:
                yield piece
            if member.eof:
                at = _after_padding(data, at)
                while at == len(data):
                    if not (data := self._read()):
                        return
                    at = _after_padding(data, 0)
                if len(data) - at < _HEADER:
                    data, at = data[at:] + self._read(), 0
                if not data.startswith(_GZIP, at):
                    self._waiting = len(data) - at
                    self.damage = Damage(
                        f"there are other bytes after the end of the gzip data; {self._rest():,} bytes are not read"
                    )
                    return
                member = make(31)
                step = _NEXT_MEMBER
                begins = True
        if piece := member.flush():
            yield piece
        if not member.eof:
            self.damage = Damage("the gzip data is cut off")


def _is_unusual(data: bytes, at: int) -> bool:
    """Whether the header of a member has flags that the faster library may read differently."""
    return len(data) - at < _HEADER or bool(data[at + 3] & _UNUSUAL)


def _after_padding(data: bytes, at: int) -> int:
    """The offset after zeros (padding of some writers) and blanks (between members, from some tools)."""
    found = _PADDING.match(data, at)
    return found.end() if found else at


def _up_to_damage(member: Any, data: memoryview) -> Iterator[bytes]:
    """The output that data with damage still yields: the decompressor is fed byte by byte."""
    for at in range(len(data)):
        try:
            piece = member.decompress(data[at : at + 1])
        except zlib.error:
            return
        if piece:
            yield piece


def beginning(stream: BinaryIO) -> bytes:
    """The beginning of a stream's content, enough to identify its format; moves the stream's position."""
    stored = stream.read(_BEGINNING)
    if not stored.startswith(_GZIP):
        return stored + stream.read(_CHUNK)
    return b"".join(Inflater(io.BytesIO(stored), _USUAL).chunks())


def inflate(stored: bytes, most: int, limits: Limits = _USUAL) -> bytes | None:
    """The content of a file held in memory, decompressed if it is gzip; `None` if it must be left to `Inflater`.

    It is `None` if the data is damaged or truncated, if other bytes follow its end, if it inflates to more than `most`
    bytes, and if its compression ratio may exceed `limits`.
    """
    if not stored.startswith(_GZIP):
        return stored if len(stored) <= most else None
    pieces: list[bytes] = []
    size = at = 0
    given = len(stored)  # up to where the decompressor was fed
    while at < len(stored):
        if _is_unusual(stored, at):
            return None
        member = _fast.decompressobj(31)
        fed: bytes | memoryview = stored if at == 0 else memoryview(stored)[at:given]
        while not member.eof:
            try:
                piece = member.decompress(fed, min(RATIO_FROM, most + 1 - size))
            except (zlib.error, _fast.error):
                return None
            pieces.append(piece)
            size += len(piece)
            fed = member.unconsumed_tail
            # At half the ratio already: `Inflater` checks at other moments, and decides.
            if size > most or limits.inflates_too_much(2 * size, given - len(fed)):
                return None
            if not fed and not member.eof:
                if given == len(stored) and not piece:
                    return None
                fed, given = memoryview(stored)[given:], len(stored)
        at = _after_padding(stored, given - len(member.unused_data))
        if at < len(stored) and not stored.startswith(_GZIP, at):
            return None
        given = min(at + _NEXT_MEMBER, len(stored))
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)

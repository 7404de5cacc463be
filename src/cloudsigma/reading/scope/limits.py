"""Limits on the input; a limit has the same name in options, arguments and messages.

They protect against data made to exhaust time or memory. No real trail reaches one. Input beyond a limit is a loss in
the ledger; its reason names the limit, its value and the option that changes it.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from cloudsigma.errors import UsageError

RATIO_FROM = 64 << 20
"""Check the ratio each time after this many bytes of decompressed data."""
DEEPEST = 500
"""Levels that the decoders support at any stack depth; the limit on depth cannot be higher."""
SIZE_FORMS = "a number of bytes, or one with a unit, such as 500MB or 2GiB"

_UNITS = {"": 1, "b": 1} | {
    f"{prefix}{unit}".lower(): base**power
    for unit, base in (("B", 1000), ("iB", 1024))
    for power, prefix in enumerate("KMGT", 1)
}
_SIZE = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,3}))?(?: ?([a-z]+))?", re.ASCII | re.IGNORECASE)
_COUNTED = 20_000
"""Count brackets in texts of at most this many bytes."""
_LONGER_WHEN_WRITTEN = 5
"""A number may become this many times as long when serialized: `1e15`."""


class Limits(msgspec.Struct, frozen=True):
    """Limits that no real trail reaches; sizes are in bytes.

    Raises `UsageError` if a limit is not a whole number above 0, or `depth` is higher than the decoders support.
    """

    inflated: int = 64 << 30
    """Bytes of one file after decompression."""
    ratio: int = 250
    """Greatest ratio of decompressed to compressed size, checked above 64 MiB. Logs have 10 or 20."""
    document: int = 512 << 20
    """Bytes of one document (a log file, one line). It is decoded in memory: real documents take about eight times
    their size, malicious ones up to thirty times."""
    record: int = 16 << 20
    """Bytes of one record, as JSON without blanks. CloudTrail's own have at most 1 MB."""
    values: int = 250_000
    """Values (objects, arrays, members and elements) of one record, or of a document that is not a list of records: a
    byte of JSON can become thirty bytes of objects. CloudTrail's own records have a few thousand at most. A longer list
    of records is decoded one record at a time."""
    depth: int = 100
    """Nesting levels of objects and arrays in one record, which is itself level 1; at most 500."""
    records: int = 50_000_000
    """Records of one file."""
    losses: int = 1_000_000
    """Unreadable places in one file."""
    payload: int = 512 << 20
    """Bytes of the payloads, as text or data, in all envelopes of one document, after decompression. Text payloads
    cannot exceed the document that contains them."""
    envelopes: int = 10
    """Nesting levels of envelopes, including repeated ones. Lists do not count."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise UsageError(f"the limit {name} is {value!r}; give a whole number above 0")
        if self.depth > DEEPEST:
            raise UsageError(f"the limit depth is {self.depth:,}; records can be read to a depth of {DEEPEST:,} levels")

    def said(self, name: str) -> str:
        """The limit for a message, to follow "more than": its value, its name, and the option that changes it."""
        value: int = getattr(self, name)
        shown = size_text(value) if name in SIZES else f"{value:,}{' times its size' if name == 'ratio' else ''}"
        return f"{shown} (the limit {name!r}; --max-{name} changes it)"

    def inflates_too_much(self, inflated: int, stored: int) -> bool:
        """Whether data inflates to more times its size than is allowed."""
        return inflated > RATIO_FROM and inflated > self.ratio * stored

    def refusal(self, record: Any, size: int | None, *, deep: bool) -> str | None:
        """The reason to refuse a record; `None` to accept it.

        Args:
            record: The record.
            size: Bytes of its JSON text, if known.
            deep: Whether it may nest too deep, judged by its JSON text.
        """
        try:
            if deep and _nests_deeper(record, self.depth):
                return self.too_deep
        except RecursionError:  # the caller is deep in the stack
            return self.too_deep
        if (size is None or size > self.record) and _written(record) > self.record:
            return f"the record has more bytes than {self.said('record')}"
        return None

    def may_refuse(self, text: bytes) -> bool:
        """Whether the record in a text needs the full check; true for every record that `refusal` would refuse."""
        return len(text) * _LONGER_WHEN_WRITTEN > self.record or text_nests_deeper(text, self.depth)

    def has_too_many_values(self, text: str | bytes) -> bool:
        """Whether the JSON text of one record or document has too many values to decode it in bounded memory."""
        return len(text) > self.values and values_in(text) > self.values

    @property
    def too_deep(self) -> str:
        """The reason for a loss by depth."""
        return f"the JSON nests too deep, to more levels than {self.said('depth')}"

    @property
    def too_many_values(self) -> str:
        """The reason for a loss by the number of values."""
        return f"the JSON has more values than {self.said('values')}"


SIZES = frozenset({"inflated", "document", "record", "payload"})
"""The limits that are numbers of bytes."""


def parse_size(text: str) -> int:
    """Parse a size, such as `500MB`, `2GiB` or `1048576`, to bytes; raises `UsageError` if it is malformed."""
    found = _SIZE.fullmatch(text)
    factor = _UNITS.get((found[3] or "").lower()) if found else None
    if found is None or factor is None or (found[2] and factor == 1):
        raise UsageError(f"{text!r} is not a size. Write {SIZE_FORMS}.")
    whole, fraction, _ = found.groups()
    size: int = int(whole) * factor + (int(fraction) * factor // 10 ** len(fraction) if fraction else 0)
    if size < 1:
        raise UsageError(f"{text!r} leaves no room at all: give {SIZE_FORMS}")
    return size


def size_text(size: int) -> str:
    """Format a size without rounding: in the largest binary unit that divides it, else in bytes."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size % 1024**power == 0:
            return f"{size // 1024**power:,} {unit}"
    return f"{size:,} bytes"


def values_in(text: str | bytes) -> int:
    """An upper bound on the number of values in a JSON text: punctuation within strings counts, too."""
    if isinstance(text, str):
        return text.count(",") + text.count("{") + text.count("[")
    return text.count(b",") + text.count(b"{") + text.count(b"[")


def text_nests_deeper(text: bytes, levels: int) -> bool:
    """Whether JSON text may nest deeper than `levels`; true for every text that does.

    Few brackets cannot nest deep. Brackets are counted in short texts, where this is faster than checking the values.
    """
    return len(text) > _COUNTED or text.count(b"{") + text.count(b"[") > levels


def _nests_deeper(value: Any, levels: int) -> bool:
    for inner in value.values() if type(value) is dict else value:
        if (type(inner) is dict or type(inner) is list) and (levels < 2 or _nests_deeper(inner, levels - 1)):
            return True
    return False


def _written(record: Any) -> int:
    """Size of a record as JSON without blanks, in bytes."""
    try:
        written: bytes = msgspec.json.encode(record)
    except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError, TypeError):  # lone surrogates, large numbers
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str)
        written = text.encode("utf-8", "surrogatepass")
    return len(written)

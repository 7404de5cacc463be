"""Bounds on what is read, each with a name: what an option is called, what an argument is called, what a message says.

They are there for data that somebody made to exhaust time or memory. No honest trail meets one; where one is met, what
is beyond it is a loss in the ledger, whose reason names the limit, its value and the option that changes it.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from cloudsigma.errors import UsageError

RATIO_FROM = 64 << 20
"""Bytes after decompression at which the ratio is looked at first, and then each time as many more have come."""
DEEPEST = 500
"""Levels that the decoders can do wherever they are called; a higher limit on depth could not be kept."""
SIZE_FORMS = "a number of bytes, or one with a unit, such as 500MB or 2GiB"

_UNITS = {"": 1, "b": 1} | {
    f"{prefix}{unit}".lower(): base**power
    for unit, base in (("B", 1000), ("iB", 1024))
    for power, prefix in enumerate("KMGT", 1)
}
_SIZE = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,3}))?(?: ?([a-z]+))?", re.ASCII | re.IGNORECASE)
_COUNTED = 20_000
"""Bytes of text up to which brackets are counted."""
_LONGER_WHEN_WRITTEN = 5
"""A number as JSON may be so many times as long as it stood in the record: `1e15`."""


class Limits(msgspec.Struct, frozen=True):
    """Bounds that no honest trail meets; sizes are in bytes.

    Raises `UsageError` where a bound is no whole number above 0, or `depth` is higher than the decoders can do.
    """

    inflated: int = 64 << 30
    """Bytes of one file after decompression."""
    ratio: int = 250
    """Times that gzip data may inflate to, once it has come to 64 MiB. Logs come to 10 or 20 times."""
    document: int = 512 << 20
    """Bytes of one document (a log file, one line), which is held in memory whole: honest ones take about eight times
    as much, ones made to do harm up to thirty times."""
    record: int = 16 << 20
    """Bytes of one record, as JSON without blanks. CloudTrail's own have at most 1 MB."""
    values: int = 250_000
    """Values (objects, arrays, members and elements) of one record, or of a document that is no list of records: a
    byte of JSON can become thirty bytes of objects. CloudTrail's own records have a few thousand at most. A longer list
    of records is decoded one record at a time."""
    depth: int = 100
    """Levels of objects and arrays within one another in one record, which is itself the first; at most 500."""
    records: int = 50_000_000
    """Records of one file."""
    losses: int = 1_000_000
    """Places of one file that cannot be read."""
    payload: int = 512 << 20
    """Bytes that the envelopes of one document carry, as text or as data, after decompression: text comes to no more
    than the document that it stands in."""
    envelopes: int = 10
    """Envelopes within one another: the names that a form has, and those that repeat. Lists are none."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise UsageError(f"the limit {name} is {value!r}; give a whole number above 0")
        if self.depth > DEEPEST:
            raise UsageError(f"the limit depth is {self.depth:,}; records can be read to a depth of {DEEPEST:,} levels")

    def said(self, name: str) -> str:
        """A limit in words, to follow "more than" in a message: its value, its name, and what changes it."""
        value: int = getattr(self, name)
        shown = size_text(value) if name in SIZES else f"{value:,}{' times its size' if name == 'ratio' else ''}"
        return f"{shown} (the limit {name!r}; --max-{name} changes it)"

    def inflates_too_much(self, inflated: int, stored: int) -> bool:
        """Whether data inflates to more times its size than is allowed."""
        return inflated > RATIO_FROM and inflated > self.ratio * stored

    def refusal(self, record: Any, size: int | None, *, deep: bool) -> str | None:
        """Why a record is not taken; `None`: it is.

        Args:
            record: The record.
            size: Bytes of the text that it stood in, if that is known.
            deep: Whether it may nest too deep, as far as that text says.
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
        """Whether the text of one record must be looked at more closely; never false of one that is refused."""
        return len(text) * _LONGER_WHEN_WRITTEN > self.record or text_nests_deeper(text, self.depth)

    def has_too_many_values(self, text: str | bytes) -> bool:
        """Whether the JSON text of one record or document is not decoded, since it would take too much memory."""
        return len(text) > self.values and values_in(text) > self.values

    @property
    def too_deep(self) -> str:
        """The reason of a loss by depth."""
        return f"the JSON nests too deep, to more levels than {self.said('depth')}"

    @property
    def too_many_values(self) -> str:
        """The reason of a loss by the number of values."""
        return f"the JSON has more values than {self.said('values')}"


SIZES = frozenset({"inflated", "document", "record", "payload"})
"""The limits that are numbers of bytes."""


def parse_size(text: str) -> int:
    """A size as people write it, in bytes; raises `UsageError` where it is none: `500MB`, `2GiB`, `1048576`."""
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
    """A size for people, exactly: in the largest binary unit that it is a whole number of, else in bytes."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size % 1024**power == 0:
            return f"{size // 1024**power:,} {unit}"
    return f"{size:,} bytes"


def values_in(text: str | bytes) -> int:
    """The values in a JSON text, or more: marks within strings count, too."""
    if isinstance(text, str):
        return text.count(",") + text.count("{") + text.count("[")
    return text.count(b",") + text.count(b"{") + text.count(b"[")


def text_nests_deeper(text: bytes, levels: int) -> bool:
    """Whether JSON text may nest deeper; never false where it does.

    Few brackets cannot nest deep. They are counted where that is quicker than looking at what was read.
    """
    return len(text) > _COUNTED or text.count(b"{") + text.count(b"[") > levels


def _nests_deeper(value: Any, levels: int) -> bool:
    for inner in value.values() if type(value) is dict else value:
        if (type(inner) is dict or type(inner) is list) and (levels < 2 or _nests_deeper(inner, levels - 1)):
            return True
    return False


def _written(record: Any) -> int:
    """Bytes of a record as JSON without blanks."""
    try:
        written: bytes = msgspec.json.encode(record)
    except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError, TypeError):  # lone surrogates, large numbers
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str)
        written = text.encode("utf-8", "surrogatepass")
    return len(written)

"""The fast path for healthy files: decodes a few fields of every record, and only the records that could match whole.

A rule set names the fields that decide (`Probe`). They are decoded into small views, and only records that the rule set
selects become Python objects. Anything unusual (damage, bytes that are not UTF-8, NaN, other forms than log files and
JSON lines, a field that is not text) is left to `decode` and `envelope`, the plain path. That is also the judge: both
must give the same records.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Literal, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from cloudsigma.engine.evaluate.fields import reader
from cloudsigma.reading.content.document import RECORDS_KEYS, loads
from cloudsigma.reading.content.lines import Block
from cloudsigma.reading.envelope.interface import NO_PLAIN_RECORD
from cloudsigma.reading.envelope.record_shape import AGGREGATED, COUNTED_AS_TEXT, INSIGHT, LAMBDA_SOURCE

MOST = 256 << 20
"""Log files up to this many bytes, stored and inflated, are held whole; larger ones are streamed, as lines are."""

_Text = str | None | UnsetType
_Never = Literal["\x00 no key of this name is expected"] | UnsetType
"""A type without values: the decoder refuses any document that has the key."""
_NOT_USUAL = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_NUMBER = " number"
"""A member of views that no record has."""


class Probe(Protocol):
    """Selects the records that could match a rule set, from a few fields."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of top-level fields, or of members of top-level objects (`userIdentity.type`)."""

    def candidates(self, columns: Sequence[Iterator[Any]]) -> list[int]:
        """The numbers of the records that could match, from 0. May name too many, never too few.

        A column holds one field of every record: a text, `None` if null, `msgspec.UNSET` if absent.
        """

    def accepted(self) -> None:
        """Called once the records of the last `candidates` call are counted as read; until then they may be dropped."""


class Probed(msgspec.Struct, frozen=True):
    """The records of a file, or of some of its lines."""

    form: str
    size: int
    """Bytes of the content."""
    total: int
    """Records, Insights events left out."""
    insights: int
    candidates: list[tuple[int, msgspec.Raw | bytes]]
    """The records that could match, still as text, with their positions among records and Insights events.

    `decode_record` makes them Python objects. Decode one at a time: it is three times as fast as many at once, which
    no processor's cache can hold.
    """


class View:
    """Decoders of the fields of one probe; may be used from several threads."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._numbers = itertools.count()
        self._number = attrgetter(_attribute(_NUMBER))
        self._log_file: msgspec.json.Decoder[Any]
        self._slices: msgspec.json.Decoder[Any]
        self._line: msgspec.json.Decoder[Any]
        attributes: dict[str, str] = {}  # field → attribute of the view
        members: dict[str, list[str]] = {}
        for name in probe.fields:
            outer, _, inner = name.partition(".")
            if inner:
                members.setdefault(outer, []).append(inner)
            attributes[name] = _attribute(outer) + (f".{_attribute(inner)}" if inner else "")
        top = {name for name in probe.fields if "." not in name} | {"eventName", "eventType"}
        shape: dict[str, Any] = dict.fromkeys(sorted(top), (_Text, UNSET))
        for outer, inner_names in members.items():
            made = _struct(outer, dict.fromkeys(inner_names, (_Text, UNSET)))
            shape[outer] = (made, msgspec.field(default_factory=made))
            shape |= {f"{outer}.{name}": (_Never, UNSET) for name in inner_names}  # a key that reads the same
        self._columns = [attrgetter(attributes[name]) for name in probe.fields]
        self._reads = [reader(name) for name in probe.fields]
        untyped = {name: kind for name, kind in shape.items() if name != "eventType"}
        # An element without `eventType` may be a message, which is for the plain path. Each view is numbered when it
        # is made: a gap shows that an earlier list was dropped for a second one under the same key.
        numbered = {_NUMBER: (_Never, msgspec.field(default_factory=self._numbers.__next__))}
        typed = shape if "eventType" in members else {"eventType": (str, ...), **untyped}
        record = _struct("record", {**typed, **numbered})
        # `Type` is of an SNS message; a second list of records stands under one of the others.
        log_traps = dict.fromkeys(("Type", *RECORDS_KEYS[1:]), (_Never, UNSET))
        self._log_file = msgspec.json.Decoder(_struct("log_file", {"Records": (list[record], ...), **log_traps}))  # type: ignore[valid-type]  # made here
        self._slices = msgspec.json.Decoder(_struct("slices", {"Records": (list[msgspec.Raw], ...)}))
        traps: dict[str, Any] = dict.fromkeys(NO_PLAIN_RECORD, (_Never, UNSET))
        an_object = msgspec.defstruct("object", (), gc=False)
        looked_at = {"eventSource": (_Text, UNSET), COUNTED_AS_TEXT: (an_object | None | UnsetType, UNSET)}
        self._line = msgspec.json.Decoder(_struct("line", {**looked_at, **shape, **traps}))

    def probe_log_file(self, data: bytes) -> Probed | None:
        """The records of a log file; `None`: the plain path must read it."""
        try:
            _check_text(data)
            before = next(self._numbers)
            views = self._log_file.decode(data).Records
            if (self._number(views[0]) if views else next(self._numbers)) != before + 1:
                return (
                    None  # there was another list of records (or another thread took a number, which costs time alone)
                )
            if views and type(views[0].eventType) is not str:
                return None  # perhaps a notification, which has the same form
            return self._probed("log_file", len(data), views, lambda: self._slices.decode(data).Records)
        except _NOT_USUAL:
            return None

    def probe_lines(self, block: Block, most: int) -> Probed | None:
        """The records of lines of at most `most` bytes each; `None`: the plain path must read them."""
        try:
            _check_text(block.data)
            lines = [line for line in block.lines if line and not line.isspace()]
            if len(block.data) > most and any(len(line) > most for line in block.lines):
                return None
            # One by one: `decode_lines` would accept a document that spans lines, and several in one line.
            views = list(map(self._line.decode, lines))
            if not views:
                return None
            return self._probed("lines", len(block.data), views, lambda: lines)
        except _NOT_USUAL:
            return None

    def accepted(self) -> None:
        """Tell the probe that the records it saw last are part of the account."""
        self._probe.accepted()

    def could_match(self, record: Mapping[str, Any]) -> bool:
        """Whether the probe selects a record that was read whole; also true if a field is not text."""
        values = [read(record) for read in self._reads]
        if not all(isinstance(value, str) or value is None or value is UNSET for value in values):
            return True
        return bool(self._probe.candidates([iter((value,)) for value in values]))

    def _probed(self, form: str, size: int, views: list[Any], slices: Callable[[], list[Any]]) -> Probed | None:
        """The records of views; `None` if one is not a record as `record_shape` defines it."""
        kinds = [view.eventType for view in views]
        names = list(map(_NAME, views))
        # Every CloudTrail record has an `eventType`; Lambda events do not.
        sources = map(_SOURCE, views) if form == "lines" and set(map(type, kinds)) != {str} else ()
        insights = kinds.count(INSIGHT)
        if AGGREGATED in kinds or not _are_records(names, kinds if insights else None, sources):
            return None
        columns = [
            iter(names) if field == "eventName" else map(column, views)
            for field, column in zip(self._probe.fields, self._columns, strict=True)
        ]
        chosen = self._probe.candidates(columns) if views else []
        candidates: list[tuple[int, msgspec.Raw | bytes]] = []
        if chosen:
            raw = slices()
            candidates = [(at, raw[at]) for at in chosen if kinds[at] != INSIGHT]
        return Probed(form, size, len(views) - insights, insights, candidates)


_NAME, _SOURCE = attrgetter("eventName"), attrgetter("eventSource")


def _are_records(names: list[Any], kinds: list[Any] | None, sources: Iterable[Any]) -> bool:
    """Whether all have a name or, with `kinds`, are Insights events; and none, by `sources`, is a Lambda event.

    The distinct values are few, so each is checked once.
    """
    if any(type(source) is str and source.startswith(LAMBDA_SOURCE) for source in set(sources)):
        return False
    different = set(names)
    if (set(map(type, different)) == {str} or not names) and "" not in different:
        return True
    return kinds is not None and all(
        (type(name) is str and name) or kind == INSIGHT for name, kind in zip(names, kinds, strict=True)
    )


_anything = msgspec.json.Decoder()


def decode_record(raw: msgspec.Raw | bytes) -> dict[str, Any]:
    """One record; the plain decoder reads those that the fast one refuses (lone surrogates, numbers beyond a float).

    Raises `ValueError` or `RecursionError` where neither does, which only nesting at the edge of what they take can do.
    """
    try:
        record: dict[str, Any] = _anything.decode(raw)
    except _NOT_USUAL:
        record = loads(bytes(raw).decode())
    return record


def _check_text(data: bytes) -> None:
    """Raise if the data is not UTF-8: the decoders do not check texts that they skip."""
    if not data.isascii():
        data.decode()


def _attribute(name: str) -> str:
    """A field's name as that of an attribute."""
    attribute = re.sub(r"\W", "__", name)
    return attribute if attribute[0].isalpha() else f"x{attribute}"  # Python treats names that begin with `_` apart


def _struct(name: str, fields: dict[str, tuple[Any, Any]]) -> type[msgspec.Struct]:
    """A view's type from JSON names, with their types and defaults; `...` marks a name without a default."""
    shape = [
        (_attribute(field), type_) if default is ... else (_attribute(field), type_, default)
        for field, (type_, default) in fields.items()
    ]
    return msgspec.defstruct(name, shape, rename={_attribute(field): field for field in fields}, gc=False)

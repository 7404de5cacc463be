"""Document → records, unwrapped from any envelope, by content; or the kind of a document without records."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import msgspec

from cloudsigma.reading.content.decode import documents
from cloudsigma.reading.content.document import Document, loads
from cloudsigma.reading.content.inflate import Damage, Inflater
from cloudsigma.reading.envelope import (
    aws_sources,
    cloudwatch_logs,
    elastic,
    event_history,
    eventbridge,
    evtx,
    json_tables,
    log_files,
    notifications,
    query_results,
    security_lake,
    sentinel,
    siem,
    streams,
)
from cloudsigma.reading.envelope.interface import (
    UNNAMED,
    Carried,
    Family,
    NoCalls,
    NoForm,
    Part,
    Record,
    Refused,
    bytes_of,
    inside,
)
from cloudsigma.reading.scope.limits import Limits

_FAMILIES: tuple[Family, ...] = (
    log_files.unwrap,
    notifications.unwrap,
    streams.unwrap,
    aws_sources.unwrap,
    json_tables.unwrap,
    cloudwatch_logs.unwrap,
    event_history.unwrap,
    eventbridge.unwrap,
    sentinel.unwrap,
    evtx.unwrap,
    query_results.unwrap,
    security_lake.unwrap,
    elastic.unwrap,
    siem.unwrap,
    log_files.unwrap_bare,
)
"""Tried in this order; each returns `None` for values of another family."""
_NO_LIMITS = Limits()
_STEPS = 3
"""Levels of nesting for each allowed envelope: the list around it, and data that only carries it."""


def unwrap(value: Any, form: str, limits: Limits = _NO_LIMITS, text: Document | None = None) -> Iterator[Part]:
    """The records of one document, its other parts and its losses; `form` says how the file held the document.

    `text` is the document's original text: its size and depth can rule out that a record exceeds a limit.
    """
    return _Unwrapping(limits).parts(value, form, None, _NOTHING, text or Document(value, None, form))


class _Around(msgspec.Struct, frozen=True):
    """The context of a value: the envelopes and lists around it."""

    envelopes: int
    steps: int
    """Also counts lists and the like, which are not envelopes."""

    def plus(self, name: str) -> _Around:
        return _Around(self.envelopes + (name != "" and name not in UNNAMED), self.steps + 1)


_NOTHING = _Around(0, 0)


class _Unwrapping:
    """One document, with everything that its envelopes carry."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.payload

    def parts(self, value: Any, form: str, place: str | None, around: _Around, text: Document) -> Iterator[Part]:
        """The parts of a value read from `text`, inside these envelopes."""
        try:
            for family in _FAMILIES:
                found = family(value, form)
                if found is None:
                    continue
                # A record assembled from texts may be larger than any of them, and nest deeper.
                as_it_stood = family in (log_files.unwrap, log_files.unwrap_bare)
                size, deep = (text.size, text.deep) if as_it_stood else (None, True)
                for part in found:
                    if isinstance(part, Record):
                        refusal = self._limits.refusal(part.value, size, deep=deep)
                        yield part if refusal is None else Refused(refusal, part.value, part.form)
                    elif isinstance(part, Carried):
                        within = _within(place, part.place)
                        yield from self._carried(part, inside(form, part.name), within, around.plus(part.name), text)
                    elif isinstance(part, NoForm):
                        yield NoForm(part.reason, _within(place, part.place))
                    else:
                        yield part
                return
        except RecursionError:
            yield NoForm(self._limits.too_deep, place)
            return
        yield NoForm(_among_records(value) if form in ("array", "log_file") else describe(value), place)

    def _carried(self, part: Carried, form: str, place: str | None, around: _Around, text: Document) -> Iterator[Part]:
        content = part.content
        if around.envelopes > self._limits.envelopes or around.steps > _STEPS * self._limits.envelopes:
            met = self._limits.said("envelopes")
            yield NoForm(f"the envelopes that are within one another are more than {met}", place)
        elif part.empty and content in (None, "", "{}", b"", {}):
            yield NoCalls(part.empty)
        elif isinstance(content, (str, bytes)):
            for found in self._documents(content):
                inner = _within(place, found.position)
                if isinstance(found, Damage):
                    yield NoForm(found.reason, inner)
                else:
                    named = found.form if found.form in ("csv", "parquet", "log_lines") else ""
                    yield from self.parts(found.value, inside(form, named), inner, around, found)
        elif part.size > self._left:
            yield NoForm(self._too_much, place)
        else:
            self._left -= part.size
            yield from self.parts(content, form, place, around, text)

    def _documents(self, content: str | bytes) -> Iterator[Document | Damage]:
        if isinstance(content, str):
            size = bytes_of(content)
            try:
                value = loads(content) if size <= self._left else None
            except (ValueError, RecursionError):
                value = None
            if value is not None:
                self._left -= size
                yield Document(value, None, "whole", 4 * len(content), deep=True)
                return
            content = content.encode("utf-8", "surrogatepass")
        inflater = Inflater(io.BytesIO(content), msgspec.structs.replace(self._limits, inflated=max(self._left, 1)))
        last: Document | Damage | None = None
        for found in documents(inflater.chunks(), self._limits):
            if last is not None:
                yield last
            last = found
        if inflater.damage is not None and isinstance(last, Damage):
            last = None  # the JSON ends early because the compressed data does
        if last is not None:
            yield last
        if inflater.damage is not None:
            yield Damage(self._too_much if inflater.inflated > self._left else inflater.damage.reason)
        self._left = max(self._left - inflater.inflated, 0)

    @property
    def _too_much(self) -> str:
        return f"the envelopes carry more than {self._limits.said('payload')}"


def _within(place: str | None, inner: str | None) -> str | None:
    return ", ".join(filter(None, (place, inner))) or None


def _among_records(value: Any) -> str:
    keys = ", ".join(str(key)[:40] for key in list(value)[:5]) if isinstance(value, dict) else ""
    return f"an object that is no CloudTrail record is among the records (it has {keys or 'no keys'})"


def describe(value: Any) -> str:
    """A short description of a document of no known form."""
    if isinstance(value, dict):
        keys = ", ".join(str(key)[:40] for key in list(value)[:5])
        return f"JSON of no known form (an object with {keys or 'no keys'})"
    kind = {list: "an array", str: "text", bool: "a boolean", type(None): "null"}.get(type(value), "a number")
    return f"JSON of no known form ({kind})"

"""What records are wrapped in, told by content: document → records, or what it is instead."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import msgspec

from cloudsigma.reading.decode import documents
from cloudsigma.reading.document import Document, loads
from cloudsigma.reading.envelope import (
    cloudwatch_logs,
    elastic,
    event_history,
    eventbridge,
    log_files,
    notifications,
    query_results,
    security_lake,
    siem,
    streams,
)
from cloudsigma.reading.envelope.interface import Carried, Family, NoCalls, NoForm, Part, inside
from cloudsigma.reading.inflate import Damage, Inflater, Limits

_FAMILIES: tuple[Family, ...] = (
    log_files.unwrap,
    notifications.unwrap,
    streams.unwrap,
    cloudwatch_logs.unwrap,
    event_history.unwrap,
    eventbridge.unwrap,
    query_results.unwrap,
    security_lake.unwrap,
    elastic.unwrap,
    siem.unwrap,
    log_files.unwrap_bare,
)
"""Asked in this order; each says `None` of what is not its own."""
_NO_LIMITS = Limits()


def unwrap(value: Any, form: str, limits: Limits = _NO_LIMITS) -> Iterator[Part]:
    """The records of one document, with what holds none; `form` says how the document stood in its file."""
    return _Unwrapping(limits).parts(value, form, None, 0)


class _Unwrapping:
    """One document, with all that its envelopes carry."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.payload

    def parts(self, value: Any, form: str, place: str | None, depth: int) -> Iterator[Part]:
        try:
            for family in _FAMILIES:
                found = family(value, form)
                if found is None:
                    continue
                for part in found:
                    if isinstance(part, Carried):
                        yield from self._carried(part, inside(form, part.name), _within(place, part.place), depth + 1)
                    elif isinstance(part, NoForm):
                        yield NoForm(part.reason, _within(place, part.place))
                    else:
                        yield part
                return
        except RecursionError:
            yield NoForm("the JSON nests too deep", place)
            return
        yield NoForm(_among_records(value) if form in ("array", "log_file") else describe(value), place)

    def _carried(self, part: Carried, form: str, place: str | None, depth: int) -> Iterator[Part]:
        content = part.content
        if depth > self._limits.envelopes:
            yield NoForm(f"more than {self._limits.envelopes:,} envelopes stand within one another", place)
        elif part.empty and content in (None, "", "{}", b"", {}):
            yield NoCalls(part.empty)
        elif isinstance(content, (str, bytes)):
            for found in self._documents(content):
                inner = _within(place, found.position)
                if isinstance(found, Damage):
                    yield NoForm(found.reason, inner)
                else:
                    named = found.form if found.form in ("csv", "parquet", "log_lines") else ""
                    yield from self.parts(found.value, inside(form, named), inner, depth)
        else:
            yield from self.parts(content, form, place, depth)

    def _documents(self, content: str | bytes) -> Iterator[Document | Damage]:
        if isinstance(content, str):
            try:
                value = loads(content)
            except (ValueError, RecursionError):
                content = content.encode("utf-8", "surrogatepass")
            else:
                yield Document(value, None, "whole")
                return
        inflater = Inflater(io.BytesIO(content), msgspec.structs.replace(self._limits, inflated=self._left))
        last: Document | Damage | None = None
        for found in documents(inflater.chunks(), self._limits):
            if last is not None:
                yield last
            last = found
        if inflater.damage is not None and isinstance(last, Damage):
            last = None  # what the JSON lacks at its end is what the compressed data lacks
        if last is not None:
            yield last
        if inflater.damage is not None:
            met = f"what the envelopes carry inflates to more than {self._limits.payload:,} bytes"
            yield Damage(met if inflater.inflated > self._left else inflater.damage.reason)
        self._left = max(self._left - inflater.inflated, 0)


def _within(place: str | None, inner: str | None) -> str | None:
    return ", ".join(filter(None, (place, inner))) or None


def _among_records(value: Any) -> str:
    keys = ", ".join(str(key)[:40] for key in list(value)[:5]) if isinstance(value, dict) else ""
    return f"an object that is no CloudTrail record stands among the records (it has {keys or 'no keys'})"


def describe(value: Any) -> str:
    """Why a document is no known form, in a few words about what it is."""
    if isinstance(value, dict):
        keys = ", ".join(str(key)[:40] for key in list(value)[:5])
        return f"JSON of no known form (an object with {keys or 'no keys'})"
    kind = {list: "an array", str: "text", bool: "a boolean", type(None): "null"}.get(type(value), "a number")
    return f"JSON of no known form ({kind})"

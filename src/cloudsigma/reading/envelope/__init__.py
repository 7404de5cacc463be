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
from cloudsigma.reading.envelope.interface import Carried, Family, NoCalls, NoForm, Part, Record, Refused, inside
from cloudsigma.reading.inflate import Damage, Inflater
from cloudsigma.reading.limits import Limits

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


def unwrap(value: Any, form: str, limits: Limits = _NO_LIMITS, text: Document | None = None) -> Iterator[Part]:
    """The records of one document, with what holds none; `form` says how the document stood in its file.

    `text` is the document itself, as it was read: what it says of its text spares work.
    """
    return _Unwrapping(limits).parts(value, form, None, 0, text or Document(value, None, form))


class _Unwrapping:
    """One document, with all that its envelopes carry."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.payload

    def parts(self, value: Any, form: str, place: str | None, depth: int, text: Document) -> Iterator[Part]:
        """The parts of a value that stands in `text`, with so many envelopes around it."""
        try:
            for family in _FAMILIES:
                found = family(value, form)
                if found is None:
                    continue
                # One that is put together of texts may be larger than any of them, and nest deeper.
                as_it_stood = family in (log_files.unwrap, log_files.unwrap_bare)
                size, deep = (text.size, text.deep) if as_it_stood else (None, True)
                for part in found:
                    if isinstance(part, Record):
                        refusal = self._limits.refusal(part.value, size, deep=deep)
                        yield part if refusal is None else Refused(refusal, part.value, part.form)
                    elif isinstance(part, Carried):
                        within = _within(place, part.place)
                        yield from self._carried(part, inside(form, part.name), within, depth + 1, text)
                    elif isinstance(part, NoForm):
                        yield NoForm(part.reason, _within(place, part.place))
                    else:
                        yield part
                return
        except RecursionError:
            yield NoForm(self._limits.too_deep, place)
            return
        yield NoForm(_among_records(value) if form in ("array", "log_file") else describe(value), place)

    def _carried(self, part: Carried, form: str, place: str | None, depth: int, text: Document) -> Iterator[Part]:
        content = part.content
        if depth > self._limits.envelopes:
            met = self._limits.said("envelopes")
            yield NoForm(f"the envelopes that stand within one another are more than {met}", place)
        elif part.empty and content in (None, "", "{}", b"", {}):
            yield NoCalls(part.empty)
        elif isinstance(content, (str, bytes)):
            for found in self._documents(content):
                inner = _within(place, found.position)
                if isinstance(found, Damage):
                    yield NoForm(found.reason, inner)
                else:
                    named = found.form if found.form in ("csv", "parquet", "log_lines") else ""
                    yield from self.parts(found.value, inside(form, named), inner, depth, found)
        else:
            yield from self.parts(content, form, place, depth, text)

    def _documents(self, content: str | bytes) -> Iterator[Document | Damage]:
        if isinstance(content, str):
            try:
                value = loads(content)
            except (ValueError, RecursionError):
                content = content.encode("utf-8", "surrogatepass")
            else:
                yield Document(value, None, "whole", 4 * len(content), deep=True)
                return
        inflater = Inflater(io.BytesIO(content), msgspec.structs.replace(self._limits, inflated=max(self._left, 1)))
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
            met = f"what the envelopes carry inflates to more than {self._limits.said('payload')}"
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

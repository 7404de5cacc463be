"""Reads the records of one file and updates the ledger, on the fast or the plain path.

A file that the probe accepts as a whole is one run of records. Line files are probed in blocks: a block that the probe
accepts is one run; all other blocks are read on the plain path, line by line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Iterator
from typing import Any

from cloudsigma.origin import Origin
from cloudsigma.reading.account.ledger import Losses, Recorder
from cloudsigma.reading.content.decode import contents, line_documents
from cloudsigma.reading.content.document import Document
from cloudsigma.reading.content.inflate import Damage, Inflater
from cloudsigma.reading.content.lines import Block
from cloudsigma.reading.envelope import unwrap
from cloudsigma.reading.envelope.interface import NoCalls, Record, Reference, Refused
from cloudsigma.reading.envelope.record_shape import NO_CALLS, as_recorded
from cloudsigma.reading.fast_path.coverage_probe import CoverageProbe
from cloudsigma.reading.fast_path.probe import Probed, View, decode_record
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import RecordFilter, Selection

_ELEMENT = re.compile(r"record \d+")
"""The place of a list element that is not a record but has a position."""
Found = tuple[dict[str, Any], Origin]


class OneFile:
    """Reads one file once; losses go to the recorder."""

    def __init__(
        self,
        name: str,
        recorder: Recorder,
        limits: Limits,
        selection: Selection,
        *,
        view: View | None,
        coverage_probe: CoverageProbe | None,
        strict: bool,
    ) -> None:
        """With a view, records that its probe rules out are counted but not returned."""
        self._name = name
        self._recorder = recorder
        self._limits = limits
        self._selection = selection
        self._view = view
        self._coverage_probe = coverage_probe
        self._strict = strict
        self._among_some = self._filter("records (of those that could match)")
        self._among_all = self._filter("records")
        self._lost = Losses()
        self._forms: Counter[str] = Counter()
        self._position = 0
        """Records so far, including those not returned."""
        self._recognized = False
        """Whether a document without API calls was recognized, such as a digest."""
        self._ended = False
        """Whether reading reached the end of the file."""

    def _filter(self, among: str) -> RecordFilter | None:
        recorder, selection = self._recorder, self._selection
        return None if selection.everything else RecordFilter(selection, recorder.left_out, recorder.kept, among)

    def all_of(self, probed: Probed, stored: int) -> Iterator[Found]:
        """The records of a file that the probe accepted as a whole; `stored` is its size in bytes."""
        self._ended = True
        try:
            yield from self._stretch(probed)
        finally:
            self._close(stored, probed.size)

    def content(self, inflater: Inflater, stored: int | None = None) -> Iterator[Found]:
        """The records of a file's content; `stored`: its stored size, if the inflater gets decompressed data."""
        lost, recorder = self._lost, self._recorder
        if stored is None:
            recorder.stored = lambda: inflater.reached
        cut = False  # whether the last item was damage
        try:
            for found in self._found(inflater.chunks()):
                cut = isinstance(found, Damage)
                if isinstance(found, Probed):
                    yield from self._stretch(found)
                    if recorder.watch is not None:
                        recorder.watch()
                elif isinstance(found, Damage):
                    lost.add(found.reason, found.position)
                    self._position += found.records
                    if self._are_too_many():
                        return
                elif not (yield from self._document(found)):
                    return
                if self._strict and lost.count:
                    break
            self._ended = True
            if inflater.damage is not None:
                if cut:  # the JSON ends early because the compressed data does
                    lost.forget_last()
                lost.add_first(inflater.damage.reason)
        except OSError as error:
            lost.add(f"it cannot be read: {(error.strerror or str(error)).lower()}")
            recorder.failures[self._name] = "passing"
        finally:
            recorder.stored = None
            self._close(inflater.stored if stored is None else stored, inflater.inflated)

    def _close(self, stored: int, inflated: int) -> None:
        if self._forms or self._recognized or (self._ended and not self._lost.count):  # else nothing in it was read
            self._recorder.files += 1
            self._recorder.note_file(stored, inflated, self._forms)
        else:
            self._recorder.unread.add(self._name)
        self._recorder.lose_parts(self._name, self._lost, self._forms.total())

    def _found(self, chunks: Iterator[bytes]) -> Iterator[Document | Damage | Probed]:
        for found in contents(chunks, self._limits):
            if not isinstance(found, Block):
                yield found
            elif (probed := self._probe(found)) is not None:
                yield probed
            else:
                yield from line_documents(found, self._limits)

    def _probe(self, block: Block) -> Probed | None:
        """The records of a block, if the probe accepts it and no limit is reached."""
        probed = self._view.probe_lines(block, self._limits.document) if self._view is not None else None
        return probed if probed is not None and self._position + probed.total <= self._limits.records else None

    def _stretch(self, probed: Probed) -> Iterator[Found]:
        """Count all records of a run, then return those that could match."""
        recorder, before = self._recorder, self._position
        self._position += probed.total + probed.insights
        self._count(probed.form, probed.total)
        if self._view is not None:
            self._view.accepted()
        if probed.insights:
            recorder.recognized["Insights event"] += probed.insights
            self._recognized = True
        if self._coverage_probe is not None and recorder.coverage is not None and probed.total + probed.insights:
            self._coverage_probe.count(recorder.coverage)
        chosen = self._among_some
        for at, raw in probed.candidates:
            text = bytes(raw)
            refusal = self._limits.too_many_values if self._limits.has_too_many_values(text) else None
            try:
                record, _ = as_recorded(decode_record(raw)) if refusal is None else ({}, False)
                closely = self._limits.may_refuse(text)
                size = probed.size if probed.form == "log_file" else len(text)
                refusal = self._limits.refusal(record, size, deep=True) if closely and refusal is None else refusal
            except (ValueError, RecursionError):
                record, refusal = {}, self._limits.too_deep
            if refusal is not None:
                self._lost.add(refusal, f"record {before + at}")
                self._count(probed.form, -1)
                if self._strict:
                    return
            elif chosen is None or chosen.keeps(record):
                yield record, Origin(self._name, before + at, probed.form)

    def _document(self, document: Document) -> Generator[Found, None, bool]:
        """The records of a document on the plain path; returns whether to continue reading the file."""
        lost, recorder = self._lost, self._recorder
        chosen = self._among_all
        for part in unwrap(document.value, document.form, self._limits, document):
            if isinstance(part, (Record, Refused)):
                if self._position >= self._limits.records:
                    lost.add(f"it has more records than {self._limits.said('records')}; the rest is not read")
                    return False
                if recorder.coverage is not None:
                    recorder.coverage.add_record(part.value, self._selection)
                self._position += 1
                if isinstance(part, Refused) and self._is_wanted(part.value):
                    lost.add(part.reason, f"record {self._position - 1}")
                    continue
                self._count(part.form, 1)
                if isinstance(part, Record) and (chosen is None or chosen.keeps(part.value)):
                    yield part.value, Origin(self._name, self._position - 1, part.form)
            elif isinstance(part, NoCalls):
                recorder.recognized[part.kind] += 1
                self._recognized = True
                self._position += part.kind in NO_CALLS.values()
            elif isinstance(part, Reference):
                recorder.refer(part.kind, part.bucket, part.key)
                self._recognized = True
            else:
                self._position += _ELEMENT.fullmatch(part.place or "") is not None
                inner = part.place if document.form != "rescued" else None  # its element is the only one in there
                lost.add(part.reason, ", ".join(filter(None, (document.position, inner))) or None)
                if self._are_too_many():
                    return False
        return True

    def _count(self, form: str, records: int) -> None:
        """Count records of a form; a negative number corrects an earlier count."""
        self._recorder.records += records
        for forms in (self._forms, self._recorder.forms):
            forms[form] += records
            if not forms[form]:
                del forms[form]

    def _are_too_many(self) -> bool:
        lost = self._lost
        if lost.count <= self._limits.losses:
            return False
        met = self._limits.said("losses")
        lost.forget_last()  # the summary below counts it
        lost.add_first(f"the places that cannot be read are more than {met}; the rest is not read")
        return True

    def _is_wanted(self, record: dict[str, Any]) -> bool:
        """Whether a record refused by a limit is a loss; it is not if the probe rules it out, as on the fast path."""
        return self._view is None or self._view.could_match(record)

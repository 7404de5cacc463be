"""One source → its records: by the fast way where that is open, else piece by piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from cloudsigma.origin import Origin
from cloudsigma.reading.coverage_counts import CoverageCounts
from cloudsigma.reading.covering import Covering
from cloudsigma.reading.decode import documents
from cloudsigma.reading.envelope import unwrap
from cloudsigma.reading.envelope.interface import NoCalls, Record, Reference, Refused
from cloudsigma.reading.inflate import Damage, Inflater, inflate
from cloudsigma.reading.ledger import Losses, Recorder
from cloudsigma.reading.limits import Limits
from cloudsigma.reading.probe import MOST, Probe, Probed, View, decode_record
from cloudsigma.reading.selection import RecordFilter, Selection
from cloudsigma.reading.sources.interface import Source, Unreadable


class SourceReader:
    """Reads sources one at a time; what cannot be read is noted by the recorder, and nothing is raised."""

    def __init__(
        self,
        limits: Limits,
        selection: Selection,
        probe: Probe | None = None,
        *,
        coverage: bool = False,
        strict: bool = False,
    ) -> None:
        """With a probe, records that it rules out are counted and not given; with `coverage` all are placed in time.

        With `strict` a file is read up to the first loss.
        """
        self._strict = strict
        self._limits = limits
        self._selection = selection
        self._covering = Covering(probe, selection) if coverage and probe is not None else None
        probe = self._covering or probe
        self._view = View(probe) if probe is not None else None
        self._coverage = coverage

    def records(self, source: Source, recorder: Recorder) -> Iterator[tuple[dict[str, Any], Origin]]:
        """The records of one source: those that could match where the fast way is open, else all of them."""
        if self._coverage and recorder.coverage is None:
            recorder.coverage = CoverageCounts()
        try:
            with source.open() as stream:
                stored = source.read_whole(stream, MOST) if self._view is not None else None
                probed = self._probe(self._view, stored) if self._view is not None and stored is not None else None
                if probed is not None and stored is not None:
                    if self._covering is not None and recorder.coverage is not None:
                        self._covering.count(recorder.coverage)
                    found = self._let_through(source.name, probed, stored, recorder)
                    yield from self._asked_for(found, recorder, "records (of those that could match)")
                else:
                    inflater = Inflater(stream, self._limits, stored or b"")
                    yield from self._asked_for(self._read_plainly(source.name, inflater, recorder), recorder, "records")
        except Unreadable as error:
            recorder.lose(error.name, error.reason)
        except OSError as error:
            recorder.lose(source.name, f"it cannot be read: {(error.strerror or str(error)).lower()}")

    def _probe(self, view: View, stored: bytes) -> Probed | None:
        content = inflate(stored, min(MOST, self._limits.inflated, self._limits.document), self._limits)
        probed = view.probe(content) if content is not None else None
        return probed if probed is not None and probed.total <= self._limits.records else None

    def _let_through(
        self, name: str, probed: Probed, stored: bytes, recorder: Recorder
    ) -> Iterator[tuple[dict[str, Any], Origin]]:
        """The records that could match, once the account has all of them."""
        recorder.records += probed.total
        if probed.total:
            recorder.forms[probed.form] += probed.total
        if probed.insights:
            recorder.recognized["Insights event"] += probed.insights
        lost = Losses()
        try:
            for position, raw in probed.candidates:
                text = bytes(raw)
                try:
                    record = decode_record(raw)
                    closely = self._limits.may_refuse(text)
                    size = probed.size if probed.form == "log_file" else len(text)
                    refusal = self._limits.refusal(record, size, deep=True) if closely else None
                except (ValueError, RecursionError):
                    record, refusal = {}, self._limits.too_deep
                if refusal is None:
                    yield record, Origin(name, position, probed.form)
                else:
                    lost.add(refusal, f"record {position}")
                    recorder.uncount(probed.form)
                    if self._strict:
                        break
        finally:
            given = probed.total - lost.count
            if given or not lost.count:
                recorder.files += 1
                recorder.note_file(len(stored), probed.size, {probed.form: given} if given else {})
            else:
                recorder.unread.add(name)
            recorder.lose_parts(name, lost, given)

    def _read_plainly(
        self, name: str, inflater: Inflater, recorder: Recorder
    ) -> Iterator[tuple[dict[str, Any], Origin]]:
        lost = Losses()
        forms: Counter[str] = Counter()
        position = 0
        recognized = ended = False
        recorder.stored = lambda: inflater.stored
        cut = False  # whether the last thing found was damage
        try:
            for found in documents(inflater.chunks(), self._limits):
                if self._strict and lost.count:
                    break
                cut = isinstance(found, Damage)
                if isinstance(found, Damage):
                    lost.add(found.reason, found.position)
                    if self._are_too_many(lost):
                        return
                    continue
                for part in unwrap(found.value, found.form, self._limits, found):
                    if isinstance(part, (Record, Refused)):
                        if position >= self._limits.records:
                            lost.add(f"it has more records than {self._limits.said('records')}; the rest is not read")
                            return
                        if self._coverage and recorder.coverage is not None:
                            recorder.coverage.add_record(part.value, self._selection)
                        position += 1
                        if isinstance(part, Refused) and self._is_wanted(part.value):
                            lost.add(part.reason, f"record {position - 1}")
                            continue
                        forms[part.form] += 1
                        recorder.records += 1
                        recorder.forms[part.form] += 1
                        if isinstance(part, Record):
                            yield part.value, Origin(name, position - 1, part.form)
                    elif isinstance(part, NoCalls):
                        recorder.recognized[part.kind] += 1
                        recognized = True
                    elif isinstance(part, Reference):
                        recorder.refer(part.kind, part.bucket, part.key)
                        recognized = True
                    else:
                        inner = part.place if found.form != "rescued" else None  # its element is the only one in there
                        lost.add(part.reason, ", ".join(filter(None, (found.position, inner))) or None)
                        if self._are_too_many(lost):
                            return
            ended = True
            if inflater.damage is not None:
                if cut:  # what the JSON lacks at its end is what the compressed data lacks
                    lost.forget_last()
                lost.add_first(inflater.damage.reason)
        except OSError as error:
            lost.add(f"it cannot be read: {(error.strerror or str(error)).lower()}")
        finally:
            recorder.stored = None
            if forms or recognized or (ended and not lost.count):  # else nothing was read of it
                recorder.files += 1
                recorder.note_file(inflater.stored, inflater.inflated, forms)
            else:
                recorder.unread.add(name)
            recorder.lose_parts(name, lost, forms.total())

    def _are_too_many(self, lost: Losses) -> bool:
        if lost.count <= self._limits.losses:
            return False
        met = self._limits.said("losses")
        lost.forget_last()  # it is among the rest
        lost.add_first(f"the places that cannot be read are more than {met}; the rest is not read")
        return True

    def _is_wanted(self, record: dict[str, Any]) -> bool:
        """Whether a record that a limit refuses is a loss: not where the probe rules it out, as the fast way does."""
        return self._view is None or self._view.could_match(record)

    def _asked_for(
        self, found: Iterator[tuple[dict[str, Any], Origin]], recorder: Recorder, among: str
    ) -> Iterator[tuple[dict[str, Any], Origin]]:
        if self._selection.everything:
            return found
        chosen = RecordFilter(self._selection, recorder.left_out, recorder.kept, among)
        return (pair for pair in found if chosen.keeps(pair[0]))

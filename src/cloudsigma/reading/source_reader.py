"""One source → its records: by the fast way where that is open, else piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudsigma.origin import Origin
from cloudsigma.reading.decode import documents
from cloudsigma.reading.document import reason
from cloudsigma.reading.envelope import unwrap
from cloudsigma.reading.envelope.interface import NoCalls, Record, Reference
from cloudsigma.reading.inflate import Damage, Inflater, Limits, inflate
from cloudsigma.reading.ledger import Losses, Recorder
from cloudsigma.reading.probe import MOST, Probe, Probed, View, decode_record
from cloudsigma.reading.selection import RecordFilter, Selection
from cloudsigma.reading.sources.interface import Source, Unreadable


class SourceReader:
    """Reads sources one at a time; what cannot be read is noted by the recorder, and nothing is raised."""

    def __init__(self, limits: Limits, selection: Selection, probe: Probe | None = None) -> None:
        """With a probe, records that it rules out are counted and not given."""
        self._limits = limits
        self._selection = selection
        self._view = View(probe) if probe is not None else None

    def records(self, source: Source, recorder: Recorder) -> Iterator[tuple[dict[str, Any], Origin]]:
        """The records of one source: those that could match where the fast way is open, else all of them."""
        try:
            with source.open() as stream:
                stored = source.read_whole(stream, MOST) if self._view is not None else None
                probed = self._probe(self._view, stored) if self._view is not None and stored is not None else None
                if probed is not None and stored is not None:
                    found = _let_through(source.name, probed, stored, recorder)
                    yield from self._asked_for(found, recorder, "records (of those that could match)")
                else:
                    inflater = Inflater(stream, self._limits, stored or b"")
                    yield from self._asked_for(self._read_plainly(source.name, inflater, recorder), recorder, "records")
        except Unreadable as error:
            recorder.lose(error.name, error.reason)
        except OSError as error:
            recorder.lose(source.name, f"it cannot be read: {(error.strerror or str(error)).lower()}")

    def _probe(self, view: View, stored: bytes) -> Probed | None:
        content = inflate(stored, min(MOST, self._limits.inflated, self._limits.document))
        return view.probe(content) if content is not None else None

    def _read_plainly(
        self, name: str, inflater: Inflater, recorder: Recorder
    ) -> Iterator[tuple[dict[str, Any], Origin]]:
        lost = Losses()
        position = 0
        whole = False
        cut = False  # whether the last thing found was damage
        try:
            for found in documents(inflater.chunks(), self._limits):
                cut = isinstance(found, Damage)
                if isinstance(found, Damage):
                    lost.add(found.reason, found.position)
                    continue
                for part in unwrap(found.value, found.form, self._limits):
                    if isinstance(part, Record):
                        recorder.records += 1
                        recorder.forms[part.form] += 1
                        yield part.value, Origin(name, position, part.form)
                        position += 1
                    elif isinstance(part, NoCalls):
                        recorder.recognized[part.kind] += 1
                        whole = True
                    elif isinstance(part, Reference):
                        recorder.refer(part.kind, part.bucket, part.key)
                        whole = True
                    else:
                        inner = part.place if found.form != "rescued" else None  # its element is the only one in there
                        lost.add(part.reason, ", ".join(filter(None, (found.position, inner))) or None)
                whole = True
            whole = whole or lost.count == 0  # a table without rows
            if inflater.damage is not None:
                if cut:  # what the JSON lacks at its end is what the compressed data lacks
                    lost.forget_last()
                lost.add_first(inflater.damage.reason)
        except OSError as error:
            lost.add(f"it cannot be read: {(error.strerror or str(error)).lower()}")
        finally:
            recorder.bytes += inflater.stored
            recorder.inflated += inflater.inflated
            recorder.files += int(whole or position > 0)
            recorder.lose_parts(name, lost, position)

    def _asked_for(
        self, found: Iterator[tuple[dict[str, Any], Origin]], recorder: Recorder, among: str
    ) -> Iterator[tuple[dict[str, Any], Origin]]:
        if self._selection.everything:
            return found
        chosen = RecordFilter(self._selection, recorder.left_out, recorder.kept, among)
        return (pair for pair in found if chosen.keeps(pair[0]))


def _let_through(
    name: str, probed: Probed, stored: bytes, recorder: Recorder
) -> Iterator[tuple[dict[str, Any], Origin]]:
    """The records that could match, once the account has all of them."""
    recorder.files += 1
    recorder.bytes += len(stored)
    recorder.inflated += probed.size
    recorder.records += probed.total
    if probed.total:
        recorder.forms[probed.form] += probed.total
    if probed.insights:
        recorder.recognized["Insights event"] += probed.insights
    for position, raw in probed.candidates:
        try:
            record = decode_record(raw)
        except (ValueError, RecursionError) as error:
            recorder.lose_parts(name, Losses(reason(error), f"record {position}"), probed.total - 1)
            continue
        yield record, Origin(name, position, probed.form)

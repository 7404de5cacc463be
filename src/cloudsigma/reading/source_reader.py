"""One source → its records; its size and its first bytes decide how it is read.

A log file is held whole for the fast way, and so is all that is small. Other lines are streamed, and go the fast way in
blocks.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from cloudsigma.reading.account.coverage_counts import CoverageCounts
from cloudsigma.reading.account.ledger import Recorder
from cloudsigma.reading.content.decode import has_lines
from cloudsigma.reading.content.inflate import Inflater, beginning, inflate
from cloudsigma.reading.content.lines import Block
from cloudsigma.reading.fast_path.coverage_probe import CoverageProbe
from cloudsigma.reading.fast_path.probe import MOST, Probe, Probed, View
from cloudsigma.reading.one_file import Found, OneFile
from cloudsigma.reading.scope.limits import Limits
from cloudsigma.reading.scope.selection import Selection
from cloudsigma.reading.sources.interface import Source, Unreadable

_SMALL = 1 << 20
"""Bytes of a file, as stored, below which it is held whole whatever is in it."""
_SHORT = 8 << 20
"""Bytes of lines that are looked at as a whole, since that is quicker than in blocks."""
_LONGEST_LINE = 4 << 20
"""Bytes within which the first line must end for lines to be told before they are read; a record has at most 1 MB."""


class SourceReader:
    """Reads sources one at a time; the recorder notes each loss, and nothing is raised."""

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
        self._coverage_probe = CoverageProbe(probe, selection) if coverage and probe is not None else None
        probe = self._coverage_probe or probe
        self._view = View(probe) if probe is not None else None
        self._coverage = coverage

    def records(self, source: Source, recorder: Recorder) -> Iterator[Found]:
        """The records of one source: those that could match where the fast way is open, else all of them."""
        if self._coverage and recorder.coverage is None:
            recorder.coverage = CoverageCounts()
        try:
            with source.open() as stream:
                yield from self._read(source, stream, recorder)
        except Unreadable as error:
            recorder.lose(error.name, error.reason)
        except MemoryError:
            recorder.lose(source.name, "there is not enough memory to read it")
        except OSError as error:
            recorder.lose(source.name, f"it cannot be read: {(error.strerror or str(error)).lower()}")

    def _read(self, source: Source, stream: BinaryIO, recorder: Recorder) -> Iterator[Found]:
        limits, view = self._limits, self._view
        file = OneFile(
            source.name,
            recorder,
            limits,
            self._selection,
            view=view,
            coverage_probe=self._coverage_probe,
            strict=self._strict,
        )
        if view is None:
            return file.content(Inflater(stream, limits))
        stored = source.read_whole(stream, _SMALL)
        if stored is None and self._streams_lines(stream):
            return file.content(Inflater(stream, limits, quick=True))
        stored = stored if stored is not None else source.read_whole(stream, MOST)
        content = inflate(stored, min(MOST, limits.inflated), limits) if stored is not None else None
        if content is not None and stored is not None:
            probed = self._probe(view, content)
            if probed is not None:
                return file.all_of(probed, len(stored))
            if has_lines(content[: self._longest_line]):
                return file.content(Inflater(io.BytesIO(content), limits), len(stored))
        return file.content(Inflater(stream, limits, stored or b""))

    def _probe(self, view: View, content: bytes) -> Probed | None:
        """The records of a log file or of a few lines, if the probe takes it as a whole and no limit ends in it."""
        if len(content) > self._limits.document:
            return None
        probed = view.probe_log_file(content)
        if probed is None and len(content) <= _SHORT and b"\n" in content:
            probed = view.probe_lines(Block(content, 1), self._limits.document)
            if probed is not None and probed.total + probed.insights < 2:
                return None  # what stands alone is no line
        return probed if probed is not None and probed.total <= self._limits.records else None

    def _streams_lines(self, stream: BinaryIO) -> bool:
        """Whether a seekable stream has lines, judged by its beginning."""
        seekable = getattr(stream, "seekable", None)  # what is given as standard input may have `read` alone
        if seekable is None or not seekable():
            return False
        start = stream.tell()
        head = beginning(stream)
        stream.seek(start)
        return bool(has_lines(head[: self._longest_line]))

    @property
    def _longest_line(self) -> int:
        """Within the limit what is decided does not depend on the pieces that a file comes in."""
        return min(_LONGEST_LINE, self._limits.document)

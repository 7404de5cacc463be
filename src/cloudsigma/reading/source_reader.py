"""Reads the records of one source, on a path chosen by its size and first bytes.

Log files and files under 1 MiB are read whole for the fast path; larger line files are streamed, in blocks for the fast
path.
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
"""Stored bytes of a file below which it is read whole, whatever its content."""
_SHORT = 8 << 20
"""Bytes of lines up to which they are probed whole, which is faster than in blocks."""
_LONGEST_LINE = 4 << 20
"""The first line must end within this many bytes to recognize a line file; a record has at most 1 MB."""


class SourceReader:
    """Reads sources one at a time; losses are recorded, never raised."""

    def __init__(
        self,
        limits: Limits,
        selection: Selection,
        probe: Probe | None = None,
        *,
        coverage: bool = False,
        strict: bool = False,
    ) -> None:
        """With a probe, records that it rules out are counted but not returned. `coverage`: count all records by hour.

        With `strict`, a file is read up to its first loss.
        """
        self._strict = strict
        self._limits = limits
        self._selection = selection
        self._coverage_probe = CoverageProbe(probe, selection) if coverage and probe is not None else None
        probe = self._coverage_probe or probe
        self._view = View(probe) if probe is not None else None
        self._coverage = coverage

    def records(self, source: Source, recorder: Recorder) -> Iterator[Found]:
        """The records of one source: only those that could match if the fast path applies, else all."""
        if self._coverage and recorder.coverage is None:
            recorder.coverage = CoverageCounts()
        try:
            with source.open() as stream:
                yield from self._read(source, stream, recorder)
        except Unreadable as error:
            recorder.lose(error.name, error.reason)
            recorder.failures[error.name] = error.kind
        except MemoryError:
            recorder.lose(source.name, "there is not enough memory to read it")
        except OSError as error:
            recorder.lose(source.name, f"it cannot be read: {(error.strerror or str(error)).lower()}")
            recorder.failures[source.name] = "passing"

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
        """The records of a log file or of a few lines, if the probe accepts the whole and no limit is reached."""
        if len(content) > self._limits.document:
            return None
        probed = view.probe_log_file(content)
        if probed is None and len(content) <= _SHORT and b"\n" in content:
            probed = view.probe_lines(Block(content, 1), self._limits.document)
            if probed is not None and probed.total + probed.insights < 2:
                return None  # a single document is not a line file
        return probed if probed is not None and probed.total <= self._limits.records else None

    def _streams_lines(self, stream: BinaryIO) -> bool:
        """Whether a seekable stream is a line file, judged by its beginning."""
        seekable = getattr(stream, "seekable", None)  # a stream given as standard input may only have `read`
        if seekable is None or not seekable():
            return False
        start = stream.tell()
        head = beginning(stream)
        stream.seek(start)
        return bool(has_lines(head[: self._longest_line]))

    @property
    def _longest_line(self) -> int:
        """The bound for the first line; it makes the decision independent of the sizes of reads."""
        return min(_LONGEST_LINE, self._limits.document)

"""The fast path with `coverage`: reads a few more fields of every record, counted once the file proves healthy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cloudsigma.reading.account.coverage_counts import FIELDS, CoverageCounts, hours_of
from cloudsigma.reading.envelope.record_shape import INSIGHT
from cloudsigma.reading.fast_path.probe import Probe
from cloudsigma.reading.scope.selection import Selection

_KIND = "eventType"
_KEPT = frozenset({*FIELDS, _KIND})


class CoverageProbe(Probe):
    """Selects the same records as another probe, and collects the fields of all records that coverage needs."""

    def __init__(self, probe: Probe, selection: Selection) -> None:
        self._probe = probe
        self._selection = selection
        self._names = tuple(dict.fromkeys((*probe.fields, *FIELDS, _KIND)))
        self._own = len(probe.fields)
        self._kept: dict[str, list[Any]] = {}

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of both."""
        return self._names

    def candidates(self, columns: Sequence[Iterator[Any]]) -> list[int]:
        """The candidates of the other probe."""
        own: list[Iterator[Any]] = []
        self._kept = {}
        for at, (name, column) in enumerate(zip(self._names, columns, strict=True)):
            kept = self._kept[name] = list(column) if name in _KEPT else []
            if at < self._own:
                own.append(iter(kept) if name in _KEPT else column)
        return self._probe.candidates(own)

    def accepted(self) -> None:
        """Pass the call on to the other probe, then count."""
        self._probe.accepted()

    def count(self, counts: CoverageCounts) -> None:
        """Count the records seen last, if any."""
        kept, self._kept = self._kept, {}
        if not kept:
            return
        account, caller, region, time, source, name = (kept[field] for field in FIELDS)
        if not _all_text(account):
            account = [given if type(given) is str else other for given, other in zip(account, caller, strict=True)]
        if self._selection.everything:
            time = hours_of(time)
        rows: Iterable[Any] = zip(account, region, time, strict=True)
        events: Iterable[Any] = zip(source, name, strict=True)
        if INSIGHT in kept[_KIND]:
            calls = [kind != INSIGHT for kind in kept[_KIND]]
            rows = (row for row, call in zip(rows, calls, strict=True) if call)
            events = (event for event, call in zip(events, calls, strict=True) if call)
        counts.add_rows(rows, events, self._selection)


def _all_text(values: list[Any]) -> bool:
    return set(map(type, values)) == {str}

"""The probe of a scan that links sessions: it also selects the events that issue credentials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress, count
from typing import Any

from cloudsigma.reading.fast_path.probe import Probe
from cloudsigma.sessions import ISSUING_EVENTS

_NAME = "eventName"


class IssuingProbe(Probe):
    """Selects the records that another probe selects, and those that issue credentials."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._names = tuple(dict.fromkeys((_NAME, *probe.fields)))
        self._own = [self._names.index(name) for name in probe.fields]

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the other probe, and the event name."""
        return self._names

    def candidates(self, columns: Sequence[Iterator[Any]]) -> list[int]:
        """The indexes of both kinds of records, ascending."""
        names = list(columns[0])
        mine = [iter(names), *columns[1:]]
        issuing = list(compress(count(), map(ISSUING_EVENTS.__contains__, names)))
        found = self._probe.candidates([mine[at] for at in self._own])
        return sorted({*found, *issuing}) if issuing else found

    def accepted(self) -> None:
        """Forward the call to the other probe."""
        self._probe.accepted()

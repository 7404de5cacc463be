"""What a run of the benchmarks found: values that become JSON and come back."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Literal

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """Several measurements of one thing."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of one or more values."""
        listed = sorted(values)
        return cls(statistics.median(listed), listed[0], listed[-1])


class Line(msgspec.Struct, frozen=True):
    """One contender in one piece of work."""

    name: str
    work: str
    """The work it did, if it differs from the row's."""
    records: int
    seconds: Spread
    """CPU time of all that was done."""
    ratio: Spread | None = None
    """Its time for a record to that of the first line, run by run; `None` if there is nothing to compare."""
    matches: int | None = None
    agreement: str = ""
    """How its matches compare."""
    unit: str = "records"
    peak: float | None = None
    """Megabytes of resident memory of the largest process, at its peak in any run."""

    @property
    def rate(self) -> float:
        """Thousand records a second of CPU time."""
        return self.records / self.seconds.median / 1000


class Goal(msgspec.Struct, frozen=True):
    """A figure that is to be reached, and what was measured."""

    what: str
    bound: float
    measured: Spread
    unit: str
    """Written after the figures: `x`, `%`, `s`, `ms`, `MB`; `x floor` for parts of the floor's speed."""
    sense: Literal["least", "most"] = "least"

    @property
    def met(self) -> bool:
        """Whether the median is on the right side of the bound."""
        return self.measured.median >= self.bound if self.sense == "least" else self.measured.median <= self.bound


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured, and with what."""

    processor: str
    cores: int
    memory_gb: int
    system: str
    python: str
    versions: dict[str, str]
    """Of what took part, by name."""


class Row(msgspec.Struct, frozen=True):
    """One row of the table."""

    name: str
    title: str
    measured_on: str
    """The day, and the version and commit of this project."""
    runs: int
    corpus: str
    goals: tuple[Goal, ...] = ()
    lines: tuple[Line, ...] = ()
    notes: tuple[str, ...] = ()
    """What is absent and why, where matches differ, and how."""


class Results(msgspec.Struct, frozen=True):
    """All rows, in the order of the table."""

    machine: Machine
    rows: tuple[Row, ...]
    quick: bool = False
    """Whether the corpora were small: such figures say that it runs, and nothing about speed."""

    def with_rows(self, newer: Results) -> Results:
        """These results with the rows of a later run put in their places."""
        rows = {row.name: row for row in (*self.rows, *newer.rows)}
        versions = self.machine.versions | newer.machine.versions
        machine = msgspec.structs.replace(newer.machine, versions=dict(sorted(versions.items())))
        return Results(machine, tuple(rows[name] for name in sorted(rows)), newer.quick)

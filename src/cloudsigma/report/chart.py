"""Coordinates of the time chart's bars, for SVG."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from cloudsigma.reading.account.coverage import Gap
from cloudsigma.report.digest import LEVELS
from cloudsigma.report.timeline import Bar

WIDTH, HEIGHT = 960, 160
"""The size of the drawing, in SVG's units."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """One rectangle of the drawing."""

    x: float
    y: float
    width: float
    height: float
    level: str
    """The name of its style; `gap` marks a period without records."""
    title: str
    """Its tooltip, which screen readers read aloud."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of matches over time."""

    rectangles: tuple[Rectangle, ...]
    gaps: tuple[Rectangle, ...]
    labels: tuple[tuple[float, str], ...]
    """Positions and texts along the axis."""
    most: int = 0
    """Matches of the highest bar."""


def chart(bars: Sequence[Bar], gaps: Sequence[Gap]) -> Chart:
    """Lay out bars, stacked by level with the worst at the bottom, and the gaps behind them."""
    start, end = bars[0].start, bars[-1].end
    step, most = WIDTH / len(bars), max(bar.total for bar in bars)
    rectangles = []
    for at, bar in enumerate(bars):
        top = float(HEIGHT)
        for level in LEVELS:
            if count := bar.levels.get(level, 0):
                height = max(HEIGHT * count / most, 1.0)
                top -= height
                title = f"{bar.start:%Y-%m-%d %H:%M}: {count:,} at level {level}"
                rectangles.append(
                    Rectangle(
                        round(at * step, 2), round(top, 2), round(max(step - 1, 0.5), 2), round(height, 2), level, title
                    )
                )
    hatched = [
        Rectangle(_place(gap.start, start, end), 0, _place(gap.end, start, end) - _place(gap.start, start, end), HEIGHT,
                  "gap", f"no records from {gap.start:%Y-%m-%d %H:%M} to {gap.end:%Y-%m-%d %H:%M}")
        for gap in gaps
        if gap.end > start and gap.start < end
    ]  # fmt: skip
    labels = ((0.0, f"{start:%Y-%m-%d %H:%M}"), (float(WIDTH), f"{end:%Y-%m-%d %H:%M}"))
    return Chart(tuple(rectangles), tuple(hatched), labels, most)


def _place(when: dt.datetime, start: dt.datetime, end: dt.datetime) -> float:
    share = (when - start) / (end - start)
    return round(WIDTH * min(max(share, 0.0), 1.0), 2)

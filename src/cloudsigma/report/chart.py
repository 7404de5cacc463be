"""Coordinates of the time chart's bars, for SVG."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from cloudsigma.reading.account.coverage import Gap
from cloudsigma.report.approval_row import ApprovalRow
from cloudsigma.report.digest import APPROVED, LEVELS
from cloudsigma.report.timeline import Bar

WIDTH, HEIGHT = 960, 160
"""The size of the bars' area, in SVG's units."""
_BAND, _BANDS = 8, 12
"""Height of an approval's band, and most bands that are drawn."""


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
    bands: tuple[Rectangle, ...] = ()
    """The windows of approvals, below the axis."""
    hidden_bands: int = 0
    """Windows for which there is no room."""

    @property
    def height(self) -> int:
        """The height of the whole drawing."""
        lowest = max((band.y + band.height for band in self.bands), default=0.0)
        return max(HEIGHT + 30, round(lowest) + 6)


def chart(bars: Sequence[Bar], gaps: Sequence[Gap], approvals: Sequence[ApprovalRow] = ()) -> Chart:
    """Lay out bars, stacked by level with the worst at the bottom, the gaps behind and approvals below them."""
    start, end = bars[0].start, bars[-1].end
    step, most = WIDTH / len(bars), max(bar.total for bar in bars)
    rectangles = []
    for at, bar in enumerate(bars):
        top = float(HEIGHT)
        for level in (*LEVELS, APPROVED):
            if count := bar.levels.get(level, 0):
                height = max(HEIGHT * count / most, 1.0)
                top -= height
                what = "approved" if level == APPROVED else f"at level {level}"
                title = f"{bar.start:%Y-%m-%d %H:%M}: {count:,} {what}"
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
    bands = _bands(approvals, start, end)
    return Chart(tuple(rectangles), tuple(hatched), labels, most, tuple(bands[:_BANDS]), max(len(bands) - _BANDS, 0))


def _bands(approvals: Sequence[ApprovalRow], start: dt.datetime, end: dt.datetime) -> list[Rectangle]:
    """A band for each approval whose window is in the chart, one below the other."""
    found: list[Rectangle] = []
    for row in approvals:
        if row.until <= start or (row.start is not None and row.start >= end):
            continue
        left = _place(row.start, start, end) if row.start is not None else 0.0
        width = max(_place(row.until, start, end) - left, 2.0)
        begun = f"{row.start:%Y-%m-%d %H:%M}" if row.start is not None else "any time"
        title = f"{row.id}: {begun} to {row.until:%Y-%m-%d %H:%M}, {row.state}"
        top = HEIGHT + 6.0 + len(found) * (_BAND + 2)
        found.append(Rectangle(left, top, round(width, 2), _BAND, row.kind, title))
    return found


def _place(when: dt.datetime, start: dt.datetime, end: dt.datetime) -> float:
    share = (when - start) / (end - start)
    return round(WIDTH * min(max(share, 0.0), 1.0), 2)

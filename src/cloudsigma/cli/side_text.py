"""Events that one version of a rule alone matches, as lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from cloudsigma.comparing.comparison import MOST_SHOWN
from cloudsigma.comparing.trail import Side


def side_lines(side: Side) -> Iterator[str]:
    """Principals, accounts and resources with their counts, the most frequent first."""
    for label, counts in (("by", side.principals), ("in", side.accounts), ("on", side.resources)):
        yield f"    {label} {_counted(counts)}"


def _counted(counts: Counter[str]) -> str:
    shown = ", ".join(f"{name} ×{count}" for name, count in counts.most_common(MOST_SHOWN))
    return shown + (f" and {len(counts) - MOST_SHOWN:,} more" if len(counts) > MOST_SHOWN else "")

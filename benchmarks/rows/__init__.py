"""One module for each row of the table; `ROWS` has them in order.

Each has a `NAME`, a `TITLE`, and a function `run` from a `Bench` to a `Row`. It raises `FileNotFoundError` where it
needs the shared corpus and that is absent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from bench import Bench
from results import Row

from rows import bundled, in_memory, jobs_and_memory, many_rules, other_engines, sigmahq, starting, suzaku


@dataclass(frozen=True)
class Entry:
    """A row that can be asked for."""

    name: str
    title: str
    run: Callable[[Bench], Row]


def _entry(module: ModuleType) -> Entry:
    return Entry(module.NAME, module.TITLE, module.run)


ROWS = tuple(map(_entry, (bundled, other_engines, sigmahq, suzaku, in_memory, many_rules, starting, jobs_and_memory)))

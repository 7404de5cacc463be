"""The numbers of a ledger as one map, which Spark can add up, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from cloudsigma.reading.account.ledger import Ledger, Loss, Recorder

_MAPS = ("forms", "files_by_form", "bytes_by_form", "recognized", "not_looked_at", "left_out", "kept")
_NUMBERS = ("files", "inflated", "named_files")


def counts_of(recorder: Recorder) -> dict[str, int]:
    """The numbers of a recorder but its records and stored bytes, such as `inflated` and `forms:log_file`."""
    counts = {name: getattr(recorder, name) for name in _NUMBERS}
    for name in _MAPS:
        counts |= {f"{name}:{each}": number for each, number in getattr(recorder, name).items()}
    return {name: number for name, number in counts.items() if number}


def ledger_of(counts: Mapping[str, int], records: int, stored: int, losses: Iterable[Loss]) -> Ledger:
    """The ledger with these numbers, added up over files; numbers without a place in it are left out."""
    maps: dict[str, Counter[str]] = {name: Counter() for name in _MAPS}
    for name, number in counts.items():
        kind, _, each = name.partition(":")
        if kind in maps:
            maps[kind][each] += number
    values: dict[str, Any] = {name: counts.get(name, 0) for name in _NUMBERS}
    values |= {name: dict(maps[name]) for name in _MAPS}
    return Ledger(bytes=stored, records=records, losses=tuple(losses), **values)

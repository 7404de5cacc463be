"""Records of files that a command keeps in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from cloudsigma.cli.screen import screen
from cloudsigma.reading import read_records

RECORD_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
"""A file of records."""
_MOST = 100_000
"""Records that are kept in memory."""


def records_of(paths: Sequence[Path]) -> tuple[list[dict[str, Any]], bool]:
    """The records of the files, and whether something was lost, which is told."""
    if not paths:
        return [], False
    reader = read_records(*paths)
    found: list[dict[str, Any]] = []
    for record in reader:
        if len(found) == _MOST:
            raise click.UsageError(f"there are more than {_MOST:,} records: give the few that show the difference.")
        found.append(record)
    if not reader.ledger.complete:
        screen().tell_ledger(reader.ledger)
    return found, not reader.ledger.complete

"""Which files of a folder or prefix may be logs, told from how their names end."""

from __future__ import annotations

import re
from pathlib import PurePath

from cloudsigma.reading.content.archive_formats import refusal_of_ending

LOG_ENDINGS = frozenset(
    {".json", ".jsonl", ".ndjson", ".jsonlines", ".gz", ".gzip", ".csv", ".tsv", ".parquet", ".log", ""}
)
"""Endings of files that are looked at, whatever their case."""


_ENDING = re.compile(r"\.[a-z0-9_~-]{1,12}")
"""An ending. The name of a Firehose stream may have a dot, and a date and an ID behind it."""


def ending_of(name: str) -> str:
    """How a name ends, in lower case; the number of a log that was rotated is no ending (`cloudtrail.log.1`)."""
    path = PurePath(name)
    ending = path.suffix.lower()
    if not _ENDING.fullmatch(ending):
        return ""
    if ending[1:].isdecimal() and len(ending) <= 4:
        return PurePath(path.stem).suffix.lower() or ending
    return ending


def is_log(name: str) -> bool:
    """Whether a file in a folder is looked at."""
    return ending_of(name) in LOG_ENDINGS


def packed(name: str) -> str | None:
    """Why an archive is not read, and what to do; `None` where the name is not that of an archive."""
    return refusal_of_ending(PurePath(name).suffix.lower())

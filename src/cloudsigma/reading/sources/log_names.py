"""Which files of a folder or prefix may be logs, told from how their names end."""

from __future__ import annotations

from pathlib import PurePath

from cloudsigma.reading.content.archive_formats import refusal_of_ending

LOG_ENDINGS = frozenset(
    {".json", ".jsonl", ".ndjson", ".jsonlines", ".gz", ".gzip", ".csv", ".tsv", ".parquet", ".log", ""}
)
"""Endings of files that are looked at, whatever their case."""


def ending_of(name: str) -> str:
    """How a name ends, in lower case; the number of a log that was rotated is no ending (`cloudtrail.log.1`)."""
    path = PurePath(name)
    ending = path.suffix.lower()
    if ending[1:].isdecimal() and len(ending) <= 4:
        return PurePath(path.stem).suffix.lower() or ending
    return ending


def is_log(name: str) -> bool:
    """Whether a file in a folder is looked at."""
    return ending_of(name) in LOG_ENDINGS


def packed(name: str) -> str | None:
    """Why a log that is packed is not read, and what to do; `None` where it is none, as far as its name tells."""
    path = PurePath(name)
    return refusal_of_ending(path.suffix.lower()) if ending_of(path.stem) in LOG_ENDINGS - {""} else None
